"""One connection while it waits for an answer: what can be done to it, orderly or not."""

import asyncio
import socket
import struct
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from .rest import Answer

Transports = Callable[[Scope], asyncio.Transport | None]
"""Finds a connection below ASGI, which can only answer orderly; None: it is closed."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Line:
    def __init__(self, scope: Scope, receive: Receive, send: Send, transports: Transports) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._transports = transports

    async def answer(self, answer: Answer) -> None:
        await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def first_half(self, answer: Answer) -> None:
        await self._start(answer)
        body = answer.body[: len(answer.body) // 2]
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def second_half(self, answer: Answer) -> None:
        await self._send({"type": "http.response.body", "body": answer.body[len(answer.body) // 2 :]})

    async def close(self) -> None:
        """FIN, after what was sent."""
        if transport := self._transports(self._scope):
            transport.close()
            await self.gone()

    async def reset(self) -> None:
        """RST."""
        if transport := self._transports(self._scope):
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
            await self.gone()

    async def gone(self) -> None:
        """Returns when the connection is closed, by either side."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _start(self, answer: Answer) -> None:
        headers = {
            "content-type": answer.media_type,
            "content-length": str(len(answer.body)),
            **answer.headers,
        }
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": encoded})
