"""What an order would come to now: the figures that checks and cards are made of."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, TypeVar

from ..clock import Clock, to_ms
from ..errors import BrokerError, Code
from ..exchange import Book, Futures, OrderRequest, RestingOrder, Rules, Spot
from ..money import SHOWN_DIGITS, Side, ceil_to, floor_to, unit_of
from ..risk import Check
from ..tools.declaration import Context

T = TypeVar("T")

PRICE_MAX_AGE_MS: Final = 1_000
"""How old the price may be that an order was last held against."""

SOON_SECONDS: Final = 1.0
"""How long is waited for what is good to know and not needed: an exit holds its account's lock."""

MarketFigures = tuple[
    Book | BrokerError,
    Decimal | BrokerError,
    Mapping[str, Decimal] | BrokerError,
    list[RestingOrder] | BrokerError,
]


@dataclass(frozen=True, kw_only=True)
class Need:
    """What an order takes of an asset, beside what is free of it and what waiting requests would take."""

    label: str
    asset: str
    amount: Decimal | None
    free: Decimal
    waiting: Decimal


@dataclass(frozen=True, kw_only=True)
class Quote(ABC):
    """One order beside the market and the account, all read for it.

    `reference` is the exchange's own price for its rules, `rate` is USDT per quote asset, `resting` are the
    account's own orders (of the symbol, or of all where a spot pair is not quoted in cash), `used` is the
    day's volume in USDT without this one, and `used_by_agent` that of its agent, where it has a limit of its
    own. An entry has every figure; an exit may lack those that it does not need: they are None where they
    could not be read.
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
        """Whether it lowers exposure."""

    @property
    @abstractmethod
    def need(self) -> Need | None:
        """What it takes from the account; None where it takes nothing."""

    @property
    @abstractmethod
    def takes_all(self) -> bool:
        """Whether nothing that could still be sold is left."""

    @abstractmethod
    def balance_check(self) -> Check | None:
        """Check 1."""

    @abstractmethod
    def exposure_checks(self, context: Context) -> list[Check]:
        """Checks 4 and 5; none for an exit."""

    @property
    def best(self) -> Decimal | None:
        """What the order would trade against first: the ask for a buy, the bid for a sell."""
        if self.book is None:
            return None
        return self.book.best_ask if self.order.side == "buy" else self.book.best_bid

    @property
    def middle(self) -> Decimal | None:
        if self.book is None or self.book.best_ask is None or self.book.best_bid is None:
            return None
        return (self.book.best_ask + self.book.best_bid) / 2

    @cached_property
    def average(self) -> Decimal | None:
        """The book's average for the whole amount; None when the visible book is too thin for it."""
        if self.book is None:
            return None
        walk = self.book.walk(self.order.side, self.order.amount)
        return walk.average if walk.filled == self.order.amount else None

    @property
    def asked_at(self) -> Decimal | None:
        """The market's price that the order is held against: by the book, or the last one for a trigger."""
        if self.order.stop_price is not None:
            return self.last
        return self.average or self.best if self.order.type == "market" else self.best

    @property
    def traded_at(self) -> Decimal | None:
        """By the book, for an order that trades at the market now."""
        return self.average if self.order.type == "market" else None

    @property
    def priced_at_ms(self) -> int | None:
        """When, by our clock, the book was asked for."""
        return None if self.book is None else self.book.asked_at_ms

    @property
    def fills_now(self) -> bool:
        """A limit order at or through the market."""
        price, best = self.order.price, self.best
        if price is None or best is None or self.order.stop_price is not None:
            return False
        return price >= best if self.order.side == "buy" else price <= best

    @property
    def value(self) -> Decimal | None:
        """In the quote asset. A limit buy: at its limit; a limit sell: at the higher of limit and bid.

        A stop: at its trigger, and with a limit at the higher of both. A market order: by walking the book;
        where the visible book is too thin, an exit that sells is worth at most its best bid, and any other
        order's value is not known.
        """
        price = self._valued_at
        return None if price is None else price * self.order.amount

    @property
    def _valued_at(self) -> Decimal | None:
        price, trigger, best = self.order.price, self.order.stop_price, self.best
        if trigger is not None:
            return trigger if price is None else max(price, trigger)
        if price is not None:
            return price if self.order.side == "buy" or best is None else max(price, best)
        return self.average or (best if self.order.side == "sell" and self.is_exit else None)

    @property
    def value_usdt(self) -> Decimal | None:
        return None if self.value is None or self.rate is None else self.value * self.rate


def best_of(book: Book, side: Side) -> Decimal:
    """Raises BINANCE_UNAVAILABLE for an empty book."""
    price = book.best_ask if side == "buy" else book.best_bid
    if price is None:
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"{book.symbol} has an empty order book: there is no price to check against.",
        )
    return price


async def read_market(
    venue: Spot | Futures, symbol: str, *, orders_of: str | None, entry: bool
) -> MarketFigures:
    """Book, the exchange's reference price, last prices, and own resting orders: those of the symbol
    `orders_of`, of all symbols where it is None.
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
    """The book, read once more where it grew old while the other figures were waited for."""
    if isinstance(book, BrokerError) or 0 <= to_ms(clock()) - book.asked_at_ms <= PRICE_MAX_AGE_MS:
        return book
    return await attempt(venue.book(book.symbol), seconds=patience(entry=entry))


def patience(*, entry: bool) -> float | None:
    """How long is waited for a figure that an entry needs and an exit does not; None: as for any read."""
    return None if entry else SOON_SECONDS


async def attempt(reading: Awaitable[T], *, seconds: float | None = None) -> T | BrokerError:
    """For figures that are read together, not all of which are needed."""
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        return BrokerError(Code.BINANCE_TIMEOUT, f"Binance did not answer within {seconds:g} s")
    except BrokerError as error:
        return error


def figure(read: T | BrokerError, *, needed: bool) -> T | None:
    """What was read; where it could not be, raises if it is needed, else None."""
    if isinstance(read, BrokerError):
        if needed:
            raise read
        return None
    return read


def worst_for(quote: Quote, tolerance_pct: Decimal | None) -> Decimal | None:
    """The last price at which it is still sent, None where any will do.

    Raises BINANCE_UNAVAILABLE where there is a tolerance and no price that it could be of.
    """
    if tolerance_pct is None:
        return None
    if quote.asked_at is None:
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"There is no price of {quote.rules.symbol} to hold the order against.",
        )
    return worst_price(quote.asked_at, tolerance_pct, quote.order.side)


def worst_price(reference: Decimal, tolerance_pct: Decimal, side: Side) -> Decimal:
    """The last price at which it is still sent, in eight digits on the trader's side; never better than the
    reference.

    Not to the tick: it bounds an average, which lies between the prices of a book.
    """
    unit, tolerance = unit_of(reference, SHOWN_DIGITS), reference * tolerance_pct / 100
    if side == "buy":
        return max(floor_to(reference + tolerance, unit), ceil_to(reference, unit))
    return min(ceil_to(reference - tolerance, unit), floor_to(reference, unit))
