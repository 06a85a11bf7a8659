"""The card of an order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from ..cards import Card, Figure, Tone
from ..exchange import Market, Position
from ..intents import Intent
from ..money import about, cents, grouped, in_unit, percent, signed_percent
from ..risk import Check, above_limits, share_of
from .collisions import crossing
from ..tools.declaration import Look
from .futures_quote import FuturesQuote
from .wording import act, resting_words, sentence
from .quote import Need, Quote
from .spot_quote import SpotQuote

SLIPPAGE_WARN_PCT = Decimal("0.1")
MOVED_WARN_PCT = Decimal("0.5")


def draw(
    quote: Quote, checks: Sequence[Check], *, worst: Decimal | None, live: bool, looked: Figure | None
) -> Card:
    order = quote.order
    return Card(
        act=act(quote),
        sentence=sentence(quote, worst),
        symbol=quote.rules.symbol,
        figures=[*figures(quote), *([] if looked is None else [looked])],
        checks=list(checks),
        warnings=_warnings(quote),
        second_tap=second_tap(checks, sells_all=quote.rules.base if live and quote.takes_all else None),
        suggestible=["amount"] if order.price is None else ["amount", "price"],
    )


def figures(quote: Quote) -> list[Figure]:
    shown = [*_price(quote), *_slippage(quote), *_value(quote)]
    if isinstance(quote, SpotQuote):
        shown += _holding(quote)
    if isinstance(quote, FuturesQuote):
        shown += _positions(quote)
    need = quote.need
    if need is not None:
        shown += [Figure(label=need.label, value=in_unit(need.free, need.asset)), _waiting(need)]
    return [*shown, *_collisions(quote)]


def looked_at(looks: Sequence[Look], market: str, symbol: str, now: datetime) -> Figure:
    """What the agent read of the market before it asked: the broker's own record."""
    if not looks:
        of = "" if market == Market.SPOT else f" {market}"
        return Figure(label="Looked at", value=f"nothing on {symbol}{of}", tone=Tone.WARN)
    return Figure(
        label="Looked at", value=", ".join(f"{look.tool} {_ago(look.at, now)} ago" for look in looks)
    )


def looked(
    itself: Intent | None, looks: Sequence[Look], market: str, symbol: str, now: datetime
) -> Figure | None:
    """Told when it is asked; when the same request waits anew, nobody has looked again."""
    return looked_at(looks, market, symbol, now) if itself is None else None


def now(label: str, price: Decimal, reference: Decimal | None, unit: str) -> Figure:
    """A price now beside what it was when the agent asked."""
    if not reference:
        return Figure(label=label, value=f"{about(price)} {unit}")
    moved = percent(price - reference, reference)
    return Figure(
        label=label,
        value=f"{about(price)} {unit} ({signed_percent(moved)})",
        tone=Tone.WARN if abs(moved) >= MOVED_WARN_PCT else Tone.PLAIN,
    )


def second_tap(checks: Sequence[Check], *, sells_all: str | None = None) -> list[str]:
    """Why one tap is not enough."""
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
    share = share_of(quote.value_usdt, quote.equity)
    return [Figure(label="Value, share of equity", value=f"{value}, {share}")]


def _holding(quote: SpotQuote) -> list[Figure]:
    base, held = quote.rules.base, quote.base.total
    signed = quote.order.amount if quote.order.side == "buy" else -quote.order.amount
    shown = [
        Figure(label=f"{base} now", value=grouped(held)),
        Figure(label=f"{base} after it", value=grouped(held + signed)),
    ]
    if quote.order.side == "buy" or quote.bought in quote.cash:
        return shown
    after = "?" if quote.value is None else about(quote.quote.total + quote.value)
    return [
        *shown,
        Figure(label=f"{quote.bought} now", value=grouped(quote.quote.total)),
        Figure(label=f"{quote.bought} after it", value=after),
    ]


def _positions(quote: FuturesQuote) -> list[Figure]:
    base = quote.rules.base
    shown = [
        Figure(label="Position now", value=position_words(quote.position, base)),
        Figure(label="Position after it", value=_signed_words(quote.after, base)),
    ]
    if quote.leverage is not None:
        shown.append(Figure(label="Leverage", value=f"{quote.leverage}×"))
    return shown


def _signed_words(amount: Decimal, base: str) -> str:
    if not amount:
        return "none"
    return f"{'LONG' if amount > 0 else 'SHORT'} {grouped(abs(amount))} {base}"


def _waiting(need: Need) -> Figure:
    """All that waits for a trader, this one with it, against what is free."""
    total = need.waiting + (need.amount or 0)
    return Figure(
        label="Total waiting against free",
        value=f"{in_unit(total, need.asset)} of {in_unit(need.free, need.asset)} {need.asset}",
        tone=Tone.WARN if total > need.free else Tone.PLAIN,
    )


def _collisions(quote: Quote) -> list[Figure]:
    against = crossing(quote.order, quote.resting or ()) if quote.order.stop_price is None else []
    if not against:
        return []
    words = ", ".join(resting_words(order) for order in against[:3])
    return [Figure(label="Trades with your own", value=words, tone=Tone.WARN)]


def _warnings(quote: Quote) -> list[str]:
    order = quote.order
    found = []
    if isinstance(quote, SpotQuote) and order.side == "sell" and quote.bought not in quote.cash:
        found.append(f"Buys {quote.bought}: an entry, not an exit")
    if order.conditional and not order.reduce_only:
        found.append("This stop can open a position: it is not reduce-only")
    if isinstance(quote, FuturesQuote) and quote.held * quote.after < 0:
        found.append("Turns the position around: it closes one side and opens the other")
    if order.reduce_only and isinstance(quote, FuturesQuote) and order.amount > abs(quote.held):
        found.append("Larger than the position: only the position is closed")
    return found


def _in_quote(quote: Quote, price: Decimal) -> str:
    return f"{grouped(price)} {quote.rules.quote}"


def _ago(at: datetime, now: datetime) -> str:
    seconds = max(0, int((now - at).total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
