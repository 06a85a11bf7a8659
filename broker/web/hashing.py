"""The queue in front of the password hash, which is slow on purpose. Bounded, fair, off the event loop."""

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
"""Passwords checked at the same time. Each takes 64 MiB while it lasts."""

MOST_IN_LINE: Final = 4
"""Attempts that wait in one line. Strangers who try one name start two a second: the last waits 2 s."""

MOST_WAITING: Final = 32

RETRY_SECONDS: Final = 2

MOST_REMEMBERED: Final = 1000


class Crowded(Exception):
    """Too many wait already: nothing was checked."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Who tries a password.

    Lines take turns, and so do the addresses within a line. `allowances` all have to allow it when its turn
    comes.
    """

    line: Hashable
    address: str
    allowances: Sequence[Allowance]

    @property
    def seconds_left(self) -> float:
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
        """Do the work in a thread when its turn comes.

        A caller that is cancelled before its turn costs nothing. Raises Crowded.
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
        doing = asyncio.get_running_loop().run_in_executor(self._threads, work)
        doing.add_done_callback(lambda _: self._release())  # not before the thread is done
        return await asyncio.shield(doing)

    def _admit(self, one: _Waiting) -> None:
        """Where there is no room, the newest of whoever waits most goes. Raises Crowded if it is this one."""
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
        self._look_again()

    def _next(self) -> _Waiting | None:
        """Of those that may: the line, and in it the address, whose last turn is longest ago."""
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

    def _look_again(self) -> None:
        """Once the first of those that wait for their allowance may."""
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


def _most(counted: Counter[Hashable], rather: Hashable) -> Hashable:
    """What is counted most; `rather` where it is counted as often as any."""
    most, times = counted.most_common(1)[0]
    return rather if counted[rather] == times else most
