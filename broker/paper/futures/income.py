"""What the wallet earned and spent, entry by entry: together they are its balance."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class IncomeType(StrEnum):
    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    """The clearing fee of a liquidation, or what the insurance fund gave where it was not enough."""


@dataclass(frozen=True, slots=True)
class Income:
    """`symbol` is empty for transfers, `trade_id` 0 where no trade was. UTC milliseconds."""

    id: int
    symbol: str
    type: IncomeType
    amount: Decimal
    time: int
    trade_id: int = 0
