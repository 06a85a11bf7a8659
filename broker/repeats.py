"""Whether one request repeats another. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from .intents import Intent

NEAR: Final = Decimal("0.01")
"""Amounts and prices that differ by no more than this share of the larger one count as the same."""

MEASURED: Final = ("amount", "price", "stopPrice")


def repeats(intent: Intent, earlier: Intent) -> bool:
    """Same agent, tool, market and arguments, where amounts and prices may differ by 1 %: an agent that lost
    an answer and asks again has often read the market anew.
    """
    whose = (intent.agent, intent.tool, intent.market)
    if whose != (earlier.agent, earlier.tool, earlier.market):
        return False
    mine, other = intent.arguments, earlier.arguments
    return mine.keys() == other.keys() and all(
        _near(Decimal(mine[name]), Decimal(other[name])) if name in MEASURED else mine[name] == other[name]
        for name in mine
    )


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= max(one, other) * NEAR
