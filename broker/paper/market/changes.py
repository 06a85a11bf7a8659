"""What happened at the exchange, told to whoever listens: the WebSocket surfaces."""

from collections.abc import Callable

Listener = Callable[[object], None]


class Changes:
    """Each change is one of the exchange's own objects, told after it was written down."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    def listen(self, listener: Listener) -> Callable[[], None]:
        """From now on; the answer ends it."""
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None

    def tell(self, change: object) -> None:
        for listener in list(self._listeners.values()):
            listener(change)
