"""What counts as a repeat of an earlier request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.arguments import LeverageArguments
from broker.intents import Intent, State
from broker.repeats import alike

from .orders.test_pending_impact import intent

LIMIT: dict[str, Any] = {"type": "limit", "price": "58000"}
STOP: dict[str, Any] = {"type": "stop_loss", "side": "sell", "stopPrice": "58000"}


def asked(**arguments: Any) -> Intent:
    return intent(1, state=State.PLACED, **{"amount": "1", **arguments})


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (asked(), asked()),
        (asked(amount="1"), asked(amount="0.99")),
        (asked(amount="0.99"), asked(amount="1")),
        (asked(**LIMIT), asked(**{**LIMIT, "price": "58500"})),
        (asked(**STOP), asked(**{**STOP, "stopPrice": "57500"})),
        (asked(**LIMIT), asked(**{**LIMIT, "price": "58500", "amount": "1.01"})),
        (asked(amount="1.0"), asked(amount="1.00")),
    ],
)
def test_a_request_repeats_one_whose_amount_and_prices_differ_by_one_percent(
    earlier: Intent, later: Intent
) -> None:
    assert alike(later.arguments, earlier.arguments)
    assert alike(earlier.arguments, later.arguments)


@pytest.mark.parametrize(
    "other",
    [
        asked(amount="0.9899"),
        asked(side="sell"),
        asked(symbol="ETHUSDT"),
        asked(**LIMIT),
        asked(market="futures"),
    ],
)
def test_a_request_of_another_kind_or_amount_is_no_repeat(other: Intent) -> None:
    assert not alike(asked().arguments, other.arguments)
    assert not alike(other.arguments, asked().arguments)


def test_a_price_that_differs_by_more_makes_another_request() -> None:
    assert not alike(asked(**LIMIT).arguments, asked(**{**LIMIT, "price": "58600"}).arguments)
    assert not alike(asked(**STOP).arguments, asked(**{**STOP, "price": "58000"}).arguments)


def test_a_leverage_is_repeated_by_the_same_leverage_alone() -> None:
    one, other = (
        replace(asked(), arguments=LeverageArguments(symbol="BTCUSDT", leverage=times))
        for times in (100, 101)
    )
    assert alike(one.arguments, one.arguments)
    assert not alike(one.arguments, other.arguments)
