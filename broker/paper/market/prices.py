"""The public trades and candles of a market, as a pure function of seed and time.

There are four trades per second. A week is a bar with open, high, low and close. It is split into seven day
bars that together have the same values, each day into hours, and so on down to single trades. So any time
range is the merge of a few bars, however long ago it was. All values are integers (prices in ticks, volumes
in steps), so every machine computes the same market.
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
"""Lengths in slots: week, day, hour, quarter of an hour, minute, second, trade."""
_PARTS = tuple(size // part for size, part in pairwise(_SIZES))
_MONDAY = 3 * 86_400 * SECOND
"""The offset of the epoch, a Thursday, within its week: weeks start on Mondays."""
_HALF = 1 << 15
_FULL = 1 << 16


class Bar(NamedTuple):
    """Prices are in ticks, the volume is in steps."""

    open: int
    high: int
    low: int
    close: int
    volume: int


def merge(bars: Sequence[Bar]) -> Bar:
    """Merge consecutive bars into one."""
    opens, highs, lows, closes, volumes = zip(*bars, strict=True)
    return Bar(opens[0], max(highs), min(lows), closes[-1], sum(volumes))


def slot_of(time_ms: int) -> int:
    return time_ms // SLOT_MS


class Tape:
    """All trades of one symbol, past and future."""

    def __init__(self, symbol: Symbol, seed: int) -> None:
        self._key = f"{seed}/{symbol.name}"
        self._typical = int(symbol.typical_price / symbol.tick)
        self._drift_ppm = symbol.drift_ppm
        self._weekly_volume = int(symbol.daily_volume / symbol.step) * 7
        self._children = lru_cache(maxsize=1024)(self._split)
        self.span = lru_cache(maxsize=4096)(self._span)

    def _span(self, first: int, end: int) -> Bar:
        """Return the bar of the slots in [first, end)."""
        return merge(list(self._pieces(first + _MONDAY, end + _MONDAY)))

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
        reach = self._typical * self._drift_ppm // 1_000_000
        high = max(opening, closing) + reach * up // _FULL
        low = min(opening, closing) - reach * down // _FULL
        return Bar(opening, high, low, closing, self._weekly_volume * (_FULL + busy) // _FULL)

    def _anchor(self, week: int) -> int:
        (noise,) = self._noise("anchor", week, 1)
        return self._typical + self._typical * self._drift_ppm * (noise - _HALF) // (_HALF * 1_000_000)

    def _split(self, level: int, index: int) -> tuple[Bar, ...]:
        parent, parts = self._bar(level, index), _PARTS[level]
        noise = self._noise(level, index, 4 * parts)
        volumes = _volumes(parent.volume, noise[:parts])
        if _SIZES[level + 1] == 1:
            return tuple(Bar(p, p, p, p, v) for p, v in zip(_trades(parent, noise[-1]), volumes, strict=True))
        path = _path(parent, noise[parts : 2 * parts])
        return _stretch(parent, _bars(parent, path, noise[2 * parts :], volumes))

    def _noise(self, level: int | str, index: int, count: int) -> tuple[int, ...]:
        digest = shake_128(f"{self._key}/{level}/{index}".encode()).digest(2 * count)
        return unpack(f"<{count}H", digest)


def _volumes(volume: int, noise: Sequence[int]) -> list[int]:
    weights = [_HALF + value for value in noise]
    total = sum(weights)
    volumes = [volume * weight // total for weight in weights]
    volumes[-1] += volume - sum(volumes)
    return volumes


def _trades(second: Bar, noise: int) -> tuple[int, int, int, int]:
    first, then = (second.high, second.low) if noise & 1 else (second.low, second.high)
    return second.open, first, then, second.close


def _path(parent: Bar, noise: Sequence[int]) -> list[int]:
    """Return prices from open to close: a random walk between low and high, adjusted to end at the close."""
    parts = len(noise)
    walk = list(accumulate((value - _HALF for value in noise), initial=0))
    bent = [step - walk[-1] * at // parts for at, step in enumerate(walk)]
    reach = max(map(abs, bent)) or 1
    room, rise = (parent.high - parent.low) // 2, parent.close - parent.open
    prices = (parent.open + rise * at // parts + step * room // reach for at, step in enumerate(bent))
    return [_reflect(price, parent) for price in prices]


def _reflect(price: int, parent: Bar) -> int:
    """Reflect a price at the high and the low, so that prices do not stick to them."""
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


def _stretch(parent: Bar, bars: list[Bar]) -> tuple[Bar, ...]:
    """Extend one bar to the parent's high, and one to its low."""
    top = max(range(len(bars)), key=lambda at: bars[at].high)
    bars[top] = bars[top]._replace(high=parent.high)
    bottom = min(range(len(bars)), key=lambda at: bars[at].low)
    bars[bottom] = bars[bottom]._replace(low=parent.low)
    return tuple(bars)
