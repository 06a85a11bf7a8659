"""The market streams of spot, by the real client."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from broker.paper import PaperServer
from broker.paper.market.symbols import SPOT

from ..support import BTC, new_order
from .support import connected, until

pytestmark = pytest.mark.anyio


async def test_the_ticker_follows_the_price(binance: Any, server: PaperServer) -> None:
    assert (await binance.watch_ticker("BTC/USDT"))["last"] == "60000.00000000"
    server.exchange.pin(BTC, Decimal(61_000))
    news = await until(
        lambda: binance.watch_ticker("BTC/USDT"), lambda ticker: ticker["last"] != "60000.00000000"
    )
    assert news["last"] == "61000.00000000"
    assert Decimal(news["high"]) >= 61_000


async def test_the_full_ticker_has_the_best_prices(binance: Any) -> None:
    ticker = await binance.watch_ticker("BTC/USDT", {"name": "ticker"})
    fetched = await binance.fetch_ticker("BTC/USDT")
    for name in ("bid", "bidVolume", "ask", "askVolume", "open", "last", "previousClose"):
        assert ticker[name] == fetched[name], name


async def test_the_best_prices_are_told_when_they_change(binance: Any, server: PaperServer) -> None:
    first = (await binance.watch_bids_asks(["BTC/USDT"]))["BTC/USDT"]
    assert (first["bid"], first["ask"], first["askVolume"]) == (
        "59999.99000000",
        "60000.01000000",
        "0.10000000",
    )
    server.exchange.place(new_order(kind="MARKET", quantity="0.04"))
    changed = (await binance.watch_bids_asks(["BTC/USDT"]))["BTC/USDT"]
    assert changed["askVolume"] == "0.06000000"


async def test_every_trade_is_told_once(binance: Any) -> None:
    binance.newUpdates = True
    trades: list[dict[str, Any]] = []
    while len(trades) < 4:
        trades += await binance.watch_trades("ETH/USDT")
    ids = [int(trade["id"]) for trade in trades]
    assert [later - earlier for earlier, later in pairwise(ids)] == [1] * (len(ids) - 1)
    told = await binance.publicGetAggTrades({"symbol": "ETHUSDT", "fromId": ids[0], "limit": len(ids)})
    assert [(trade["p"], trade["q"]) for trade in told] == [(t["price"], t["amount"]) for t in trades]


async def test_candles_are_told_while_they_grow_and_when_they_are_over(server: PaperServer) -> None:
    async with connected(server, "/ws/ethusdt@kline_1s") as client:
        candles = [(await client.event())["k"] for _ in range(60)]
    over = next(candle for candle in candles if candle["x"])
    async with httpx2.AsyncClient(base_url=server.url) as http:
        params = {"symbol": "ETHUSDT", "interval": "1s", "startTime": over["t"], "limit": 1}
        row = (await http.get("/api/v3/klines", params=params)).json()[0]
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")
    assert [over[name] for name in names] == row[:11]
    assert sum(candle["t"] == over["t"] and candle["x"] for candle in candles) == 1


async def test_candles_reach_the_real_client(binance: Any) -> None:
    candles = await binance.watch_ohlcv("BTC/USDT", "1m")
    assert (candles[-1][4], candles[-1][0] % 60_000) == (60_000, 0)


async def test_the_kept_book_is_the_exchange_s(binance: Any, server: PaperServer) -> None:
    """What ccxt keeps by snapshot and changes, against the snapshot; before and after we took from it."""
    await binance.watch_order_book("BTC/USDT")
    server.exchange.place(new_order(kind="MARKET", quantity="0.25"))
    book = await until(
        lambda: binance.watch_order_book("BTC/USDT"), lambda book: book["asks"][0][0] > 60_000.1
    )
    fetched = await binance.fetch_order_book("BTC/USDT", 1000)
    assert book["asks"][0] == [60_001.01, 0.05]
    assert book["asks"] == fetched["asks"]
    assert book["bids"] == fetched["bids"]


async def test_partial_books(server: PaperServer) -> None:
    async with connected(server, "/ws/btcusdt@depth5") as client:
        book = await client.event()
    assert book.keys() == {"lastUpdateId", "bids", "asks"}
    assert [len(book["bids"]), len(book["asks"])] == [5, 5]
    assert book["asks"][0] == ["60000.01000000", "0.10000000"]


EVENTS = {
    "btcusdt@miniTicker": "e E s c o h l v q",
    "btcusdt@ticker": "e E s p P w x c Q b B a A o h l v q O C F L n",
    "btcusdt@bookTicker": "u s b B a A",
    "btcusdt@trade": "e E s t p q T m M",
    "btcusdt@aggTrade": "e E s a p q f l T m M",
    "btcusdt@kline_1m": "e E s k",
    "btcusdt@depth": "e E s U u b a",
}
"""By web-socket-streams.md."""
NUMBERS = frozenset("E O C F L n T U f l".split())
ALSO_NUMBERS = {
    "btcusdt@trade": {"t"},
    "btcusdt@aggTrade": {"a"},
    "btcusdt@bookTicker": {"u"},
    "btcusdt@depth": {"u"},
}
TEXTS_IN = {"btcusdt@miniTicker": {"l"}, "btcusdt@ticker": {"l"}}


@pytest.mark.parametrize("stream", EVENTS)
async def test_events_have_every_documented_field(server: PaperServer, stream: str) -> None:
    async with connected(server, f"/ws/{stream}") as client:
        event = await client.event()
    assert event.keys() == set(EVENTS[stream].split())
    numbers = (NUMBERS | ALSO_NUMBERS.get(stream, set())) - TEXTS_IN.get(stream, set())
    for name, value in event.items():
        expected = int if name in numbers else bool if name in ("m", "M") else (str, list, dict)
        assert isinstance(value, expected), name


async def test_all_tickers_in_one_event(server: PaperServer) -> None:
    async with connected(server, "/ws/!miniTicker@arr") as client:
        tickers = await client.event()
    assert {ticker["s"] for ticker in tickers} == {symbol.name for symbol in SPOT}
