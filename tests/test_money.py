"""Decimals: read exactly or refused, rounded only in the trader's favour, written without loss."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.money import (
    MICRO,
    ceil_to,
    cents,
    floor_to,
    from_micros,
    grouped,
    parse,
    percent,
    plain,
    round_price,
    signed_percent,
    to_json,
    to_micros,
)

UNITS = st.integers(0, 8).map(lambda places: Decimal(1).scaleb(-places))
AMOUNTS = st.decimals(min_value=0, max_value=10**15, allow_nan=False, places=20)


def exactly(left: Decimal, right: Decimal) -> Decimal:
    with localcontext(prec=100):
        return left - right


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("0.015", "0.015"),
        (0.015, "0.015"),
        (15, "15"),
        ("1e-5", "0.00001"),
        (1e-05, "0.00001"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-3", "-3"),
        ("0.123456789012345678", "0.123456789012345678"),
        (Decimal("0.100000000000000000"), "0.1"),
        (123456789012345, "123456789012345"),
    ],
)
def test_a_number_is_read_exactly_as_it_was_written(given: object, meant: str) -> None:
    assert parse(given) == Decimal(meant)


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        [],
        "",
        " 1",
        "1 ",
        "1_000",
        "1,5",
        "0x10",
        "\uff11",
        "\u0661",
        "abc",
        "nan",
        "Infinity",
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        "1e400",
        10**16,
        "1e-20",
        "1" * 65,
        0.1234567890123456,
        Decimal("0.1234567890123456"),
        1234567890123456,
    ],
)
def test_what_is_no_exact_number_of_ordinary_size_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"number|digits|too large"):
        parse(given)


def test_sixteen_digits_are_only_refused_where_a_double_may_have_changed_them() -> None:
    assert parse("0.1234567890123456") == Decimal("0.1234567890123456")
    with pytest.raises(ValueError, match="send it as a string"):
        parse(0.1234567890123456)


@given(AMOUNTS, UNITS)
def test_flooring_never_gives_more_and_loses_less_than_one_unit(value: Decimal, unit: Decimal) -> None:
    floored = floor_to(value, unit)
    assert 0 <= exactly(value, floored) < unit
    assert floored % unit == 0


@given(AMOUNTS, UNITS)
def test_ceiling_never_gives_less_and_adds_less_than_one_unit(value: Decimal, unit: Decimal) -> None:
    raised = ceil_to(value, unit)
    assert 0 <= exactly(raised, value) < unit
    assert raised % unit == 0


def test_an_amount_of_many_nines_is_not_rounded_up_on_its_way_down() -> None:
    assert floor_to(Decimal("0.0149999999999999999999999999999999999999"), Decimal("0.00001")) == Decimal(
        "0.01499"
    )


def test_flooring_and_ceiling_hold_below_zero_too() -> None:
    assert floor_to(Decimal("-1.5"), Decimal(1)) == -2
    assert ceil_to(Decimal("-1.5"), Decimal(1)) == -1


def test_a_price_is_rounded_in_the_traders_favour() -> None:
    assert round_price(Decimal("61000.019"), Decimal("0.01"), "buy") == Decimal("61000.01")
    assert round_price(Decimal("61000.011"), Decimal("0.01"), "sell") == Decimal("61000.02")
    assert round_price(Decimal("61000.01"), Decimal("0.01"), "sell") == Decimal("61000.01")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_plain_writing_loses_nothing_and_has_no_exponent(value: Decimal) -> None:
    text = plain(value)
    assert Decimal(text) == value
    assert "e" not in text.lower()
    assert text == plain(Decimal(text))
    assert not ("." in text and text.endswith("0"))


@pytest.mark.parametrize(
    ("value", "text"), [("-0.00", "0"), ("1E+3", "1000"), ("1.500", "1.5"), ("100", "100")]
)
def test_plain_writing_is_the_shortest(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_json_carries_every_decimal_exactly_as_written(value: Decimal) -> None:
    written: Any = json.loads(json.dumps(to_json(value)))
    read = Decimal(repr(written)) if isinstance(written, float) else Decimal(written)
    assert read == value


def test_json_writes_what_a_double_cannot_carry_as_a_string() -> None:
    assert to_json(Decimal("0.1")) == 0.1
    assert to_json(Decimal("60000.00")) == 60_000
    assert to_json(Decimal("0.1234567890123456")) == "0.1234567890123456"


@given(st.decimals(min_value=0, max_value=10**12, places=10))
def test_millionths_are_rounded_up_so_that_a_sum_is_never_too_small(value: Decimal) -> None:
    assert 0 <= from_micros(to_micros(value)) - value < MICRO


def test_people_read_thousands_apart_and_a_dot() -> None:
    assert grouped(Decimal("64534.10")) == "64,534.1"
    assert cents(Decimal("963.195")) == "963.20"
    assert signed_percent(Decimal(2)) == "+2.0 %"
    assert signed_percent(Decimal("-6.6")) == "−6.6 %"


def test_a_share_of_nothing_is_nothing() -> None:
    assert percent(Decimal(5), Decimal(0)) == 0
    assert percent(Decimal(5), Decimal(20)) == 25
