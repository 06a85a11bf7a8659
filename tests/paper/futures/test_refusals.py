"""What Binance refuses is refused here, with its codes; ccxt makes of them what it makes of Binance's."""

from decimal import Decimal
from typing import Any

import ccxt
import httpx2
import pytest

from broker.paper import PaperServer
from broker.paper.http.errors import Refusal
from broker.paper.http.limits import Limits

from .support import BTC as BTC_ID

pytestmark = pytest.mark.anyio
BTC = "BTC/USDT:USDT"
LIMIT = {
    "symbol": BTC_ID,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}
MARKET = {"symbol": BTC_ID, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": BTC_ID,
    "side": "SELL",
    "type": "STOP_MARKET",
    "triggerPrice": "59000",
    "quantity": "0.01",
}


@pytest.mark.parametrize(
    ("order", "match", "error"),
    [
        (LIMIT | {"symbol": "NOPEUSDT"}, "-1121", ccxt.BadSymbol),
        (LIMIT | {"quantity": "0.0101"}, "-1111", ccxt.BadRequest),
        (LIMIT | {"price": "59000.001"}, "-1111", ccxt.BadRequest),
        (LIMIT | {"price": "59000.05"}, "-4014", ccxt.BadRequest),
        (LIMIT | {"price": "0"}, "-4001", ccxt.BadRequest),
        (LIMIT | {"price": "1000000.1"}, "-4002", ccxt.ExchangeError),
        (LIMIT | {"price": "63000.1"}, "-4016 .*63000.00", ccxt.BadRequest),
        (LIMIT | {"side": "SELL", "price": "56999.9"}, "-4024 .*57000.00", ccxt.BadRequest),
        (LIMIT | {"quantity": "0"}, "-4003", ccxt.BadRequest),
        (LIMIT | {"quantity": "-1"}, "-4003", ccxt.BadRequest),
        (LIMIT | {"quantity": "1001"}, "-4005", ccxt.BadRequest),
        (MARKET | {"quantity": "121"}, "-4005", ccxt.BadRequest),
        (LIMIT | {"quantity": "0.001"}, "-4164 .*no smaller than 100 ", ccxt.InvalidOrder),
        (MARKET | {"quantity": "40"}, "-2019", ccxt.InsufficientFunds),
        (MARKET | {"reduceOnly": "true"}, "-2022", ccxt.InvalidOrder),
        (LIMIT | {"timeInForce": "FOK"}, "-5021", ccxt.OrderNotFillable),
        (LIMIT | {"timeInForce": "GTX", "price": "60000.1"}, "-5022", ccxt.OrderNotFillable),
        (LIMIT | {"timeInForce": "DAY"}, "-1115", ccxt.ExchangeError),
        (LIMIT | {"newClientOrderId": "no spaces"}, "-4015", ccxt.BadRequest),
        (LIMIT | {"newClientOrderId": "x" * 37}, "-4015 .*36 chars", ccxt.BadRequest),
        (MARKET | {"positionSide": "LONG"}, "-4061", ccxt.OperationRejected),
        (MARKET | {"positionSide": "UP"}, "-4060", ccxt.ExchangeError),
        (MARKET | {"type": "STOP_MARKET", "stopPrice": "59000"}, "-4120", ccxt.InvalidOrder),
        (MARKET | {"type": "TRAILING_STOP_MARKET"}, "-4120", ccxt.InvalidOrder),
        (MARKET | {"type": "TWAP"}, "-1116", ccxt.BadRequest),
        (MARKET | {"side": "HOLD"}, "-1117", ccxt.ExchangeError),
        (MARKET | {"price": "60000"}, "-1106", ccxt.BadRequest),
        (MARKET | {"quantity": "much"}, "-1102 .*'quantity'", ccxt.BadRequest),
        ({**MARKET, "colour": "red"}, "-1104", ccxt.BadRequest),
    ],
)
async def test_an_order_is_refused(
    binance: Any, server: PaperServer, order: dict[str, str], match: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=match.replace(" ", ".*")):
        await binance.fapiPrivatePostOrder(order)
    assert server.futures.every_order() == []


@pytest.mark.parametrize(
    ("order", "match"),
    [
        (STOP | {"triggerPrice": "60000"}, "-2021"),
        (STOP | {"closePosition": "true"}, "-4137"),
        (STOP | {"type": "LIMIT"}, "-1116"),
        (STOP | {"type": "STOP"}, "-1102.*'price'"),
        (STOP | {"price": "59000"}, "-1106"),
        (STOP | {"algoType": "VP"}, "-1130"),
        (STOP | {"workingType": "INDEX"}, "-4031"),
        (STOP | {"clientAlgoId": "no spaces"}, "-4015"),
        (STOP | {"positionSide": "SHORT"}, "-4061"),
    ],
)
async def test_a_conditional_order_is_refused(
    binance: Any, server: PaperServer, order: dict[str, str], match: str
) -> None:
    with pytest.raises(ccxt.ExchangeError, match=match):
        await binance.fapiPrivatePostAlgoOrder(order)
    assert server.futures.algos.every() == []


async def test_a_client_id_is_taken_while_its_order_is_open(binance: Any) -> None:
    mine = {"clientOrderId": "mine"}
    order = await binance.create_order(BTC, "limit", "buy", "0.01", "59000", mine)
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        await binance.create_order(BTC, "market", "buy", "0.01", None, mine)
    await binance.cancel_order(order["id"], BTC)
    again = await binance.create_order(BTC, "market", "buy", "0.01", None, mine)
    assert again["status"] == "closed"
    newest = await binance.fetch_order("", BTC, mine)
    assert newest["id"] == again["id"] != order["id"]


@pytest.mark.parametrize(
    ("call", "params", "match"),
    [
        ("fapiPrivateGetOrder", {"symbol": BTC_ID, "orderId": "9"}, "-2013"),
        ("fapiPrivateGetOrder", {"symbol": BTC_ID}, "-1102.*'origClientOrderId' or 'orderId'"),
        ("fapiPrivateGetOpenOrder", {"symbol": BTC_ID, "orderId": "9"}, "-2013"),
        ("fapiPrivateDeleteOrder", {"symbol": BTC_ID, "orderId": "9"}, "-2011"),
        ("fapiPrivateGetAlgoOrder", {"clientAlgoId": "none"}, "-2013"),
        ("fapiPrivateGetAlgoOrder", {}, "-1102.*'algoId' or 'clientAlgoId'"),
        ("fapiPrivateDeleteAlgoOrder", {"algoId": "9"}, "-2011"),
        ("fapiPrivatePostLeverage", {"symbol": BTC_ID, "leverage": "126"}, "-4028"),
        ("fapiPrivatePostLeverage", {"symbol": BTC_ID}, "-1102.*'leverage'"),
        ("fapiPrivatePostMarginType", {"symbol": BTC_ID, "marginType": "CROSSED"}, "-4046"),
        ("fapiPrivatePostMarginType", {"symbol": BTC_ID, "marginType": "BOTH"}, "-1130"),
        ("fapiPrivatePostPositionSideDual", {"dualSidePosition": "false"}, "-4059"),
        ("fapiPrivatePostPositionSideDual", {"dualSidePosition": "true"}, "-4084"),
        ("fapiPublicGetDepth", {"symbol": BTC_ID, "limit": "7"}, "-4021"),
        ("fapiPublicGetKlines", {"symbol": BTC_ID, "interval": "7m"}, "-1120"),
        ("fapiPrivateGetUserTrades", {"symbol": BTC_ID, "startTime": "1", "endTime": "604800002"}, "-4165"),
        ("fapiPrivateGetUserTrades", {"symbol": BTC_ID, "startTime": "2", "endTime": "1"}, "-1023"),
    ],
)
async def test_other_calls_are_refused(binance: Any, call: str, params: dict[str, str], match: str) -> None:
    with pytest.raises(ccxt.ExchangeError, match=match):
        await getattr(binance, call)(params)


@pytest.mark.parametrize("path", ["/fapi/v1/accountConfig", "/fapi/v1/listenKey"])
async def test_a_key_without_futures_gets_nowhere(
    binance: Any, control: httpx2.AsyncClient, path: str
) -> None:
    answer = await control.post("/permissions", json={"futures": False})
    assert answer.json() == {"withdraw": False, "futures": False}
    call = "fapiPrivateGetAccountConfig" if "Config" in path else "fapiPrivatePostListenKey"
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await getattr(binance, call)()
    assert await binance.fetch_time(), "what anyone may read stays readable"
    await control.post("/permissions", json={"futures": True, "withdraw": True})
    assert (await binance.fapiPrivateGetAccountConfig())["canWithdraw"] is True


async def test_in_hedge_mode_no_order_is_taken(binance: Any, control: httpx2.AsyncClient) -> None:
    await control.post("/position_mode", json={"dual": True})
    assert (await binance.fetch_position_mode())["hedged"] is True
    for call, order in (("fapiPrivatePostOrder", MARKET), ("fapiPrivatePostAlgoOrder", STOP)):
        with pytest.raises(ccxt.OperationRejected, match="-4061"):
            await getattr(binance, call)(order)


async def test_wrong_keys_and_late_requests(binance: Any, server: PaperServer) -> None:
    server.exchange.offset_ms = 70_000
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await binance.fetch_balance()
    server.exchange.offset_ms = 0
    binance.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await binance.fetch_balance()
    binance.apiKey = "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await binance.fapiPrivatePostListenKey()


async def test_the_two_markets_have_weights_of_their_own(binance: Any, server: PaperServer) -> None:
    server.exchange.offset_ms = 60_000 - server.exchange.now % 60_000
    for _ in range(60):
        await binance.fapiPublicGetTicker24hr()
    with pytest.raises(ccxt.DDoSProtection, match=r"429.*-1003.*2400"):
        await binance.fetch_time()
    assert 1 <= int(binance.last_response_headers["Retry-After"]) <= 60
    async with httpx2.AsyncClient(base_url=server.url) as client:
        spot = await client.get("/api/v3/time")
        assert (spot.status_code, spot.headers["x-mbx-used-weight-1m"]) == (200, "1")
        codes = [(await client.get("/fapi/v1/time")).status_code for _ in range(12)]
    assert codes == [429] * 9 + [418] * 3


async def test_the_ban_ends() -> None:
    limits, minute = Limits.of_futures(), 60_000
    limits.spend(2_400, minute)
    errors = []
    for _ in range(11):
        with pytest.raises(Refusal, match="-1003") as refused:
            limits.spend(1, minute)
        errors.append(refused.value.http)
    assert errors == [429] * 10 + [418]
    with pytest.raises(Refusal, match="banned until"):
        limits.spend(1, minute + 119_999)
    assert limits.spend(1, minute + 120_000)["X-MBX-USED-WEIGHT-1M"] == "1"


@pytest.mark.parametrize(
    ("body", "msg"),
    [
        ({"do": "code", "http": 503, "code": None, "msg": "Unknown error, please check."}, "Unknown error"),
        ({"do": "code", "http": 503, "code": -1008, "msg": "Request throttled"}, "-1008"),
    ],
)
async def test_faults_of_the_kind_that_futures_have(
    binance: Any, server: PaperServer, control: httpx2.AsyncClient, body: dict[str, Any], msg: str
) -> None:
    fault = {"method": "POST", "path": "/fapi/v1/order", "when": "executed", **body}
    assert (await control.post("/fault", json=fault)).status_code == 200
    with pytest.raises(ccxt.BaseError, match=msg):
        await binance.create_order(BTC, "market", "buy", "0.01")
    assert len(server.futures.every_order()) == 1


async def test_the_control_surface_knows_both_markets(binance: Any, control: httpx2.AsyncClient) -> None:
    futures = {"market": "futures"}
    answer = await control.post("/price", json={"symbol": BTC_ID, "price": "61000", **futures})
    assert answer.json() == {"symbol": BTC_ID, "price": "61000.00"}
    assert Decimal((await binance.fetch_ticker(BTC))["last"]) == 61_000
    assert Decimal((await binance.fetch_funding_rate(BTC))["markPrice"]) == 61_000
    await control.post("/balance", json={"asset": "USDT", "free": "500", **futures})
    assert Decimal((await binance.fetch_balance())["free"]["USDT"]) == 500
    await control.post("/liquidity", json={"symbol": BTC_ID, "qtyPerLevel": "0.002", **futures})
    assert (await binance.fetch_order_book(BTC, 5))["bids"][0][1] == 0.002
    await binance.create_order(BTC, "limit", "buy", "0.01", "59000", {"clientOrderId": "seen"})
    await binance.create_order(BTC, "market", "sell", "0.01", None, {"stopLossPrice": "59000"})
    orders = (await control.get("/orders", params=futures)).json()
    assert [order["clientOrderId"] for order in orders["orders"]] == ["seen"]
    assert [algo["orderType"] for algo in orders["algos"]] == ["STOP_MARKET"]
    assert (await control.get("/orders")).json() == {"orders": []}


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/price", {"symbol": BTC_ID, "price": "60000.05", "market": "futures"}, "price: above 0 and a mult"),
        ("/price", {"symbol": BTC_ID, "price": "1", "market": "options"}, "market: spot or futures"),
        ("/balance", {"asset": "BTC", "free": "1", "market": "futures"}, "asset: on futures USDT"),
        ("/permissions", {"futures": "no"}, "futures: true or false"),
        ("/position_mode", {"dual": 1}, "dual: true or false"),
    ],
)
async def test_what_makes_no_sense_to_the_control_surface_is_refused(
    control: httpx2.AsyncClient, path: str, body: dict[str, Any], error: str
) -> None:
    answer = await control.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
