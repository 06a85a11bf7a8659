"""Realised profit of a list of trades, at average cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Fill:
    """`fee_quote` is what the fee was worth in the quote asset, `fee_base` what was taken in base."""

    side: Literal["buy", "sell"]
    price: Decimal
    amount: Decimal
    fee_quote: Decimal = Decimal(0)
    fee_base: Decimal = Decimal(0)


@dataclass(frozen=True)
class Profit:
    realized: Decimal
    unmatched: Decimal


def realized(fills: Iterable[Fill]) -> Profit:
    """Net of fees, in the quote asset, over the fills given (oldest first).

    What was sold without a buy among them has no known cost: it is left out, and counted as unmatched.
    """
    held = cost = gain = unmatched = Decimal(0)
    for fill in fills:
        if fill.side == "buy":
            held += fill.amount - fill.fee_base
            cost += fill.price * fill.amount + fill.fee_quote
            continue
        matched = min(fill.amount, held)
        unmatched += fill.amount - matched
        if matched:
            share = matched / fill.amount
            spent = cost * matched / held
            gain += fill.price * matched - fill.fee_quote * share - spent
            held, cost = held - matched, cost - spent
    return Profit(gain, unmatched)
