"""A server in a process of its own, set up as the broker is."""

from __future__ import annotations

import gc
import socket

import uvicorn
import uvloop
from starlette.types import ASGIApp


async def serve(app: ASGIApp) -> None:
    """Serve on a free port of 127.0.0.1 until the process ends. Prints its address."""
    # Named as TCP, or asyncio leaves Nagle's algorithm on, which costs 40 ms an answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(
            uvicorn.Config(app, lifespan="off", ws="websockets-sansio", log_level="warning", access_log=False)
        )
        keep_still()
        print(f"Serving at http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await server.serve(sockets=[listening])


def keep_still() -> None:
    """Let the garbage collector walk only what comes from now on, and seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def new_event_loop() -> uvloop.Loop:
    """The same kind of loop for the broker, the floors and the bench."""
    return uvloop.new_event_loop()
