"""What each agent used of Binance's request weight, so that none of them uses up what all may."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from ..errors import BrokerError
from .weight import MINUTE_MS, Asker, asker, rate_limited, share

PART: Final = 2
"""An agent may use one of so many parts of what the others have left."""


class OverPart(BrokerError):
    """An agent used its part of the weight. Binance is well, and others are served."""


class _Used:
    """Costs within the last minute."""

    def __init__(self) -> None:
        self._costs: deque[tuple[int, float]] = deque()
        self.total = 0.0

    def add(self, at_ms: int, cost: float) -> None:
        self._costs.append((at_ms, cost))
        self.total += cost

    def forget(self, now_ms: int) -> None:
        """What is older than a minute; and, should the clock have gone back, what is still to come."""
        while self._costs and not 0 <= now_ms - self._costs[0][0] < MINUTE_MS:
            self.total -= self._costs.popleft()[1]
        if not self._costs:
            self.total = 0.0

    def seconds_left(self, now_ms: int) -> int:
        """Until the oldest is forgotten."""
        if not self._costs:
            return 1
        return max(1, -(-(self._costs[0][0] + MINUTE_MS - now_ms) // 1000))


class Shares:
    """Of one market, in ccxt's costs; `limit` is what Binance allows in a minute.

    An agent may use half of what the other agents have left of the room that it may use, however much it
    asks. So something is left for whoever comes next: the second gets a quarter at least, however greedy the
    first is, and a third when they ask in turn. What exits cost counts against exits alone: no reading holds
    one up.
    """

    def __init__(self, now_ms: Callable[[], int], limit: float) -> None:
        self._now_ms = now_ms
        self._limit = limit
        self._all: defaultdict[str, _Used] = defaultdict(_Used)
        self._exits: defaultdict[str, _Used] = defaultdict(_Used)

    def take(self, cost: float) -> None:
        """Count what is about to be asked, for whoever asks. Raises OverPart past its part."""
        who, now_ms = asker(), self._now_ms()
        if who is None:
            return
        if not who.alone:
            self._require_part(who, cost, now_ms)
        for used in (self._all, self._exits) if who.leaves else (self._all,):
            used[who.name].forget(now_ms)
            used[who.name].add(now_ms, cost)

    def _require_part(self, who: Asker, cost: float, now_ms: int) -> None:
        used = self._exits if who.leaves else self._all
        for each in used.values():
            each.forget(now_ms)
        mine = used[who.name]
        others = sum(each.total for name, each in used.items() if name != who.name)
        room = self._limit * share() / 100
        if mine.total + cost > (room - others) / PART:
            told = rate_limited(
                "You have used your part of Binance's request weight; other agents need theirs",
                mine.seconds_left(now_ms),
            )
            raise OverPart(told.code, told.message, details=told.details)
