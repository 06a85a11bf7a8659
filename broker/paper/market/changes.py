"""Changes at the exchange, published to listeners such as the WebSocket streams."""

from collections.abc import Callable

Listener = Callable[[object], None]


class Changes:
    """Each change is published after it was written to the store."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener. The returned function removes it."""
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None

    def publish(self, change: object) -> None:
        for listener in list(self._listeners.values()):
            listener(change)
