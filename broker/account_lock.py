"""Who is checked and committed next on an account: one at a time, and exits first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
C = TypeVar("C")


class Turns:
    """No two requests are between their check's first look and their commit at the same time, so that none
    counts on what another is about to take.

    Entries come one after the other, and so do exits. An exit waits for no entry's figures: the entry waits
    instead until no exit is left, and is checked again if one came while it was.
    """

    def __init__(self) -> None:
        self._entries = asyncio.Lock()
        self._exits = asyncio.Lock()
        self._committing = asyncio.Lock()
        self._nobody_leaves = asyncio.Event()
        self._leaving = 0
        self._came = 0

    async def leave(self, check: Callable[[], Awaitable[C]], commit: Callable[[C], Awaitable[T]]) -> T:
        """An exit's turn. It waits for other exits, and at most for the one commit that is being made."""
        with self._counted():
            async with self._exits:
                async with self._committing:
                    pass  # what it looks at has what was committed before
                return await commit(await check())

    async def enter(self, check: Callable[[], Awaitable[C]], commit: Callable[[C], Awaitable[T]]) -> T:
        """An entry's turn. `check` is made until no exit came meanwhile; `commit` gets what it found last."""
        async with self._entries:
            while True:
                while self._leaving:  # another may come before this goes on
                    await self._nobody_leaves.wait()
                came = self._came
                checked = await check()
                async with self._committing:
                    if came == self._came:
                        return await commit(checked)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._came += 1
        self._leaving += 1
        self._nobody_leaves.clear()
        try:
            yield
        finally:
            self._leaving -= 1
            if not self._leaving:
                self._nobody_leaves.set()
