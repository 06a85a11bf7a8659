from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from broker.paper.market.prices import SLOT_MS, Tape, merge, slot_of
from broker.paper.market.symbols import SPOT

BTC = SPOT[0]
TAPE = Tape(BTC, seed=7)
MINUTE = 60_000 // SLOT_MS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = slot_of(int(datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp() * 1000))
MOMENTS = st.integers(min_value=0, max_value=2 * NOON)


@given(MOMENTS)
def test_bitcoin_stays_near_sixty_thousand(slot: int) -> None:
    assert 57_000 <= TAPE.trade(slot).close * BTC.tick <= 63_000


@given(MOMENTS)
def test_the_same_seed_gives_the_same_trades_and_every_trade_has_a_quantity(slot: int) -> None:
    again = Tape(BTC, seed=7).trade(slot)
    assert again == TAPE.trade(slot)
    assert again.volume > 0


def test_another_seed_or_symbol_gives_another_market() -> None:
    hour = range(NOON, NOON + HOUR, MINUTE)
    mine = [TAPE.trade(slot).close for slot in hour]
    assert mine != [Tape(BTC, seed=8).trade(slot).close for slot in hour]
    assert mine != [Tape(SPOT[1], seed=7).trade(slot).close for slot in hour]


def test_a_candle_is_made_of_its_trades() -> None:
    trades = [TAPE.trade(slot) for slot in range(NOON, NOON + MINUTE)]
    candle = TAPE.span(NOON, NOON + MINUTE)
    assert candle.open == trades[0].open
    assert candle.close == trades[-1].close
    assert candle.high == max(trade.high for trade in trades)
    assert candle.low == min(trade.low for trade in trades)
    assert candle.volume == sum(trade.volume for trade in trades)


@given(MOMENTS.map(lambda slot: slot // DAY * DAY))
def test_a_day_is_made_of_its_hours(day: int) -> None:
    hours = [TAPE.span(hour, hour + HOUR) for hour in range(day, day + DAY, HOUR)]
    assert TAPE.span(day, day + DAY) == merge(hours)


@given(MOMENTS, st.integers(1, 5 * HOUR), st.integers(1, 5 * HOUR))
def test_a_stretch_of_time_is_the_sum_of_its_parts(start: int, first: int, second: int) -> None:
    middle, end = start + first, start + first + second
    assert TAPE.span(start, end) == merge([TAPE.span(start, middle), TAPE.span(middle, end)])


@given(MOMENTS)
def test_a_second_opens_where_the_one_before_closed(slot: int) -> None:
    second = slot // 4 * 4
    assert TAPE.trade(second).open == TAPE.trade(second - 1).close


def test_the_price_moves_within_a_minute_but_not_far() -> None:
    prices = [TAPE.trade(slot).close for slot in range(NOON, NOON + MINUTE)]
    assert len(set(prices)) > 10
    assert max(prices) - min(prices) < max(prices) // 100
