"""The changes of the futures exchange that are published to listeners (changes.py).

They hold copies, which later changes do not affect. Times are UTC milliseconds.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .orders import Algo, Order, Trade
from .positions import Position


class Execution(StrEnum):
    """The reason for an order update (`x` of ORDER_TRADE_UPDATE)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    CALCULATED = "CALCULATED"
    """Liquidation."""


class AccountEvent(StrEnum):
    """The reason for an account update (`m` of ACCOUNT_UPDATE)."""

    ORDER = "ORDER"
    FUNDING_FEE = "FUNDING_FEE"
    DEPOSIT = "DEPOSIT"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    MARGIN_TYPE_CHANGE = "MARGIN_TYPE_CHANGE"


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order in its new state, with the trade if a trade changed it."""

    order: Order
    reason: Execution
    time: int
    trade: Trade | None = None
    expiry_reason: int = 0
    """`er` of ORDER_TRADE_UPDATE if `reason` is EXPIRED: 2 IOC, 4 nothing left to reduce, 5 liquidation,
    9 market order without liquidity."""


@dataclass(frozen=True, slots=True)
class AlgoChanged:
    """A conditional order in its new state."""

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
    """The change without profit and commission (`bc`)."""


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
