"""Funding is paid every eight hours, however late the exchange is asked again."""

from datetime import timedelta
from decimal import Decimal

import pytest

from broker.paper.futures import FuturesExchange, funding
from broker.paper.futures.income import IncomeType
from broker.paper.futures.positions import MarginType

from ..support import Clock
from .support import BTC, HOUR_MS, balance, new_order, position


def paid(futures: FuturesExchange) -> list[Decimal]:
    entries = futures.income(BTC, IncomeType.FUNDING_FEE, None, None, 1000)
    return [entry.amount for entry in entries]


@pytest.mark.parametrize(("side", "sign"), [("BUY", -1), ("SELL", 1)])
def test_longs_pay_shorts_at_a_positive_rate(
    futures: FuturesExchange, clock: Clock, side: str, sign: int
) -> None:
    futures.place(new_order(side, quantity="0.1"))
    before, due = balance(futures), funding.next_time(futures.now)
    rate = funding.rate(BTC, 7, due)
    clock.advance(seconds=(due - futures.now) / 1000 - 0.001)
    assert balance(futures) == before
    clock.advance(seconds=0.001)
    expected = (sign * 6_000 * rate).quantize(Decimal("1e-8"))
    assert expected != 0
    assert balance(futures) - before == expected
    assert paid(futures) == [expected]


def test_it_is_due_at_midnight_eight_and_sixteen(clock: Clock) -> None:
    midnight = int(clock().replace(hour=0, minute=0, second=0).timestamp() * 1000)
    assert list(funding.times(midnight, midnight + 24 * HOUR_MS)) == [
        midnight + hours * HOUR_MS for hours in (8, 16, 24)
    ]


def test_days_without_a_question_are_settled_with_the_next_and_only_once(
    futures: FuturesExchange, clock: Clock
) -> None:
    futures.place(new_order(quantity="0.1"))
    clock.now += timedelta(days=2)
    assert len(paid(futures)) == 6
    total = balance(futures)
    assert len(paid(futures)) == 6
    assert (
        balance(futures)
        == total
        == sum(entry.amount for entry in futures.income(None, None, None, None, 1000))
    )


def test_without_a_position_nothing_is_paid(futures: FuturesExchange, clock: Clock) -> None:
    clock.now += timedelta(days=1)
    futures.place(new_order(quantity="0.1"))
    assert paid(futures) == []


def test_an_isolated_position_pays_from_its_own_margin(futures: FuturesExchange, clock: Clock) -> None:
    futures.set_margin_type(BTC, MarginType.ISOLATED)
    futures.place(new_order(quantity="0.1"))
    cross, isolated = futures.summary().cross_wallet, position(futures).isolated_wallet
    clock.now += timedelta(hours=8)
    assert position(futures).isolated_wallet - isolated == sum(paid(futures)) != 0
    assert futures.summary().cross_wallet == cross


def test_rates_stay_within_what_is_documented() -> None:
    rates = {funding.rate(BTC, 7, time) for time in range(0, 1000 * funding.INTERVAL_MS, funding.INTERVAL_MS)}
    assert Decimal("-0.0001") <= min(rates) < 0 < max(rates) <= Decimal("0.0003")
    assert len(rates) > 900
