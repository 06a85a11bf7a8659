"""Binance's request weight: what is used this minute, the ceilings, and bans.

Binance (rest-api.md, LIMITS): the counters are per IP address and reset with each minute of Binance's clock.
429 and 418 carry Retry-After in seconds. A client that ignores 429 is banned for 2 minutes to 3 days.
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
"""The ceiling for agents' reads, and for the checks of their entries."""

PAGES_PCT: Final = 90
"""The ceiling for pages' reads and agents' cancels."""

FOLLOW_PCT: Final = 95
"""The ceiling for the reconciler's background reads. They are repeated, so they can wait."""

READS_PCT: Final = 98
"""The ceiling for all other reads. A read above Binance's limit would make it reject orders too."""

ALL_PCT: Final = 100


@dataclass(frozen=True)
class Asker:
    """The agent that a call is made for. `alone`: it is the only agent. `leaves`: the call is for an exit."""

    name: str
    alone: bool = False
    leaves: bool = False


_ASKER: ContextVar[Asker | None] = ContextVar("agent", default=None)
_CEILING_PCT: ContextVar[int] = ContextVar("percent of the request weight", default=READS_PCT)

BAN_SECONDS: Final[Mapping[int, int]] = {418: 120, 429: 60}
"""The pause by HTTP status if Retry-After is missing."""


def rate_limited(message: str, seconds: int) -> BrokerError:
    details = {"retryAfterSeconds": seconds}
    return BrokerError(Code.RATE_LIMITED, f"{message}; try again in {seconds} s", details=details)


@contextmanager
def leaving_room(pct: int, who: Asker | None = None) -> Iterator[None]:
    """Set the weight ceiling of the calls in this block to `pct` percent of Binance's limit per minute.

    With `who` that agent's quota applies too. Outside of any block the ceiling is READS_PCT, so that an exit's
    calls pass even if nothing was set for them.
    """
    ceiling_token, asker_token = _CEILING_PCT.set(pct), _ASKER.set(who)
    try:
        yield
    finally:
        _ASKER.reset(asker_token)
        _CEILING_PCT.reset(ceiling_token)


def ceiling_pct() -> int:
    """The weight ceiling of the current call, in percent of Binance's limit per minute."""
    return _CEILING_PCT.get()


def asker() -> Asker | None:
    """The agent that the current call is made for, or None."""
    return _ASKER.get()


class Weight:
    """One per market. `elapsed` returns monotonic seconds: a clock that is set back would prolong a ban."""

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
        """Take in an answer's headers (lower-case names). Return its Retry-After in seconds, if any."""
        used = _number(headers.get("x-mbx-used-weight-1m"))
        if used is not None:
            self._used, self._minute = used, self._now_ms() // MINUTE_MS
        retry_after = _number(headers.get("retry-after"))
        if http in BAN_SECONDS:
            seconds = BAN_SECONDS[http] if retry_after is None else retry_after
            self._banned_until = self._elapsed() + seconds
        return retry_after

    def check(self) -> None:
        """Raise RATE_LIMITED during a ban, or if this minute's used weight has reached the ceiling."""
        left = self._banned_until - self._elapsed()
        if left > 0:
            raise rate_limited("Binance asked for a pause", ceil(left))
        if self.used * 100 >= self.limit * ceiling_pct():
            message = f"Binance's request weight is used up ({self.used} of {self.limit} this minute)"
            raise rate_limited(message, ceil((MINUTE_MS - self._now_ms() % MINUTE_MS) / 1000))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
