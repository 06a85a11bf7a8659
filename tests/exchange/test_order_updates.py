"""News of the account's own orders, from the paper exchange's user streams."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from broker.clock import utc_now
from broker.exchange import Exchange, Market, OrderRequest
from broker.settings import Settings

from .helpers import BUY, REST, Control, submit, until

pytestmark = pytest.mark.anyio

D = Decimal

LONG = OrderRequest("BTCUSDT", "buy", "market", D("0.01"), None, market=Market.FUTURES)
STOP = OrderRequest(
    "BTCUSDT", "sell", "stop_loss", D("0.01"), None, D(58_000), reduce_only=True, market=Market.FUTURES
)


class Heard:
    """What the listener was told, and the wait for more."""

    def __init__(self, exchange: Exchange) -> None:
        self._told: list[tuple[str, str]] = []
        self._more = asyncio.Event()
        exchange.order_news(self._hear)

    def _hear(self, market: str, client_order_id: str) -> None:
        self._told.append((market, client_order_id))
        self._more.set()

    async def until(self, market: str, client_order_id: str) -> None:
        async with asyncio.timeout(10):
            while (market, client_order_id) not in self._told:
                await self._more.wait()
                self._more.clear()
        self._told.clear()


async def listening(exchange: Exchange, control: Control) -> Heard:
    """Both user streams are subscribed to."""
    heard = Heard(exchange)
    exchange.watch_orders(True)
    await until(lambda: control.user_streams({"spot", "futures"}))
    return heard


async def test_a_placed_a_filled_and_a_cancelled_order_are_told_by_their_ids(
    exchange: Exchange, control: Control
) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000")
    heard = await listening(exchange, control)
    placed = await submit(exchange, REST, "cb-rest")
    await heard.until("spot", "cb-rest")
    assert placed.order is not None
    await exchange.spot.cancel("BTCUSDT", placed.order.id)
    await heard.until("spot", "cb-rest")
    await submit(exchange, REST, "cb-filled")
    await heard.until("spot", "cb-filled")
    await control.do("price", symbol="BTCUSDT", price="49000")
    await heard.until("spot", "cb-filled")


async def test_an_order_of_many_fills_is_told_and_what_follows_it_too(
    exchange: Exchange, control: Control
) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000")
    await control.do("liquidity", symbol="BTCUSDT", qtyPerLevel="0.001")
    heard = await listening(exchange, control)
    await submit(exchange, BUY, "cb-many")
    await heard.until("spot", "cb-many")
    await submit(exchange, REST, "cb-rest")
    await heard.until("spot", "cb-rest")


async def test_futures_tell_orders_and_conditional_ones_by_their_own_ids(
    exchange: Exchange, control: Control
) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000", market="futures")
    heard = await listening(exchange, control)
    await submit(exchange, LONG, "cb-long")
    await heard.until("futures", "cb-long")
    await submit(exchange, STOP, "cb-stop")
    await heard.until("futures", "cb-stop")
    await control.do("price", symbol="BTCUSDT", price="57000", market="futures")
    await heard.until("futures", "cb-stop")


async def test_a_stream_that_was_cut_says_so_and_is_started_anew(
    exchange: Exchange, control: Control
) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000")
    heard = await listening(exchange, control)
    await control.do("streams", close=True)
    await heard.until("spot", "")
    await until(lambda: control.user_streams({"spot", "futures"}))
    await submit(exchange, REST, "cb-after")
    await heard.until("spot", "cb-after")


async def test_nothing_runs_unless_wanted(exchange: Exchange, control: Control) -> None:
    heard = await listening(exchange, control)
    exchange.watch_orders(True)
    exchange.watch_orders(False)
    exchange.watch_orders(False)
    await until(lambda: control.user_streams(set()))
    assert not exchange.spot.order_stream.clients
    exchange.watch_orders(True)
    await until(lambda: control.user_streams({"spot", "futures"}))
    await control.do("price", symbol="BTCUSDT", price="60000")
    await submit(exchange, REST, "cb-again")
    await heard.until("spot", "cb-again")


async def test_without_keys_nothing_is_tried() -> None:
    given: dict[str, Any] = {"binance_testnet": False, "binance_futures_testnet": False}
    live = Settings(**given, _env_file=None)
    exchange = Exchange(live, paper_url=None, clock=utc_now, cache_folder=None)
    before = asyncio.all_tasks()
    exchange.watch_orders(True)
    assert asyncio.all_tasks() == before
    await exchange.close()


async def test_a_spot_key_has_news_of_spot_alone(exchange: Exchange, control: Control) -> None:
    await control.do("permissions", withdraw=False, futures=False)
    heard = Heard(exchange)
    exchange.watch_orders(True)
    await until(lambda: control.user_streams({"spot"}))
    await control.do("price", symbol="BTCUSDT", price="60000")
    await submit(exchange, REST, "cb-rest")
    await heard.until("spot", "cb-rest")
