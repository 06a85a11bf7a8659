"""Whether one request repeats another. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from .intents import Intent

NEAR: Final = Decimal("0.01")
"""Amounts and prices that differ by no more than this share of the larger one count as the same."""


def repeats(intent: Intent, earlier: Intent) -> bool:
    """Same agent, tool, market and arguments, where amounts and prices may differ by 1 %: an agent that lost
    an answer and asks again has often read the market anew.
    """
    whose = (intent.agent, intent.tool, intent.market)
    if whose != (earlier.agent, earlier.tool, earlier.market):
        return False
    mine, other = dict(intent.arguments), dict(earlier.arguments)
    return mine.keys() == other.keys() and all(_near(mine[name], other[name]) for name in mine)


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return abs(one - other) <= max(one, other) * NEAR
    return bool(one == other)
