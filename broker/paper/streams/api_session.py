"""A client's session with spot's WebSocket API (Binance's web-socket-api.md).

It has only the methods that the user data stream needs. Orders use HTTP.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..http.errors import Refusal, mandatory
from ..http.limits import Limits
from ..http.params import Params
from ..http.signing import Credentials, validity
from ..spot.exchange import Exchange
from .peer import Peer
from .texts import decoded, encoded

Json = dict[str, Any]
USER_STREAM_WEIGHT = 2


class ApiSession:
    """There is one account, so a session has at most one subscription."""

    def __init__(self, peer: Peer, exchange: Exchange, credentials: Credentials, limits: Limits) -> None:
        self.subscription: int | None = None
        self._peer = peer
        self._exchange = exchange
        self._credentials = credentials
        self._limits = limits
        self._next_subscription = 0

    def send(self, event: Json) -> None:
        """Send an event of the user data stream, if the client is subscribed."""
        if self.subscription is not None:
            self._peer.send(encoded({"subscriptionId": self.subscription, "event": event}))

    def receive(self, text: str) -> None:
        request: Json = {}
        try:
            request = _request(text)
            answer: Json = {"status": 200, "result": self._result(request)}
        except Refusal as refusal:
            answer = {"status": refusal.http, "error": self._error(refusal)}
        self._peer.send(encoded({"id": request.get("id"), **answer, **self._rate_limits(request)}))

    def _result(self, request: Json) -> Any:
        methods: dict[str, tuple[Callable[[Params], Any], int, tuple[str, ...]]] = {
            "ping": (lambda _: {}, 1, ()),
            "time": (lambda _: {"serverTime": self._exchange.now}, 1, ()),
            "session.subscriptions": (self._list, USER_STREAM_WEIGHT, ()),
            "userDataStream.subscribe.signature": (
                self._subscribe,
                USER_STREAM_WEIGHT,
                ("apiKey", "timestamp", "recvWindow", "signature"),
            ),
            "userDataStream.unsubscribe": (self._unsubscribe, USER_STREAM_WEIGHT, ("subscriptionId",)),
        }
        if request["method"] not in methods:
            raise Refusal(-1020, "This operation is not supported.")
        answer, weight, reads = methods[request["method"]]
        self._limits.spend(weight, self._exchange.now)
        params = Params(_values(request))
        params.only(reads)
        return answer(params)

    def _subscribe(self, params: Params) -> Json:
        values = dict(params.values)
        signature = values.pop("signature", None)
        payload = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
        self._credentials.check(values.get("apiKey", ""), payload, signature)
        validity(values).check(self._exchange.now)
        if self.subscription is not None:
            raise Refusal(-2035, "User Data Stream subscription already active.")
        self.subscription, self._next_subscription = self._next_subscription, self._next_subscription + 1
        return {"subscriptionId": self.subscription}

    def _unsubscribe(self, params: Params) -> Json:
        wanted = params.integer("subscriptionId")
        if self.subscription is None or wanted not in (None, self.subscription):
            raise Refusal(-2036, "User Data Stream subscription not active.")
        self.send({"e": "eventStreamTerminated", "E": self._exchange.now})
        self.subscription = None
        return {}

    def _list(self, _: Params) -> list[Json]:
        return [] if self.subscription is None else [{"subscriptionId": self.subscription}]

    def _error(self, refusal: Refusal) -> Json:
        error: Json = {"code": refusal.code, "msg": refusal.msg}
        if seconds := refusal.headers.get("Retry-After"):
            now = self._exchange.now
            error["data"] = {"serverTime": now, "retryAfter": now + int(seconds) * 1000}
        return error

    def _rate_limits(self, request: Json) -> Json:
        if _params(request).get("returnRateLimits") is False:
            return {}
        weight = next(limit for limit in self._limits.listed() if limit["rateLimitType"] == "REQUEST_WEIGHT")
        return {"rateLimits": [{**weight, "count": self._limits.weight.used}]}


def _request(text: str) -> Json:
    try:
        request = decoded(text)
    except ValueError:
        raise Refusal(-1135, "Invalid JSON Request.") from None
    if not isinstance(request, dict) or not isinstance(request.get("params", {}), dict):
        raise Refusal(-1135, "Invalid JSON Request.")
    if not isinstance(request.get("method"), str):
        raise mandatory("method")
    return request


def _params(request: Json) -> Mapping[str, Any]:
    params: Mapping[str, Any] = request.get("params", {})
    return params


def _values(request: Json) -> dict[str, str]:
    """Return the parameters as they are signed, without the one that only affects the answer."""
    return {name: _text(value) for name, value in _params(request).items() if name != "returnRateLimits"}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
