"""The entries of the wallet's income history. Their sum is the wallet's balance."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class IncomeType(StrEnum):
    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    """The clearing fee of a liquidation, or the loss that the insurance fund covered."""


@dataclass(frozen=True, slots=True)
class Income:
    """`symbol` is empty for transfers; `trade_id` is 0 without a trade; `time` is UTC milliseconds."""

    id: int
    symbol: str
    type: IncomeType
    amount: Decimal
    time: int
    trade_id: int = 0
