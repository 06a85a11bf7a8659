"""Limits each agent's use of Binance's request weight, so that no agent uses up the weight of all."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from ..errors import BrokerError
from .weight import MINUTE_MS, Asker, asker, rate_limited, weight_ceiling_pct

AGENT_PART: Final = 2
"""An agent may use 1/2 of the weight that the other agents have not used."""


class OverQuota(BrokerError):
    """An agent has used its part of the weight. Other agents are not affected."""


class _Used:
    """Costs in the last minute."""

    def __init__(self) -> None:
        self._costs: deque[tuple[int, float]] = deque()
        self.total = 0.0

    def add(self, at_ms: int, cost: float) -> None:
        self._costs.append((at_ms, cost))
        self.total += cost

    def forget(self, now_ms: int) -> None:
        """Drop costs older than a minute, and costs in the future (the clock was set back)."""
        while self._costs and not 0 <= now_ms - self._costs[0][0] < MINUTE_MS:
            self.total -= self._costs.popleft()[1]
        if not self._costs:
            self.total = 0.0

    def seconds_left(self, now_ms: int) -> int:
        """Seconds until the oldest cost expires, at least 1."""
        if not self._costs:
            return 1
        return max(1, -(-(self._costs[0][0] + MINUTE_MS - now_ms) // 1000))


class FairShare:
    """The weight quotas of one market, in ccxt's costs. `limit`: what Binance allows per minute.

    An agent may use half of what the other agents have not used, up to the weight ceiling. So some weight is
    always left for the next agent: a second one gets at least a quarter, and a third if both take turns.
    Exits are limited only by the weight of other exits, so reads cannot block an exit.
    """

    def __init__(self, now_ms: Callable[[], int], limit: float) -> None:
        self._now_ms = now_ms
        self._limit = limit
        self._all: defaultdict[str, _Used] = defaultdict(_Used)
        self._exits: defaultdict[str, _Used] = defaultdict(_Used)

    def take(self, cost: float) -> None:
        """Count the cost of a request for the current agent. Raises OverQuota if its quota is used up."""
        who, now_ms = asker(), self._now_ms()
        if who is None:
            return
        if not who.alone:
            self._require_quota(who, cost, now_ms)
        for used in (self._all, self._exits) if who.leaves else (self._all,):
            used[who.name].forget(now_ms)
            used[who.name].add(now_ms, cost)

    def _require_quota(self, who: Asker, cost: float, now_ms: int) -> None:
        used = self._exits if who.leaves else self._all
        for each in used.values():
            each.forget(now_ms)
        mine = used[who.name]
        others = sum(each.total for name, each in used.items() if name != who.name)
        ceiling = self._limit * weight_ceiling_pct() / 100
        if mine.total + cost > (ceiling - others) / AGENT_PART:
            error = rate_limited(
                "You have used your part of Binance's request weight; the rest is kept for other agents",
                mine.seconds_left(now_ms),
            )
            raise OverQuota(error.code, error.message, details=error.details)
