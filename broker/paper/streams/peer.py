"""One WebSocket connection."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from ..line import Transports

MOST_WAITING = 1_000


class Peer:
    """What it is told waits in a bounded queue; who doesn't read it in time is cut off."""

    def __init__(self, socket: WebSocket, transports: Transports) -> None:
        self._socket = socket
        self._transports = transports
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self._cut = asyncio.Event()

    def tell(self, text: str) -> None:
        try:
            self._waiting.put_nowait(text)
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """Without a closing handshake, like a network that fails."""
        self._cut.set()

    async def serve(self, hear: Callable[[str], None]) -> None:
        """Until either side ends it. `hear` is given what the client sends."""
        await self._socket.accept()
        tasks = [asyncio.ensure_future(work) for work in (self._hear(hear), self._speak(), self._cut.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._cut.is_set():
            await self._break()
        for task in done:
            with contextlib.suppress(WebSocketDisconnect):
                task.result()

    async def _hear(self, hear: Callable[[str], None]) -> None:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            hear(text if text is not None else message["bytes"].decode(errors="replace"))

    async def _speak(self) -> None:
        while True:
            await self._socket.send_text(await self._waiting.get())

    async def _break(self) -> None:
        if transport := self._transports(self._socket.scope):
            transport.abort()
