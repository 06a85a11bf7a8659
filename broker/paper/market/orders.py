"""Spot orders and trades, as they are stored."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from .amounts import ZERO


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    def accepts(self, price: Decimal, limit: Decimal) -> bool:
        """Whether an order of this side with this limit may trade at a price."""
        return price <= limit if self is Side.BUY else price >= limit


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})
STOPS = frozenset(
    {
        OrderType.STOP_LOSS,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
    }
)
_STOP_LOSSES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
_AT_MARKET = frozenset({OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})


@dataclass(slots=True)
class Order:
    """Amounts that do not apply are zero. Times are UTC milliseconds."""

    id: int
    symbol: str
    client_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    quote_quantity: Decimal
    price: Decimal
    stop_price: Decimal
    created: int
    updated: int
    working_since: int = -1
    """When it entered the book; -1 for a stop that is not triggered."""
    status: Status = Status.NEW
    executed: Decimal = ZERO
    quote_executed: Decimal = ZERO
    locked: Decimal = ZERO
    """The locked amount of the asset that the order spends."""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_working(self) -> bool:
        return self.working_since >= 0

    @property
    def is_stop(self) -> bool:
        return self.type in STOPS

    @property
    def is_at_market(self) -> bool:
        return self.type in _AT_MARKET

    def triggers_at(self, last: Decimal) -> bool:
        """Whether it triggers at this last price.

        A stop-loss buy and a take-profit sell trigger above the market, the two others below it.
        """
        waits_above = (self.side is Side.BUY) == (self.type in _STOP_LOSSES)
        return last >= self.stop_price if waits_above else last <= self.stop_price


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of an order."""

    id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    is_maker: bool
    time: int

    @property
    def cost(self) -> Decimal:
        return self.price * self.quantity
