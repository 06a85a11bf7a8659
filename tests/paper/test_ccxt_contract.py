"""Every call that the broker may make, by the real client, over HTTP."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from broker.paper import PaperServer

pytestmark = pytest.mark.anyio
BTC = "BTC/USDT"
MINUTE = 60_000


async def test_markets_carry_their_precision_and_limits(binance: Any) -> None:
    market = binance.market(BTC)
    assert market["id"] == "BTCUSDT"
    assert market["active"] and market["spot"]
    assert Decimal(market["precision"]["price"]) == Decimal("0.01")
    assert Decimal(market["precision"]["amount"]) == Decimal("0.00001")
    assert Decimal(market["limits"]["cost"]["min"]) == 5
    assert Decimal(market["limits"]["amount"]["max"]) == 9_000
    assert Decimal(market["limits"]["market"]["max"]) == 120
    in_dollars = {"BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT"}
    assert set(binance.symbols) == {*in_dollars, "ETH/BTC", "USDT/BRL", "EUR/USDT"}


async def test_markets_can_be_asked_for_by_a_list(binance: Any) -> None:
    listed = await binance.publicGetExchangeInfo(
        {"symbols": '["ETHUSDT","BTCUSDT"]', "showPermissionSets": "false"}
    )
    assert [symbol["symbol"] for symbol in listed["symbols"]] == ["ETHUSDT", "BTCUSDT"]
    assert listed["symbols"][0]["permissionSets"] == []
    assert listed["rateLimits"][0]["limit"] == 6000


async def test_the_ticker_of_the_day(binance: Any) -> None:
    ticker = await binance.fetch_ticker(BTC)
    assert Decimal(ticker["last"]) == 60_000
    assert (ticker["bid"], ticker["ask"]) == ("59999.99000000", "60000.01000000")
    assert Decimal(ticker["low"]) <= 60_000 <= Decimal(ticker["high"])
    change = Decimal(ticker["last"]) / Decimal(ticker["open"]) * 100 - 100
    assert abs(change - Decimal(ticker["percentage"])) < Decimal("0.001")
    assert abs(ticker["timestamp"] - await binance.fetch_time()) < 5_000


async def test_tickers_of_all_symbols_and_of_some(binance: Any) -> None:
    assert len(await binance.fetch_tickers()) == 7
    assert set(await binance.fetch_tickers([BTC, "ETH/USDT"])) == {BTC, "ETH/USDT"}
    assert Decimal((await binance.fetch_last_prices([BTC]))[BTC]["price"]) == 60_000
    assert (await binance.fetch_bids_asks([BTC]))[BTC]["bid"] == "59999.99000000"
    mini = await binance.publicGetTicker24hr({"symbol": "BTCUSDT", "type": "MINI"})
    assert "bidPrice" not in mini and mini["lastPrice"] == "60000.00000000"


async def test_the_average_price(binance: Any) -> None:
    average = await binance.publicGetAvgPrice({"symbol": "BTCUSDT"})
    assert average["mins"] == 5
    assert 57_000 < Decimal(average["price"]) < 63_000


@pytest.mark.parametrize("limit", [5, 10, 20, 50, 100])
async def test_the_order_book_has_as_many_levels_as_are_asked_for(binance: Any, limit: int) -> None:
    book = await binance.fetch_order_book(BTC, limit)
    assert len(book["bids"]) == len(book["asks"]) == limit
    assert book["bids"][0][0] == 59_999.99
    assert [level[0] for level in book["asks"]] == sorted(level[0] for level in book["asks"])


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"])
async def test_candles_are_complete_for_every_interval(binance: Any, interval: str) -> None:
    candles = await binance.fetch_ohlcv("ETH/USDT", interval, limit=500)
    length = binance.parse_timeframe(interval) * 1000
    assert len(candles) == 500
    assert {later[0] - earlier[0] for earlier, later in pairwise(candles)} == {length}
    for _, opened, high, low, closed, volume in candles:
        assert Decimal(low) <= min(Decimal(opened), Decimal(closed))
        assert max(Decimal(opened), Decimal(closed)) <= Decimal(high)
        assert Decimal(volume) > 0


async def test_candles_from_a_time_on(binance: Any) -> None:
    start = (await binance.fetch_time()) // MINUTE * MINUTE - 10 * MINUTE
    candles = await binance.fetch_ohlcv(BTC, "1m", since=start, limit=3)
    assert [candle[0] for candle in candles] == [start, start + MINUTE, start + 2 * MINUTE]


async def test_public_trades_end_at_the_last_price(binance: Any) -> None:
    trades = await binance.fetch_trades(BTC, limit=50)
    assert len(trades) == 50
    assert Decimal(trades[-1]["price"]) == 60_000
    assert {trade["side"] for trade in trades} <= {"buy", "sell"}
    raw = await binance.publicGetTrades({"symbol": "BTCUSDT", "limit": "1"})
    assert int(raw[0]["id"]) >= int(trades[-1]["id"])


async def test_a_new_account_has_a_hundred_thousand_usdt_and_nothing_else(binance: Any) -> None:
    balance = await binance.fetch_balance()
    assert {asset: Decimal(total) for asset, total in balance["total"].items() if Decimal(total)} == {
        "USDT": 100_000
    }
    account = balance["info"]
    assert account["canTrade"] is True and account["canWithdraw"] is False
    assert account["commissionRates"]["taker"] == "0.00100000"
    assert {"uid", "permissions", "accountType", "updateTime", "requireSelfTradePrevention"} <= set(account)


async def test_a_market_order_and_its_trades(binance: Any) -> None:
    order = await binance.create_order(BTC, "market", "buy", "0.15", None, {"clientOrderId": "first"})
    assert (order["status"], order["clientOrderId"], Decimal(order["filled"])) == (
        "closed",
        "first",
        Decimal("0.15"),
    )
    assert Decimal(order["cost"]) == Decimal("9000.0265")
    assert len(order["info"]["fills"]) == 2
    trades = await binance.fetch_my_trades(BTC)
    assert [trade["takerOrMaker"] for trade in trades] == ["taker", "taker"]
    assert [Decimal(trade["fee"]["cost"]) for trade in trades] == [Decimal("0.0001"), Decimal("0.00005")]
    assert await binance.fetch_my_trades(BTC, params={"orderId": order["id"]}) == trades
    assert await binance.fetch_my_trades(BTC, params={"fromId": trades[1]["id"]}) == trades[1:]


async def test_a_market_order_by_cost(binance: Any) -> None:
    order = await binance.create_order(BTC, "market", "buy", None, None, {"quoteOrderQty": "100"})
    assert Decimal("99.4") < Decimal(order["cost"]) <= 100


async def test_a_limit_order_is_found_by_either_id_and_cancelled(binance: Any) -> None:
    order = await binance.create_order(BTC, "limit", "buy", "0.01", "59000", {"clientOrderId": "rests"})
    assert order["status"] == "open"
    found = await binance.fetch_order("", BTC, {"clientOrderId": "rests"})
    assert found["id"] == order["id"] == (await binance.fetch_open_orders(BTC))[0]["id"]
    assert (await binance.fetch_balance())["USDT"]["used"] == "590.00000000"
    cancelled = await binance.cancel_order(order["id"], BTC)
    assert cancelled["status"] == "canceled"
    assert await binance.fetch_open_orders(BTC) == []
    assert (await binance.fetch_order(order["id"], BTC))["status"] == "canceled"


async def test_open_orders_of_all_symbols_and_cancelling_those_of_one(binance: Any) -> None:
    binance.options["fetchOpenOrders"] = {"warnWithoutSymbol": False}
    for symbol, price in ((BTC, "59000"), (BTC, "58000"), ("ETH/USDT", "2500")):
        await binance.create_order(symbol, "limit", "buy", "0.01", price)
    assert len(await binance.fetch_open_orders()) == 3
    assert len(await binance.cancel_all_orders(BTC)) == 2
    assert [order["symbol"] for order in await binance.fetch_open_orders()] == ["ETH/USDT"]


async def test_every_order_of_a_symbol_in_the_order_they_came(binance: Any) -> None:
    for number in range(3):
        await binance.create_order(
            BTC, "limit", "buy", "0.01", f"{59_000 - number}", {"clientOrderId": f"n{number}"}
        )
    orders = await binance.fetch_orders(BTC)
    assert [order["clientOrderId"] for order in orders] == ["n0", "n1", "n2"]
    later = await binance.fetch_orders(BTC, params={"orderId": orders[1]["id"]})
    assert [order["clientOrderId"] for order in later] == ["n1", "n2"]
    assert [order["clientOrderId"] for order in await binance.fetch_orders(BTC, limit=1)] == ["n2"]


@pytest.mark.parametrize(
    ("kind", "price", "params", "wire"),
    [
        ("market", None, {"stopLossPrice": "59000"}, "STOP_LOSS"),
        ("limit", "58900", {"stopLossPrice": "59000"}, "STOP_LOSS_LIMIT"),
        ("market", None, {"takeProfitPrice": "61000"}, "TAKE_PROFIT"),
        ("limit", "61000", {"takeProfitPrice": "61000"}, "TAKE_PROFIT_LIMIT"),
        ("STOP_LOSS", None, {"stopPrice": "59000"}, "STOP_LOSS"),
        ("stop_loss", None, {"stopPrice": "59000"}, "STOP_LOSS"),
        ("stop_loss_limit", "58900", {"stopPrice": "59000"}, "STOP_LOSS_LIMIT"),
        ("take_profit", None, {"stopPrice": "61000"}, "TAKE_PROFIT"),
    ],
)
async def test_stops_wait(
    binance: Any, server: PaperServer, kind: str, price: str | None, params: dict[str, str], wire: str
) -> None:
    server.exchange.set_free("BTC", Decimal(1))
    order = await binance.create_order(BTC, kind, "sell", "0.01", price, params)
    found = await binance.fetch_order(order["id"], BTC)
    assert (found["info"]["type"], found["info"]["isWorking"], found["status"]) == (wire, False, "open")
    assert Decimal(found["triggerPrice"]) == Decimal(next(iter(params.values())))


async def test_a_dry_run_is_checked_but_not_placed(binance: Any) -> None:
    await binance.create_order(BTC, "limit", "buy", "0.01", "59000", {"test": True})
    assert await binance.fetch_orders(BTC) == []


async def test_what_the_key_may_do(binance: Any) -> None:
    restrictions = await binance.sapiGetAccountApiRestrictions()
    assert restrictions["enableWithdrawals"] is False
    assert restrictions["enableSpotAndMarginTrading"] is True


@pytest.mark.parametrize(
    ("response", "has_status", "has_fills"),
    [("ACK", False, False), ("RESULT", True, False), ("FULL", True, True)],
)
async def test_the_answer_to_an_order_is_as_long_as_it_is_asked_for(
    binance: Any, response: str, has_status: bool, has_fills: bool
) -> None:
    order = await binance.privatePostOrder(
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "MARKET",
            "quantity": "0.01",
            "newOrderRespType": response,
        }
    )
    assert {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"} <= set(order)
    assert ("status" in order, "fills" in order) == (has_status, has_fills)


async def test_a_filled_order_is_seen_as_soon_as_the_price_is_set(
    binance: Any, control: httpx2.AsyncClient
) -> None:
    order = await binance.create_order(BTC, "limit", "buy", "0.1", "59000")
    await control.post("/price", json={"symbol": "BTCUSDT", "price": "59000"})
    assert (await binance.fetch_order(order["id"], BTC))["status"] == "closed"


async def test_headers_tell_what_was_used(binance: Any) -> None:
    await binance.create_order(BTC, "market", "buy", "0.01")
    headers = binance.last_response_headers
    assert headers["x-mbx-order-count-10s"] == "1"
    assert headers["x-mbx-used-weight"] == headers["x-mbx-used-weight-1m"]
    assert int(headers["x-mbx-used-weight"]) >= 1
