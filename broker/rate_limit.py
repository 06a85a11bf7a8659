"""Rate limits of agents: calls per minute, concurrent reads and checks; and the time of the last call."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from .agents import OWN_TOOLS
from .clock import Clock
from .errors import BrokerError, Code

MINUTE: Final = timedelta(minutes=1)

READS_AT_ONCE: Final = 8
"""Concurrent reads of one agent at Binance, so that a burst of one agent does not delay the others."""

CHECKS_AT_ONCE: Final = 4
"""Concurrent checks of one agent's requests, so that a burst does not delay a trader's click."""

WAIT_SECONDS: Final = 10.0
"""How long a call waits for the same agent's other calls."""


class Pace:
    """Kept in memory; a restart resets it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._last: dict[str, datetime] = {}
        self._reading = _semaphores(READS_AT_ONCE)
        self._checking = _semaphores(CHECKS_AT_ONCE)

    def note(self, agent: str, tool: str, most: int) -> None:
        """Counts a call, except of intent_* tools, which ask Binance nothing.

        Raises RATE_LIMITED if the agent already made `most` calls within a minute.
        """
        now = self._last[agent] = self._clock()
        if tool.startswith(OWN_TOOLS):
            return
        calls = self._calls[agent]
        while calls and not timedelta(0) <= now - calls[0] < MINUTE:
            calls.popleft()
        if len(calls) >= most:
            seconds = max(1, -(-(calls[-most] + MINUTE - now) // timedelta(seconds=1)))
            raise BrokerError(
                Code.RATE_LIMITED,
                f"At most {most} calls per minute are allowed. Nothing was done. Try again in {seconds} s. "
                "intent_* tools are not counted.",
                details={"retryAfterSeconds": seconds, "callsPerMinute": most},
            )
        calls.append(now)

    def reading(self, agent: str) -> AbstractAsyncContextManager[None]:
        """A slot for a read from Binance. Raises RATE_LIMITED if none becomes free in time."""
        message = f"{READS_AT_ONCE} of your reads already wait for Binance. This one was not made."
        return _slot(self._reading[agent], message)

    def checking(self, agent: str) -> AbstractAsyncContextManager[None]:
        """A slot for the checks of a request. Raises RATE_LIMITED if none becomes free in time."""
        message = f"{CHECKS_AT_ONCE} of your requests are already being checked. This one was not parked."
        return _slot(self._checking[agent], message)

    def last_call(self, agent: str) -> datetime | None:
        """None if the agent has not called since the start."""
        return self._last.get(agent)


def _semaphores(at_once: int) -> defaultdict[str, asyncio.Semaphore]:
    return defaultdict(lambda: asyncio.Semaphore(at_once))


@asynccontextmanager
async def _slot(semaphore: asyncio.Semaphore, message: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await semaphore.acquire()
    except TimeoutError:
        raise BrokerError(Code.RATE_LIMITED, message, details={"retryAfterSeconds": 5}) from None
    try:
        yield
    finally:
        semaphore.release()
