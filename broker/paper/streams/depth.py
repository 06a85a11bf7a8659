"""The diff depth stream: the changes of a book, from which a client maintains its own copy.

A client applies the events to a snapshot (GET depth), whose `lastUpdateId` is the slot of the snapshot. The
snapshot may be of any moment since the last event. So an event repeats the changes of the previous event (the
book may have changed again in that slot), and includes prices that existed only between the two events.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from ..market.amounts import ZERO
from ..market.book import Book
from ..market.orders import Side
from ..market.prices import slot_of
from .feeds import Payload
from .sources import FindMarket

Quantities = dict[Decimal, Decimal]
_SIDES = (Side.BUY, Side.SELL)


class BookChange(NamedTuple):
    """The change for update ids in (before, last]: the new quantity by price, 0 if the level is gone."""

    before: int
    last: int
    bids: Quantities
    asks: Quantities


class DepthChanges:
    """Yields changes from the current book on, at most one per slot."""

    def __init__(self, market: FindMarket, now: int, render: Callable[[BookChange, int], Payload]) -> None:
        self._market = market
        self._render = render
        self._slot = slot_of(now)
        book = market().book(now)
        self._key = book.key
        self._books = {side: _quantities(book, side) for side in _SIDES}
        self._sent: dict[Side, set[Decimal]] = {side: set() for side in _SIDES}

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
        changed = {price for price in old.keys() | new.keys() if old.get(price) != new.get(price)}
        changed.update(price for other in seen for price in _quantities(other, side))
        prices = changed | self._sent[side]
        self._books[side], self._sent[side] = new, changed
        return {price: new.get(price, ZERO) for price in sorted(prices, reverse=side is Side.BUY)}

    def _books_since(self, before: int, slot: int) -> list[Book]:
        """Return books with all prices that a snapshot in these slots could have. Ignore their quantities."""
        market = self._market()
        lasts = {market.public_trade(each).price for each in range(before, slot + 1)}
        return [Book(market.symbol, last, "", market.symbol.step) for last in lasts]


def _quantities(book: Book, side: Side) -> Quantities:
    return {level.price: level.quantity for level in book.levels(side)}
