"""The state of one market at a given time: price, book and candles, with the control API's settings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from ..spot.filters import AVERAGE_PRICE_MINUTES
from .book import Book
from .orders import Side
from .prices import SLOT_MS, Bar, Tape, merge, slot_of
from .symbols import Symbol

MINUTE_MS = 60_000
DAY_MS = 86_400_000


@dataclass(slots=True)
class Pin:
    """The price is held at `ticks` from slot `start` until before slot `end`. `end` None: it still is."""

    start: int
    end: int | None
    ticks: int


@dataclass(slots=True)
class Setting:
    """The settings that survive a restart, apart from the pins."""

    revision: int = 0
    """Incremented by each change of the control API. A pinned book is constant within one revision."""
    level_size: Decimal | None = None
    """The quantity of every level, if it was set."""
    book_key: str = ""
    taken: dict[tuple[Side, int], Decimal] = field(default_factory=dict)
    """The quantities taken from the book with that key."""


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices are in the quote asset. The taker buy volumes are those of trades whose taker bought."""

    start: int
    end: int
    """The last millisecond of the candle."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    taker_buy_volume: Decimal
    taker_buy_quote_volume: Decimal

    @property
    def first_trade(self) -> int:
        return slot_of(self.start)

    @property
    def last_trade(self) -> int:
        return slot_of(self.end)


@dataclass(frozen=True, slots=True)
class PublicTrade:
    id: int
    price: Decimal
    quantity: Decimal
    time: int
    buyer_is_maker: bool


class Market:
    """Times are UTC milliseconds."""

    def __init__(self, symbol: Symbol, seed: int, pins: list[Pin], setting: Setting) -> None:
        self.symbol = symbol
        self.pins = pins
        self.setting = setting
        self._seed = seed
        self._tape = Tape(symbol, seed)
        self._book: Book | None = None
        self._average = lru_cache(maxsize=1)(self._average_in)

    def price(self, now: int) -> Decimal:
        """The last price."""
        ticks = self.pins[-1].ticks if self._is_pinned else self._ticks(slot_of(now))
        return ticks * self.symbol.tick

    def book(self, now: int) -> Book:
        key = self._book_key(slot_of(now))
        if self._book is None or self._book.key != key:
            self._book = Book(self.symbol, self.price(now), key, self.setting.level_size)
            if key == self.setting.book_key:
                self._book.taken = self.setting.taken
        return self._book

    def keep(self, book: Book) -> Setting:
        """Store in the setting what was taken from the book, and return the setting."""
        self.setting.book_key, self.setting.taken = book.key, book.taken
        return self.setting

    def average(self, now: int) -> Decimal:
        """Return the average price of the last five minutes (Binance: avgPrice)."""
        return self._average(slot_of(now), self.setting.revision)

    def day(self, now: int) -> Candle:
        """Return the candle of the last 24 hours. It starts at a full minute."""
        start = now // MINUTE_MS * MINUTE_MS - DAY_MS
        return self._candle(
            start, now, [self._bar(start, start + DAY_MS), self._bar(start + DAY_MS, now + 1)]
        )

    def candle(self, start: int, end: int, now: int) -> Candle:
        """Return the candle of [start, end), or the part of it until `now`."""
        return self._candle(start, end - 1, [self._bar(start, min(end, now + 1))])

    def public_trade(self, slot: int) -> PublicTrade:
        ticks, before = self._ticks(slot), self._ticks(slot - 1)
        return PublicTrade(
            id=slot,
            price=ticks * self.symbol.tick,
            quantity=self._tape.trade(slot).volume * self.symbol.step,
            time=slot * SLOT_MS,
            buyer_is_maker=ticks < before or (ticks == before and slot % 2 == 0),
        )

    def hold(self, price: Decimal | None, now: int) -> None:
        """Hold the price. None releases it."""
        slot = slot_of(now)
        if self.pins and self.pins[-1].end is None:
            self.pins[-1].end = slot
        if price is not None:
            self.pins.append(Pin(slot, None, int(price / self.symbol.tick)))
        self._renew()

    def set_level_size(self, size: Decimal | None) -> None:
        self.setting.level_size = size
        self._renew()

    def _renew(self) -> None:
        self.setting.revision += 1
        self._book = None

    def _book_key(self, slot: int) -> str:
        moment = "" if self._is_pinned else slot
        return f"{self._seed}/{self.symbol.name}/{self.setting.revision}/{moment}"

    @property
    def _is_pinned(self) -> bool:
        return bool(self.pins) and self.pins[-1].end is None

    def _ticks(self, slot: int) -> int:
        for pin in reversed(self.pins):
            if pin.start <= slot and (pin.end is None or slot < pin.end):
                return pin.ticks
        return self._tape.trade(slot).close

    def _bar(self, start: int, end: int) -> Bar:
        """Return the bar of the slots that begin in [start, end)."""
        first, after = -(-start // SLOT_MS), -(-end // SLOT_MS)
        return merge(list(self._stretches(first, max(after, first + 1))))

    def _stretches(self, at: int, end: int) -> Iterator[Bar]:
        for pin in self.pins:
            until = end if pin.end is None else min(pin.end, end)
            start = max(pin.start, at)
            if until <= start:
                continue
            if start > at:
                yield self._tape.span(at, start)
            yield Bar(pin.ticks, pin.ticks, pin.ticks, pin.ticks, self._tape.span(start, until).volume)
            at = until
        if at < end:
            yield self._tape.span(at, end)

    def _average_in(self, slot: int, _revision: int) -> Decimal:
        minute = slot * SLOT_MS // MINUTE_MS * MINUTE_MS
        bar = self._bar(minute - (AVERAGE_PRICE_MINUTES - 1) * MINUTE_MS, slot * SLOT_MS + 1)
        return _typical(bar) * self.symbol.tick

    def _candle(self, start: int, end: int, bars: list[Bar]) -> Candle:
        bar, tick, step = merge(bars), self.symbol.tick, self.symbol.step
        typical, volume, taker_buy = _typical(bar) * tick, bar.volume * step, _taker_buy_steps(bar) * step
        return Candle(
            start=start,
            end=end,
            open=bar.open * tick,
            high=bar.high * tick,
            low=bar.low * tick,
            close=bar.close * tick,
            volume=volume,
            quote_volume=volume * typical,
            taker_buy_volume=taker_buy,
            taker_buy_quote_volume=taker_buy * typical,
        )


def _typical(bar: Bar) -> Decimal:
    return Decimal(bar.open + bar.high + bar.low + bar.close) / 4


def _taker_buy_steps(bar: Bar) -> int:
    """Return a quarter to three quarters of the volume, more if the price rose more."""
    room = bar.high - bar.low
    return bar.volume * (2 * room + bar.close - bar.open) // (4 * room) if room else bar.volume // 2
