"""A client's session with market streams (Binance's web-socket-streams.md)."""

from collections.abc import Callable, Iterable
from typing import Any

from .feeds import Feeds
from .peer import Peer
from .texts import decoded, encoded

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class RequestError(Exception):
    """An error answer with Binance's code and message."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg


class MarketSession:
    """`combined`: wrap each event in an object with the name of its stream."""

    def __init__(self, peer: Peer, feeds: Feeds, *, combined: bool) -> None:
        self._peer = peer
        self._feeds = feeds
        self._combined = combined
        self._names: dict[str, None] = {}

    def subscribe(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._names:
                self._names[name] = None
                self._feeds.listen(name, self._send)

    def close(self) -> None:
        self._unsubscribe(list(self._names))

    def receive(self, text: str) -> None:
        request: Any = None
        try:
            request = _request(text)
            result = self._answer(request["method"], request.get("params", []))
            answer: dict[str, Any] = {"result": result}
        except RequestError as error:
            answer = {"error": {"code": error.code, "msg": error.msg}}
        if isinstance(request, dict):
            answer["id"] = request.get("id")
        self._peer.send(encoded(answer))

    def _answer(self, method: str, params: list[Any]) -> Any:
        answers: dict[str, Callable[[list[Any]], Any]] = {
            "SUBSCRIBE": lambda names: self.subscribe(_streams(names)),
            "UNSUBSCRIBE": lambda names: self._unsubscribe(_streams(names)),
            "LIST_SUBSCRIPTIONS": lambda _: list(self._names),
            "SET_PROPERTY": self._set_property,
            "GET_PROPERTY": self._property,
        }
        return answers[method](params)

    def _unsubscribe(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._names:
                del self._names[name]
                self._feeds.unlisten(name, self._send)

    def _set_property(self, params: list[Any]) -> None:
        self._property(params[:1])
        if len(params) != 2 or not isinstance(params[1], bool):
            raise RequestError(1, "Invalid value type: expected Boolean")
        self._combined = params[1]

    def _property(self, params: list[Any]) -> bool:
        if not params or not isinstance(params[0], str):
            raise RequestError(2, "Invalid request: property name must be a string")
        if params[0] != "combined":
            raise RequestError(0, "Unknown property")
        if len(params) > 1:
            raise RequestError(2, "Invalid request: too many parameters")
        return self._combined

    def _send(self, name: str, text: str) -> None:
        self._peer.send(f'{{"stream":{encoded(name)},"data":{text}}}' if self._combined else text)


def _request(text: str) -> dict[str, Any]:
    try:
        request = decoded(text)
    except ValueError:
        raise RequestError(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(request, dict) or "method" not in request:
        raise RequestError(2, "Invalid request: missing field `method`")
    if request["method"] not in _METHODS:
        expected = ", ".join(f"`{method}`" for method in _METHODS)
        raise RequestError(
            2, f"Invalid request: unknown variant `{request['method']}`, expected one of {expected}"
        )
    if not _is_id(request.get("id")):
        raise RequestError(2, "Invalid request: request ID must be an unsigned integer")
    if not isinstance(request.get("params", []), list):
        raise RequestError(2, "Invalid request: params must be a list")
    return request


def _is_id(value: Any) -> bool:
    """Whether it is a valid request id: an integer, a string of up to 36 characters, or null."""
    if isinstance(value, str):
        return len(value) <= 36
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def is_stream(name: object) -> bool:
    """Whether it has the form of a stream name. The stream need not exist."""
    return isinstance(name, str) and ("@" in name or name.startswith("!"))


def _streams(names: list[Any]) -> list[str]:
    if not all(map(is_stream, names)):
        raise RequestError(2, "Invalid request: invalid stream")
    return names
