"""A server for a separate process, with the broker's settings."""

from __future__ import annotations

import gc
import socket

import uvicorn
import uvloop
from starlette.types import ASGIApp


async def serve(app: ASGIApp) -> None:
    """Print the URL, and serve on a free port of 127.0.0.1 until the process ends."""
    # With IPPROTO_TCP asyncio disables Nagle's algorithm, which adds 40 ms per answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(
            uvicorn.Config(app, lifespan="off", ws="websockets-sansio", log_level="warning", access_log=False)
        )
        calm_gc()
        print(f"Serving at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await server.serve(sockets=[listening])


def calm_gc() -> None:
    """Make the garbage collector ignore existing objects and run rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def new_event_loop() -> uvloop.Loop:
    """Return the kind of event loop that the broker, the floors and the benchmark all use."""
    return uvloop.new_event_loop()
