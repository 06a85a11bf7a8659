"""The pages in a process of their own, to be stopped, killed and started again."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn

from broker.clock import random_bytes, utc_now

from ..web.support import world


async def main(folder: str, port: str) -> None:
    async with world(Path(folder), utc_now, random_bytes) as desk:
        with socket.create_server(("127.0.0.1", int(port)), reuse_port=False) as listening:
            print("ready", flush=True)
            config = uvicorn.Config(desk.app, lifespan="off", ws="none", log_config=None)
            await uvicorn.Server(config).serve(sockets=[listening])


asyncio.run(main(*sys.argv[1:]))
