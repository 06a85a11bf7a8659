"""The checks an order must pass: Binance's rules and the broker's own limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from .. import risk
from ..cards import Check
from ..errors import BrokerError, Code
from ..money import grouped, plain
from . import filters
from .context import AgentContext
from .quote import Quote, best_of

RISES: Final = frozenset({("buy", "stop_loss"), ("sell", "take_profit")})
"""Side and type of the conditional orders that trigger when the price rises; the others, when it falls.

Source: Binance spot and futures APIs, order types STOP_LOSS and TAKE_PROFIT.
"""


def checks(quote: Quote, context: AgentContext) -> list[Check]:
    """All risk checks of the order, passed and failed, in the order in which the card shows them."""
    value, is_exit, limits = quote.value_usdt, quote.is_exit, context.limits
    balance = quote.balance_check()
    return [
        *([] if balance is None else [balance]),
        risk.order_value(value, limits.order_value_usdt, is_exit=is_exit, own=limits.own_order_value),
        risk.daily_volume(quote.used, value, limits.daily_volume_usdt, is_exit=is_exit),
        *_own_volume(quote, limits.own_daily_volume_usdt),
        *quote.exposure_checks(context),
    ]


def _own_volume(quote: Quote, limit: Decimal | None) -> list[Check]:
    if limit is None or quote.used_by_agent is None:
        return []
    value, is_exit = quote.value_usdt, quote.is_exit
    return [risk.daily_volume(quote.used_by_agent, value, limit, is_exit=is_exit, own=True)]


def obey_the_exchange(quote: Quote, context: AgentContext) -> None:
    """Apply Binance's filters and the price collar before parking. Raises ORDER_FILTER, PRICE_COLLAR."""
    if quote.rate is not None and not quote.is_exit:
        limits = context.limits
        name = "your own limit on an order's value" if limits.own_order_value else "MAX_ORDER_VALUE_USDT"
        filters.admits_any_order(
            quote.order, quote.rules, limits.order_value_usdt, quote.rate, limit_name=name
        )
    filters.obey(quote.order, quote.rules, quote.last if quote.rules.by_last_price else quote.reference)
    _collar(quote, context.settings.limit_collar_pct)


def require_waiting(quote: Quote) -> None:
    """Raises TRIGGER_WRONG_SIDE if the market has already reached the trigger: Binance refuses that."""
    trigger, last = quote.order.stop_price, quote.last
    if trigger is None:
        return
    if last is None:
        if quote.is_exit:
            return
        raise BrokerError(Code.BINANCE_UNAVAILABLE, f"Binance gives no last price for {quote.rules.symbol}.")
    rises = waits_for_a_rise(quote)
    if trigger > last if rises else trigger < last:
        return
    kind, side = quote.order.type, quote.order.side
    raise BrokerError(
        Code.TRIGGER_WRONG_SIDE,
        f"stopPrice: a {side} {kind} triggers when the price {'rises' if rises else 'falls'} to it, but "
        f"{grouped(trigger)} is not {'above' if rises else 'below'} the last price ({grouped(last)})",
        details={"field": "stopPrice", "stopPrice": plain(trigger), "lastPrice": plain(last)},
    )


def waits_for_a_rise(quote: Quote) -> bool:
    return (quote.order.side, quote.order.type) in RISES


def _collar(quote: Quote, limit_pct: Decimal) -> None:
    order = quote.order
    if order.price is None:
        return
    if order.stop_price is not None:
        risk.collar(order.side, order.price, order.stop_price, limit_pct, what="trigger")
    elif quote.best is not None:
        risk.collar(order.side, order.price, quote.best, limit_pct)
    elif quote.book is not None and not quote.is_exit:
        best_of(quote.book, order.side)
