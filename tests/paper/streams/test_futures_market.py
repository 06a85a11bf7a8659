"""The market streams of futures, by the real client."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from broker.paper import PaperServer
from broker.paper.futures import funding

from ..futures.support import new_order
from ..support import BTC
from .support import connected, until

pytestmark = pytest.mark.anyio
SYMBOL = "BTC/USDT:USDT"


async def test_the_ticker_follows_the_price(usdm: Any, server: PaperServer) -> None:
    assert Decimal((await usdm.watch_ticker(SYMBOL))["last"]) == 60_000
    server.futures.pin(BTC, Decimal(61_000))
    news = await until(lambda: usdm.watch_ticker(SYMBOL), lambda ticker: Decimal(ticker["last"]) != 60_000)
    assert Decimal(news["last"]) == 61_000


async def test_the_full_ticker_is_the_fetched_one(usdm: Any) -> None:
    ticker = await usdm.watch_ticker(SYMBOL, {"name": "ticker"})
    fetched = await usdm.fetch_ticker(SYMBOL)
    assert Decimal(ticker["open"]) == Decimal(fetched["open"])
    assert Decimal(ticker["percentage"]) == Decimal(fetched["percentage"])


async def test_the_mark_price_with_its_funding(usdm: Any, server: PaperServer) -> None:
    news = await usdm.watch_mark_price(SYMBOL)
    fetched = await usdm.fetch_funding_rate(SYMBOL)
    assert Decimal(news["markPrice"]) == Decimal(news["indexPrice"]) == 60_000
    assert Decimal(news["info"]["r"]) == Decimal(fetched["fundingRate"])
    assert news["info"]["T"] == funding.next_time(server.futures.now) == fetched["fundingTimestamp"]


async def test_every_trade_is_told_once(usdm: Any) -> None:
    usdm.newUpdates = True
    trades: list[dict[str, Any]] = []
    while len(trades) < 4:
        trades += await usdm.watch_trades("ETH/USDT:USDT", params={"name": "aggTrade"})
    ids = [int(trade["id"]) for trade in trades]
    assert [later - earlier for earlier, later in pairwise(ids)] == [1] * (len(ids) - 1)
    told = await usdm.fapiPublicGetAggTrades({"symbol": "ETHUSDT", "fromId": ids[0], "limit": len(ids)})
    assert [Decimal(trade["q"]) for trade in told] == [Decimal(trade["amount"]) for trade in trades]


async def test_the_kept_book_is_the_exchange_s(usdm: Any, server: PaperServer) -> None:
    await usdm.watch_order_book(SYMBOL)
    server.futures.place(new_order(quantity="0.25"))
    book = await until(lambda: usdm.watch_order_book(SYMBOL), lambda book: book["asks"][0][0] > 60_000.5)
    fetched = await usdm.fetch_order_book(SYMBOL, 1000)
    assert book["asks"][0] == [60_001.1, 0.05]
    assert (book["asks"], book["bids"]) == (fetched["asks"], fetched["bids"])


async def test_the_kept_book_of_a_moving_market(usdm: Any) -> None:
    """No change is missed: ccxt checks that each follows the one before. It may tell the first one twice."""
    books: list[int] = []
    while len(set(books)) < 5:
        books.append((await usdm.watch_order_book("ETH/USDT:USDT"))["nonce"])
    assert books[-5:] == sorted(set(books))  # and none of the later ones


EVENTS = {
    "market/ws/btcusdt@miniTicker": "e E s c o h l v q",
    "market/ws/btcusdt@ticker": "e E s p P w c Q o h l v q O C F L n",
    "market/ws/btcusdt@markPrice": "e E s p ap i P r T",
    "market/ws/btcusdt@aggTrade": "e E s a p q nq f l T m",
    "market/ws/btcusdt@kline_1m": "e E s k",
    "public/ws/btcusdt@bookTicker": "e u E T s b B a A",
    "public/ws/btcusdt@trade": "e E T s t p q X m",
    "public/ws/btcusdt@depth": "e E T s U u pu b a",
    "public/ws/btcusdt@depth5@100ms": "e E T s U u pu b a",
}
"""By Binance's "WebSocket Market Streams" of USDⓈ-M futures."""


@pytest.mark.parametrize("stream", EVENTS)
async def test_events_have_every_documented_field(server: PaperServer, stream: str) -> None:
    async with connected(server, f"/{stream}") as client:
        event = await client.event()
    assert event.keys() == set(EVENTS[stream].split())
    assert event["s"] == BTC


@pytest.mark.parametrize(
    "stream", ["public/ws/btcusdt@ticker", "market/ws/btcusdt@depth", "ws/btcusdt@markPrice"]
)
async def test_on_the_wrong_way_nothing_is_heard(server: PaperServer, stream: str) -> None:
    async with connected(server, f"/{stream}") as client:
        assert await client.is_silent()


@pytest.mark.parametrize("stream", ["!miniTicker@arr", "!ticker@arr", "!markPrice@arr", "!markPrice@arr@1s"])
async def test_all_markets_in_one_event(server: PaperServer, stream: str) -> None:
    async with connected(server, f"/market/ws/{stream}") as client:
        assert {each["s"] for each in await client.event()} == set(server.futures.contracts)


async def test_both_markets_are_listed(server: PaperServer, control: httpx2.AsyncClient) -> None:
    async with (
        connected(server, "/ws/btcusdt@miniTicker") as spot,
        connected(server, "/market/stream?streams=btcusdt@miniTicker") as futures,
    ):
        await spot.event()
        assert (await futures.event())["stream"] == "btcusdt@miniTicker"
        listed = (await control.get("/streams")).json()["subscriptions"]
    names = [{"market": market, "stream": "btcusdt@miniTicker"} for market in ("spot", "futures")]
    assert listed == names
