"""Whether the arguments of one request repeat those of another. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from .arguments import Arguments

NEAR: Final = Decimal("0.01")
"""Amounts and prices that differ by no more than this share of the larger one count as the same."""


def alike(arguments: Arguments, earlier: Arguments) -> bool:
    """Equal, except for amounts and prices that differ by at most 1 %: an agent that lost an answer and asks
    again has often read the market again.
    """
    mine, other = dict(arguments), dict(earlier)
    return mine.keys() == other.keys() and all(_near(mine[name], other[name]) for name in mine)


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return abs(one - other) <= max(one, other) * NEAR
    return bool(one == other)
