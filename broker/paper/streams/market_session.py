"""What a client may ask on a connection to market streams (Binance's web-socket-streams.md)."""

from collections.abc import Callable, Iterable
from typing import Any

from .feeds import Feeds
from .peer import Peer
from .texts import decoded, encoded

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class Misasked(Exception):
    """An error answer: Binance's code and message."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg


class MarketSession:
    """`combined`: events come wrapped, with the name of their stream."""

    def __init__(self, peer: Peer, feeds: Feeds, *, combined: bool) -> None:
        self._peer = peer
        self._feeds = feeds
        self._combined = combined
        self._names: dict[str, None] = {}

    def subscribe(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._names:
                self._names[name] = None
                self._feeds.listen(name, self._tell)

    def close(self) -> None:
        self._unsubscribe(list(self._names))

    def hear(self, text: str) -> None:
        request: Any = None
        try:
            request = _request(text)
            result = self._answer(request["method"], request.get("params", []))
            answer: dict[str, Any] = {"result": result}
        except Misasked as error:
            answer = {"error": {"code": error.code, "msg": error.msg}}
        if isinstance(request, dict):
            answer["id"] = request.get("id")
        self._peer.tell(encoded(answer))

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
                self._feeds.leave(name, self._tell)

    def _set_property(self, params: list[Any]) -> None:
        self._property(params[:1])
        if len(params) != 2 or not isinstance(params[1], bool):
            raise Misasked(1, "Invalid value type: expected Boolean")
        self._combined = params[1]

    def _property(self, params: list[Any]) -> bool:
        if not params or not isinstance(params[0], str):
            raise Misasked(2, "Invalid request: property name must be a string")
        if params[0] != "combined":
            raise Misasked(0, "Unknown property")
        if len(params) > 1:
            raise Misasked(2, "Invalid request: too many parameters")
        return self._combined

    def _tell(self, name: str, text: str) -> None:
        self._peer.tell(f'{{"stream":{encoded(name)},"data":{text}}}' if self._combined else text)


def _request(text: str) -> dict[str, Any]:
    try:
        request = decoded(text)
    except ValueError:
        raise Misasked(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(request, dict) or "method" not in request:
        raise Misasked(2, "Invalid request: missing field `method`")
    if request["method"] not in _METHODS:
        expected = ", ".join(f"`{method}`" for method in _METHODS)
        raise Misasked(
            2, f"Invalid request: unknown variant `{request['method']}`, expected one of {expected}"
        )
    if not _is_id(request.get("id")):
        raise Misasked(2, "Invalid request: request ID must be an unsigned integer")
    if not isinstance(request.get("params", []), list):
        raise Misasked(2, "Invalid request: params must be a list")
    return request


def _is_id(value: Any) -> bool:
    """A whole number, a string of up to 36 characters, or null."""
    if isinstance(value, str):
        return len(value) <= 36
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def is_stream(name: object) -> bool:
    """Whether it has the form of a stream's name, be there such a stream or not."""
    return isinstance(name, str) and ("@" in name or name.startswith("!"))


def _streams(names: list[Any]) -> list[str]:
    if not all(map(is_stream, names)):
        raise Misasked(2, "Invalid request: invalid stream")
    return names
