"""What can change at the futures exchange, as it is told to whoever listens (changes.py).

Each holds copies, which later changes leave alone. Times in UTC milliseconds.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .orders import Algo, Order, Trade
from .positions import Position


class Execution(StrEnum):
    """Why an order is told of (`x` of ORDER_TRADE_UPDATE)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    CALCULATED = "CALCULATED"
    """Liquidation."""


class AccountEvent(StrEnum):
    """Why the account is told of (`m` of ACCOUNT_UPDATE)."""

    ORDER = "ORDER"
    FUNDING_FEE = "FUNDING_FEE"
    DEPOSIT = "DEPOSIT"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    MARGIN_TYPE_CHANGE = "MARGIN_TYPE_CHANGE"


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order as it stands now; with its trade, when one was why."""

    order: Order
    reason: Execution
    time: int
    trade: Trade | None = None
    expiry_reason: int = 0
    """`er` of ORDER_TRADE_UPDATE, where `reason` is EXPIRED: 2 IOC, 4 reduce-only knocked out,
    5 liquidation, 9 market order without liquidity."""


@dataclass(frozen=True, slots=True)
class AlgoChanged:
    """A conditional order as it stands now."""

    algo: Algo
    time: int
    order: Order | None = None
    """The order that it placed."""


@dataclass(frozen=True, slots=True)
class BalanceChanged:
    asset: str
    wallet: Decimal
    cross_wallet: Decimal
    change: Decimal
    """Apart from profit and commission (`bc`)."""


@dataclass(frozen=True, slots=True)
class PositionChanged:
    position: Position
    mark: Decimal

    @property
    def unrealized(self) -> Decimal:
        return self.position.unrealized(self.mark)


@dataclass(frozen=True, slots=True)
class AccountChanged:
    reason: AccountEvent
    balances: tuple[BalanceChanged, ...]
    positions: tuple[PositionChanged, ...]
    time: int


@dataclass(frozen=True, slots=True)
class LeverageChanged:
    symbol: str
    leverage: int
    time: int
