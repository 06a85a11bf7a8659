"""Live prices through the real ccxt.pro, from the paper exchange's WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from broker.clock import to_ms, utc_now
from broker.exchange import Exchange, LivePrice
from broker.paper import PaperServer
from broker.paper.streams import Pace
from broker.settings import Settings

from .helpers import Control, connected, until

pytestmark = pytest.mark.anyio

D = Decimal

BTC, ETH = "BTCUSDT", "ETHUSDT"


@pytest.fixture
async def paper(tmp_path: Path) -> AsyncIterator[PaperServer]:
    """It tells prices every 50 ms."""
    pace = Pace(slow=0.05, fast=0.05)
    async with PaperServer(tmp_path / "paper", port=0, seed=1, clock=utc_now, pace=pace) as server:
        yield server


async def told(exchange: Exchange, market: str, symbol: str, price: Decimal) -> LivePrice:
    """The live price, as soon as it is that one."""
    with exchange.prices.subscribed() as woken:
        async with asyncio.timeout(10):
            while True:
                live = exchange.prices.last(market, symbol)
                if live is not None and live.price == price:
                    return live
                await woken.wait()
                woken.clear()


async def nothing_runs(control: Control) -> None:
    await until(lambda: control.streams(0))


def test_a_price_is_stale_after_five_seconds_without_news() -> None:
    live = LivePrice(D(1), 10_000)
    assert not live.stale(15_000)
    assert live.stale(15_001)


def test_a_price_of_a_time_to_come_is_stale_the_clock_was_set_back() -> None:
    assert LivePrice(D(1), 3_600_000).stale(0)
    assert not LivePrice(D(1), 20).stale(0)  # heard while the page was being drawn, or a small step


@pytest.mark.parametrize("market", ["spot", "futures"])
async def test_a_wanted_price_is_heard_at_once_and_at_each_change(
    exchange: Exchange, control: Control, market: str
) -> None:
    await control.do("price", symbol=BTC, price="60000", **of(market))
    assert exchange.prices.last(market, BTC) is None
    exchange.prices.want("page", [(market, BTC)])
    first = await told(exchange, market, BTC, D(60_000))
    assert abs(first.at_ms - to_ms(utc_now())) < 5_000
    await control.do("price", symbol=BTC, price="60100.1", **of(market))
    second = await told(exchange, market, BTC, D("60100.1"))
    assert second.at_ms >= first.at_ms


async def test_markets_are_told_apart(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol=BTC, price="60000")
    await control.do("price", symbol=BTC, price="61000", market="futures")
    exchange.prices.want("page", [("spot", BTC), ("futures", BTC)])
    await told(exchange, "spot", BTC, D(60_000))
    await told(exchange, "futures", BTC, D(61_000))


async def test_one_subscription_serves_all_and_ends_with_the_last(
    exchange: Exchange, control: Control
) -> None:
    await control.do("price", symbol=BTC, price="60000")
    exchange.prices.want("page-1", [("spot", BTC)])
    exchange.prices.want("page-2", [("spot", BTC), ("spot", ETH)])
    await told(exchange, "spot", BTC, D(60_000))
    await until(lambda: control.streams(2))
    exchange.prices.want("page-1", [])
    exchange.prices.want("page-2", [("spot", BTC)])
    await until(lambda: control.streams(1))
    await control.do("price", symbol=BTC, price="60001")
    await told(exchange, "spot", BTC, D(60_001))
    exchange.prices.want("page-2", [])
    await nothing_runs(control)
    assert exchange.prices.last("spot", BTC) is None


@pytest.mark.parametrize("market", ["spot", "futures"])
async def test_when_nothing_is_wanted_no_connection_is_open(
    exchange: Exchange, control: Control, market: str
) -> None:
    await control.do("price", symbol=BTC, price="60000", **of(market))
    await control.do("price", symbol=ETH, price="3000", **of(market))
    exchange.prices.want("page", [(market, BTC), (market, ETH)])
    await told(exchange, market, BTC, D(60_000))
    await told(exchange, market, ETH, D(3_000))
    client = exchange.on(market).price_stream
    assert len(client.clients) == 1
    exchange.prices.want("page", [])
    await until(lambda: asyncio.sleep(0, not client.clients and not exchange.prices._watches))
    assert (await control.do("streams", close=True))["closed"] == 0


@pytest.mark.parametrize("market", ["spot", "futures"])
async def test_a_stream_that_was_cut_is_started_anew(
    exchange: Exchange, control: Control, market: str
) -> None:
    await control.do("price", symbol=BTC, price="60000", **of(market))
    await control.do("price", symbol=ETH, price="3000", **of(market))
    exchange.prices.want("page", [(market, BTC), (market, ETH)])
    await told(exchange, market, BTC, D(60_000))
    await told(exchange, market, ETH, D(3_000))
    for price in (60_001, 60_002):
        assert (await control.do("streams", close=True))["closed"] == 1
        await control.do("price", symbol=BTC, price=str(price), **of(market))
        await control.do("price", symbol=ETH, price=str(price), **of(market))
        await told(exchange, market, BTC, D(price))
        await told(exchange, market, ETH, D(price))


async def test_a_silent_stream_leaves_a_price_that_grows_stale(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol=BTC, price="60000")
    exchange.prices.want("page", [("spot", BTC)])
    await told(exchange, "spot", BTC, D(60_000))
    await control.do("streams", pause=True)
    await control.do("price", symbol=BTC, price="70000")
    with exchange.prices.subscribed() as woken:
        await asyncio.sleep(0.2)
        woken.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await woken.wait()
    live = exchange.prices.last("spot", BTC)
    assert live is not None
    assert live.price == 60_000
    assert live.stale(to_ms(utc_now()) + 5_000)
    await control.do("streams", pause=False)
    await told(exchange, "spot", BTC, D(70_000))


async def test_what_is_wanted_again_while_it_ends_goes_on(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol=BTC, price="60000")
    exchange.prices.want("page", [("spot", BTC)])
    await told(exchange, "spot", BTC, D(60_000))
    exchange.prices.want("page", [])
    await asyncio.sleep(0)
    exchange.prices.want("page", [("spot", BTC)])
    await control.do("price", symbol=BTC, price="60001")
    await told(exchange, "spot", BTC, D(60_001))
    assert await control.streams(1)


async def test_interest_before_the_markets_are_there_is_kept(
    settings: Settings, paper: PaperServer, control: Control
) -> None:
    await control.do("price", symbol=BTC, price="60000")
    exchange = Exchange(settings, paper_url=paper.url, clock=utc_now, cache_folder=None)
    await exchange.start()
    exchange.prices.want("page", [("spot", BTC)])
    await told(exchange, "spot", BTC, D(60_000))
    await asyncio.wait_for(exchange.close(), 5)


async def test_closing_ends_all_streams(settings: Settings, paper: PaperServer, control: Control) -> None:
    await control.do("price", symbol=BTC, price="60000")
    async with connected(settings, paper.url) as exchange:
        exchange.prices.want("page", [("spot", BTC), ("spot", ETH)])
        await told(exchange, "spot", BTC, D(60_000))
    await nothing_runs(control)
    exchange.prices.want("page", [("spot", BTC)])
    assert not exchange.prices._watches


def of(market: str) -> dict[str, str]:
    """For the control surface, where spot goes without saying."""
    return {} if market == "spot" else {"market": market}
