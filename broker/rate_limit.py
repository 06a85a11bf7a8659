"""How often each agent calls: within the last minute, at once, and when last."""

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
"""Of one agent at Binance: hundreds asked at once would all stand before another's one."""

CHECKS_AT_ONCE: Final = 4
"""Of requests of one agent: a burst of hundreds would keep a trader's click waiting for seconds."""

TURN_SECONDS: Final = 10.0
"""How long a call waits for its agent's others."""


class Pace:
    """In memory: a restart forgets it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._last: dict[str, datetime] = {}
        self._reading = _turns(READS_AT_ONCE)
        self._checking = _turns(CHECKS_AT_ONCE)

    def note(self, agent: str, tool: str, most: int) -> None:
        """A call; tools about an agent's own requests ask nothing of Binance, and are not counted.

        Raises RATE_LIMITED for one more than `most` within a minute.
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
                f"At most {most} calls a minute, so nothing was done. Try again in {seconds} s. "
                "intent_* tools are not counted.",
                details={"retryAfterSeconds": seconds, "callsPerMinute": most},
            )
        calls.append(now)

    def reading(self, agent: str) -> AbstractAsyncContextManager[None]:
        """While the agent reads from Binance. Raises RATE_LIMITED where its other reads take too long."""
        told = f"{READS_AT_ONCE} of your reads wait for Binance already, so this one was not made."
        return _turn(self._reading[agent], told)

    def checking(self, agent: str) -> AbstractAsyncContextManager[None]:
        """While a request of the agent is checked. Raises RATE_LIMITED where its others take too long."""
        told = f"{CHECKS_AT_ONCE} of your requests are being checked already, so this one was not parked."
        return _turn(self._checking[agent], told)

    def last_call(self, agent: str) -> datetime | None:
        """None where it has not called since the start."""
        return self._last.get(agent)


def _turns(at_once: int) -> defaultdict[str, asyncio.Semaphore]:
    return defaultdict(lambda: asyncio.Semaphore(at_once))


@asynccontextmanager
async def _turn(turns: asyncio.Semaphore, told: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await turns.acquire()
    except TimeoutError:
        raise BrokerError(Code.RATE_LIMITED, told, details={"retryAfterSeconds": 5}) from None
    try:
        yield
    finally:
        turns.release()
