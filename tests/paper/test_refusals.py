"""What Binance refuses: code, message, and the class that the real client makes of it."""

import json
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from broker.paper import PaperServer

pytestmark = pytest.mark.anyio
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


@pytest.mark.parametrize(
    ("order", "code", "msg", "error"),
    [
        (LIMIT | {"symbol": "NOPEUSDT"}, -1121, "Invalid symbol.", ccxt.BadSymbol),
        (
            LIMIT | {"symbol": "btcusdt"},
            -1100,
            "in parameter 'symbol'; legal range",
            ccxt.BadRequest,
        ),
        (LIMIT | {"side": "HOLD"}, -1117, "Invalid side.", ccxt.BadRequest),
        (LIMIT | {"type": "ICEBERG"}, -1116, "Invalid orderType.", ccxt.BadRequest),
        (LIMIT | {"timeInForce": "GTX"}, -1115, "Invalid timeInForce.", ccxt.BadRequest),
        (
            LIMIT | {"quantity": "many"},
            -1100,
            "in parameter 'quantity'; legal range",
            ccxt.BadRequest,
        ),
        (
            LIMIT | {"quantity": "-1"},
            -1100,
            "in parameter 'quantity'; legal range",
            ccxt.BadRequest,
        ),
        (LIMIT | {"quantity": "0"}, -1013, "Invalid quantity.", ccxt.BadRequest),
        (LIMIT | {"price": ""}, -1105, "Parameter 'price' was empty.", ccxt.BadRequest),
        (LIMIT | {"price": "59000.000000001"}, -1111, "too much precision", ccxt.BadRequest),
        (LIMIT | {"price": "59000.001"}, -1013, "Filter failure: PRICE_FILTER", ccxt.InvalidOrder),
        (LIMIT | {"price": "1000000.01"}, -1013, "Filter failure: PRICE_FILTER", ccxt.InvalidOrder),
        (LIMIT | {"price": "11000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", ccxt.InvalidOrder),
        (LIMIT | {"price": "310000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", ccxt.InvalidOrder),
        (LIMIT | {"quantity": "0.000011"}, -1013, "Filter failure: LOT_SIZE", ccxt.InvalidOrder),
        (LIMIT | {"quantity": "9000.00001"}, -1013, "Filter failure: LOT_SIZE", ccxt.InvalidOrder),
        (MARKET | {"quantity": "120.00001"}, -1013, "Filter failure: MARKET_LOT_SIZE", ccxt.InvalidOrder),
        (LIMIT | {"quantity": "0.00008"}, -1013, "Filter failure: NOTIONAL", ccxt.BadRequest),
        (MARKET | {"quantity": "0.00008"}, -1013, "Filter failure: NOTIONAL", ccxt.BadRequest),
        (LIMIT | {"quantity": "153"}, -1013, "Filter failure: NOTIONAL", ccxt.BadRequest),
        (MARKET | {"price": "59000"}, -1106, "Parameter 'price' sent when not required.", ccxt.BadRequest),
        (MARKET | {"quoteOrderQty": "10"}, -1128, "Combination of optional parameters", ccxt.BadRequest),
        (
            {**LIMIT, "stopPrice": "1"},
            -1106,
            "'stopPrice' sent when not required",
            ccxt.BadRequest,
        ),
        ({**LIMIT, "icebergQty": "1"}, -2010, "Iceberg orders are not supported", ccxt.InvalidOrder),
        ({**LIMIT, "colour": "red"}, -1104, "Not all sent parameters were read", ccxt.BadRequest),
        ({**LIMIT, "newClientOrderId": "a" * 37}, -1100, "'newClientOrderId'; legal range", ccxt.BadRequest),
        ({**LIMIT, "newClientOrderId": "a.b"}, -1100, "'newClientOrderId'; legal range", ccxt.BadRequest),
        (LIMIT | {"type": "LIMIT_MAKER"}, -1106, "'timeInForce' sent when not required", ccxt.BadRequest),
        (LIMIT | {"side": "SELL"}, -2010, "insufficient balance", ccxt.InsufficientFunds),
        (LIMIT | {"quantity": "1.8"}, -2010, "insufficient balance", ccxt.InsufficientFunds),
    ],
)
async def test_an_order_is_refused(
    binance: Any, order: dict[str, str], code: int, msg: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        await binance.privatePostOrder(order)
    assert type(refused.value) is error
    answer = json.loads(binance.last_http_response)
    assert answer["code"] == code
    assert msg in answer["msg"]
    assert await binance.privateGetAllOrders({"symbol": "BTCUSDT"}) == []


@pytest.mark.parametrize("missing", ["symbol", "side", "type", "timeInForce", "quantity", "price"])
async def test_an_order_without_a_mandatory_parameter_is_refused(binance: Any, missing: str) -> None:
    order = {name: value for name, value in LIMIT.items() if name != missing}
    with pytest.raises(ccxt.BadRequest, match=f"-1102.*Mandatory parameter '{missing}' was not sent"):
        await binance.privatePostOrder(order)


async def test_a_market_order_needs_a_quantity_or_an_amount(binance: Any) -> None:
    with pytest.raises(ccxt.BadRequest, match=r"-1102.*Param 'quantity' or 'quoteOrderQty' must be sent"):
        await binance.privatePostOrder({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"})


async def test_an_order_that_is_not_there(binance: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound, match=r"-2013.*Order does not exist"):
        await binance.fetch_order("", "BTC/USDT", {"clientOrderId": "never"})
    with pytest.raises(ccxt.OrderNotFound, match=r"-2011.*Unknown order sent"):
        await binance.cancel_order("77", "BTC/USDT")
    with pytest.raises(ccxt.OrderNotFound, match=r"-2011.*Unknown order sent"):
        await binance.cancel_all_orders("BTC/USDT")
    with pytest.raises(ccxt.BadRequest, match=r"-1102.*'origClientOrderId' or 'orderId' must be sent"):
        await binance.privateGetOrder({"symbol": "BTCUSDT"})


async def test_a_client_id_that_is_open_is_refused_and_one_that_filled_executes_again(binance: Any) -> None:
    await binance.privatePostOrder({**LIMIT, "newClientOrderId": "open"})
    with pytest.raises(ccxt.InvalidOrder, match=r"-2010.*Duplicate order sent"):
        await binance.privatePostOrder({**MARKET, "newClientOrderId": "open"})
    for _ in range(2):
        await binance.privatePostOrder({**MARKET, "newClientOrderId": "filled"})
    assert len(await binance.fetch_my_trades("BTC/USDT")) == 2


async def test_no_more_than_five_stops_rest_on_a_symbol(binance: Any, server: PaperServer) -> None:
    server.exchange.set_free("BTC", Decimal(1))
    stop = MARKET | {"side": "SELL", "type": "STOP_LOSS", "stopPrice": "59000"}
    for _ in range(5):
        await binance.privatePostOrder(stop)
    with pytest.raises(ccxt.BadRequest, match=r"-1013.*MAX_NUM_ALGO_ORDERS"):
        await binance.privatePostOrder(stop)


async def test_a_clock_that_is_off(binance: Any, server: PaperServer) -> None:
    server.exchange.offset_ms = 11_000
    with pytest.raises(ccxt.InvalidNonce, match=r"-1021.*outside of the recvWindow"):
        await binance.fetch_balance()
    server.exchange.offset_ms = -2_000
    with pytest.raises(ccxt.InvalidNonce, match=r"-1021.*1000ms ahead"):
        await binance.fetch_balance()


async def test_another_key_or_secret(binance: Any) -> None:
    binance.secret = "another"
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await binance.fetch_balance()
    binance.apiKey = "another"
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await binance.fetch_balance()


async def test_too_much_weight(binance: Any, server: PaperServer) -> None:
    server.exchange.offset_ms = 60_000 - server.exchange.now % 60_000
    for _ in range(75):
        await binance.publicGetTicker24hr()
    with pytest.raises(ccxt.DDoSProtection, match=r"-1003.*6000 request weight per 1 MINUTE"):
        await binance.fetch_time()
    assert 1 <= int(binance.last_response_headers["Retry-After"]) <= 60


async def test_too_many_orders(binance: Any, server: PaperServer) -> None:
    with pytest.raises(ccxt.DDoSProtection, match=r"-1015.*100 orders per 10 SECOND"):
        for _ in range(201):
            await binance.privatePostOrder(MARKET | {"quantity": "0.0001"})
    assert "Retry-After" not in binance.last_response_headers


@pytest.mark.parametrize(
    ("call", "params", "match"),
    [
        ("publicGetKlines", {"symbol": "BTCUSDT", "interval": "7m"}, "-1120.*Invalid interval"),
        ("publicGetKlines", {"symbol": "BTCUSDT"}, "-1102.*'interval'"),
        ("publicGetDepth", {}, "-1102.*'symbol'"),
        ("publicGetDepth", {"symbol": "BTCUSDT", "limit": "-5"}, "-1100.*'limit'"),
        ("publicGetExchangeInfo", {"symbols": '["BTCUSDT","NOPE"]'}, "-1121"),
        ("publicGetExchangeInfo", {"symbols": "BTCUSDT"}, "-1135"),
        ("publicGetTickerPrice", {"symbols": '["BTCUSDT","BTCUSDT"]'}, "-1151"),
        ("publicGetTickerPrice", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, "-1128"),
        ("publicGetTicker24hr", {"symbol": "BTCUSDT", "type": "TINY"}, "-1139"),
        ("privateGetAllOrders", {"symbol": "BTCUSDT", "startTime": "1", "endTime": "86400002"}, "-1127"),
    ],
)
async def test_reading_with_wrong_parameters(
    binance: Any, call: str, params: dict[str, str], match: str
) -> None:
    with pytest.raises(ccxt.BaseError, match=match):
        await getattr(binance, call)(params)


async def test_a_path_that_binance_does_not_have(binance: Any) -> None:
    with pytest.raises(ccxt.ExchangeNotAvailable, match="404 Not found"):
        await binance.publicGetUiKlines({"symbol": "BTCUSDT"})
