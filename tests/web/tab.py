"""An open page's stream, read without a server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from broker.settings import Settings
from broker.web.auth import cookie_name

PATIENCE_SECONDS = 5
PRICE = 'hx-target="#live-'


@dataclass
class Tab:
    status: asyncio.Future[int]
    chunks: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    async def message(self) -> str:
        """The next message, heartbeats and prices left out."""
        while "event: heartbeat" in (chunk := await self._chunk()) or PRICE in chunk:
            pass
        return chunk

    async def message_with(self, text: str) -> str:
        while text not in (chunk := await self._chunk()):
            pass
        return chunk

    async def prices(self) -> list[str]:
        """Of the next message that tells prices, each as it is said."""
        return prices_in(await self.message_with(PRICE))

    async def told(self, price: str) -> None:
        """As soon as that price is."""
        while price not in await self.prices():
            pass

    async def _chunk(self) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            if chunk := await self.chunks.get():
                return chunk
        raise AssertionError("the stream has ended")

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.chunks.get() is not None:
                pass


def prices_in(message: str) -> list[str]:
    said = re.findall(r'id="live-\w+">.*?<b>(.*?)</b>', message)
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in said]


@asynccontextmanager
async def tab(app: ASGIApp, token: str, subject: str = "inbox") -> AsyncIterator[Tab]:
    opened = Tab(asyncio.get_running_loop().create_future())
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            opened.status.set_result(message["status"])
        elif message["body"]:
            opened.chunks.put_nowait(message["body"].decode())
        if not message.get("more_body", True):
            opened.chunks.put_nowait(None)

    running = asyncio.create_task(_call(app, token, subject, receive, send))
    try:
        started: set[asyncio.Future[Any]] = {opened.status, running}
        await asyncio.wait(started, return_when=asyncio.FIRST_COMPLETED)
        yield opened
    finally:
        left.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait_for(running, PATIENCE_SECONDS)


async def _call(app: ASGIApp, token: str, subject: str, receive: Any, send: Any) -> None:
    headers = [(b"host", b"localhost"), (b"cookie", f"{cookie_name(Settings())}={token}".encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/events",
        "raw_path": b"/events",
        "query_string": f"for={subject}".encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 3606),
    }
    await app(scope, receive, send)
