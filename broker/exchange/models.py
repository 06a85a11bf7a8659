"""Data types of the exchange layer: rules, order books, accounts, orders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple

from ..money import Side

OrderType = Literal["market", "limit", "stop_loss", "take_profit"]
"""The last two wait for their trigger. With a price they then become a limit order, else a market order."""

PositionSide = Literal["LONG", "SHORT"]

MarginType = Literal["cross", "isolated"]

OrderStatus = Literal["open", "partly_filled", "filled", "cancelled", "expired", "rejected"]


class Market(StrEnum):
    SPOT = "spot"
    FUTURES = "futures"


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
    """The expected fill of a market order. `filled` is less than the amount if the book is too thin."""

    average: Decimal | None
    worst: Decimal | None
    filled: Decimal
    value: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Bids and asks, best first. Times are UTC milliseconds: `timestamp_ms` by Binance's clock, `asked_at_ms`
    by ours. The book is no older than `asked_at_ms`.
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
        """Fill `amount` of the base asset level by level: a buy from the asks, a sell from the bids."""
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
    """Balances above zero and the account's permissions. `taker_fee` is a fraction."""

    balances: tuple[Balance, ...]
    can_trade: bool
    can_withdraw: bool
    update_time_ms: int
    taker_fee: Decimal


@dataclass(frozen=True, slots=True)
class KeyRights:
    """The permissions of an API key (Binance: GET /sapi/v1/account/apiRestrictions)."""

    withdraw: bool
    trade: bool
    futures: bool
    ip_restricted: bool


@dataclass(frozen=True, slots=True)
class FuturesAccount:
    """The USDT-M account. `equity_usdt` is Binance's margin balance: wallet plus unrealised profit.

    A balance's `free` is available as margin; `locked` is the margin of positions and open orders.
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
    """An open position. `size` is positive for both sides; `liquidation_price` is None if there is none."""

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
    """The setting of a symbol, with or without an open position."""

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
        """A stop, take-profit or reduce-only order: cancelling it can leave a position unprotected."""
        return self.stop_price is not None or self.reduce_only


@dataclass(frozen=True, slots=True)
class Rules:
    """A symbol's filters (Binance: rest-api.md, filters.md). None means no limit.

    Market orders obey both lot filters, so `market_min_amount` and `market_max_amount` are the tighter of
    the two. The `market_…_notional` limits are set only where Binance applies them to market orders.

    The reference price values market orders, and the four bid and ask multipliers apply to it. It is the
    average price on spot (the last price if `by_last_price`) and the mark price on futures.
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
    """An order to send. It is already rounded, and is sent unchanged or not at all."""

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
        """Whether it is a futures "algo" order. Those have their own ids and their own look-up."""
        return self.market is Market.FUTURES and self.stop_price is not None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order in Binance's last known state.

    `fills` and `fees` come with the answer to a spot submission, or from the order's trades. `realized` is
    the profit of its fills before fees (futures only; None until its trades were read). `executed_as` is the
    id of the order that a triggered conditional order placed; the trades belong to that order.
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
    """The result of one submission. `message` is Binance's text, cut to a limit; `reason` is ours."""

    verdict: Verdict
    order: OrderState | None
    http: int | None
    code: int | None
    message: str
    retry_after_seconds: int | None
    reason: str
