"""Checks a rounded order against Binance's rules for its symbol, before it is parked.

Source: Binance spot API, filters.md: LOT_SIZE, MARKET_LOT_SIZE, PRICE_FILTER, PERCENT_PRICE_BY_SIDE and
NOTIONAL; futures API, Common Definition: PERCENT_PRICE and MIN_NOTIONAL. Reduce-only orders are exempt from
the minimum value.
"""

from __future__ import annotations

from decimal import Decimal

from ..errors import BrokerError, Code
from ..exchange import Market, OrderRequest, Rules
from ..money import plain


def obey(order: OrderRequest, rules: Rules, reference: Decimal | None) -> None:
    """Raise ORDER_FILTER for the first rule that the order breaks.

    `reference` is the price that Binance applies its rules to. Without it, rules that need it are skipped.
    """
    if not rules.active:
        raise _broken("symbol", f"{rules.symbol} is not trading now")
    _type(order, rules)
    _lot(order, rules)
    for field, price in (("stopPrice", order.stop_price), ("price", order.price)):
        if price is not None:
            _price(field, price, rules)
    if order.price is not None and reference is not None and not order.conditional:
        _price_band(order, order.price, rules, reference)
    price = order.price or (order.stop_price if order.conditional else None) or reference
    if price is not None and not order.reduce_only:
        _notional(order, order.amount * price, rules)


def admits_any_order(
    order: OrderRequest,
    rules: Rules,
    max_order_value: Decimal,
    rate: Decimal,
    *,
    limit_name: str = "MAX_ORDER_VALUE_USDT",
) -> None:
    """Raise ORDER_FILTER if the broker's order limit is below Binance's minimum: no entry passes both."""
    least, _ = _notional_limits(order, rules)
    minimum = least * rate
    if max_order_value < minimum:
        raise _broken(
            "amount",
            f"{limit_name} ({plain(max_order_value)}) is below Binance's minimum order value for "
            f"{rules.symbol} ({plain(minimum)} USDT): only an exit can pass both",
            minNotional=least,
        )


def _type(order: OrderRequest, rules: Rules) -> None:
    """Spot symbols differ in the order types that they accept."""
    limited = order.stop_price is not None and order.price is not None
    kind = order.type.upper() + ("_LIMIT" if limited else "")
    if order.market is Market.SPOT and kind not in rules.order_types:
        raise _broken(
            "type", f"{rules.symbol} does not accept {kind} orders", allowed=sorted(rules.order_types)
        )


def _lot(order: OrderRequest, rules: Rules) -> None:
    market = order.price is None
    least = rules.market_min_amount if market else rules.min_amount
    most = rules.market_max_amount if market else rules.max_amount
    if order.amount < least:
        raise _broken(
            "amount",
            f"{plain(order.amount)} {rules.base} (rounded down to the step {plain(rules.step)}) is below "
            f"Binance's minimum of {plain(least)}",
            min=least,
            step=rules.step,
        )
    if order.amount > most:
        raise _broken(
            "amount",
            f"{plain(order.amount)} {rules.base} is above Binance's maximum of {plain(most)}",
            max=most,
        )


def _price(field: str, price: Decimal, rules: Rules) -> None:
    if price < rules.min_price or price <= 0:
        least = max(rules.min_price, rules.tick)
        raise _broken(field, f"{plain(price)} is below Binance's minimum of {plain(least)}", min=least)
    if rules.max_price is not None and price > rules.max_price:
        raise _broken(
            field,
            f"{plain(price)} is above Binance's maximum of {plain(rules.max_price)}",
            max=rules.max_price,
        )


def _price_band(order: OrderRequest, price: Decimal, rules: Rules, average: Decimal) -> None:
    up, down = (rules.bid_up, rules.bid_down) if order.side == "buy" else (rules.ask_up, rules.ask_down)
    if up is not None and price > average * up:
        most = average * up
        raise _broken("price", f"{plain(price)} is above Binance's price band ({plain(most)})", max=most)
    if down is not None and price < average * down:
        least = average * down
        raise _broken("price", f"{plain(price)} is below Binance's price band ({plain(least)})", min=least)


def _notional(order: OrderRequest, value: Decimal, rules: Rules) -> None:
    least, most = _notional_limits(order, rules)
    if value < least:
        raise _broken(
            "amount",
            f"the order's value of {plain(round(value, 8))} {rules.quote} is below Binance's minimum of "
            f"{plain(least)}",
            minNotional=least,
        )
    if most is not None and value > most:
        raise _broken(
            "amount",
            f"the order's value of {plain(round(value, 8))} {rules.quote} is above Binance's maximum of "
            f"{plain(most)}",
            maxNotional=most,
        )


def _notional_limits(order: OrderRequest, rules: Rules) -> tuple[Decimal, Decimal | None]:
    if order.price is None:
        return rules.market_min_notional, rules.market_max_notional
    return rules.min_notional, rules.max_notional


def _broken(field: str, problem: str, **allowed: Decimal | list[str]) -> BrokerError:
    figures = {name: plain(value) if isinstance(value, Decimal) else value for name, value in allowed.items()}
    return BrokerError(Code.ORDER_FILTER, f"{field}: {problem}", details={"field": field, **figures})
