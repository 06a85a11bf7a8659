"""An order book around a price. It has a finite number of levels, and fills reduce their quantities."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from hashlib import shake_128
from itertools import islice, takewhile
from struct import unpack
from typing import NamedTuple

from .amounts import ZERO, floored
from .orders import Side
from .symbols import Symbol

LEVELS = 1000
_FULL = 1 << 16


class Level(NamedTuple):
    """`rank` is 0 for the best level."""

    rank: int
    price: Decimal
    quantity: Decimal


class Book:
    """The book at one moment. The best bid is a tick below the last price, the best ask a tick above it.

    `taken` is the quantity that the account took from each level, by side and rank.
    """

    def __init__(self, symbol: Symbol, last: Decimal, key: str, level_size: Decimal | None) -> None:
        self.symbol = symbol
        self.last = last
        self.key = key
        self.taken: dict[tuple[Side, int], Decimal] = {}
        self._level_size = level_size
        self._sizes: dict[Side, list[Decimal]] = {}

    def levels(self, side: Side, limit: int = LEVELS) -> list[Level]:
        """Return the best `limit` levels that are not empty. BUY means the bids."""
        return list(islice(self._left(side), limit))

    def best(self, side: Side) -> Level | None:
        return next(self._left(side), None)

    def facing(self, side: Side, limit: Decimal | None = None) -> Iterator[Level]:
        """Yield the levels that a taker of that side can fill against, best first, up to the limit price."""
        levels = self._left(side.opposite)
        return levels if limit is None else takewhile(lambda level: side.accepts(level.price, limit), levels)

    def take(self, side: Side, fills: Iterable[Level]) -> None:
        """Remove the fills of a taker of that side."""
        for level in fills:
            key = side.opposite, level.rank
            self.taken[key] = self.taken.get(key, ZERO) + level.quantity

    def _left(self, side: Side) -> Iterator[Level]:
        away = self.symbol.level_gap if side is Side.SELL else -self.symbol.level_gap
        price = self.last + (self.symbol.tick if side is Side.SELL else -self.symbol.tick)
        for rank, size in enumerate(self._sizes_of(side)):
            left = size - self.taken.get((side, rank), ZERO)
            if price <= 0:
                return
            if left > 0:
                yield Level(rank, price, left)
            price += away

    def _sizes_of(self, side: Side) -> list[Decimal]:
        if side not in self._sizes:
            self._sizes[side] = (
                self._fixed_sizes() if self._level_size is not None else self._random_sizes(side)
            )
        return self._sizes[side]

    def _fixed_sizes(self) -> list[Decimal]:
        return [self._level_size or ZERO] * LEVELS

    def _random_sizes(self, side: Side) -> list[Decimal]:
        """Return random sizes from 0.1 to about 2 times the typical size, larger further from the price."""
        noise = unpack(f"<{LEVELS}H", shake_128(f"{self.key}/{side}".encode()).digest(2 * LEVELS))
        typical, step = int(self.symbol.level_size / self.symbol.step), self.symbol.step
        return [
            step * (typical // 10 + typical * 2 * (20 + rank) * value // (20 * _FULL))
            for rank, value in enumerate(noise)
        ]


def fills_of_quantity(levels: Iterable[Level], quantity: Decimal) -> list[Level]:
    """Fill a quantity from these levels. The fills are smaller in total if the levels do not suffice."""
    fills = []
    for level in levels:
        part = min(level.quantity, quantity)
        fills.append(level._replace(quantity=part))
        quantity -= part
        if quantity <= 0:
            break
    return fills


def fills_of_cost(levels: Iterable[Level], cost: Decimal, step: Decimal) -> list[Level]:
    """Spend up to `cost` of the quote asset on these levels, in multiples of `step`."""
    fills = []
    for level in levels:
        part = min(level.quantity, floored(cost / level.price, step))
        if part <= 0:
            break
        fills.append(level._replace(quantity=part))
        cost -= part * level.price
    return fills
