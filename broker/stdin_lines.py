"""Standard input, line by line."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Final

CHUNK: Final = 64 * 1024
LONGEST: Final = 16 * 1024 * 1024
"""Of a longer line nothing is kept."""


def standard_input() -> asyncio.StreamReader:
    """Read in a thread, since a loop cannot watch every kind of it, and without a buffer, whose lock would
    outlive the loop.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()

    def read() -> None:
        try:
            while chunk := os.read(0, CHUNK):
                loop.call_soon_threadsafe(reader.feed_data, chunk)
            loop.call_soon_threadsafe(reader.feed_eof)
        except RuntimeError:  # the loop has ended before the input did
            pass

    threading.Thread(target=read, daemon=True).start()
    return reader


async def each_line(lines: asyncio.StreamReader) -> AsyncIterator[bytes | None]:
    """Each line whole, without its end; None, once, for one over LONGEST bytes."""
    begun: bytearray | None = bytearray()
    while chunk := await lines.read(CHUNK):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            yield None if begun is None else bytes(begun + end)
            begun = bytearray()
        if begun is not None:
            begun += rest
            if len(begun) > LONGEST:
                begun = None
    if begun is None:
        yield None
    elif begun:
        yield bytes(begun)
