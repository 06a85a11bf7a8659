"""Binance's request weight: what is used this minute, and bans. One per market and address.

Binance (rest-api.md, LIMITS): the counters are per IP and start anew with each minute of its clock; 429 and
418 carry Retry-After in seconds; going on after 429 leads to a ban of 2 minutes to 3 days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from ..errors import BrokerError, Code

MINUTE_MS: Final = 60_000

AGENTS_PCT: Final = 80
"""What agents read, and entries that they ask for, stop here."""

PAGES_PCT: Final = 90
"""What pages read, and what agents cancel, stops here."""

READS_PCT: Final = 98
"""What everything else reads stops here: one read past the end, and Binance takes no order either."""

ALL_PCT: Final = 100


@dataclass(frozen=True)
class Asker:
    """An agent for which Binance is asked. `alone`: there is no other; `leaves`: it asks for an exit."""

    name: str
    alone: bool = False
    leaves: bool = False


_ASKER: ContextVar[Asker | None] = ContextVar("agent", default=None)
_SHARE: ContextVar[int] = ContextVar("percent of the request weight", default=READS_PCT)

BAN_SECONDS: Final[Mapping[int, int]] = {418: 120, 429: 60}
"""How long to keep away when Retry-After is missing."""


def rate_limited(message: str, seconds: int) -> BrokerError:
    details = {"retryAfterSeconds": seconds}
    return BrokerError(Code.RATE_LIMITED, f"{message}; try again in {seconds} s", details=details)


@contextmanager
def leaving_room(pct: int, who: Asker | None = None) -> Iterator[None]:
    """No call in the block starts once `pct` percent of a minute's weight is used, nor, for an agent, once it
    has used its part of that.

    Almost all may be used by whatever does not say so: what an exit needs can't be forgotten.
    """
    token, asked = _SHARE.set(pct), _ASKER.set(who)
    try:
        yield
    finally:
        _ASKER.reset(asked)
        _SHARE.reset(token)


def share() -> int:
    """Up to how many percent of a minute's weight may be used by whoever asks."""
    return _SHARE.get()


def asker() -> Asker | None:
    """The agent that asks, if one does."""
    return _ASKER.get()


class Weight:
    def __init__(self, now_ms: Callable[[], int], limit: int = 6000) -> None:
        self.limit = limit
        self._now_ms = now_ms
        self._used = 0
        self._minute = -1
        self._banned_until_ms = 0

    @property
    def used(self) -> int:
        """Weight used in Binance's current minute."""
        return self._used if self._minute == self._now_ms() // MINUTE_MS else 0

    def note(self, http: int, headers: Mapping[str, str]) -> int | None:
        """Take in an answer's headers (names in lower case); returns its Retry-After in seconds."""
        used = _number(headers.get("x-mbx-used-weight-1m"))
        if used is not None:
            self._used, self._minute = used, self._now_ms() // MINUTE_MS
        retry_after = _number(headers.get("retry-after"))
        if http in BAN_SECONDS:
            seconds = BAN_SECONDS[http] if retry_after is None else retry_after
            self._banned_until_ms = self._now_ms() + seconds * 1000
        return retry_after

    def check(self) -> None:
        """Raises RATE_LIMITED when a ban runs, or when so much of this minute's weight is used that whoever
        asks has to leave the rest to others.
        """
        now = self._now_ms()
        if now < self._banned_until_ms:
            raise rate_limited("Binance asked for a pause", _seconds(self._banned_until_ms - now))
        if self.used * 100 >= self.limit * share():
            message = f"Binance's request weight is spent ({self.used} of {self.limit} this minute)"
            raise rate_limited(message, _seconds(MINUTE_MS - now % MINUTE_MS))


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
