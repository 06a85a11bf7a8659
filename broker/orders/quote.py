"""An order at current market prices: the figures that checks and cards use."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, TypeVar

from ..cards import Check
from ..clock import Clock, to_ms
from ..errors import BrokerError, Code
from ..exchange import Book, Futures, OrderRequest, RestingOrder, Rules, Spot
from ..money import SHOWN_DIGITS, Side, ceil_to, floor_to, unit_of
from .context import AgentContext

T = TypeVar("T")

PRICE_MAX_AGE_MS: Final = 1_000
"""The maximum age of the price used for the last check before sending."""

SOON_SECONDS: Final = 1.0
"""How long an exit waits for a figure that it does not need. It holds the account lock meanwhile."""

MarketFigures = tuple[
    Book | BrokerError,
    Decimal | BrokerError,
    Mapping[str, Decimal] | BrokerError,
    list[RestingOrder] | BrokerError,
]


@dataclass(frozen=True, kw_only=True)
class Need:
    """How much of an asset an order needs, how much is free, and how much pending requests would take."""

    label: str
    asset: str
    amount: Decimal | None
    free: Decimal
    waiting: Decimal


@dataclass(frozen=True, kw_only=True)
class Quote(ABC):
    """One order with the market and account figures read for it. Derived values are computed once.

    `reference`: the price that Binance applies its filters to. `rate`: USDT per unit of the quote asset.
    `resting`: the account's open orders in the symbol; in all symbols if a spot pair is not quoted in cash.
    `used`: today's volume in USDT without this order. `used_by_agent`: the agent's part of it; None unless
    the agent has its own limit.

    An entry has every figure. For an exit, a figure that it does not need is None if it could not be read.
    """

    order: OrderRequest
    rules: Rules
    book: Book | None
    last: Decimal | None
    reference: Decimal | None
    rate: Decimal | None
    equity: Decimal | None
    resting: Sequence[RestingOrder] | None
    used: Decimal
    used_by_agent: Decimal | None

    @property
    @abstractmethod
    def is_exit(self) -> bool:
        """Whether the order lowers exposure."""

    @property
    @abstractmethod
    def need(self) -> Need | None:
        """What the order takes from the account; None if it takes nothing or a figure is missing."""

    @property
    @abstractmethod
    def takes_all(self) -> bool:
        """Whether the order leaves nothing that could still be sold."""

    @abstractmethod
    def balance_check(self) -> Check | None:
        """Check 1: balance or margin."""

    @abstractmethod
    def exposure_checks(self, context: AgentContext) -> list[Check]:
        """Checks 4 (position size) and 5 (leverage); none for an exit."""

    @cached_property
    def best(self) -> Decimal | None:
        """The best opposite price: the ask for a buy, the bid for a sell."""
        if self.book is None:
            return None
        return self.book.best_ask if self.order.side == "buy" else self.book.best_bid

    @cached_property
    def middle(self) -> Decimal | None:
        if self.book is None or self.book.best_ask is None or self.book.best_bid is None:
            return None
        return (self.book.best_ask + self.book.best_bid) / 2

    @cached_property
    def average(self) -> Decimal | None:
        """The average book price for the whole amount; None if the visible book is too thin."""
        if self.book is None:
            return None
        walk = self.book.walk(self.order.side, self.order.amount)
        return walk.average if walk.filled == self.order.amount else None

    @cached_property
    def asked_at(self) -> Decimal | None:
        """The market price when asked: the last price for a conditional order, else the book price."""
        if self.order.stop_price is not None:
            return self.last
        return self.average or self.best if self.order.type == "market" else self.best

    @cached_property
    def traded_at(self) -> Decimal | None:
        """The average book price of a market order; None for other types."""
        return self.average if self.order.type == "market" else None

    @cached_property
    def priced_at_ms(self) -> int | None:
        """When the book was requested, in ms by the broker's clock."""
        return None if self.book is None else self.book.asked_at_ms

    @cached_property
    def fills_now(self) -> bool:
        """Whether this is a limit order that would fill at once."""
        price, best = self.order.price, self.best
        if price is None or best is None or self.order.stop_price is not None:
            return False
        return price >= best if self.order.side == "buy" else price <= best

    @cached_property
    def value(self) -> Decimal | None:
        """The order's value in the quote asset; None if it is not known.

        - Limit buy: at the limit. Limit sell: at the higher of limit and best bid.
        - Stop or take-profit: at the trigger; with a limit, at the higher of the two.
        - Market order: at the average book price. If the visible book is too thin, an exit that sells counts
          at the best bid; the value of any other order is not known.
        """
        price = self._valued_at
        return None if price is None else price * self.order.amount

    @cached_property
    def _valued_at(self) -> Decimal | None:
        price, trigger, best = self.order.price, self.order.stop_price, self.best
        if trigger is not None:
            return trigger if price is None else max(price, trigger)
        if price is not None:
            return price if self.order.side == "buy" or best is None else max(price, best)
        return self.average or (best if self.order.side == "sell" and self.is_exit else None)

    @cached_property
    def value_usdt(self) -> Decimal | None:
        return None if self.value is None or self.rate is None else self.value * self.rate


def best_of(book: Book, side: Side) -> Decimal:
    """The best opposite price for an order of that side. Raises BINANCE_UNAVAILABLE for an empty book."""
    price = book.best_ask if side == "buy" else book.best_bid
    if price is None:
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"The order book of {book.symbol} is empty: there is no price to check against.",
        )
    return price


async def read_market(
    venue: Spot | Futures, symbol: str, *, orders_of: str | None, entry: bool
) -> MarketFigures:
    """Read at once: the book, Binance's reference price, all last prices, and the account's open orders.

    `orders_of` is the symbol of the open orders; None for all symbols. A figure that could not be read is
    returned as its error.
    """
    seconds = patience(entry=entry)
    return await asyncio.gather(
        attempt(venue.book(symbol), seconds=seconds),
        attempt(venue.average_price(symbol), seconds=seconds),
        attempt(venue.last_prices(), seconds=seconds),
        attempt(venue.open_orders(orders_of), seconds=seconds),
    )


async def fresh(
    venue: Spot | Futures, book: Book | BrokerError, clock: Clock, *, entry: bool
) -> Book | BrokerError:
    """The book, read again if it became too old while the other figures were read."""
    if isinstance(book, BrokerError) or 0 <= to_ms(clock()) - book.asked_at_ms <= PRICE_MAX_AGE_MS:
        return book
    return await attempt(venue.book(book.symbol), seconds=patience(entry=entry))


def patience(*, entry: bool) -> float | None:
    """The time-out in seconds for a figure that only an entry needs; None: no extra limit."""
    return None if entry else SOON_SECONDS


async def attempt(pending: Awaitable[T], *, seconds: float | None = None) -> T | BrokerError:
    """The result, or the error as a value. For figures read together of which not all are needed."""
    try:
        async with asyncio.timeout(seconds):
            return await pending
    except TimeoutError:
        return BrokerError(Code.BINANCE_TIMEOUT, f"Binance did not answer within {seconds:g} s")
    except BrokerError as error:
        return error


def figure(read: T | BrokerError, *, needed: bool) -> T | None:
    """The figure. If it could not be read: raises the error if it is needed, else returns None."""
    if isinstance(read, BrokerError):
        if needed:
            raise read
        return None
    return read


def worst_for(quote: Quote, tolerance_pct: Decimal | None) -> Decimal | None:
    """The worst price at which the order is still sent; None if any price is accepted.

    Raises BINANCE_UNAVAILABLE if there is a tolerance but no price to apply it to.
    """
    if tolerance_pct is None:
        return None
    if quote.asked_at is None:
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"There is no price of {quote.rules.symbol} to check the order against.",
        )
    return worst_price(quote.asked_at, tolerance_pct, quote.order.side)


def worst_price(reference: Decimal, tolerance_pct: Decimal, side: Side) -> Decimal:
    """The worst price at which the order is still sent; never better than `reference`.

    Rounded to eight digits in the trader's favour, not to the tick: it limits an average price, which can lie
    between two ticks.
    """
    unit, tolerance = unit_of(reference, SHOWN_DIGITS), reference * tolerance_pct / 100
    if side == "buy":
        return max(floor_to(reference + tolerance, unit), ceil_to(reference, unit))
    return min(ceil_to(reference - tolerance, unit), floor_to(reference, unit))
