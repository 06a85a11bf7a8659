"""Binance's request weight: usage in the current minute, and bans. One per market and IP address.

Binance (rest-api.md, LIMITS): counters are per IP and reset with each minute of Binance's clock. 429 and 418
carry Retry-After in seconds. Further requests after a 429 lead to a ban of 2 minutes to 3 days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final

from ..errors import BrokerError, Code

MINUTE_MS: Final = 60_000

AGENTS_PCT: Final = 80
"""Weight ceiling for agents' reads and entries, in percent of Binance's limit."""

PAGES_PCT: Final = 90
"""Weight ceiling for reads of pages, and for cancels of agents."""

FOLLOW_PCT: Final = 95
"""Weight ceiling for the reconciler's repeated look-ups."""

READS_PCT: Final = 98
"""Weight ceiling for all other reads: with the limit reached, Binance would reject orders too."""

ALL_PCT: Final = 100


@dataclass(frozen=True)
class Asker:
    """The agent for which a call is made. `alone`: it is the only agent. `leaves`: the request is an exit."""

    name: str
    alone: bool = False
    leaves: bool = False


_ASKER: ContextVar[Asker | None] = ContextVar("agent", default=None)
_CEILING_PCT: ContextVar[int] = ContextVar("percent of the request weight", default=READS_PCT)

BAN_SECONDS: Final[Mapping[int, int]] = {418: 120, 429: 60}
"""Pause by HTTP status if Retry-After is missing."""


def rate_limited(message: str, seconds: int) -> BrokerError:
    details = {"retryAfterSeconds": seconds}
    return BrokerError(Code.RATE_LIMITED, f"{message}; try again in {seconds} s", details=details)


@contextmanager
def leaving_room(pct: int, who: Asker | None = None) -> Iterator[None]:
    """In this block, no call starts once `pct` percent of the minute's weight are used. With an agent
    (`who`), no call starts once its quota is used up either.

    Outside such blocks the ceiling is READS_PCT, so a forgotten block cannot hold up an exit.
    """
    token, asker_token = _CEILING_PCT.set(pct), _ASKER.set(who)
    try:
        yield
    finally:
        _ASKER.reset(asker_token)
        _CEILING_PCT.reset(token)


def weight_ceiling_pct() -> int:
    """How many percent of the minute's weight the current caller may use."""
    return _CEILING_PCT.get()


def asker() -> Asker | None:
    """The agent for which the current call is made; None if it is for no agent."""
    return _ASKER.get()


class Weight:
    """`limit`: weight per minute. `elapsed`: monotonic seconds; a clock set back must not prolong a ban."""

    def __init__(
        self, now_ms: Callable[[], int], limit: int = 6000, *, elapsed: Callable[[], float] = monotonic
    ) -> None:
        self.limit = limit
        self._now_ms = now_ms
        self._elapsed = elapsed
        self._used = 0
        self._minute = -1
        self._banned_until = float("-inf")

    @property
    def used(self) -> int:
        """Weight used in Binance's current minute."""
        return self._used if self._minute == self._now_ms() // MINUTE_MS else 0

    def note(self, http: int, headers: Mapping[str, str]) -> int | None:
        """Read an answer's headers (names in lower case). Returns Retry-After in seconds, None if missing."""
        used = _number(headers.get("x-mbx-used-weight-1m"))
        if used is not None:
            self._used, self._minute = used, self._now_ms() // MINUTE_MS
        retry_after = _number(headers.get("retry-after"))
        if http in BAN_SECONDS:
            seconds = BAN_SECONDS[http] if retry_after is None else retry_after
            self._banned_until = self._elapsed() + seconds
        return retry_after

    def check(self) -> None:
        """Raises RATE_LIMITED during a ban, or if the caller's weight ceiling is reached."""
        left = self._banned_until - self._elapsed()
        if left > 0:
            raise rate_limited("Binance asked for a pause", ceil(left))
        if self.used * 100 >= self.limit * weight_ceiling_pct():
            message = f"Binance's request weight is used up ({self.used} of {self.limit} this minute)"
            raise rate_limited(message, ceil((MINUTE_MS - self._now_ms() % MINUTE_MS) / 1000))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
