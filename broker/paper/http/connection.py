"""A client's connection that waits for an answer. It can be answered, closed or reset."""

import asyncio
import socket
import struct
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from .rest import Answer

Transports = Callable[[Scope], asyncio.Transport | None]
"""Finds the transport of a request. ASGI alone cannot reset a connection. None: it is closed."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ClientConnection:
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
        """Close with FIN, after everything was sent."""
        if transport := self._transports(self._scope):
            transport.close()
            await self.wait_closed()

    async def reset(self) -> None:
        """Close with RST."""
        if transport := self._transports(self._scope):
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
            await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until either side has closed the connection."""
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
