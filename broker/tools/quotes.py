"""What an order would cost now: the figures that checks and cards are made of."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from ..errors import BrokerError, Code
from ..exchange import Account, Balance, Book, Exchange, OrderRequest, Rules
from ..money import Side, ceil_to, floor_to
from .valuation import equity, rate


@dataclass(frozen=True, kw_only=True)
class Quote:
    """One order beside the market and the account, all read for it. `rate` is USDT per quote asset."""

    order: OrderRequest
    rules: Rules
    book: Book
    account: Account
    average_price: Decimal
    rate: Decimal | None
    equity: Decimal

    @property
    def best(self) -> Decimal:
        """What the order would trade against first: the ask for a buy, the bid for a sell."""
        return best_of(self.book, self.order.side)

    @property
    def middle(self) -> Decimal:
        return (best_of(self.book, "buy") + best_of(self.book, "sell")) / 2

    @cached_property
    def average(self) -> Decimal | None:
        """The book's average for the whole amount; None when the visible book is too thin for it."""
        walk = self.book.walk(self.order.side, self.order.amount)
        return walk.average if walk.filled == self.order.amount else None

    @property
    def fills_now(self) -> bool:
        """A limit order at or through the market."""
        price = self.order.price
        if price is None:
            return True
        return price >= self.best if self.order.side == "buy" else price <= self.best

    @property
    def value(self) -> Decimal | None:
        """In the quote asset. A limit buy: at its limit; a limit sell: at the higher of limit and bid.

        A market order: by walking the book. Where the visible book is too thin, a sell is worth at most its
        best bid, and a buy's value is not known.
        """
        price = self.order.price
        if price is not None:
            return self.order.amount * (price if self.order.side == "buy" else max(price, self.best))
        if self.average is not None:
            return self.average * self.order.amount
        return self.best * self.order.amount if self.order.side == "sell" else None

    @property
    def value_usdt(self) -> Decimal | None:
        return None if self.value is None or self.rate is None else self.value * self.rate

    @property
    def position_usdt(self) -> Decimal | None:
        """What a buy would leave in the base asset, at the market."""
        if self.rate is None:
            return None
        return (self.base.total + self.order.amount) * self.best * self.rate

    @property
    def base(self) -> Balance:
        return self._balance(self.rules.base)

    @property
    def quote(self) -> Balance:
        return self._balance(self.rules.quote)

    @property
    def is_exit(self) -> bool:
        """A spot sell of an asset that is held lowers exposure."""
        return self.order.side == "sell" and self.base.total > 0

    @property
    def sells_all(self) -> bool:
        """Nothing that could still be sold is left."""
        left = self.base.free - self.order.amount
        return self.order.side == "sell" and 0 <= left < self.rules.step

    def _balance(self, asset: str) -> Balance:
        for item in self.account.balances:
            if item.asset == asset:
                return item
        return Balance(asset, Decimal(0), Decimal(0))


async def read(exchange: Exchange, order: OrderRequest) -> Quote:
    """All figures at once. Raises BrokerError when one cannot be read: then nothing is parked."""
    book, account, average_price, prices = await asyncio.gather(
        exchange.spot.book(order.symbol),
        exchange.spot.account(),
        exchange.spot.average_price(order.symbol),
        exchange.spot.last_prices(),
    )
    rules = exchange.spot.rules(order.symbol)
    return Quote(
        order=order,
        rules=rules,
        book=book,
        account=account,
        average_price=average_price,
        rate=rate(rules.quote, prices),
        equity=equity(account, prices),
    )


def best_of(book: Book, side: Side) -> Decimal:
    price = book.best_ask if side == "buy" else book.best_bid
    if price is None:
        raise BrokerError(
            Code.BINANCE_UNAVAILABLE,
            f"{book.symbol} has an empty order book: there is no price to check against.",
        )
    return price


def worst_price(reference: Decimal, tolerance_pct: Decimal, tick: Decimal, side: Side) -> Decimal:
    """The last price at which it is still sent; rounded to the tick on the trader's side."""
    if side == "buy":
        return floor_to(reference * (1 + tolerance_pct / 100), tick)
    return ceil_to(reference * (1 - tolerance_pct / 100), tick)
