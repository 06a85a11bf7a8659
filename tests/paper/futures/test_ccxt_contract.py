"""Every futures call that the broker may make, by the real client, over HTTP."""

from decimal import Decimal
from typing import Any

import ccxt
import httpx2
import pytest

from broker.paper import PaperServer
from broker.paper.futures import funding

from .support import BTC as BTC_ID

pytestmark = pytest.mark.anyio
BTC = "BTC/USDT:USDT"


async def test_markets_carry_their_precision_and_limits(binance: Any) -> None:
    market = binance.market(BTC)
    assert (market["id"], market["linear"], market["settle"]) == (BTC_ID, True, "USDT")
    assert (market["precision"]["price"], market["precision"]["amount"]) == ("0.10", "0.001")
    assert market["limits"]["cost"]["min"] == "100"
    assert (market["limits"]["amount"]["max"], market["limits"]["market"]["max"]) == ("1000", "120")
    info = await binance.fapiPublicGetExchangeInfo()
    kinds = {kind for symbol in info["symbols"] for kind in symbol["orderTypes"]}
    assert kinds == {"LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"}
    assert {limit["limit"] for limit in info["rateLimits"]} == {2400, 300, 1200}
    filters = {rule["filterType"] for rule in info["symbols"][0]["filters"]}
    assert {"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MAX_NUM_ORDERS", "PERCENT_PRICE"} <= filters


async def test_prices_and_books(binance: Any) -> None:
    ticker = await binance.fetch_ticker(BTC)
    assert Decimal(ticker["last"]) == 60_000
    assert ticker["bid"] is None
    book = await binance.fetch_order_book(BTC, 5)
    assert (book["bids"][0], book["asks"][0]) == ([59_999.9, 1.0], [60_000.1, 1.0])
    assert (await binance.fetch_bids_asks([BTC]))[BTC]["bid"] == "59999.90000000"
    assert Decimal((await binance.fetch_last_prices([BTC]))[BTC]["price"]) == 60_000
    assert Decimal((await binance.fetch_trades(BTC, limit=3))[-1]["price"]) == 60_000
    candles = await binance.fetch_ohlcv(BTC, "1h", limit=24)
    assert [candle[0] % 3_600_000 for candle in candles] == [0] * 24
    assert abs(await binance.fetch_time() - ticker["timestamp"]) < 5_000
    assert set(await binance.fetch_tickers()) == set(binance.symbols)


async def test_funding(binance: Any, server: PaperServer) -> None:
    rate = await binance.fetch_funding_rate(BTC)
    assert Decimal(rate["markPrice"]) == 60_000
    assert rate["fundingTimestamp"] == funding.next_time(server.futures.now)
    history = await binance.fetch_funding_rate_history(BTC, limit=3)
    assert [entry["timestamp"] % funding.INTERVAL_MS for entry in history] == [0, 0, 0]
    assert Decimal(history[-1]["fundingRate"]) == funding.rate(BTC_ID, 7, history[-1]["timestamp"])
    assert (await binance.fetch_funding_interval(BTC))["interval"] == "8h"
    since = history[0]["timestamp"]
    assert await binance.fetch_funding_rate_history(BTC, since=since, limit=2) == history[:2]


async def test_a_new_account(binance: Any) -> None:
    balance = await binance.fetch_balance()
    assert balance["USDT"] == {"free": "100000.00000000", "used": "0.00000000", "total": "100000.00000000"}
    assert await binance.fetch_positions() == []
    config = await binance.fapiPrivateGetAccountConfig()
    assert (config["canTrade"], config["canWithdraw"], config["dualSidePosition"]) == (True, False, False)
    assert await binance.fetch_position_mode() == {
        "hedged": False,
        "info": {"dualSidePosition": False},
    }
    assert (await binance.fapiPrivateV3GetBalance())[0]["availableBalance"] == "100000.00000000"
    assert (await binance.fapiPrivateGetMultiAssetsMargin())["multiAssetsMargin"] is False
    fee = await binance.fetch_trading_fee(BTC)
    assert (fee["maker"], fee["taker"]) == ("0.0002", "0.0005")


async def test_leverage_is_set_and_read_back(binance: Any) -> None:
    assert (await binance.fetch_leverage(BTC))["longLeverage"] == 20
    answer = await binance.set_leverage(10, BTC)
    assert answer == {"leverage": 10, "maxNotionalValue": "230000000", "symbol": BTC_ID}
    assert (await binance.fetch_leverage(BTC))["longLeverage"] == 10
    tiers = (await binance.fetch_leverage_tiers([BTC]))[BTC]
    assert (tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"]) == ("125", "0.004")
    await binance.set_margin_mode("isolated", BTC)
    assert (await binance.fetch_margin_modes([BTC]))[BTC]["marginMode"] == "isolated"


async def test_a_position_from_entry_to_exit(binance: Any, server: PaperServer) -> None:
    order = await binance.create_order(BTC, "market", "buy", "0.1", None, {"clientOrderId": "in"})
    assert (order["status"], order["clientOrderId"], order["average"]) == ("closed", "in", "60000.10000000")
    [held] = await binance.fetch_positions([BTC])
    assert (held["side"], Decimal(held["contracts"]), held["entryPrice"]) == (
        "long",
        Decimal("0.1"),
        order["average"],
    )
    assert held["marginMode"] == "cross"
    assert Decimal(held["initialMargin"]) == 300
    server.futures.pin(BTC_ID, Decimal(61_000))
    close = await binance.create_order(
        BTC, "market", "sell", "0.1", None, {"reduceOnly": True, "clientOrderId": "out"}
    )
    assert close["reduceOnly"] is True
    assert await binance.fetch_positions([BTC]) == []
    entry, leave = await binance.fetch_my_trades(BTC)
    profit = Decimal(leave["info"]["realizedPnl"])
    assert profit == Decimal("99.98")
    fees = Decimal(entry["fee"]["cost"]) + Decimal(leave["fee"]["cost"])
    assert Decimal((await binance.fetch_balance())["total"]["USDT"]) == 100_000 + profit - fees
    assert await binance.fetch_my_trades(BTC, params={"orderId": close["id"]}) == [leave]
    assert {entry["incomeType"] for entry in await binance.fapiPrivateGetIncome()} == {
        "TRANSFER",
        "COMMISSION",
        "REALIZED_PNL",
    }


async def test_a_limit_order_is_found_and_cancelled(binance: Any) -> None:
    order = await binance.create_order(BTC, "limit", "buy", "0.01", "59000", {"clientOrderId": "rests"})
    assert order["status"] == "open"
    found = await binance.fetch_order("", BTC, {"clientOrderId": "rests"})
    assert found["id"] == order["id"] == (await binance.fetch_open_orders(BTC))[0]["id"]
    assert (await binance.fapiPrivateGetOpenOrder({"symbol": BTC_ID, "orderId": order["id"]}))["orderId"]
    assert Decimal((await binance.fetch_balance())["free"]["USDT"]) == 100_000 - Decimal("29.5")
    assert (await binance.cancel_order(order["id"], BTC))["status"] == "canceled"
    assert await binance.fetch_open_orders(BTC) == []
    assert [old["status"] for old in await binance.fetch_orders(BTC)] == ["canceled"]
    await binance.create_order(BTC, "limit", "buy", "0.01", "59000")
    await binance.cancel_all_orders(BTC)
    assert await binance.fetch_open_orders(BTC) == []


@pytest.mark.parametrize(
    ("kind", "amount", "price", "params", "wire"),
    [
        ("market", "0.1", None, {"stopLossPrice": "59000", "reduceOnly": True}, "STOP_MARKET"),
        ("limit", "0.1", "58900", {"stopLossPrice": "59000"}, "STOP"),
        ("market", "0.1", None, {"takeProfitPrice": "61000"}, "TAKE_PROFIT_MARKET"),
        ("limit", "0.1", "61000", {"takeProfitPrice": "61000"}, "TAKE_PROFIT"),
        ("market", None, None, {"stopLossPrice": "59000", "closePosition": True}, "STOP_MARKET"),
    ],
)
async def test_conditional_orders(
    binance: Any, server: PaperServer, kind: str, amount: str, price: str, params: dict[str, Any], wire: str
) -> None:
    await binance.create_order(BTC, "market", "buy", "0.1")
    placed = await binance.create_order(
        BTC, kind, "sell", amount, price, {**params, "clientOrderId": "waits"}
    )
    assert (placed["info"]["orderType"], placed["info"]["algoStatus"], placed["status"]) == (
        wire,
        "NEW",
        "open",
    )
    [waiting] = await binance.fetch_open_orders(BTC, params={"trigger": True})
    assert (waiting["id"], waiting["clientOrderId"]) == (placed["id"], "waits")
    trigger = params.get("stopLossPrice") or params["takeProfitPrice"]
    server.futures.pin(BTC_ID, Decimal(trigger))
    found = await binance.fetch_order("", BTC, {"clientOrderId": "waits", "trigger": True})
    order = await binance.fetch_order(found["info"]["actualOrderId"], BTC)
    assert (order["side"], Decimal(order["amount"])) == ("sell", Decimal("0.1"))
    assert found["info"]["algoStatus"] == ("FINISHED" if order["status"] == "closed" else "TRIGGERED")
    assert [old["id"] for old in await binance.fetch_orders(BTC, params={"trigger": True})] == [placed["id"]]


@pytest.mark.parametrize("kind", ["stop_loss", "STOP_LOSS", "take_profit"])
async def test_a_type_of_spot_is_refused_before_anything_is_sent(
    binance: Any, control: httpx2.AsyncClient, kind: str
) -> None:
    before = (await control.get("/requests")).json()
    with pytest.raises(ccxt.InvalidOrder):
        await binance.create_order(BTC, kind, "sell", "0.1", None, {"stopPrice": "59000"})
    assert (await control.get("/requests")).json() == before


async def test_conditional_orders_are_cancelled(binance: Any) -> None:
    waits = {"stopLossPrice": "59000", "clientOrderId": "waits"}
    placed = await binance.create_order(BTC, "market", "sell", "0.1", None, waits)
    cancelled = await binance.cancel_order(placed["id"], BTC, {"trigger": True})
    assert cancelled["info"] == {
        "algoId": int(placed["id"]),
        "clientAlgoId": "waits",
        "code": "200",
        "msg": "success",
    }
    await binance.create_order(BTC, "market", "sell", "0.1", None, waits)
    await binance.cancel_all_orders(BTC, {"trigger": True})
    assert await binance.fetch_open_orders(BTC, params={"trigger": True}) == []


@pytest.mark.parametrize(("response", "status"), [("ACK", "NEW"), ("RESULT", "FILLED")])
async def test_the_answer_to_an_order_tells_the_outcome_only_if_asked(
    binance: Any, response: str, status: str
) -> None:
    order = await binance.fapiPrivatePostOrder(
        {
            "symbol": BTC_ID,
            "side": "BUY",
            "type": "MARKET",
            "quantity": "0.01",
            "newOrderRespType": response,
        }
    )
    assert order["status"] == status
    assert (await binance.fetch_order(order["orderId"], BTC))["status"] == "closed"


async def test_headers_tell_what_was_used(binance: Any) -> None:
    await binance.create_order(BTC, "market", "buy", "0.01")
    headers = binance.last_response_headers
    assert (headers["x-mbx-order-count-10s"], headers["x-mbx-order-count-1m"]) == ("1", "1")
    before = int(headers["x-mbx-used-weight-1m"])
    await binance.fetch_positions([BTC])
    assert int(binance.last_response_headers["x-mbx-used-weight-1m"]) == before + 6


async def test_the_listen_key_is_kept_for_an_hour(binance: Any, server: PaperServer) -> None:
    key = (await binance.fapiPrivatePostListenKey())["listenKey"]
    keys = server.futures.listen_keys
    assert (await binance.fapiPrivatePutListenKey())["listenKey"] == key
    assert keys.is_valid(key)
    server.exchange.offset_ms = 3_600_001
    assert not keys.is_valid(key)
    assert (await binance.fapiPrivatePostListenKey())["listenKey"] != key
    await binance.fapiPrivateDeleteListenKey()
    with pytest.raises(ccxt.ExchangeError, match="-1125"):
        await binance.fapiPrivatePutListenKey()
