"""A live price in a trader's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ..cards import Figure, Tone
from ..exchange import LivePrice
from ..money import grouped, percent, plain, signed_percent

MOVED_PCT: Final = Decimal("0.5")
"""From there on a price that moved stands out."""


def price_now(last: LivePrice | None, reference: Decimal | None, now_ms: int) -> Figure:
    """A live price beside the one when asked: "64,213.10 (+0.2 %)". An old one tells no way."""
    if last is None:
        return Figure(label="Now", value="no price yet", tone=Tone.WARN)
    price = quoted(last.price)
    if last.stale(now_ms):
        age = _age(abs(now_ms - last.at_ms))
        return Figure(label="Now", value=f"{price}, stale, {age} old", tone=Tone.WARN)
    if reference is None:
        return Figure(label="Now", value=price)
    moved = percent(last.price - reference, reference)
    tone = Tone.WARN if abs(moved) >= MOVED_PCT else Tone.PLAIN
    return Figure(label="Now", value=f"{price} ({signed_percent(moved)})", tone=tone)


def quoted(price: Decimal) -> str:
    """A price that changes before one's eyes: at least two decimals, so that it keeps its width."""
    exponent = Decimal(plain(price)).as_tuple().exponent
    return f"{price:,.2f}" if isinstance(exponent, int) and exponent > -2 else grouped(price)


def _age(age_ms: int) -> str:
    seconds = age_ms // 1000
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
