"""Every documented field of a spot answer is sent with its documented type (Binance's rest-api.md)."""

from decimal import Decimal
from typing import Any

import pytest

from broker.paper import Exchange
from broker.paper.http.limits import Limits
from broker.paper.permissions import Permissions
from broker.paper.http.rest import Rest
from broker.paper.http.signing import Credentials
from broker.paper.spot.account_endpoints import SpotAccount
from broker.paper.spot.market_endpoints import SpotMarket

from .answering import DECIMAL, SECRET, Row, Shape, ask, differences
from .support import BTC

LEVEL = Row(DECIMAL, DECIMAL)
KLINE = Row(int, DECIMAL, DECIMAL, DECIMAL, DECIMAL, DECIMAL, int, DECIMAL, int, DECIMAL, DECIMAL, DECIMAL)
RATE_LIMIT = {"rateLimitType": str, "interval": str, "intervalNum": int, "limit": int}

SYMBOL = {
    "symbol": str,
    "status": str,
    "baseAsset": str,
    "baseAssetPrecision": int,
    "quoteAsset": str,
    "quotePrecision": int,
    "quoteAssetPrecision": int,
    "baseCommissionPrecision": int,
    "quoteCommissionPrecision": int,
    "orderTypes": [str],
    "icebergAllowed": bool,
    "ocoAllowed": bool,
    "otoAllowed": bool,
    "quoteOrderQtyMarketAllowed": bool,
    "allowTrailingStop": bool,
    "cancelReplaceAllowed": bool,
    "amendAllowed": bool,
    "pegInstructionsAllowed": bool,
    "isSpotTradingAllowed": bool,
    "isMarginTradingAllowed": bool,
    "filters": [{"filterType": str}],
    "permissions": list,
    "permissionSets": [[str]],
    "defaultSelfTradePreventionMode": str,
    "allowedSelfTradePreventionModes": [str],
}

FILTERS: dict[str, Shape] = {
    "PRICE_FILTER": {"minPrice": DECIMAL, "maxPrice": DECIMAL, "tickSize": DECIMAL},
    "LOT_SIZE": {"minQty": DECIMAL, "maxQty": DECIMAL, "stepSize": DECIMAL},
    "MARKET_LOT_SIZE": {"minQty": DECIMAL, "maxQty": DECIMAL, "stepSize": DECIMAL},
    "PERCENT_PRICE_BY_SIDE": {
        "bidMultiplierUp": DECIMAL,
        "bidMultiplierDown": DECIMAL,
        "askMultiplierUp": DECIMAL,
        "askMultiplierDown": DECIMAL,
        "avgPriceMins": int,
    },
    "NOTIONAL": {
        "minNotional": DECIMAL,
        "applyMinToMarket": bool,
        "maxNotional": DECIMAL,
        "applyMaxToMarket": bool,
        "avgPriceMins": int,
    },
    "MAX_NUM_ORDERS": {"maxNumOrders": int},
    "MAX_NUM_ALGO_ORDERS": {"maxNumAlgoOrders": int},
}

DAY_MINI = {
    "symbol": str,
    "openPrice": DECIMAL,
    "highPrice": DECIMAL,
    "lowPrice": DECIMAL,
    "lastPrice": DECIMAL,
    "volume": DECIMAL,
    "quoteVolume": DECIMAL,
    "openTime": int,
    "closeTime": int,
    "firstId": int,
    "lastId": int,
    "count": int,
}
BEST = {"bidPrice": DECIMAL, "bidQty": DECIMAL, "askPrice": DECIMAL, "askQty": DECIMAL}
DAY = {
    **DAY_MINI,
    **BEST,
    "priceChange": DECIMAL,
    "priceChangePercent": DECIMAL,
    "weightedAvgPrice": DECIMAL,
    "prevClosePrice": DECIMAL,
    "lastQty": DECIMAL,
}
PUBLIC_TRADE = {
    "id": int,
    "price": DECIMAL,
    "qty": DECIMAL,
    "quoteQty": DECIMAL,
    "time": int,
    "isBuyerMaker": bool,
    "isBestMatch": bool,
}
AGGREGATE = {"a": int, "p": DECIMAL, "q": DECIMAL, "f": int, "l": int, "T": int, "m": bool, "M": bool}

IDS = {"symbol": str, "orderId": int, "orderListId": int, "clientOrderId": str}
FIGURES = {
    "price": DECIMAL,
    "origQty": DECIMAL,
    "executedQty": DECIMAL,
    "origQuoteOrderQty": DECIMAL,
    "cummulativeQuoteQty": DECIMAL,
    "status": str,
    "timeInForce": str,
    "type": str,
    "side": str,
    "selfTradePreventionMode": str,
}
ACK = {**IDS, "transactTime": int}
RESULT = {**ACK, **FIGURES, "workingTime": int}
FILL = {"price": DECIMAL, "qty": DECIMAL, "commission": DECIMAL, "commissionAsset": str, "tradeId": int}
FULL = {**RESULT, "fills": [FILL]}
QUERIED = {
    **IDS,
    **FIGURES,
    "stopPrice": DECIMAL,
    "icebergQty": DECIMAL,
    "time": int,
    "updateTime": int,
    "isWorking": bool,
    "workingTime": int,
}
CANCELLED = {**IDS, **FIGURES, "origClientOrderId": str, "transactTime": int}
OWN_TRADE = {
    "symbol": str,
    "id": int,
    "orderId": int,
    "orderListId": int,
    "price": DECIMAL,
    "qty": DECIMAL,
    "quoteQty": DECIMAL,
    "commission": DECIMAL,
    "commissionAsset": str,
    "time": int,
    "isBuyer": bool,
    "isMaker": bool,
    "isBestMatch": bool,
}
ACCOUNT = {
    "makerCommission": int,
    "takerCommission": int,
    "buyerCommission": int,
    "sellerCommission": int,
    "commissionRates": {"maker": DECIMAL, "taker": DECIMAL, "buyer": DECIMAL, "seller": DECIMAL},
    "canTrade": bool,
    "canWithdraw": bool,
    "canDeposit": bool,
    "brokered": bool,
    "requireSelfTradePrevention": bool,
    "preventSor": bool,
    "updateTime": int,
    "accountType": str,
    "balances": [{"asset": str, "free": DECIMAL, "locked": DECIMAL}],
    "permissions": [str],
    "uid": int,
}
KEY_RIGHTS = {
    "ipRestrict": bool,
    "createTime": int,
    "enableReading": bool,
    "enableWithdrawals": bool,
    "enableInternalTransfer": bool,
    "enableMargin": bool,
    "enableFutures": bool,
    "permitsUniversalTransfer": bool,
    "enableVanillaOptions": bool,
    "enableFixApiTrade": bool,
    "enableFixReadOnly": bool,
    "enableSpotAndMarginTrading": bool,
    "enablePortfolioMarginTrading": bool,
}

ONE = {"symbol": BTC}
BUY = {**ONE, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LIMIT = {
    **ONE,
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "0.01",
    "price": "59000",
    "timeInForce": "GTC",
}
STOP = {
    **ONE,
    "side": "SELL",
    "type": "STOP_LOSS_LIMIT",
    "quantity": "0.01",
    "price": "58900",
    "stopPrice": "59000",
    "timeInForce": "GTC",
}

ANSWERS: list[tuple[str, str, dict[str, Any], Shape]] = [
    ("GET", "/api/v3/ping", {}, {}),
    ("GET", "/api/v3/time", {}, {"serverTime": int}),
    (
        "GET",
        "/api/v3/exchangeInfo",
        {},
        {
            "timezone": str,
            "serverTime": int,
            "rateLimits": [RATE_LIMIT],
            "exchangeFilters": list,
            "symbols": [SYMBOL],
        },
    ),
    ("GET", "/api/v3/depth", ONE, {"lastUpdateId": int, "bids": [LEVEL], "asks": [LEVEL]}),
    ("GET", "/api/v3/trades", ONE, [PUBLIC_TRADE]),
    ("GET", "/api/v3/aggTrades", ONE, [AGGREGATE]),
    ("GET", "/api/v3/klines", {**ONE, "interval": "1m"}, [KLINE]),
    ("GET", "/api/v3/avgPrice", ONE, {"mins": int, "price": DECIMAL, "closeTime": int}),
    ("GET", "/api/v3/ticker/24hr", ONE, DAY),
    ("GET", "/api/v3/ticker/24hr", {}, [DAY]),
    ("GET", "/api/v3/ticker/24hr", {**ONE, "type": "MINI"}, DAY_MINI),
    ("GET", "/api/v3/ticker/price", ONE, {"symbol": str, "price": DECIMAL}),
    ("GET", "/api/v3/ticker/price", {}, [{"symbol": str, "price": DECIMAL}]),
    ("GET", "/api/v3/ticker/bookTicker", ONE, {"symbol": str, **BEST}),
    ("GET", "/api/v3/ticker/bookTicker", {}, [{"symbol": str, **BEST}]),
    ("GET", "/api/v3/account", {}, ACCOUNT),
    ("GET", "/sapi/v1/account/apiRestrictions", {}, KEY_RIGHTS),
    ("POST", "/api/v3/order/test", BUY, {}),
    ("POST", "/api/v3/order", {**BUY, "newOrderRespType": "ACK"}, ACK),
    ("POST", "/api/v3/order", {**BUY, "newOrderRespType": "RESULT"}, RESULT),
    ("POST", "/api/v3/order", BUY, FULL),
    ("POST", "/api/v3/order", {**LIMIT, "newClientOrderId": "rests"}, {**RESULT, "fills": list}),
    ("GET", "/api/v3/order", {**ONE, "origClientOrderId": "rests"}, QUERIED),
    ("GET", "/api/v3/openOrders", ONE, [QUERIED]),
    ("DELETE", "/api/v3/order", {**ONE, "origClientOrderId": "rests"}, CANCELLED),
    (
        "POST",
        "/api/v3/order",
        {**STOP, "newClientOrderId": "waits", "newOrderRespType": "RESULT"},
        {**RESULT, "stopPrice": DECIMAL},
    ),
    ("GET", "/api/v3/order", {**ONE, "origClientOrderId": "waits"}, QUERIED),
    ("DELETE", "/api/v3/openOrders", ONE, [{**CANCELLED, "stopPrice": DECIMAL}]),
    ("GET", "/api/v3/allOrders", ONE, [QUERIED]),
    ("GET", "/api/v3/myTrades", ONE, [OWN_TRADE]),
]
"""In an order that gives each list something to hold."""


@pytest.fixture
def rest(exchange: Exchange) -> Rest:
    exchange.set_free("BTC", Decimal(1))
    limits = Limits()
    endpoints = SpotMarket(exchange, limits).endpoints() | SpotAccount(exchange, Permissions()).endpoints()
    return Rest(exchange, endpoints, Credentials("paper-key", SECRET), limits)


def test_each_answer_has_every_documented_field(rest: Rest, subtests: pytest.Subtests) -> None:
    for method, path, params, shape in ANSWERS:
        answer = ask(rest, method, path, **params)
        with subtests.test(f"{method} {path} {params}"):
            assert list(differences(shape, answer)) == []


def test_each_filter_has_every_documented_field(rest: Rest) -> None:
    for symbol in ask(rest, "GET", "/api/v3/exchangeInfo")["symbols"]:
        assert {rule["filterType"] for rule in symbol["filters"]} == FILTERS.keys()
        for rule in symbol["filters"]:
            assert list(differences(FILTERS[rule["filterType"]], rule)) == []


def test_every_endpoint_is_asked_here(rest: Rest) -> None:
    assert {(method, path) for method, path, *_ in ANSWERS} == rest._endpoints.keys()


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (int, True),
        (int, "1"),
        (DECIMAL, 1.5),
        (DECIMAL, ""),
        ([int], []),
        ([int], ["1"]),
        ({"a": int}, {}),
        ({"a": {"b": str}}, {"a": {"b": None}}),
        (Row(int, str), [1]),
        (Row(int, str), [1, 2]),
    ],
)
def test_another_type_is_a_difference(shape: Shape, value: Any) -> None:
    assert list(differences(shape, value))
