"""Runs the streams that have listeners."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .connections import Connections
from .texts import encoded

Payload = dict[str, Any] | list[dict[str, Any]]
Source = Callable[[int], Sequence[Payload]]
"""Returns a stream's events since the last call. It is called with the time in UTC milliseconds."""
Listener = Callable[[str, str], None]
"""Called with the stream's name and each event as JSON."""


class Stream(NamedTuple):
    source: Source
    seconds: float
    """The interval between calls of the source."""


class Feeds:
    """The streams of one market. `stream_of` finds a stream by name; None: it never sends anything."""

    def __init__(
        self,
        stream_of: Callable[[str], Stream | None],
        connections: Connections,
        now: Callable[[], int],
    ) -> None:
        self._stream_of = stream_of
        self._connections = connections
        self._now = now
        self._listeners: dict[str, list[Listener]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def names(self) -> list[str]:
        """The names of the streams that have listeners."""
        return list(self._listeners)

    def listen(self, name: str, listener: Listener) -> None:
        self._listeners.setdefault(name, []).append(listener)
        if name not in self._running and (stream := self._stream_of(name)):
            self._running[name] = asyncio.create_task(self._run(name, stream))

    def unlisten(self, name: str, listener: Listener) -> None:
        self._listeners[name].remove(listener)
        if not self._listeners[name]:
            del self._listeners[name]
            if task := self._running.pop(name, None):
                task.cancel()

    def close(self) -> None:
        for task in self._running.values():
            task.cancel()

    async def _run(self, name: str, stream: Stream) -> None:
        while True:
            if not self._connections.paused:
                for payload in stream.source(self._now()):
                    self._send(name, encoded(payload))
            await asyncio.sleep(stream.seconds)

    def _send(self, name: str, text: str) -> None:
        for listener in list(self._listeners.get(name, ())):
            listener(name, text)
