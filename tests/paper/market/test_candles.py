from datetime import UTC, datetime

import pytest

from broker.paper.market.candles import INTERVALS, closing, opening, openings


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


NOW = ms(2026, 3, 4, 12, 34, 56)


@pytest.mark.parametrize(
    ("interval", "opened"),
    [
        ("1s", ms(2026, 3, 4, 12, 34, 56)),
        ("1m", ms(2026, 3, 4, 12, 34)),
        ("5m", ms(2026, 3, 4, 12, 30)),
        ("15m", ms(2026, 3, 4, 12, 30)),
        ("30m", ms(2026, 3, 4, 12, 30)),
        ("1h", ms(2026, 3, 4, 12)),
        ("4h", ms(2026, 3, 4, 12)),
        ("1d", ms(2026, 3, 4)),
        ("1w", ms(2026, 3, 2)),
        ("1M", ms(2026, 3, 1)),
    ],
)
def test_a_candle_opens_on_its_boundary(interval: str, opened: int) -> None:
    assert opening(interval, NOW) == opened


@pytest.mark.parametrize("interval", INTERVALS)
def test_candles_follow_one_another_without_a_gap(interval: str) -> None:
    opened = openings(interval, None, NOW, 100)
    assert len(opened) == 100
    assert opened[-1] == opening(interval, NOW)
    assert opened[1:] == [closing(interval, candle) for candle in opened[:-1]]


def test_from_a_start_the_first_candles_are_given_and_none_that_opened_before() -> None:
    start = ms(2026, 3, 4, 10, 0, 1)
    assert openings("1h", start, NOW, 10) == [ms(2026, 3, 4, 11), ms(2026, 3, 4, 12)]
    assert openings("1h", start, NOW, 1) == [ms(2026, 3, 4, 11)]


def test_a_year_of_months_begins_on_the_first_of_each() -> None:
    opened = openings("1M", ms(2025, 1, 1), ms(2025, 12, 31), 20)
    assert opened == [ms(2025, month, 1) for month in range(1, 13)]
