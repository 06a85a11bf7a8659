"""Every documented field of a futures answer is sent with its documented type (USDS-M futures, REST)."""

from typing import Any

import pytest

from broker.paper.futures import FuturesExchange
from broker.paper.futures.endpoints import futures_endpoints
from broker.paper.http.limits import Limits
from broker.paper.permissions import Permissions
from broker.paper.http.rest import Rest
from broker.paper.http.signing import Credentials

from ..answering import DECIMAL, SECRET, Shape, ask, differences
from ..test_answers import KLINE, RATE_LIMIT
from .shapes import (
    ACCOUNT,
    ACCOUNT_CONFIG,
    AGGREGATE,
    BALANCE,
    BEST,
    BRACKETS,
    CANCELLED,
    DAY,
    DONE,
    FILTERS,
    FUNDING,
    FUNDING_INFO,
    INCOME,
    LEVEL,
    NEW_ALGO,
    OWN_TRADE,
    PLACED,
    POSITION_V2,
    POSITION_V3,
    PREMIUM,
    PRICE,
    PUBLIC_TRADE,
    QUERIED,
    QUERIED_ALGO,
    SYMBOL,
    SYMBOL_CONFIG,
)
from .support import BTC, ETH

ONE = {"symbol": BTC}
MARKET = {**ONE, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LIMIT = {**MARKET, "type": "LIMIT", "price": "59000", "timeInForce": "GTC", "newClientOrderId": "rests"}
RESTS = {**ONE, "origClientOrderId": "rests"}
STOP = {
    **ONE,
    "algoType": "CONDITIONAL",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "58000",
    "clientAlgoId": "waits",
}
WAITS = {"clientAlgoId": "waits"}

V1 = "/fapi/v1"
ANSWERS: list[tuple[str, str, dict[str, Any], Shape]] = [
    ("GET", f"{V1}/ping", {}, {}),
    ("GET", f"{V1}/time", {}, {"serverTime": int}),
    (
        "GET",
        f"{V1}/exchangeInfo",
        {},
        {
            "timezone": str,
            "serverTime": int,
            "futuresType": str,
            "exchangeFilters": list,
            "rateLimits": [RATE_LIMIT],
            "assets": [{"asset": str, "marginAvailable": bool, "autoAssetExchange": DECIMAL}],
            "symbols": [SYMBOL],
        },
    ),
    ("GET", f"{V1}/depth", ONE, {"lastUpdateId": int, "E": int, "T": int, "bids": [LEVEL], "asks": [LEVEL]}),
    ("GET", f"{V1}/trades", ONE, [PUBLIC_TRADE]),
    ("GET", f"{V1}/aggTrades", ONE, [AGGREGATE]),
    ("GET", f"{V1}/klines", {**ONE, "interval": "1m"}, [KLINE]),
    ("GET", f"{V1}/ticker/24hr", ONE, DAY),
    ("GET", f"{V1}/ticker/24hr", {}, [DAY]),
    ("GET", f"{V1}/ticker/price", ONE, PRICE),
    ("GET", "/fapi/v2/ticker/price", ONE, PRICE),
    ("GET", f"{V1}/ticker/bookTicker", ONE, BEST),
    ("GET", f"{V1}/premiumIndex", ONE, PREMIUM),
    ("GET", f"{V1}/premiumIndex", {}, [PREMIUM]),
    ("GET", f"{V1}/fundingRate", ONE, [FUNDING]),
    ("GET", f"{V1}/fundingInfo", {}, [FUNDING_INFO]),
    ("POST", f"{V1}/order", {**MARKET, "newOrderRespType": "ACK"}, PLACED),
    ("POST", f"{V1}/order", {**MARKET, "newOrderRespType": "RESULT"}, PLACED),
    ("POST", f"{V1}/order", LIMIT, PLACED),
    ("GET", f"{V1}/order", RESTS, QUERIED),
    ("GET", f"{V1}/openOrder", RESTS, QUERIED),
    ("GET", f"{V1}/openOrders", ONE, [QUERIED]),
    ("DELETE", f"{V1}/order", RESTS, CANCELLED),
    ("DELETE", f"{V1}/allOpenOrders", ONE, DONE),
    ("GET", f"{V1}/allOrders", ONE, [QUERIED]),
    ("GET", f"{V1}/userTrades", ONE, [OWN_TRADE]),
    ("GET", f"{V1}/income", {}, [INCOME]),
    ("POST", f"{V1}/algoOrder", STOP, NEW_ALGO),
    ("GET", f"{V1}/algoOrder", WAITS, QUERIED_ALGO),
    ("GET", f"{V1}/openAlgoOrders", ONE, [QUERIED_ALGO]),
    (
        "DELETE",
        f"{V1}/algoOrder",
        WAITS,
        {"algoId": int, "clientAlgoId": str, "code": DECIMAL, "msg": str},
    ),
    ("GET", f"{V1}/allAlgoOrders", ONE, [QUERIED_ALGO]),
    ("DELETE", f"{V1}/algoOpenOrders", ONE, DONE),
    ("GET", "/fapi/v3/account", {}, ACCOUNT),
    ("GET", "/fapi/v3/balance", {}, [BALANCE]),
    ("GET", "/fapi/v3/positionRisk", ONE, [POSITION_V3]),
    ("GET", "/fapi/v2/positionRisk", ONE, [POSITION_V2]),
    ("GET", f"{V1}/accountConfig", {}, ACCOUNT_CONFIG),
    ("GET", f"{V1}/symbolConfig", ONE, [SYMBOL_CONFIG]),
    ("GET", f"{V1}/leverageBracket", {}, [BRACKETS]),
    (
        "GET",
        f"{V1}/commissionRate",
        ONE,
        {"symbol": str, "makerCommissionRate": DECIMAL, "takerCommissionRate": DECIMAL},
    ),
    ("GET", f"{V1}/multiAssetsMargin", {}, {"multiAssetsMargin": bool}),
    ("GET", f"{V1}/positionSide/dual", {}, {"dualSidePosition": bool}),
    (
        "POST",
        f"{V1}/leverage",
        {**ONE, "leverage": 10},
        {"leverage": int, "maxNotionalValue": DECIMAL, "symbol": str},
    ),
    ("POST", f"{V1}/marginType", {"symbol": ETH, "marginType": "ISOLATED"}, DONE),
    ("POST", f"{V1}/listenKey", {}, {"listenKey": str}),
    ("PUT", f"{V1}/listenKey", {}, {"listenKey": str}),
    ("DELETE", f"{V1}/listenKey", {}, {}),
]
"""In an order that gives each list something to hold."""

ONLY_REFUSED = {("POST", f"{V1}/positionSide/dual")}


@pytest.fixture
def rest(futures: FuturesExchange) -> Rest:
    limits = Limits.of_futures()
    endpoints = futures_endpoints(futures, limits, Permissions())
    return Rest(futures, endpoints, Credentials("paper-key", SECRET), limits)


def test_each_answer_has_every_documented_field(rest: Rest, subtests: pytest.Subtests) -> None:
    for method, path, params, shape in ANSWERS:
        answer = ask(rest, method, path, **params)
        with subtests.test(f"{method} {path} {params}"):
            assert list(differences(shape, answer)) == []


def test_each_filter_has_every_documented_field(rest: Rest) -> None:
    for symbol in ask(rest, "GET", f"{V1}/exchangeInfo")["symbols"]:
        assert {rule["filterType"] for rule in symbol["filters"]} == FILTERS.keys()
        for rule in symbol["filters"]:
            assert list(differences(FILTERS[rule["filterType"]], rule)) == []


def test_every_endpoint_is_asked_here(rest: Rest) -> None:
    assert {(method, path) for method, path, *_ in ANSWERS} | ONLY_REFUSED == rest._endpoints.keys()
