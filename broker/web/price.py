"""Formats live prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ..cards import Figure, Tone
from ..exchange import LivePrice
from ..money import grouped, percent, plain, signed_percent

MOVED_PCT: Final = Decimal("0.5")
"""Price change in percent from which a price is highlighted."""


def price_now(last: LivePrice | None, reference: Decimal | None, now_ms: int) -> Figure:
    """A live price and its change since the request: "64,213.10 (+0.2 %)". Stale prices show no change."""
    if last is None:
        return Figure(label="Now", value="no price yet", tone=Tone.WARN)
    price = quoted(last.price)
    if last.stale(now_ms):
        age = _age(abs(now_ms - last.at_ms))
        return Figure(label="Now", value=f"{price}, stale, {age} old", tone=Tone.WARN)
    if reference is None:
        return Figure(label="Now", value=price)
    change = percent(last.price - reference, reference)
    tone = Tone.WARN if abs(change) >= MOVED_PCT else Tone.PLAIN
    return Figure(label="Now", value=f"{price} ({signed_percent(change)})", tone=tone)


def quoted(price: Decimal) -> str:
    """Formats a price with at least two decimals, so that its width stays stable while it changes."""
    exponent = Decimal(plain(price)).as_tuple().exponent
    return f"{price:,.2f}" if isinstance(exponent, int) and exponent > -2 else grouped(price)


def _age(age_ms: int) -> str:
    seconds = age_ms // 1000
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
