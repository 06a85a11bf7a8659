"""Times as the exchange and people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from broker.clock import from_ms, iso, to_ms, utc_now


@given(st.integers(0, 4_102_444_800_000))
def test_milliseconds_survive_the_way_there_and_back(milliseconds: int) -> None:
    assert to_ms(from_ms(milliseconds)) == milliseconds


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 3, 4, 13, 0, 0, 5000, tzinfo=timezone(timedelta(hours=1)))
    assert iso(moment) == "2026-03-04T12:00:00.005Z"


def test_now_is_aware() -> None:
    assert utc_now().tzinfo is UTC
