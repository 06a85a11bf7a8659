"""Servers that a trader's webhook leads to, and that never answer as they should."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from .wire import HOST, MOST_BYTES_PER_SECOND, SENT, Pace, Target

LISTENS: Final = "Listening at "
DRIP_SECONDS: Final = 0.2
MOST_BYTES: Final = 200 * 1024 * 1024
OK: Final = b"HTTP/1.1 200 OK\r\n"
Behaviour = Callable[[asyncio.StreamWriter, Pace], Awaitable[None]]


async def never(_: asyncio.StreamWriter, __: Pace) -> None:
    await asyncio.Event().wait()


async def drips(writer: asyncio.StreamWriter, _: Pace) -> None:
    writer.write(OK + b"X-A: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(DRIP_SECONDS)


async def floods(writer: asyncio.StreamWriter, pace: Pace, opening: bytes, piece: bytes) -> None:
    writer.write(opening)
    for _ in range(MOST_BYTES // len(piece)):
        writer.write(piece)
        SENT.bytes += len(piece)
        await writer.drain()
        await pace.turn(len(piece))


BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    "webhook, no answer": never,
    "webhook, dripping": drips,
    "webhook, endless 1xx": partial(
        floods, opening=b"", piece=b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 500
    ),
    "webhook, endless headers": partial(floods, opening=OK, piece=b"X-A: " + b"a" * 60_000 + b"\r\n"),
    "webhook, endless body": partial(
        floods, opening=OK + b"Content-Type: text/plain\r\n\r\n", piece=b"a" * 65_536
    ),
}


async def serve(_: Target, behave: Behaviour) -> None:
    pace = Pace(MOST_BYTES_PER_SECOND)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        SENT.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            await behave(writer, pace)
        writer.transport.abort()

    server = await asyncio.start_server(answer, HOST, 0)
    print(f"{LISTENS}http://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


ATTACKERS: Final[Mapping[str, Callable[[Target], Awaitable[None]]]] = {
    name: partial(serve, behave=behaviour) for name, behaviour in BEHAVIOURS.items()
}
