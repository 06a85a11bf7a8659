"""The last known state of an order at Binance, as it is stored with its intent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import ConfigDict, Field

from .money import Side
from .order_types import OrderStatus
from .stored import PlainDecimal, Stored

FINAL: Final = frozenset({"filled", "cancelled", "expired", "rejected"})
"""Final statuses of an order."""


class FeeRecord(Stored):
    cost: PlainDecimal | None
    asset: str | None


class OrderRecord(Stored):
    """`cost` is in the quote asset. `fee` is the largest of its fees. `realized` is Binance's realized P&L
    before fees, in USDT, for futures only.
    """

    model_config = ConfigDict(extra="ignore")

    id: str
    client_order_id: str | None
    symbol: str
    side: Side
    type: str
    price: PlainDecimal | None
    average: PlainDecimal | None
    amount: PlainDecimal
    filled: PlainDecimal
    cost: PlainDecimal
    fee: FeeRecord | None
    status: OrderStatus
    timestamp: int
    other_fees: tuple[FeeRecord, ...] = ()
    realized: PlainDecimal | None = Field(None, alias="realizedPnL")

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def fees(self) -> Sequence[FeeRecord]:
        return () if self.fee is None else (self.fee, *self.other_fees)

    @property
    def follows_on(self) -> bool:
        """Whether the reconciler must still follow it: it may change, or its fees are not known yet."""
        return not self.is_final or (self.status == "filled" and (self.fee is None or self.fee.cost is None))
