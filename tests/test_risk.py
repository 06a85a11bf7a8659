"""The checks: figures in, verdict out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from broker import risk
from broker.cards import Check
from broker.errors import BrokerError, Code
from broker.money import Side


def test_a_figure_at_its_limit_passes_and_one_above_does_not() -> None:
    assert risk.order_value(Decimal(1000), Decimal(1000), is_exit=False).passed
    above = risk.order_value(Decimal("1000.01"), Decimal(1000), is_exit=False)
    assert not above.passed
    assert above.refuses


def test_an_exit_above_a_limit_is_shown_and_not_refused() -> None:
    checks = [
        risk.order_value(Decimal(5000), Decimal(1000), is_exit=True),
        risk.daily_volume(Decimal(9000), Decimal(5000), Decimal(10000), is_exit=True),
    ]
    risk.refuse_failed(checks)
    assert risk.above_limits(checks) == checks


def test_an_exit_still_needs_the_balance() -> None:
    with pytest.raises(BrokerError) as refused:
        risk.refuse_failed([risk.balance("BTC", Decimal(2), Decimal(1))])
    assert refused.value.code is Code.RISK_CHECK_FAILED


@pytest.mark.parametrize(
    "check",
    [
        risk.balance("USDT", None, Decimal(1)),
        risk.balance("USDT", Decimal(1), None),
        risk.order_value(None, Decimal(1), is_exit=False),
        risk.daily_volume(Decimal(0), None, Decimal(1), is_exit=False),
    ],
    ids=lambda check: check.name,
)
def test_a_figure_that_cannot_be_read_fails(check: Check) -> None:
    with pytest.raises(BrokerError, match="could not be read"):
        risk.refuse_failed([check])


def test_the_day_is_judged_with_this_order_in_it() -> None:
    check = risk.daily_volume(Decimal(9500), Decimal(501), Decimal(10000), is_exit=False)
    assert (check.figure, check.passed) == ("10001", False)


def test_a_position_that_only_becomes_smaller_is_shown_and_not_refused() -> None:
    large = risk.position("BTC", Decimal(600), Decimal(10_000), Decimal(5), enforced=False)
    assert (large.passed, large.refuses, large.limit) == (False, False, "500")
    risk.refuse_failed([large])
    assert risk.above_limits([large]) == [large]


def test_a_position_whose_equity_cannot_be_read_fails() -> None:
    check = risk.position("BTC", Decimal(1), None, Decimal(5))
    assert (check.refuses, check.readable) == (True, False)


@pytest.mark.parametrize(("times", "refused"), [(20, False), (21, True), (None, True)])
def test_leverage_is_checked_as_it_is_set(times: int | None, refused: bool) -> None:
    assert risk.leverage(times, 20).refuses is refused


def test_one_change_of_a_setting_at_a_time() -> None:
    risk.refuse_failed([risk.in_flight("BTCUSDT", 0)])
    with pytest.raises(BrokerError, match="BTCUSDT not settled yet: 1, limit 0"):
        risk.refuse_failed([risk.in_flight("BTCUSDT", 1)])


def test_margin_has_to_be_available() -> None:
    assert not risk.margin(Decimal(50), Decimal(50)).refuses
    with pytest.raises(BrokerError, match=r"Available margin: 50\.00 USDT, needed 50\.01 USDT"):
        risk.refuse_failed([risk.margin(Decimal("50.01"), Decimal(50))])


def test_a_refusal_names_every_failing_figure_and_no_other() -> None:
    checks = [
        risk.balance("USDT", Decimal(10), Decimal(5)),
        risk.order_value(Decimal(2000), Decimal(1000), is_exit=False),
        risk.daily_volume(Decimal(0), Decimal(2000), Decimal(10000), is_exit=False),
    ]
    with pytest.raises(BrokerError) as refused:
        risk.refuse_failed(checks)
    assert [item["name"] for item in refused.value.details["checks"]] == ["balance", "order_value"]
    assert refused.value.details["checks"][1] == {
        "name": "order_value",
        "figure": "2000",
        "limit": "1000",
        "unit": "USDT",
        "passed": False,
    }
    assert "Order value: 2,000.00 USDT, limit 1,000.00 USDT." in refused.value.message


def test_a_figure_is_near_its_limit_above_four_fifths_of_it() -> None:
    assert not risk.order_value(Decimal(800), Decimal(1000), is_exit=False).near
    assert risk.order_value(Decimal("800.01"), Decimal(1000), is_exit=False).near


@pytest.mark.parametrize(
    ("side", "price"), [("buy", "63000"), ("buy", "1"), ("sell", "57000"), ("sell", "99999")]
)
def test_a_price_up_to_the_collar_and_any_on_the_own_side_passes(side: Side, price: str) -> None:
    risk.collar(side, Decimal(price), Decimal(60000), Decimal(5))


@pytest.mark.parametrize(("side", "price"), [("buy", "63000.01"), ("sell", "56999.99")])
def test_a_price_beyond_the_collar_is_a_slip(side: Side, price: str) -> None:
    with pytest.raises(BrokerError) as refused:
        risk.collar(side, Decimal(price), Decimal(60000), Decimal(5))
    assert refused.value.code is Code.PRICE_COLLAR
    assert refused.value.details == {"field": "price", "price": price, "market": "60000", "limitPct": "5"}


def test_a_stops_limit_is_held_against_its_trigger() -> None:
    with pytest.raises(BrokerError, match="beyond the trigger") as refused:
        risk.collar("buy", Decimal(110), Decimal(100), Decimal(5), what="trigger")
    assert refused.value.details["trigger"] == "100"


def test_a_share_is_written_in_percent() -> None:
    assert risk.share_of(Decimal(1), Decimal(100)) == "1.0 %"
