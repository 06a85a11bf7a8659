"""Trading halts: stop all HIGH requests, or only entries. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from .clock import to_ms
from .errors import BrokerError, Code


class Level(StrEnum):
    """In order of strictness."""

    OPEN = "open"
    EXITS_ONLY = "exits_only"
    HALTED = "halted"


STRICTNESS: Final = list(Level)

_WORDS: Final = {
    Level.OPEN: "trading is open",
    Level.EXITS_ONLY: "only exits are allowed",
    Level.HALTED: "trading is halted",
}


@dataclass(frozen=True, kw_only=True)
class Halt:
    """The level of trading, and who set it, when and why. `seq` is the number of its audit row, 0 if there is
    none.
    """

    level: Level = Level.OPEN
    seq: int = 0
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None

    def stops(self, *, is_exit: bool) -> bool:
        """Whether a HIGH request must not be parked, approved or submitted. Other calls are never stopped."""
        return self.level is Level.HALTED or (self.level is Level.EXITS_ONLY and not is_exit)

    def looser_than(self, level: Level) -> bool:
        return STRICTNESS.index(self.level) < STRICTNESS.index(level)

    def __str__(self) -> str:
        what = _WORDS[self.level]
        return f"{what} (by {self.by})" if self.by else what

    @property
    def sentence(self) -> str:
        words = str(self)
        return f"{words[0].upper()}{words[1:]}."


WHAT_AN_EXIT_IS: Final = (
    "An exit is a reduce-only order, a close, or a spot sale, for cash, of something held that is not cash."
)


class Stale(Exception):
    """A page tried to relax a halt, but it showed another halt than the current one."""

    def __init__(self, halt: Halt) -> None:
        super().__init__(str(halt))
        self.halt = halt


def halted(halt: Halt, what_happened: str) -> BrokerError:
    """A TRADING_HALTED error. `what_happened` ends its message; it may be empty."""
    since = {} if halt.at is None else {"at": to_ms(halt.at)}
    exits = f"{WHAT_AN_EXIT_IS} " if what_happened and halt.level is Level.EXITS_ONLY else ""
    return BrokerError(
        Code.TRADING_HALTED,
        f"{halt.sentence} {exits}{what_happened}".rstrip(),
        details={"level": str(halt.level), "by": halt.by, "reason": halt.reason, **since},
    )
