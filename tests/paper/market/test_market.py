from decimal import Decimal

import pytest

from broker.paper.market.market import DAY_MS, Market, Setting
from broker.paper.market.orders import Side
from broker.paper.market.symbols import SPOT

MINUTE = 60_000
NOW = 29_500_000 * MINUTE
PINNED = Decimal(50_000)


@pytest.fixture
def market() -> Market:
    return Market(SPOT[0], 7, [], Setting())


def test_a_pinned_price_stays_until_it_is_released(market: Market) -> None:
    before = market.price(NOW + DAY_MS)
    market.hold(PINNED, NOW)
    assert market.price(NOW) == market.price(NOW + DAY_MS) == PINNED
    market.hold(None, NOW + MINUTE)
    assert market.price(NOW + DAY_MS) == before


def test_candles_know_of_a_pin_and_the_past_does_not(market: Market) -> None:
    past = market.candle(NOW - MINUTE, NOW, NOW)
    market.hold(PINNED, NOW)
    market.hold(None, NOW + MINUTE)
    later = NOW + 2 * MINUTE
    assert market.candle(NOW - MINUTE, NOW, later) == past
    pinned = market.candle(NOW, NOW + MINUTE, later)
    assert {pinned.open, pinned.high, pinned.low, pinned.close} == {PINNED}
    around = market.candle(NOW - MINUTE, NOW + 2 * MINUTE, later)
    assert (around.open, around.low) == (past.open, PINNED)
    assert around.close > 57_000


def test_the_day_ends_at_the_last_price(market: Market) -> None:
    day = market.day(NOW + 12_345)
    assert day.close == market.price(NOW + 12_345)
    assert day.low <= min(day.open, day.close) <= max(day.open, day.close) <= day.high
    assert day.start == NOW - DAY_MS


def test_the_public_trade_of_now_has_the_last_price(market: Market) -> None:
    trade = market.public_trade(NOW // 250)
    assert trade.price == market.price(NOW)
    assert trade.time == NOW


def test_the_book_of_a_pinned_market_is_not_refilled_but_a_new_pin_does_so(market: Market) -> None:
    market.hold(PINNED, NOW)
    best = market.book(NOW).levels(Side.SELL, 1)
    market.book(NOW).take(Side.BUY, best)
    assert market.book(NOW + DAY_MS).levels(Side.SELL, 1) != best
    market.hold(PINNED, NOW)
    assert market.book(NOW).levels(Side.SELL, 1)[0].price == best[0].price


def test_the_book_of_a_moving_market_is_refilled_with_the_next_trade(market: Market) -> None:
    market.set_level_size(Decimal(1))
    market.book(NOW).take(Side.BUY, market.book(NOW).levels(Side.SELL, 1))
    assert market.book(NOW + 249).levels(Side.SELL, 1)[0].rank == 1
    assert market.book(NOW + 250).levels(Side.SELL, 1)[0].rank == 0


def test_the_average_price_lies_between_the_extremes_of_five_minutes(market: Market) -> None:
    candle = market.candle(NOW - 4 * MINUTE, NOW + MINUTE, NOW + MINUTE - 1)
    assert candle.low <= market.average(NOW + MINUTE - 1) <= candle.high
