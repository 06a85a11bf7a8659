"""How often each agent calls: within the last minute, and when last."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime, timedelta
from typing import Final

from .agents import OWN_TOOLS
from .clock import Clock
from .errors import BrokerError, Code

MINUTE: Final = timedelta(minutes=1)


class Pace:
    """In memory: a restart forgets it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._last: dict[str, datetime] = {}

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
                f"At most {most} calls a minute; try again in {seconds} s. intent_* tools are not counted.",
                details={"retryAfterSeconds": seconds, "callsPerMinute": most},
            )
        calls.append(now)

    def last_call(self, agent: str) -> datetime | None:
        """None where it has not called since the start."""
        return self._last.get(agent)
