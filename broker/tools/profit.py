"""Realised profit of a list of trades, at average cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Fill:
    """`fee_quote` is what the fee was worth in the quote asset, `fee_base` what was taken in base. `opens` is
    whether it opened a position, as futures tell; None: a buy does, a sell never.
    """

    side: Literal["buy", "sell"]
    price: Decimal
    amount: Decimal
    fee_quote: Decimal = Decimal(0)
    fee_base: Decimal = Decimal(0)
    opens: bool | None = None

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    @property
    def is_opening(self) -> bool:
        return self.side == "buy" if self.opens is None else self.opens


@dataclass(frozen=True)
class Profit:
    realized: Decimal
    unmatched: Decimal


def realized(fills: Iterable[Fill]) -> Profit:
    """Net of fees, in the quote asset, over the fills given (oldest first).

    What was closed without its opening among them (sold without a buy) has no known cost: it is left out,
    and counted as unmatched. A short is a holding below zero, whose cost is what came in for it.
    """
    held = cost = gain = unmatched = Decimal(0)
    for fill in fills:
        if held * fill.sign >= 0:
            if fill.is_opening:
                held += fill.sign * (fill.amount - fill.fee_base)
                cost += fill.sign * fill.price * fill.amount + fill.fee_quote
            else:
                unmatched += fill.amount
            continue
        matched = min(fill.amount, abs(held))
        unmatched += fill.amount - matched
        share = matched / fill.amount
        spent = cost * matched / abs(held)
        gain -= fill.sign * fill.price * matched + fill.fee_quote * share + spent
        held, cost = held + fill.sign * matched, cost - spent
    return Profit(gain, unmatched)
