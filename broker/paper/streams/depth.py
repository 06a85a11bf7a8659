"""The diff depth stream: what changed in a book, so that a client can keep its own.

A client applies the events to a snapshot (GET depth), whose `lastUpdateId` is the slot it was taken in. The
snapshot may be of any moment since the last event, so an event repeats what the event before it told (the
book may have changed in the same slot), and tells of prices that only books in between had, or that were
taken whole since.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from ..amounts import ZERO
from ..book import Book
from ..orders import Side
from ..prices import slot_of
from .feeds import Payload
from .sources import FindMarket

Quantities = dict[Decimal, Decimal]
_SIDES = (Side.BUY, Side.SELL)


class BookChange(NamedTuple):
    """Of the update ids after `before`, up to `last`. Prices with what is there now, 0: nothing."""

    before: int
    last: int
    bids: Quantities
    asks: Quantities


class DepthChanges:
    """Begins with the book as it is; there is at most one change in a slot."""

    def __init__(self, market: FindMarket, now: int, render: Callable[[BookChange, int], Payload]) -> None:
        self._market = market
        self._render = render
        self._slot = slot_of(now)
        book = market().book(now)
        self._key = book.key
        self._books = {side: _quantities(book, side) for side in _SIDES}
        self._told: dict[Side, set[Decimal]] = {side: set() for side in _SIDES}

    def __call__(self, now: int) -> Sequence[Payload]:
        before, slot = self._slot, slot_of(now)
        if slot <= before:
            return []
        book = self._market().book(now)
        seen = [] if book.key == self._key else self._books_since(before, slot)
        bids, asks = (self._changes(book, side, seen) for side in _SIDES)
        self._slot, self._key = slot, book.key
        return [self._render(BookChange(before, slot, bids, asks), now)]

    def _changes(self, book: Book, side: Side, seen: Sequence[Book]) -> Quantities:
        old, new = self._books[side], _quantities(book, side)
        told = {price for price in old.keys() | new.keys() if old.get(price) != new.get(price)}
        told.update(price for other in seen for price in _quantities(other, side))
        prices = told | self._told[side]
        self._books[side], self._told[side] = new, told
        return {price: new.get(price, ZERO) for price in sorted(prices, reverse=side is Side.BUY)}

    def _books_since(self, before: int, slot: int) -> list[Book]:
        """Books with all prices that could be seen in these slots; their quantities mean nothing."""
        market = self._market()
        lasts = {market.public_trade(each).price for each in range(before, slot + 1)}
        return [Book(market.symbol, last, "", market.symbol.step) for last in lasts]


def _quantities(book: Book, side: Side) -> Quantities:
    return {level.price: level.quantity for level in book.levels(side)}
