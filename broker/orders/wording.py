"""Describes an order in one sentence, for the trader."""

from __future__ import annotations

from decimal import Decimal

from ..exchange import RestingOrder
from ..money import about, grouped, in_unit, percent, signed_percent
from .checks import waits_for_a_rise
from .futures_quote import FuturesQuote
from .quote import Quote


def act(quote: Quote) -> str:
    """The action on the approve button, such as "LIMIT BUY 0.01 BTC"."""
    kind = "LIMIT " if quote.order.type == "limit" else ""
    return f"{kind}{quote.order.side.upper()} {grouped(quote.order.amount)} {quote.rules.base}"


def sentence(quote: Quote, worst: Decimal | None) -> str:
    """`worst` is the worst price at which a market order is still sent; None: any price."""
    order = quote.order
    if order.stop_price is not None:
        return _stop(quote, order.stop_price)
    if order.price is not None:
        return f"{act(quote)} at {grouped(order.price)}, {_limit_words(quote, order.price)}{_closes(quote)}"
    return f"{_market(quote, worst)}{_closes(quote)}"


def _market(quote: Quote, worst: Decimal | None) -> str:
    bound = price_bound(worst)
    if quote.takes_all:
        average = "?" if quote.average is None else about(quote.average)
        return f"{act(quote)} = {_all(quote)}, book average {average}, {bound}"
    return f"{act(quote)} at market ≈ {_value(quote)}, {bound}"


def price_bound(worst: Decimal | None) -> str:
    """The price limit of a market order, in words.

    The broker checks it just before sending; Binance does not enforce it. The fill can be worse if the price
    jumps while the order is on its way.
    """
    if worst is None:
        return "at any price"
    return f"sent only at {grouped(worst)} or better, checked just before sending"


def _stop(quote: Quote, trigger: Decimal) -> str:
    price = quote.order.price
    at = "at market" if price is None else f"at {grouped(price)} or better"
    direction = "rises" if waits_for_a_rise(quote) else "falls"
    away = ""
    if quote.last is not None:
        away = f" ({signed_percent(percent(trigger - quote.last, quote.last))})"
    all_free = f", {_all(quote)}" if quote.takes_all else ""
    condition = f"if last {direction} to {grouped(trigger)}{away}"
    return f"{act(quote)} {at} {condition}{_closes(quote)}{_locks(quote)}{all_free}"


def _limit_words(quote: Quote, price: Decimal) -> str:
    if quote.best is None:
        return "market price not known"
    away = abs(percent(price - quote.best, quote.best))
    all_free = f", {_all(quote)}" if quote.takes_all else ""
    above = price >= quote.best if quote.order.side == "buy" else price > quote.best
    if quote.fills_now:
        return f"{away:.1f} % {'ABOVE' if above else 'BELOW'} market: fills now{all_free}"
    return (
        f"{away:.1f} % {'above' if above else 'below'} market, rests until cancelled{_locks(quote)}{all_free}"
    )


def _locks(quote: Quote) -> str:
    """What a spot order locks while it rests; empty for futures."""
    if isinstance(quote, FuturesQuote):
        return ""
    order = quote.order
    if order.side == "sell":
        return f", locks {grouped(order.amount)} {quote.rules.base}"
    return f", locks {_value(quote)}"


def _closes(quote: Quote) -> str:
    """How much of the position an exit closes; empty for everything else."""
    if not isinstance(quote, FuturesQuote) or not quote.is_exit or quote.position is None:
        return ""
    return f", closes {quote.covers:.0f} % of your {quote.position.side.lower()}"


def _value(quote: Quote) -> str:
    unit = quote.rules.quote
    return f"{'?' if quote.value is None else in_unit(quote.value, unit)} {unit}"


def _all(quote: Quote) -> str:
    return f"ALL your free {quote.rules.base}"


def resting_words(order: RestingOrder) -> str:
    """An open order in a few words: "stop 60,000", "limit SELL 0.020 at 65,000"."""
    if order.stop_price is not None:
        kind = "take profit" if order.type.startswith("take_profit") else "stop"
        return f"{kind} {grouped(order.stop_price)}"
    price = "market" if order.price is None else grouped(order.price)
    return f"limit {order.side.upper()} {grouped(order.remaining)} at {price}"
