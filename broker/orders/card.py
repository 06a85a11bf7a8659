"""Builds the card of an order: what the trader sees before they decide."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..cards import Card, Check, Figure, Tone
from ..exchange import Position
from ..money import about, cents, grouped, in_unit, percent, signed_percent
from ..risk import above_limits, share_of
from .collisions import crossing
from .futures_quote import FuturesQuote
from .quote import Need, Quote
from .spot_quote import SpotQuote
from .wording import act, resting_words, sentence

SLIPPAGE_WARN_PCT = Decimal("0.1")
MOVED_WARN_PCT = Decimal("0.5")


def draw(quote: Quote, checks: Sequence[Check], *, worst: Decimal | None, live: bool) -> Card:
    order = quote.order
    return Card(
        act=act(quote),
        sentence=sentence(quote, worst),
        symbol=quote.rules.symbol,
        figures=figures(quote),
        checks=list(checks),
        warnings=_warnings(quote),
        second_tap=second_tap(checks, sells_all=quote.rules.base if live and quote.takes_all else None),
        suggestible=["amount"] if order.price is None else ["amount", "price"],
    )


def figures(quote: Quote) -> list[Figure]:
    found = [*_price(quote), *_slippage(quote), *_value(quote)]
    if isinstance(quote, SpotQuote):
        found += _holding(quote)
    if isinstance(quote, FuturesQuote):
        found += _positions(quote)
    need = quote.need
    if need is not None:
        found += [Figure(label=need.label, value=in_unit(need.free, need.asset)), _waiting(need)]
    return [*found, *_collisions(quote)]


def now(label: str, price: Decimal, reference: Decimal | None, unit: str) -> Figure:
    """A figure with the current price and its change since the agent asked (`reference`), in percent."""
    if not reference:
        return Figure(label=label, value=f"{about(price)} {unit}")
    moved = percent(price - reference, reference)
    return Figure(
        label=label,
        value=f"{about(price)} {unit} ({signed_percent(moved)})",
        tone=Tone.WARN if abs(moved) >= MOVED_WARN_PCT else Tone.PLAIN,
    )


def second_tap(checks: Sequence[Check], *, sells_all: str | None = None) -> list[str]:
    """The reasons why approving needs a second tap; empty when one tap is enough."""
    reasons = [f"{check.label} {_why(check)}" for check in above_limits(checks)]
    return reasons if sells_all is None else [*reasons, f"Sells ALL your free {sells_all}"]


def _why(check: Check) -> str:
    return "is above its limit" if check.readable else "could not be read"


def position_words(position: Position | None, base: str) -> str:
    if position is None:
        return "none"
    return f"{position.side} {grouped(position.size)} {base}, entry {about(position.entry_price)}"


def _price(quote: Quote) -> list[Figure]:
    price = quote.last if quote.order.stop_price is not None else quote.best
    return [] if price is None else [Figure(label="Market when asked", value=_in_quote(quote, price))]


def _slippage(quote: Quote) -> list[Figure]:
    if quote.order.type != "market" or quote.average is None or quote.middle is None:
        return []
    slip = abs(percent(quote.average - quote.middle, quote.middle))
    tone = Tone.WARN if slip > SLIPPAGE_WARN_PCT else Tone.PLAIN
    return [Figure(label="Book average, slippage", value=f"{about(quote.average)}, {slip:.2f} %", tone=tone)]


def _value(quote: Quote) -> list[Figure]:
    if quote.value_usdt is None:
        return []
    value = f"{cents(quote.value_usdt)} USDT"
    if quote.equity is None:
        return [Figure(label="Value", value=value)]
    equity_share = share_of(quote.value_usdt, quote.equity)
    return [Figure(label="Value, share of equity", value=f"{value}, {equity_share}")]


def _holding(quote: SpotQuote) -> list[Figure]:
    base, held = quote.rules.base, quote.base.total
    signed = quote.order.amount if quote.order.side == "buy" else -quote.order.amount
    found = [
        Figure(label=f"{base} now", value=grouped(held)),
        Figure(label=f"{base} after", value=grouped(held + signed)),
    ]
    if quote.order.side == "buy" or quote.bought in quote.cash:
        return found
    after = "?" if quote.value is None else about(quote.quote.total + quote.value)
    return [
        *found,
        Figure(label=f"{quote.bought} now", value=grouped(quote.quote.total)),
        Figure(label=f"{quote.bought} after", value=after),
    ]


def _positions(quote: FuturesQuote) -> list[Figure]:
    base = quote.rules.base
    found = [
        Figure(label="Position now", value=position_words(quote.position, base)),
        Figure(label="Position after", value=_signed_words(quote.after, base)),
    ]
    if quote.leverage is not None:
        found.append(Figure(label="Leverage", value=f"{quote.leverage}×"))
    return found


def _signed_words(amount: Decimal, base: str) -> str:
    if not amount:
        return "none"
    return f"{'LONG' if amount > 0 else 'SHORT'} {grouped(abs(amount))} {base}"


def _waiting(need: Need) -> Figure:
    """What all pending requests need together, including this one, compared with what is free."""
    total = need.waiting + (need.amount or 0)
    return Figure(
        label="All pending vs free",
        value=f"{in_unit(total, need.asset)} of {in_unit(need.free, need.asset)} {need.asset}",
        tone=Tone.WARN if total > need.free else Tone.PLAIN,
    )


def _collisions(quote: Quote) -> list[Figure]:
    against = crossing(quote.order, quote.resting or ()) if quote.order.stop_price is None else []
    if not against:
        return []
    words = ", ".join(resting_words(order) for order in against[:3])
    return [Figure(label="Trades against your own order", value=words, tone=Tone.WARN)]


def _warnings(quote: Quote) -> list[str]:
    order = quote.order
    found = []
    if isinstance(quote, SpotQuote) and order.side == "sell" and quote.bought not in quote.cash:
        found.append(f"Buys {quote.bought}: this is an entry, not an exit")
    if order.conditional and not order.reduce_only:
        found.append("Not reduce-only: this order can open a position")
    if isinstance(quote, FuturesQuote) and quote.held * quote.after < 0:
        found.append("Reverses the position: closes one side and opens the other")
    if order.reduce_only and isinstance(quote, FuturesQuote) and order.amount > abs(quote.held):
        found.append("Larger than the position: closes the position and nothing more")
    return found


def _in_quote(quote: Quote, price: Decimal) -> str:
    return f"{grouped(price)} {quote.rules.quote}"
