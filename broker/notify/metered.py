"""A connection to a possibly hostile endpoint, closed when the endpoint sends too much.

The HTTP library limits the size of one header block. It does not limit how many there are (an endpoint may
answer 103 for ever), in how many pieces they arrive, or the data below TLS. This module counts every byte and
every piece.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream
from httpcore2 import (
    SOCKET_OPTION,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
    ReadError,
    ReadTimeout,
    WriteError,
    WriteTimeout,
)

PIECE: Final = 2048
"""Bytes that are parsed before other tasks can run."""

MOST_PIECES: Final = 256
MOST_HEAD: Final = 16 * 1024
"""Maximum bytes of an answer without its body: status lines, headers, chunk sizes, all 1xx answers."""

TLS_PIECES: Final = 512
TLS_EXTRA: Final = 128 * 1024
"""Bytes that TLS may add: OpenSSL accepts certificates of 100 KiB."""


class TooMuch(Exception):
    """An endpoint sent more than an answer may contain."""


@dataclass
class Meter:
    """How much an endpoint may still send."""

    bytes_left: int
    pieces_left: int

    def count(self, data: bytes) -> bytes:
        """`data`, unchanged. Raises TooMuch."""
        self.bytes_left -= len(data)
        self.pieces_left -= 1
        if self.bytes_left < 0:
            raise TooMuch("the answer is too long")
        if self.pieces_left < 0:
            raise TooMuch("the answer came in too many pieces")
        return data


class Metered(AsyncNetworkBackend):
    """A network for one request. The answer may have `most` bytes in addition to MOST_HEAD."""

    def __init__(self, most: int) -> None:
        self._most = most + MOST_HEAD

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Raises ConnectError, ConnectTimeout."""
        with _raising(ConnectError, ConnectTimeout), anyio.fail_after(timeout):
            raw = await anyio.connect_tcp(host, port, local_host=local_address)
        below = _Counted(raw, Meter(2 * self._most + TLS_EXTRA, TLS_PIECES))
        return _Stream(below, Meter(self._most, MOST_PIECES))

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _Counted(ByteStream):
    """Counts what comes below TLS."""

    def __init__(self, stream: ByteStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Raises TooMuch."""
        return self._meter.count(await self._stream.receive(max_bytes))

    async def send(self, item: bytes) -> None:
        await self._stream.send(item)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        return self._stream.extra_attributes


class _Stream(AsyncNetworkStream):
    def __init__(self, stream: ByteStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises TooMuch, ReadError, ReadTimeout."""
        with _raising(ReadError, ReadTimeout), anyio.fail_after(timeout):
            try:
                return self._meter.count(await self._stream.receive(min(max_bytes, PIECE)))
            except anyio.EndOfStream:
                return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises WriteError, WriteTimeout."""
        if buffer:
            with _raising(WriteError, WriteTimeout), anyio.fail_after(timeout):
                await self._stream.send(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncNetworkStream:
        """Raises TooMuch, ConnectError, ConnectTimeout."""
        try:
            with _raising(ConnectError, ConnectTimeout), anyio.fail_after(timeout):
                secured = await TLSStream.wrap(
                    self._stream,
                    ssl_context=ssl_context,
                    hostname=server_hostname,
                    standard_compatible=False,
                    server_side=False,
                )
        except BaseException:
            await self.aclose()
            raise
        return _Stream(secured, self._meter)


@contextmanager
def _raising(problem: type[Exception], late: type[Exception]) -> Iterator[None]:
    """Raise network errors as the HTTP library's exceptions: `late` for time-outs, `problem` for the rest."""
    try:
        yield
    except TimeoutError as error:
        raise late(error) from error
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
        raise problem(error) from error  # an SSLError is an OSError
