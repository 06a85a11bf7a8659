from decimal import Decimal

import pytest

from broker.paper import Exchange
from broker.paper.http.errors import Refusal
from broker.paper.spot.filters import listed

from ..support import BTC, new_order


def test_no_more_than_two_hundred_orders_rest_on_a_symbol(exchange: Exchange) -> None:
    for number in range(200):
        exchange.place(new_order(quantity="0.0002", price=f"{50_000 + number}", client_id=f"n{number}"))
    with pytest.raises(Refusal, match="-1013 Filter failure: MAX_NUM_ORDERS"):
        exchange.place(new_order(price="50000", client_id="one more"))
    exchange.place(new_order(price="2500", client_id="another symbol", symbol="ETHUSDT"))


def test_an_order_without_a_price_is_valued_at_the_average_of_five_minutes(exchange: Exchange) -> None:
    exchange.pin(BTC, Decimal(30_000))
    average = exchange.market(BTC).average(exchange.now)
    assert average > 40_000
    exchange.place(new_order(kind="MARKET", quantity="0.00012"))
    with pytest.raises(Refusal, match="NOTIONAL"):
        exchange.place(new_order(quantity="0.00012", price="29000"))


def test_the_filters_that_apply_are_listed(exchange: Exchange) -> None:
    names = [entry["filterType"] for entry in listed(exchange.symbols[BTC])]
    assert names == [
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "PERCENT_PRICE_BY_SIDE",
        "NOTIONAL",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
    ]
