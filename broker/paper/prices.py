"""The public trades of a market: a pure function of seed and time, and so are its candles.

Four trades a second. A week has an opening, a high, a low and a close; it is split into seven days that
together have exactly those, each day into hours, and so on down to the single trade. Any stretch of time is
thus the merger of a few bars, however long ago it was. Only integers are used (prices in ticks, volumes in
steps), so that every machine sees the same market.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import shake_128
from itertools import accumulate, pairwise
from math import isqrt
from struct import unpack
from typing import NamedTuple

from .symbols import Symbol

SLOT_MS = 250
SECOND = 1000 // SLOT_MS
_SIZES = (604_800 * SECOND, 86_400 * SECOND, 3_600 * SECOND, 900 * SECOND, 60 * SECOND, SECOND, 1)
"""Week, day, hour, quarter, minute, second, trade; in slots."""
_PARTS = tuple(size // part for size, part in pairwise(_SIZES))
_MONDAY = 3 * 86_400 * SECOND
"""Weeks open on Mondays; the epoch was a Thursday."""
_HALF = 1 << 15
_FULL = 1 << 16


class Bar(NamedTuple):
    """Prices in ticks, volume in steps."""

    open: int
    high: int
    low: int
    close: int
    volume: int


def merged(bars: Sequence[Bar]) -> Bar:
    """The bar of several that follow one another."""
    opens, highs, lows, closes, volumes = zip(*bars, strict=True)
    return Bar(opens[0], max(highs), min(lows), closes[-1], sum(volumes))


def slot_of(time_ms: int) -> int:
    return time_ms // SLOT_MS


class Tape:
    """All trades of one symbol, past and future."""

    def __init__(self, symbol: Symbol, seed: int) -> None:
        self._key = f"{seed}/{symbol.name}"
        self._around = int(symbol.around / symbol.tick)
        self._wander_ppm = symbol.wander_ppm
        self._weekly_volume = int(symbol.daily_volume / symbol.step) * 7
        self._children = lru_cache(maxsize=1024)(self._split)
        self.span = lru_cache(maxsize=4096)(self._span)

    def _span(self, first: int, end: int) -> Bar:
        """The bar of the slots from `first` up to, not including, `end`."""
        return merged(list(self._pieces(first + _MONDAY, end + _MONDAY)))

    def trade(self, slot: int) -> Bar:
        return self._bar(len(_SIZES) - 1, slot + _MONDAY)

    def _pieces(self, at: int, end: int) -> Iterator[Bar]:
        while at < end:
            for level, size in enumerate(_SIZES):
                if at % size == 0 and at + size <= end:
                    yield self._bar(level, at // size)
                    at += size
                    break

    def _bar(self, level: int, index: int) -> Bar:
        if level == 0:
            return self._week(index)
        parent, child = divmod(index, _PARTS[level - 1])
        return self._children(level - 1, parent)[child]

    def _week(self, index: int) -> Bar:
        opening, closing = self._anchor(index), self._anchor(index + 1)
        up, down, busy = self._noise("week", index, 3)
        reach = self._around * self._wander_ppm // 1_000_000
        high = max(opening, closing) + reach * up // _FULL
        low = min(opening, closing) - reach * down // _FULL
        return Bar(opening, high, low, closing, self._weekly_volume * (_FULL + busy) // _FULL)

    def _anchor(self, week: int) -> int:
        (noise,) = self._noise("anchor", week, 1)
        return self._around + self._around * self._wander_ppm * (noise - _HALF) // (_HALF * 1_000_000)

    def _split(self, level: int, index: int) -> tuple[Bar, ...]:
        parent, parts = self._bar(level, index), _PARTS[level]
        noise = self._noise(level, index, 4 * parts)
        volumes = _shares(parent.volume, noise[:parts])
        if _SIZES[level + 1] == 1:
            return tuple(Bar(p, p, p, p, v) for p, v in zip(_trades(parent, noise[-1]), volumes, strict=True))
        path = _path(parent, noise[parts : 2 * parts])
        return _stretched(parent, _bars(parent, path, noise[2 * parts :], volumes))

    def _noise(self, level: int | str, index: int, count: int) -> tuple[int, ...]:
        digest = shake_128(f"{self._key}/{level}/{index}".encode()).digest(2 * count)
        return unpack(f"<{count}H", digest)


def _shares(volume: int, noise: Sequence[int]) -> list[int]:
    weights = [_HALF + value for value in noise]
    total = sum(weights)
    shares = [volume * weight // total for weight in weights]
    shares[-1] += volume - sum(shares)
    return shares


def _trades(second: Bar, noise: int) -> tuple[int, int, int, int]:
    first, then = (second.high, second.low) if noise & 1 else (second.low, second.high)
    return second.open, first, then, second.close


def _path(parent: Bar, noise: Sequence[int]) -> list[int]:
    """Prices from open to close: a random walk, bent to end at the close, between low and high."""
    parts = len(noise)
    walk = list(accumulate((value - _HALF for value in noise), initial=0))
    bent = [step - walk[-1] * at // parts for at, step in enumerate(walk)]
    reach = max(map(abs, bent)) or 1
    room, rise = (parent.high - parent.low) // 2, parent.close - parent.open
    prices = (parent.open + rise * at // parts + step * room // reach for at, step in enumerate(bent))
    return [_reflected(price, parent) for price in prices]


def _reflected(price: int, parent: Bar) -> int:
    """It turns back at the high and the low, rather than stick to them."""
    if price > parent.high:
        return 2 * parent.high - price
    return max(price, 2 * parent.low - price)


def _bars(parent: Bar, path: Sequence[int], noise: Sequence[int], volumes: Sequence[int]) -> list[Bar]:
    wick = (parent.high - parent.low) // (2 * isqrt(len(volumes)))
    return [
        Bar(
            opening,
            min(parent.high, max(opening, closing) + wick * noise[2 * at] // _FULL),
            max(parent.low, min(opening, closing) - wick * noise[2 * at + 1] // _FULL),
            closing,
            volume,
        )
        for at, (opening, closing, volume) in enumerate(zip(path, path[1:], volumes, strict=False))
    ]


def _stretched(parent: Bar, bars: list[Bar]) -> tuple[Bar, ...]:
    """One of the bars reaches the parent's high, and one its low."""
    top = max(range(len(bars)), key=lambda at: bars[at].high)
    bars[top] = bars[top]._replace(high=parent.high)
    bottom = min(range(len(bars)), key=lambda at: bars[at].low)
    bars[bottom] = bars[bottom]._replace(low=parent.low)
    return tuple(bars)
