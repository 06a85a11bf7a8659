"""Standard input, line by line."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Final

CHUNK: Final = 64 * 1024
LONGEST: Final = 16 * 1024 * 1024
"""Longer lines are dropped."""


def standard_input() -> asyncio.StreamReader:
    """A stream of this process's standard input.

    A thread reads it: an event loop cannot watch every kind of input. It reads unbuffered, because a buffer's
    lock would outlive the loop.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()

    def read() -> None:
        try:
            while chunk := os.read(0, CHUNK):
                loop.call_soon_threadsafe(reader.feed_data, chunk)
            loop.call_soon_threadsafe(reader.feed_eof)
        except RuntimeError:  # the loop ended before the input
            pass

    threading.Thread(target=read, daemon=True).start()
    return reader


async def each_line(lines: asyncio.StreamReader) -> AsyncIterator[bytes | None]:
    """Yields each line without its line end; None for a line over LONGEST bytes."""
    partial: bytearray | None = bytearray()  # None: the line is too long
    while chunk := await lines.read(CHUNK):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            yield None if partial is None else bytes(partial + end)
            partial = bytearray()
        if partial is not None:
            partial += rest
            if len(partial) > LONGEST:
                partial = None
    if partial is None:
        yield None
    elif partial:
        yield bytes(partial)
