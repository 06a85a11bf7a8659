"""Servers within a test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Its address."""
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with listening() as listener:
        running = asyncio.create_task(server._serve([listener]))
        try:
            yield address(listener)
        finally:
            await accept_no_more(listener)
            server.should_exit = True
            await running


def listening(port: int = 0) -> socket.socket:
    """Named as TCP, or asyncio would leave Nagle's algorithm on, which costs 40 ms an answer."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


async def accept_no_more(listener: socket.socket) -> None:
    """Before a server is closed: asyncio never closes a connection that it has only just accepted then."""
    asyncio.get_running_loop().remove_reader(listener)
    for _ in range(3):
        await asyncio.sleep(0)
