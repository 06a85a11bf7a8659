"""Decimals: reading, rounding to what the exchange accepts, and writing them."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Literal

Side = Literal["buy", "sell"]

MAX_DIGITS = 15
"""Significant digits that a double carries without loss."""

SHOWN_DIGITS = 8
"""Significant digits of a computed average that a person is shown."""

MAX_MAGNITUDE = 15
"""Powers of ten that any price or amount lies within: its multiples of a step fit the decimal context."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)

MICRO = Decimal("0.000001")

DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "USDP", "DAI", "USD1", "USDE", "BFUSD"})
"""Stablecoins of the US dollar: their amounts are shown in cents. What counts as cash is a setting."""


def parse(value: object) -> Decimal:
    """A decimal from a JSON number or a string.

    Raises ValueError for what is not a finite number, or a JSON number (a float, an int, or a Decimal that a
    JSON parser made) of more than 15 significant digits: a double may have changed it on the way, so such a
    number is sent as a string.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number or a string that holds one")
    text = repr(value) if isinstance(value, float) else str(value)
    if len(text) > 64 or not NUMBER.fullmatch(text):
        raise ValueError("must be a finite number in plain digits")
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_MAGNITUDE:
        raise ValueError("must be a number of ordinary size")
    if not isinstance(value, str) and _significant(number) > MAX_DIGITS:
        raise ValueError(f"has more than {MAX_DIGITS} significant digits: send it as a string")
    return number


def plain(value: Decimal) -> str:
    """The shortest plain writing: no exponent, no trailing zeros. The digest and the wire use it."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def to_json(value: Decimal) -> int | float | str:
    """A JSON number where a double carries the value exactly as written, else a string."""
    if _significant(value) > MAX_DIGITS:
        return plain(value)
    return int(value) if value == value.to_integral_value() else float(value)


def _significant(value: Decimal) -> int:
    """Digits without the zeros around them; `normalize` would round a long number first."""
    return len("".join(map(str, value.as_tuple().digits)).strip("0"))


def floor_to(value: Decimal, unit: Decimal) -> Decimal:
    units, rest = divmod(value, unit)  # exact, where a quotient of many digits would be rounded
    return (units - (rest < 0)) * unit


def ceil_to(value: Decimal, unit: Decimal) -> Decimal:
    units, rest = divmod(value, unit)
    return (units + (rest > 0)) * unit


def unit_of(value: Decimal, digits: int) -> Decimal:
    """What the last of so many significant digits counts."""
    return Decimal(1).scaleb(value.adjusted() + 1 - digits)


def kept(average: Decimal) -> Decimal:
    """A computed price as it is written down: no price at an exchange has as many digits."""
    return average.quantize(unit_of(average, MAX_DIGITS))


def round_price(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """To the tick, in the trader's favour: a buy down, a sell up."""
    return floor_to(price, tick) if side == "buy" else ceil_to(price, tick)


def to_micros(value: Decimal) -> int:
    """Millionths, rounded up, for sums in the database."""
    return int((value / MICRO).to_integral_value(ROUND_CEILING))


def from_micros(micros: int) -> Decimal:
    return Decimal(micros) * MICRO


def grouped(value: Decimal) -> str:
    """For a person: every digit, thousands apart: 64,534.1."""
    return f"{Decimal(plain(value)):,f}"


def about(value: Decimal) -> str:
    """For a person: a computed average, in eight significant digits."""
    return grouped(Decimal(f"{value:.{SHOWN_DIGITS}g}"))


def cents(value: Decimal) -> str:
    """For a person: an amount in USDT with two decimals: 963.20."""
    return f"{value.quantize(Decimal('0.01'), ROUND_HALF_EVEN):,f}"


def in_unit(value: Decimal, asset: str) -> str:
    """For a person: an amount of an asset, in cents where it is worth a dollar."""
    return cents(value) if asset in DOLLARS else about(value)


def percent(part: Decimal, whole: Decimal) -> Decimal:
    """`part` in percent of `whole`; zero when there is no whole."""
    return part / whole * 100 if whole else Decimal(0)


def signed_percent(value: Decimal) -> str:
    """For a person: +2.0 %, −6.6 %, or 0.0 % without a sign."""
    text = f"{abs(value):.1f} %"
    if text == "0.0 %":
        return text
    return f"−{text}" if value < 0 else f"+{text}"
