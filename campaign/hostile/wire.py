"""What every attacker uses: a target, a pace, and connections that are never waited for too long."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

HOST: Final = "127.0.0.1"
OTHER_HOST: Final = "127.0.0.66"
"""Another address of this machine: an attacker who does not share the trader's."""

MOST_BYTES_PER_SECOND: Final = 40 * 1024 * 1024
CONNECT_SECONDS: Final = 10
ANSWER_SECONDS: Final = 20
MOST_ANSWER: Final = 64 * 1024
AGAIN_SECONDS: Final = 0.1
BURST_SECONDS: Final = 0.1
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """`keys`: of agents that may call; `trader`: the name of one who decides."""

    attacker: str
    port: int
    keys: Sequence[str]
    trader: str
    seconds: float
    seed: int


@dataclass
class Sent:
    """What an attacker did, so that a campaign can show that it attacked."""

    connections: int = 0
    bytes: int = 0
    answers: int = 0


SENT: Final = Sent()


class Pace:
    """So much a second, of all tasks that share it."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._due = time.monotonic()

    async def turn(self, cost: float = 1) -> None:
        now = time.monotonic()
        self._due = max(self._due, now - BURST_SECONDS) + cost / self._per_second
        if self._due > now:
            await asyncio.sleep(self._due - now)


class Line:
    """A connection; what is written to it is counted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Raises OSError when it was cut off."""
        self.writer.write(data)
        SENT.bytes += len(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        """What comes until the end, of which so much is read. Raises OSError, TimeoutError."""
        async with asyncio.timeout(ANSWER_SECONDS):
            found = b""
            while len(found) < MOST_ANSWER and (more := await self.reader.read(MOST_ANSWER)):
                found += more
        SENT.answers += 1
        return found


@asynccontextmanager
async def line(target: Target, source: str = HOST) -> AsyncIterator[Line]:
    """Hung up at the end without ceremony. Raises OSError, TimeoutError."""
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(HOST, target.port, local_addr=(source, 0))
    SENT.connections += 1
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


def request(
    target: Target, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """One that asks for the connection to be closed."""
    lines = {
        "Host": f"{HOST}:{target.port}",
        "Connection": "close",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def exchange(target: Target, sent: bytes, source: str = HOST) -> bytes:
    """The whole answer; empty when there was none."""
    try:
        async with line(target, source) as connection:
            await connection.send(sent)
            return await connection.answer()
    except (OSError, TimeoutError):
        await asyncio.sleep(AGAIN_SECONDS)
        return b""


async def call(target: Target, key: str, tool: str, body: Any) -> Mapping[str, Any]:
    """A tool's answer, or nothing. `body`: bytes as they are, all else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-MCP-API-Key": key, "Content-Type": "application/json"}
    answer = await exchange(target, request(target, "POST", f"/tools/{tool}", content, headers))
    try:
        found = json.loads(answer.partition(b"\r\n\r\n")[2])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def together(number: int, one: Callable[[int], Awaitable[None]]) -> None:
    """So many at a time, each of which goes on until the attacker's time is over."""

    async def again(which: int) -> None:
        while True:
            await one(which)

    await asyncio.gather(*(again(which) for which in range(number)))
