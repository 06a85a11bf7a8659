"""One WebSocket connection."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from ..http.connection import Transports

MAX_QUEUED = 1_000


class Peer:
    """Messages to the client wait in a bounded queue. A client that reads too slowly is cut."""

    def __init__(self, socket: WebSocket, transports: Transports) -> None:
        self._socket = socket
        self._transports = transports
        self._queued: asyncio.Queue[str] = asyncio.Queue(MAX_QUEUED)
        self._cut = asyncio.Event()

    def send(self, text: str) -> None:
        try:
            self._queued.put_nowait(text)
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """Close without a closing handshake, like a network failure."""
        self._cut.set()

    async def serve(self, handle: Callable[[str], None]) -> None:
        """Serve until either side ends the connection. `handle` gets each message of the client."""
        await self._socket.accept()
        work = (self._receive(handle), self._send_queued(), self._cut.wait())
        tasks = [asyncio.ensure_future(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._cut.is_set():
            await self._abort()
        for task in done:
            with contextlib.suppress(WebSocketDisconnect):
                task.result()

    async def _receive(self, handle: Callable[[str], None]) -> None:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            handle(text if text is not None else message["bytes"].decode(errors="replace"))

    async def _send_queued(self) -> None:
        while True:
            await self._socket.send_text(await self._queued.get())

    async def _abort(self) -> None:
        if transport := self._transports(self._socket.scope):
            transport.abort()
