"""What the exchange says, in the broker's words: rules, books, accounts, orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple

from ..money import Side
from ..order_types import Market as Market
from ..order_types import OrderStatus as OrderStatus
from ..order_types import OrderType as OrderType

PositionSide = Literal["LONG", "SHORT"]

MarginType = Literal["cross", "isolated"]


class Verdict(StrEnum):
    """What a submission came to. Only UNKNOWN leaves a question."""

    PLACED = "placed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class PriceLevel(NamedTuple):
    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Walk:
    """What a market order would meet: `filled` is less than asked when the levels don't suffice."""

    average: Decimal | None
    worst: Decimal | None
    filled: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Bids and asks, best first. The time is Binance's, in UTC milliseconds; `asked_at_ms` is by our clock,
    and the book is no older than that.
    """

    symbol: str
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    timestamp_ms: int
    asked_at_ms: int

    @property
    def best_bid(self) -> Decimal | None:
        return self.bids[0].price if self.bids else None

    @property
    def best_ask(self) -> Decimal | None:
        return self.asks[0].price if self.asks else None

    def walk(self, side: Side, amount: Decimal) -> Walk:
        """Take `amount` of the base asset, level by level: a buy from the asks, a sell from the bids."""
        filled = value = Decimal(0)
        worst = None
        for level in self.asks if side == "buy" else self.bids:
            if filled >= amount:
                break
            taken = min(level.amount, amount - filled)
            filled += taken
            value += taken * level.price
            worst = level.price
        return Walk(value / filled if filled else None, worst, filled, value)


@dataclass(frozen=True, slots=True)
class Balance:
    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


@dataclass(frozen=True, slots=True)
class Account:
    """Balances above zero, and what Binance lets this account do. `taker_fee` is a fraction."""

    balances: tuple[Balance, ...]
    can_trade: bool
    can_withdraw: bool
    update_time_ms: int
    taker_fee: Decimal


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What an API key may do, as Binance says of the key itself."""

    withdraw: bool
    trade: bool
    futures: bool
    ip_restricted: bool


@dataclass(frozen=True, slots=True)
class FuturesAccount:
    """The USDT-M account. `equity_usdt` is Binance's margin balance: the wallet and what is not realised.

    A balance's `free` is what may become margin, its `locked` the margin of positions and open orders.
    """

    balances: tuple[Balance, ...]
    equity_usdt: Decimal
    available_usdt: Decimal
    can_trade: bool
    can_withdraw: bool
    hedge_mode: bool
    update_time_ms: int


@dataclass(frozen=True, slots=True)
class Position:
    """An open position; `size` is positive, whichever the side.

    `liquidation_price` is None where Binance gives none.
    """

    symbol: str
    side: PositionSide
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealized: Decimal
    liquidation_price: Decimal | None
    leverage: int
    margin_type: MarginType
    maintenance_margin: Decimal

    @property
    def signed(self) -> Decimal:
        """Positive when long."""
        return self.size if self.side == "LONG" else -self.size


@dataclass(frozen=True, slots=True)
class Leverage:
    """What is set for a symbol, whether or not a position is open."""

    symbol: str
    leverage: int
    margin_type: MarginType


@dataclass(frozen=True, slots=True)
class Funding:
    """`rate` is a fraction per interval; times are UTC milliseconds."""

    symbol: str
    rate: Decimal
    last_time_ms: int
    next_time_ms: int
    interval_hours: int


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """An open order, or a conditional one that waits for its trigger."""

    id: str
    client_order_id: str
    symbol: str
    side: Side
    type: str
    price: Decimal | None
    stop_price: Decimal | None
    amount: Decimal
    filled: Decimal
    status: str
    created_at_ms: int
    conditional: bool
    reduce_only: bool

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.filled

    @property
    def protective(self) -> bool:
        """A stop, a take-profit or a reduce-only order: cancelling it removes a protection."""
        return self.stop_price is not None or self.reduce_only


@dataclass(frozen=True, slots=True)
class Rules:
    """A symbol's filters (Binance: rest-api.md, filters.md). None where Binance sets no limit.

    Market orders obey both lot filters, so `market_min_amount` and `market_max_amount` are the tighter of
    the two; their notional is limited only where Binance says so. Market orders are valued at, and the four
    multipliers apply to, the average price of spot (the last one where `by_last_price`), the mark price of
    futures.
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_amount: Decimal
    max_amount: Decimal
    market_min_amount: Decimal
    market_max_amount: Decimal
    min_notional: Decimal
    max_notional: Decimal | None
    market_min_notional: Decimal
    market_max_notional: Decimal | None
    by_last_price: bool
    min_price: Decimal
    max_price: Decimal | None
    bid_up: Decimal | None
    bid_down: Decimal | None
    ask_up: Decimal | None
    ask_down: Decimal | None
    active: bool
    order_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fill:
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    trade_id: str


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What is to be sent, already rounded: it goes out as it stands, or not at all."""

    symbol: str
    side: Side
    type: OrderType
    amount: Decimal
    price: Decimal | None
    stop_price: Decimal | None = None
    reduce_only: bool = False
    market: Market = Market.SPOT

    @property
    def conditional(self) -> bool:
        """One of futures' "algo" orders: they have ids and a look-up of their own."""
        return self.market is Market.FUTURES and self.stop_price is not None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as Binance last told it.

    `fills` and `fees` come with the answer to a spot submission, or from its trades. `realized` is the profit
    that Binance books for its fills, before fees (futures; None until its trades were read). `executed_as` is
    the id of the order that a conditional one placed when it was triggered: its trades are that one's.
    """

    id: str
    client_order_id: str
    symbol: str
    side: Side
    type: str
    price: Decimal | None
    average: Decimal | None
    amount: Decimal
    filled: Decimal
    cost: Decimal
    fees: tuple[tuple[str, Decimal], ...]
    status: OrderStatus
    timestamp_ms: int
    fills: tuple[Fill, ...]
    realized: Decimal | None = None
    executed_as: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The end of one submission. `message` is Binance's text, bounded; `reason` is ours."""

    verdict: Verdict
    order: OrderState | None
    http: int | None
    code: int | None
    message: str
    retry_after_seconds: int | None
    reason: str
