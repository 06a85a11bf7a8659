"""Attackers without a key or a password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from random import Random
from typing import Final
from urllib.parse import urlencode

from .wire import AGAIN_SECONDS, FORM, HOST, MOST_BYTES_PER_SECOND, OTHER_HOST, Line, Pace, Target, exchange, line, request, together

MIB: Final = 1024 * 1024
ENDLESS: Final = 100 * MIB
PIECE: Final = 64 * 1024
AT_ONCE: Final = 4
SLOW_LINES: Final = 200
IDLE_LINES: Final = 3_000
NEW_PER_SECOND: Final = 400
SIGN_INS_PER_SECOND: Final = 40
CALLS_PER_SECOND: Final = 200
GET: Final = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
ADDRESSES: Final = tuple(f"127.0.0.{number}" for number in range(10, 60))


async def endless(target: Target, opening: bytes, piece: bytes) -> None:
    """100 MB on each of a few connections, and again; all together at no more than the attackers' pace."""
    pace = Pace(MOST_BYTES_PER_SECOND)

    async def one(_: int) -> None:
        with suppress(OSError, TimeoutError):
            async with line(target) as connection:
                await connection.send(opening)
                for _ in range(ENDLESS // len(piece)):
                    await connection.send(piece)
                    await pace.turn(len(piece))
        await asyncio.sleep(AGAIN_SECONDS)

    await together(AT_ONCE, one)


async def endless_body(target: Target) -> None:
    """On every path that takes one, with a length and in chunks."""
    paths = ("/signin", "/welcome", "/tools/intent_list", "/mcp", "/intents/x/decision", "/nothing")
    pace = Pace(MOST_BYTES_PER_SECOND)

    async def one(which: int) -> None:
        for path in paths:
            chunked = which % 2 == 0
            size = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(ENDLESS)}
            lines = "".join(f"{name}: {value}\r\n" for name, value in {**FORM, **size}.items())
            piece = b"%x\r\n%s\r\n" % (PIECE, b"a" * PIECE) if chunked else b"a" * PIECE
            with suppress(OSError, TimeoutError):
                async with line(target) as connection:
                    await connection.send(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode())
                    for _ in range(ENDLESS // PIECE):
                        await connection.send(piece)
                        await pace.turn(PIECE)
            await asyncio.sleep(AGAIN_SECONDS)

    await together(AT_ONCE, one)


async def slow(target: Target, opening: bytes) -> None:
    """A byte a second on each of many connections."""
    new = Pace(NEW_PER_SECOND)

    async def one(_: int) -> None:
        await new.turn()
        with suppress(OSError, TimeoutError):
            async with line(target) as connection:
                await connection.send(opening)
                while not connection.reader.at_eof():
                    await connection.send(b"a")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(connection.reader.read(1024), 1)
        await asyncio.sleep(1)

    await together(SLOW_LINES, one)


POSTED: Final = b"POST /signin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 16000\r\n"
LATE_FORM: Final = POSTED + b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
OPENINGS: Final = (b"", GET + b"X-A: ", LATE_FORM)
"""Of connections that say nothing more: not a word, half a header, half a body."""


async def idle(target: Target, sources: tuple[str, ...] = (HOST,)) -> None:
    """3,000 connections that are held open; one that is cut off is opened again."""
    new = Pace(NEW_PER_SECOND)

    async def one(which: int) -> None:
        await new.turn()
        with suppress(OSError, TimeoutError):
            async with line(target, sources[which % len(sources)]) as connection:
                await connection.send(OPENINGS[which % len(OPENINGS)])
                await connection.reader.read(1024)
        await asyncio.sleep(1)

    await together(IDLE_LINES, one)


async def wrong_passwords(target: Target, source: str) -> None:
    """For the trader's own name."""
    pace = Pace(SIGN_INS_PER_SECOND)

    async def one(which: int) -> None:
        await pace.turn()
        body = urlencode({"name": target.trader, "password": f"wrong {which}"}).encode()
        await exchange(target, request(target, "POST", "/signin", body, FORM), source)

    await together(SIGN_INS_PER_SECOND * 2, one)


async def new_names(target: Target, source: str) -> None:
    """Ever new ones, which hang up at once and leave the broker the hashing."""
    pace, random = Pace(SIGN_INS_PER_SECOND), Random(target.seed)

    async def one(_: int) -> None:
        await pace.turn()
        form = {"name": f"name {random.getrandbits(60):x}", "password": "x" * 100}
        sent = request(target, "POST", "/signin", urlencode(form).encode(), FORM)
        with suppress(OSError, TimeoutError):
            async with line(target, source) as connection:
                await _and_hang_up(connection, sent)

    await together(8, one)


async def keyless_calls(target: Target) -> None:
    """Tools, MCP and pages, with wrong keys and cookies or none."""
    pace, random = Pace(CALLS_PER_SECOND), Random(target.seed)
    cookie = {"Cookie": f"broker_session_{target.port}=nobody"}

    async def one(_: int) -> None:
        await pace.turn()
        key = {"X-MCP-API-Key": f"cbk_{random.getrandbits(256):064x}"}
        sent = random.choice(
            (
                request(target, "POST", "/tools/binance_get_ticker", b'{"symbol": "BTCUSDT"}', key),
                request(target, "POST", "/mcp", b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', key),
                request(target, "GET", "/", headers=cookie),
                request(target, "GET", "/events", headers=cookie),
                request(target, "GET", "/signin"),
                request(target, "GET", "/health", headers=key),
                request(target, "POST", "/trading", b"level=open&shown=1", {**FORM, **cookie}),
            )
        )
        await exchange(target, sent)

    await together(16, one)


async def hang_ups(target: Target) -> None:
    """In the middle of what they send, and with bytes that are no HTTP."""
    pace, random = Pace(50), Random(target.seed)
    paths = ("/signin", "/welcome", "/tools/intent_list", "/mcp", "/intents/x/decision", "/trading")
    nonsense = (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /signin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\nhello",
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n",
        GET + b"\x00: \xff\xfe\r\n\r\n",
        b"GET /%ff%00/../..//\xc3\x28 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    )

    async def one(_: int) -> None:
        await pace.turn()
        key = {"X-MCP-API-Key": random.choice(target.keys), "Content-Type": "application/json"}
        headers = random.choice((FORM, key)) | {"Content-Length": "5000"}
        half = request(target, "POST", random.choice(paths), b'{"half": "', headers)
        with suppress(OSError, TimeoutError):
            async with line(target) as connection:
                await _and_hang_up(connection, random.choice((half, half, random.choice(nonsense))))

    await together(8, one)


async def _and_hang_up(connection: Line, sent: bytes) -> None:
    await connection.send(sent)
    await asyncio.sleep(0.02)


ATTACKERS: Final[Mapping[str, Callable[[Target], Awaitable[None]]]] = {
    "endless header": partial(endless, opening=GET + b"X-A: ", piece=b"a" * PIECE),
    "endless headers": partial(endless, opening=GET, piece=b"X-Line: aaaaaaaaaaaaaaaaaaaaa\r\n" * 2048),
    "endless URL": partial(endless, opening=b"GET /", piece=b"a" * PIECE),
    "endless body": endless_body,
    "slow headers": partial(slow, opening=GET + b"X-A: "),
    "slow bodies": partial(slow, opening=LATE_FORM),
    "idle": idle,
    "idle, many addresses": partial(idle, sources=ADDRESSES),
    "wrong passwords": partial(wrong_passwords, source=OTHER_HOST),
    "wrong passwords, own address": partial(wrong_passwords, source=HOST),
    "new names": partial(new_names, source=OTHER_HOST),
    "new names, own address": partial(new_names, source=HOST),
    "keyless calls": keyless_calls,
    "hang-ups": hang_ups,
}
