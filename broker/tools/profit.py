"""Realised P&L of a list of trades, at average cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One trade. `fee_quote`: the fee's value in the quote asset. `fee_base`: the fee in the base asset.

    `opens`: whether it opened a position, as Binance reports for futures. None (spot): a buy opens, a sell
    closes.
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
    """`realized` in the quote asset; `unmatched` in the base asset."""

    realized: Decimal
    unmatched: Decimal


def realized(fills: Iterable[Fill]) -> Profit:
    """The realised P&L of the fills (oldest first), net of fees, in the quote asset.

    An amount that was closed without its opening among the fills (sold without a buy) has no known cost. It
    is left out of the P&L and counted as unmatched. A short is a negative holding; its cost is the proceeds
    of its sale, also negative.
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
        fraction = matched / fill.amount
        spent = cost * matched / abs(held)
        gain -= fill.sign * fill.price * matched + fill.fee_quote * fraction + spent
        held, cost = held + fill.sign * matched, cost - spent
    return Profit(gain, unmatched)
