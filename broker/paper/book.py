"""An order book around a price: finite levels, which taking thins out."""

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
    """`rank` counts from the best level on, which is 0."""

    rank: int
    price: Decimal
    quantity: Decimal


class Book:
    """One moment's book. The best bid is a tick below the last price, the best ask a tick above it.

    `taken` is what our account took from its levels, by side and rank.
    """

    def __init__(self, symbol: Symbol, last: Decimal, key: str, level_size: Decimal | None) -> None:
        self.symbol = symbol
        self.last = last
        self.key = key
        self.taken: dict[tuple[Side, int], Decimal] = {}
        self._level_size = level_size
        self._sizes: dict[Side, list[Decimal]] = {}

    def levels(self, side: Side, limit: int = LEVELS) -> list[Level]:
        """The best `limit` levels that have something left. BUY: the bids."""
        return list(islice(self._left(side), limit))

    def best(self, side: Side) -> Level | None:
        return next(self._left(side), None)

    def facing(self, side: Side, limit: Decimal | None = None) -> Iterator[Level]:
        """The levels that a taker of that side reaches, best first; without a limit, all."""
        levels = self._left(side.opposite)
        return levels if limit is None else takewhile(lambda level: side.accepts(level.price, limit), levels)

    def take(self, side: Side, fills: Iterable[Level]) -> None:
        """A taker of that side had these fills."""
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
        """A tenth to twice the typical size, growing with the distance from the price."""
        noise = unpack(f"<{LEVELS}H", shake_128(f"{self.key}/{side}".encode()).digest(2 * LEVELS))
        typical, step = int(self.symbol.level_size / self.symbol.step), self.symbol.step
        return [
            step * (typical // 10 + typical * 2 * (20 + rank) * value // (20 * _FULL))
            for rank, value in enumerate(noise)
        ]


def fills_of_quantity(levels: Iterable[Level], quantity: Decimal) -> list[Level]:
    """What a quantity gets from these levels: the last one in part, or less than it asked for."""
    fills = []
    for level in levels:
        part = min(level.quantity, quantity)
        fills.append(level._replace(quantity=part))
        quantity -= part
        if quantity <= 0:
            break
    return fills


def fills_of_cost(levels: Iterable[Level], cost: Decimal, step: Decimal) -> list[Level]:
    """What an amount of the quote asset gets from these levels, in whole steps and never above it."""
    fills = []
    for level in levels:
        part = min(level.quantity, floored(cost / level.price, step))
        if part <= 0:
            break
        fills.append(level._replace(quantity=part))
        cost -= part * level.price
    return fills
