"""Decimals: parsing, rounding to what the exchange accepts, formatting."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Literal

Side = Literal["buy", "sell"]

MAX_DIGITS = 15
"""Significant digits that a double holds exactly."""

SHOWN_DIGITS = 8
"""Significant digits of a computed average on pages."""

MAX_MAGNITUDE = 15
"""Largest decimal exponent of a price or amount, so that computations fit the decimal context."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)

MICRO = Decimal("0.000001")

DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "USDP", "DAI", "USD1", "USDE", "BFUSD"})
"""US dollar stablecoins: their amounts are shown with two decimals. What counts as cash is a setting."""


def parse(value: object) -> Decimal:
    """A decimal from a JSON number or a string.

    Raises ValueError if it is not a finite number, or if it is a JSON number (float, int or Decimal) with
    more than 15 significant digits. A double may have changed such a number, so it must be sent as a string.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number, or a string with a number")
    text = repr(value) if isinstance(value, float) else str(value)
    if len(text) > 64 or not NUMBER.fullmatch(text):
        raise ValueError("must be a finite number in plain digits")
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_MAGNITUDE:
        raise ValueError("is too large or too small")
    if not isinstance(value, str) and _significant(number) > MAX_DIGITS:
        raise ValueError(f"has more than {MAX_DIGITS} significant digits; send it as a string")
    return number


def plain(value: Decimal) -> str:
    """The shortest text without exponent and trailing zeros. Used in the digest and in requests to
    Binance.
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def to_json(value: Decimal) -> int | float | str:
    """A JSON number if a double holds the value exactly, else a string."""
    if _significant(value) > MAX_DIGITS:
        return plain(value)
    return int(value) if value == value.to_integral_value() else float(value)


def _significant(value: Decimal) -> int:
    """The number of significant digits. (`normalize` would first round a long number.)"""
    return len("".join(map(str, value.as_tuple().digits)).strip("0"))


def floor_to(value: Decimal, unit: Decimal) -> Decimal:
    units, rest = divmod(value, unit)  # exact; `/` would round a long quotient
    return (units - (rest < 0)) * unit


def ceil_to(value: Decimal, unit: Decimal) -> Decimal:
    units, rest = divmod(value, unit)
    return (units + (rest > 0)) * unit


def unit_of(value: Decimal, digits: int) -> Decimal:
    """The unit of the last digit if `value` has that many significant digits."""
    return Decimal(1).scaleb(value.adjusted() + 1 - digits)


def kept(average: Decimal) -> Decimal:
    """A computed average, rounded to 15 significant digits for storage."""
    return average.quantize(unit_of(average, MAX_DIGITS))


def round_price(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """Rounds to the tick in the trader's favour: down for a buy, up for a sell."""
    return floor_to(price, tick) if side == "buy" else ceil_to(price, tick)


def to_micros(value: Decimal) -> int:
    """Millionths, rounded up, for sums in the database."""
    return int((value / MICRO).to_integral_value(ROUND_CEILING))


def from_micros(micros: int) -> Decimal:
    return Decimal(micros) * MICRO


def grouped(value: Decimal) -> str:
    """For display: all digits, with thousands separators: 64,534.1."""
    return f"{Decimal(plain(value)):,f}"


def about(value: Decimal) -> str:
    """For display: eight significant digits, for a computed average."""
    return grouped(Decimal(f"{value:.{SHOWN_DIGITS}g}"))


def cents(value: Decimal) -> str:
    """For display: two decimals, for an amount in USDT: 963.20."""
    return f"{value.quantize(Decimal('0.01'), ROUND_HALF_EVEN):,f}"


def in_unit(value: Decimal, asset: str) -> str:
    """For display: an amount of `asset`, with two decimals for a US dollar stablecoin."""
    return cents(value) if asset in DOLLARS else about(value)


def percent(part: Decimal, whole: Decimal) -> Decimal:
    """`part` in percent of `whole`; zero if `whole` is zero."""
    return part / whole * 100 if whole else Decimal(0)


def signed_percent(value: Decimal) -> str:
    """For display: +2.0 %, −6.6 %, or 0.0 % without a sign."""
    text = f"{abs(value):.1f} %"
    if text == "0.0 %":
        return text
    return f"−{text}" if value < 0 else f"+{text}"
