"""One lock per account: requests are checked and committed one at a time, exits first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
C = TypeVar("C")


class AccountLock:
    """Serialises check and commit, so that two requests never count on the same money.

    Entries run one at a time, and so do exits. An exit never waits for an entry's check. An entry waits until
    no exit is left; if an exit came during its check, the check is repeated.
    """

    def __init__(self) -> None:
        self._entries = asyncio.Lock()
        self._exits = asyncio.Lock()
        self._committing = asyncio.Lock()
        self._no_exits = asyncio.Event()
        self._open_exits = 0
        self._exits_so_far = 0

    async def run_exit(self, check: Callable[[], Awaitable[C]], commit: Callable[[C], Awaitable[T]]) -> T:
        """Returns the commit's result. Waits for other exits, and for at most one entry's commit."""
        with self._counted():
            async with self._exits:
                async with self._committing:
                    pass  # wait for a commit in progress, so that the check sees it
                return await commit(await check())

    async def run_entry(self, check: Callable[[], Awaitable[C]], commit: Callable[[C], Awaitable[T]]) -> T:
        """Returns the commit's result. Repeats `check` until no exit came during it."""
        async with self._entries:
            while True:
                while self._open_exits:  # a new exit may come before this task runs again
                    await self._no_exits.wait()
                exits_before = self._exits_so_far
                checked = await check()
                async with self._committing:
                    if exits_before == self._exits_so_far:
                        return await commit(checked)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._exits_so_far += 1
        self._open_exits += 1
        self._no_exits.clear()
        try:
            yield
        finally:
            self._open_exits -= 1
            if not self._open_exits:
                self._no_exits.set()
