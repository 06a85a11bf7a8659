"""An order in a trader's words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..cards import Card, Figure, Tone
from ..money import about, cents, grouped, in_unit, percent, signed_percent
from ..risk import Check, above_limits, share_of
from .quotes import Quote

SLIPPAGE_WARN_PCT = Decimal("0.1")


def draw(quote: Quote, checks: Sequence[Check], *, worst: Decimal | None, live: bool) -> Card:
    return Card(
        act=act(quote),
        sentence=sentence(quote, worst),
        symbol=quote.rules.symbol,
        figures=figures(quote),
        checks=list(checks),
        second_tap=_second_tap(quote, checks, live=live),
        suggestible=["amount"] if quote.order.type == "market" else ["amount", "price"],
    )


def act(quote: Quote) -> str:
    """What the button names."""
    kind = "LIMIT " if quote.order.type == "limit" else ""
    return f"{kind}{quote.order.side.upper()} {grouped(quote.order.amount)} {quote.rules.base}"


def sentence(quote: Quote, worst: Decimal | None) -> str:
    if quote.order.price is None:
        return _market_sentence(quote, worst)
    return f"{act(quote)} at {grouped(quote.order.price)}, {_limit_words(quote, quote.order.price)}"


def _market_sentence(quote: Quote, worst: Decimal | None) -> str:
    bound = "at any price" if worst is None else f"sent only at {grouped(worst)} or better"
    value = "?" if quote.value is None else in_unit(quote.value, quote.rules.quote)
    if quote.sells_all:
        average = "?" if quote.average is None else about(quote.average)
        return f"{act(quote)} = ALL your free {quote.rules.base}, book average {average}, {bound}"
    return f"{act(quote)} at market ≈ {value} {quote.rules.quote}, {bound}"


def _limit_words(quote: Quote, price: Decimal) -> str:
    away = abs(percent(price - quote.best, quote.best))
    all_of_it = f", ALL your free {quote.rules.base}" if quote.sells_all else ""
    if quote.fills_now:
        side = "ABOVE" if quote.order.side == "buy" else "BELOW"
        return f"{away:.1f} % {side} market: fills now{all_of_it}"
    side = "below" if quote.order.side == "buy" else "above"
    held = (
        f"{in_unit(price * quote.order.amount, quote.rules.quote)} {quote.rules.quote}"
        if quote.order.side == "buy"
        else f"{grouped(quote.order.amount)} {quote.rules.base}"
    )
    return f"{away:.1f} % {side} market, rests until cancelled, holds {held}{all_of_it}"


def figures(quote: Quote) -> list[Figure]:
    base, unit = quote.rules.base, quote.rules.quote
    shown = [Figure(label="Market when asked", value=f"{grouped(quote.best)} {unit}")]
    if quote.order.type == "market" and quote.average is not None:
        slip = abs(percent(quote.average - quote.middle, quote.middle))
        shown.append(
            Figure(
                label="Book average, slippage",
                value=f"{about(quote.average)}, {slip:.2f} %",
                tone=Tone.WARN if slip > SLIPPAGE_WARN_PCT else Tone.PLAIN,
            )
        )
    if quote.value_usdt is not None:
        share = share_of(quote.value_usdt, quote.equity)
        shown.append(Figure(label="Value, share of equity", value=f"{cents(quote.value_usdt)} USDT, {share}"))
    signed = quote.order.amount if quote.order.side == "buy" else -quote.order.amount
    shown += [
        Figure(label=f"{base} now", value=grouped(quote.base.total)),
        Figure(label=f"{base} after it", value=grouped(quote.base.total + signed)),
        Figure(label=f"Free {unit}", value=in_unit(quote.quote.free, unit)),
    ]
    return shown


def now(label: str, price: Decimal, reference: Decimal, unit: str) -> Figure:
    """A price now beside what it was when the agent asked."""
    moved = percent(price - reference, reference)
    return Figure(
        label=label,
        value=f"{about(price)} {unit} ({signed_percent(moved)})",
        tone=Tone.WARN if abs(moved) >= Decimal("0.5") else Tone.PLAIN,
    )


def _second_tap(quote: Quote, checks: Sequence[Check], *, live: bool) -> list[str]:
    reasons = [f"{check.label} is above its limit" for check in above_limits(checks)]
    if live and quote.sells_all:
        reasons.append(f"Sells ALL your free {quote.rules.base}")
    return reasons
