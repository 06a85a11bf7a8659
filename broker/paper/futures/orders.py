"""An order, its trades, and a conditional order, as the futures exchange keeps them."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..amounts import ZERO
from ..orders import OPEN, Side, Status


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    """Post only: refused where it would take."""


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
    """As Binance's `Event-Algo-Order-Update` describes them."""

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
    """Nothing was left for it to close."""


class WorkingType(StrEnum):
    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


@dataclass(slots=True)
class Order:
    """`price` is zero at market. Times in UTC milliseconds."""

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
    """The conditional order that placed it; 0: none did."""

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
        """What it may still add to the position."""
        return self.remaining if self.side is Side.BUY else -self.remaining


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of an order. `realized` is its profit before the commission; both in the margin asset."""

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
    """A conditional order. `quantity` is zero where it closes the position, `price` zero at market."""

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
    """When; 0: not yet."""
    status: AlgoStatus = AlgoStatus.NEW
    order_id: int = 0
    """The order that it placed."""
    failure: str = ""
    """Why the matching engine refused its order."""

    @property
    def is_waiting(self) -> bool:
        return self.status is AlgoStatus.NEW

    def triggers_at(self, price: Decimal) -> bool:
        """A stop that buys and a take-profit that sells wait above the market, the two others below it."""
        waits_above = (self.side is Side.BUY) == self.type.is_stop
        return price >= self.trigger_price if waits_above else price <= self.trigger_price
