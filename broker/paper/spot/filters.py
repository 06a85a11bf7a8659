"""The filters of a symbol, listed and checked (source: Binance's filters.md)."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ..http.errors import filter_failure
from ..market.amounts import text
from ..market.orders import STOPS, Order, OrderType
from ..market.symbols import Symbol
from .new_order import NewOrder

AVERAGE_PRICE_MINUTES = 5
MAX_OPEN_ORDERS = 200
MAX_OPEN_STOPS = 5
PERCENT_DOWN = Decimal("0.2")
PERCENT_UP = Decimal(5)


def listed(symbol: Symbol) -> list[dict[str, Any]]:
    """As exchangeInfo lists them."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text(symbol.tick),
            "maxPrice": text(symbol.max_price),
            "tickSize": text(symbol.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": text(symbol.step),
            "maxQty": text(symbol.max_quantity),
            "stepSize": text(symbol.step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": text(symbol.max_market_quantity),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": f"{PERCENT_UP}",
            "bidMultiplierDown": f"{PERCENT_DOWN}",
            "askMultiplierUp": f"{PERCENT_UP}",
            "askMultiplierDown": f"{PERCENT_DOWN}",
            "avgPriceMins": AVERAGE_PRICE_MINUTES,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": text(symbol.min_notional),
            "applyMinToMarket": True,
            "maxNotional": text(symbol.max_notional),
            "applyMaxToMarket": False,
            "avgPriceMins": AVERAGE_PRICE_MINUTES,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_OPEN_ORDERS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MAX_OPEN_STOPS},
    ]


def check(new: NewOrder, symbol: Symbol, average: Decimal, open_orders: Iterable[Order]) -> None:
    """Raise Refusal with the name of a failed filter. `average` values orders that have no price."""
    for price in (new.price, new.stop_price):
        if price is not None:
            _check_price(price, symbol)
    if new.price is not None:
        _check_percent(new.price, average)
    if new.quantity is not None:
        _check_lot(new.quantity, symbol, new.type is OrderType.MARKET)
    _check_notional(new, symbol, average)
    _check_count(new, [order for order in open_orders if order.symbol == symbol.name])


def _check_price(price: Decimal, symbol: Symbol) -> None:
    if not symbol.tick <= price <= symbol.max_price or price % symbol.tick:
        raise filter_failure("PRICE_FILTER")


def _check_percent(price: Decimal, average: Decimal) -> None:
    if not average * PERCENT_DOWN <= price <= average * PERCENT_UP:
        raise filter_failure("PERCENT_PRICE_BY_SIDE")


def _check_lot(quantity: Decimal, symbol: Symbol, at_market: bool) -> None:
    if not symbol.step <= quantity <= symbol.max_quantity or quantity % symbol.step:
        raise filter_failure("LOT_SIZE")
    if at_market and quantity > symbol.max_market_quantity:
        raise filter_failure("MARKET_LOT_SIZE")


def _check_notional(new: NewOrder, symbol: Symbol, average: Decimal) -> None:
    notional = new.quote_quantity or (new.price or average) * (new.quantity or 0)
    too_much = new.price is not None and notional > symbol.max_notional
    if notional < symbol.min_notional or too_much:
        raise filter_failure("NOTIONAL")


def _check_count(new: NewOrder, open_orders: list[Order]) -> None:
    if len(open_orders) >= MAX_OPEN_ORDERS:
        raise filter_failure("MAX_NUM_ORDERS")
    if new.type in STOPS and sum(order.is_stop for order in open_orders) >= MAX_OPEN_STOPS:
        raise filter_failure("MAX_NUM_ALGO_ORDERS")
