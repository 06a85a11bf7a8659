"""Quotas of Binance's request weight, so that no agent uses up what is meant for all agents."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from ..errors import BrokerError
from .weight import MINUTE_MS, Asker, asker, ceiling_pct, rate_limited

QUOTA_DIVISOR: Final = 2
"""An agent's quota is the weight that other agents have not used, divided by this."""


class OverQuota(BrokerError):
    """An agent has used its quota. It says nothing about Binance's health."""


class _Used:
    """The costs of the last minute."""

    def __init__(self) -> None:
        self._costs: deque[tuple[int, float]] = deque()
        self.total = 0.0

    def add(self, at_ms: int, cost: float) -> None:
        self._costs.append((at_ms, cost))
        self.total += cost

    def forget(self, now_ms: int) -> None:
        """Drop costs older than a minute, and costs in the future (if the clock was set back)."""
        while self._costs and not 0 <= now_ms - self._costs[0][0] < MINUTE_MS:
            self.total -= self._costs.popleft()[1]
        if not self._costs:
            self.total = 0.0

    def seconds_left(self, now_ms: int) -> int:
        """Seconds until the oldest cost is dropped, at least 1."""
        if not self._costs:
            return 1
        return max(1, -(-(self._costs[0][0] + MINUTE_MS - now_ms) // 1000))


class AgentQuotas:
    """The agents' quotas of one market, in ccxt's cost units. `limit` is Binance's limit per minute.

    An agent may use half of what the other agents have left below the weight ceiling. So there is always
    something left for the next agent: a second agent gets at least a quarter, however much the first one
    uses, and a third if they take turns. Exits count against other exits only, so no read can delay an exit.
    """

    def __init__(self, now_ms: Callable[[], int], limit: float) -> None:
        self._now_ms = now_ms
        self._limit = limit
        self._all: defaultdict[str, _Used] = defaultdict(_Used)
        self._exits: defaultdict[str, _Used] = defaultdict(_Used)

    def take(self, cost: float) -> None:
        """Count the cost of a call for the current agent. Raises OverQuota if it exceeds the quota."""
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
        room = self._limit * ceiling_pct() / 100
        if mine.total + cost > (room - others) / QUOTA_DIVISOR:
            error = rate_limited(
                "You have used your quota of Binance's request weight; the rest is for other agents",
                mine.seconds_left(now_ms),
            )
            raise OverQuota(error.code, error.message, details=error.details)
