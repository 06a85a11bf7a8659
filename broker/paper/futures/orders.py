"""Futures orders, trades and conditional orders, as they are stored."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..market.amounts import ZERO
from ..market.orders import OPEN, Side, Status


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    """Post only: rejected if it would take liquidity."""


class AlgoType(StrEnum):
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"

    @property
    def is_stop(self) -> bool:
        return self in (AlgoType.STOP, AlgoType.STOP_MARKET)

    @property
    def is_at_market(self) -> bool:
        return self in (AlgoType.STOP_MARKET, AlgoType.TAKE_PROFIT_MARKET)


class AlgoStatus(StrEnum):
    """The states of Binance's `Event-Algo-Order-Update`."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    TRIGGERING = "TRIGGERING"
    """On its way to the matching engine."""
    TRIGGERED = "TRIGGERED"
    """Its order is open."""
    FINISHED = "FINISHED"
    """Its order has ended."""
    REJECTED = "REJECTED"
    """The matching engine refused its order."""
    EXPIRED = "EXPIRED"
    """There was no position left to close."""


class WorkingType(StrEnum):
    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


@dataclass(slots=True)
class Order:
    """`price` is zero for a market order. Times are UTC milliseconds."""

    id: int
    symbol: str
    client_id: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    reduce_only: bool
    close_position: bool
    created: int
    updated: int
    status: Status = Status.NEW
    executed: Decimal = ZERO
    quote_executed: Decimal = ZERO
    algo_id: int = 0
    """The id of the conditional order that placed it; 0 if there is none."""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.executed

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def average(self) -> Decimal:
        return self.quote_executed / self.executed if self.executed else ZERO

    @property
    def signed(self) -> Decimal:
        """The remaining quantity, negative for a sell."""
        return self.remaining if self.side is Side.BUY else -self.remaining


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of an order. `realized` is the profit before commission. Both are in the margin asset."""

    id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    realized: Decimal
    commission: Decimal
    is_maker: bool
    time: int

    @property
    def cost(self) -> Decimal:
        return self.price * self.quantity


@dataclass(slots=True)
class Algo:
    """A conditional order. `quantity` is zero if it closes the position, `price` zero for a market order."""

    id: int
    symbol: str
    client_id: str
    side: Side
    type: AlgoType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    working_type: WorkingType
    reduce_only: bool
    close_position: bool
    price_protect: bool
    created: int
    updated: int
    triggered: int = 0
    """When it was triggered; 0 if not yet."""
    status: AlgoStatus = AlgoStatus.NEW
    order_id: int = 0
    """The id of the order that it placed; 0 if none."""
    failure: str = ""
    """Why the matching engine refused its order."""

    @property
    def is_waiting(self) -> bool:
        return self.status is AlgoStatus.NEW

    def triggers_at(self, price: Decimal) -> bool:
        """Whether it triggers at this price.

        A buy stop and a sell take-profit trigger above the market, the two others below it.
        """
        waits_above = (self.side is Side.BUY) == self.type.is_stop
        return price >= self.trigger_price if waits_above else price <= self.trigger_price
