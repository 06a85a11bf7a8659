"""Compares the arguments of two requests, to find repeats. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from .arguments import Arguments

NEAR: Final = Decimal("0.01")
"""Amounts and prices count as equal if they differ by at most this fraction of the larger one."""


def alike(arguments: Arguments, earlier: Arguments) -> bool:
    """Whether they are equal, except for amounts and prices that differ by at most 1 %: an agent that lost an
    answer often reads the market again before it repeats the request.
    """
    new, old = dict(arguments), dict(earlier)
    return new.keys() == old.keys() and all(_near(new[name], old[name]) for name in new)


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return abs(one - other) <= max(one, other) * NEAR
    return bool(one == other)
