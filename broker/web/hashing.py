"""A bounded, fair queue for password hashing, which is deliberately slow and runs in threads."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Final, TypeVar

from .allowances import Allowance

T = TypeVar("T")

AT_ONCE: Final = 2
"""Number of threads. Each hash uses 64 MiB while it runs."""

MOST_IN_LINE: Final = 4
"""Attempts that may wait in one line. For one name two start per second, so the last waits 2 s."""

MOST_WAITING: Final = 32

RETRY_SECONDS: Final = 2

MOST_REMEMBERED: Final = 1000


class Crowded(Exception):
    """The queue is full. No password was checked."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Whose password is tried, and from where.

    Lines take turns, and so do the addresses within a line. It starts when all `allowances` permit it.
    """

    line: Hashable
    address: str
    allowances: Sequence[Allowance]

    @property
    def seconds_left(self) -> float:
        """Seconds until all allowances permit the attempt; 0 if they do now."""
        return max((allowance.seconds_left for allowance in self.allowances), default=0.0)


@dataclass(eq=False)
class _Waiting:
    attempt: Attempt
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class HashQueue:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting: list[_Waiting] = []
        self._running = 0
        self._numbers = count(1)
        self._last_turn: dict[Hashable, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, attempt: Attempt, work: Callable[[], T]) -> T:
        """Run the work in a thread when its turn comes. A cancelled caller leaves the queue.

        Raises Crowded if there is no place in the queue, or if a fairer attempt takes this one's place.
        """
        one = _Waiting(attempt)
        self._admit(one)
        self._start()
        try:
            await one.turn
        except BaseException:
            if one.turn.done() and not one.turn.cancelled() and one.turn.exception() is None:
                self._release()  # its turn had just come
            self._drop(one)
            raise
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(lambda _: self._release())  # when the thread is done, even if cancelled
        return await asyncio.shield(future)

    def _admit(self, one: _Waiting) -> None:
        """If full, drop the newest attempt of the busiest line and address. Raises Crowded if that is it."""
        lines: Counter[Hashable] = Counter(each.attempt.line for each in [*self._waiting, one])
        line = one.attempt.line
        if lines[line] <= MOST_IN_LINE:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(one)
                return
            line = _most(lines, line)
        crowd = [each for each in [*self._waiting, one] if each.attempt.line == line]
        addresses: Counter[Hashable] = Counter(each.attempt.address for each in crowd)
        address = _most(addresses, one.attempt.address)
        loser = [each for each in crowd if each.attempt.address == address][-1]
        if loser is one:
            raise Crowded
        self._waiting.append(one)
        self._drop(loser)
        if not loser.turn.done():
            loser.turn.set_exception(Crowded())

    def _start(self) -> None:
        while self._running < AT_ONCE and (one := self._next()) is not None:
            self._drop(one)
            if one.turn.done():  # cancelled, and not dropped yet
                continue
            for allowance in one.attempt.allowances:
                allowance.take()
            self._remember(one.attempt)
            self._running += 1
            one.turn.set_result(None)
        self._schedule()

    def _next(self) -> _Waiting | None:
        """Of the permitted attempts, the one whose line, then address, had its last turn longest ago."""
        allowed = [one for one in self._waiting if one.attempt.seconds_left == 0]
        return min(allowed, key=lambda one: self._order(one.attempt), default=None)

    def _order(self, attempt: Attempt) -> tuple[int, int]:
        last = self._last_turn.get
        return last(attempt.line, 0), last((attempt.line, attempt.address), 0)

    def _remember(self, attempt: Attempt) -> None:
        number = next(self._numbers)
        self._last_turn[attempt.line] = self._last_turn[attempt.line, attempt.address] = number
        if len(self._last_turn) > MOST_REMEMBERED:
            newest = sorted(self._last_turn.items(), key=lambda item: item[1])[-MOST_REMEMBERED // 2 :]
            self._last_turn = dict(newest)

    def _schedule(self) -> None:
        """Call `_start` again when the first waiting attempt is permitted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._running < AT_ONCE:
            soonest = min(one.attempt.seconds_left for one in self._waiting)
            self._timer = asyncio.get_running_loop().call_later(soonest + 0.001, self._start)

    def _release(self) -> None:
        self._running -= 1
        self._start()

    def _drop(self, one: _Waiting) -> None:
        if one in self._waiting:
            self._waiting.remove(one)


def _most(counted: Counter[Hashable], preferred: Hashable) -> Hashable:
    """The key with the highest count; `preferred` if it ties."""
    most, times = counted.most_common(1)[0]
    return preferred if counted[preferred] == times else most
