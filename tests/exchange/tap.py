"""A TCP relay before the paper exchange, which counts connections and can answer a request itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

POST = b"POST /api/v3/order "


class Tap:
    """`answer`: the raw bytes to send in place of the exchange's answer to requests that start with `to`.

    `counted`: the requests that `orders_by_connection` counts.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.answer: bytes | None = None
        self.to = POST
        self.counted = POST
        self.orders_by_connection: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.orders_by_connection.append(0)
        with suppress(ConnectionError, asyncio.CancelledError):
            await self._relay(reader, writer, len(self.orders_by_connection) - 1)
        writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        host, port = self._upstream.hostname, self._upstream.port
        from_exchange, to_exchange = await asyncio.open_connection(host, port)
        back = asyncio.create_task(self._copy(from_exchange, writer))
        try:
            while data := await reader.read(65536):
                self.orders_by_connection[number] += data.count(self.counted)
                if self.to in data and self.answer is not None:
                    writer.write(self.answer)
                    await writer.drain()
                    return
                to_exchange.write(data)
        finally:
            back.cancel()
            to_exchange.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def answer(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", body]).encode()


@asynccontextmanager
async def tapping(upstream: str) -> AsyncIterator[Tap]:
    tap = Tap(upstream)
    server = await asyncio.start_server(tap.serve, "127.0.0.1", 0)
    tap.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield tap
    finally:
        server.close()
        await tap.stop()
        await server.wait_closed()
