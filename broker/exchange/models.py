"""Data from the exchange: rules, order books, accounts, orders."""

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
    """The outcome of a submission. All but UNKNOWN are certain."""

    PLACED = "placed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class PriceLevel(NamedTuple):
    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Walk:
    """The result of walking the book. `filled` is less than requested if the book is too thin."""

    average: Decimal | None
    worst: Decimal | None
    filled: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Bids and asks, best first. Times are UTC milliseconds.

    `timestamp_ms` is by Binance's clock. `asked_at_ms` is by ours: when it was requested, so the book is not
    older.
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
        """Simulate a market order of `amount` (base asset): a buy takes asks, a sell takes bids."""
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
    """A spot account: balances above zero and permissions. `taker_fee` is a fraction."""

    balances: tuple[Balance, ...]
    can_trade: bool
    can_withdraw: bool
    update_time_ms: int
    taker_fee: Decimal


@dataclass(frozen=True, slots=True)
class KeyRights:
    """The permissions of an API key."""

    withdraw: bool
    trade: bool
    futures: bool
    ip_restricted: bool


@dataclass(frozen=True, slots=True)
class FuturesAccount:
    """The USDT-M account. `equity_usdt`: Binance's margin balance (wallet plus unrealised P&L).

    In a balance, `free` is available for margin, `locked` is the margin of positions and open orders.
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
    """An open position. `size` is always positive. `liquidation_price` is None if Binance reports none."""

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
        """The size; negative if short."""
        return self.size if self.side == "LONG" else -self.size


@dataclass(frozen=True, slots=True)
class Leverage:
    """The leverage setting of a symbol, with or without a position."""

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
    """An open order, including a conditional order that is not triggered."""

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
        """Stop, take-profit or reduce-only: cancelling it removes a protection."""
        return self.stop_price is not None or self.reduce_only


@dataclass(frozen=True, slots=True)
class Rules:
    """A symbol's filters (Binance: rest-api.md, filters.md). None: no limit.

    `market_min_amount` and `market_max_amount` combine both lot filters, which market orders must satisfy.
    `market_min_notional` and `market_max_notional` apply to market orders.
    The reference price values market orders, and `bid_*` and `ask_*` multiply it. On spot it is the average
    price (the last price if `by_last_price`), on futures the mark price.
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
    """An order to send. Already rounded: it is sent exactly like this, or not at all."""

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
        """Whether it is a futures "algo" order, which has its own ids and look-up."""
        return self.market is Market.FUTURES and self.stop_price is not None


@dataclass(frozen=True, slots=True)
class OrderState:
    """The last known state of an order.

    `fills` and `fees` come from the answer to a spot submission, or from the order's trades. `realized` is
    the P&L of its fills before fees (futures only; None until its trades were read). `executed_as` is the id
    of the order that a triggered conditional order placed; that order has the trades.
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
    """The result of a submission. `message`: Binance's text, shortened. `reason`: the broker's text."""

    verdict: Verdict
    order: OrderState | None
    http: int | None
    code: int | None
    message: str
    retry_after_seconds: int | None
    reason: str
