"""Starting, stopping, and a Binance that is not there."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from broker.clock import utc_now
from broker.errors import BrokerError, Code
from broker.exchange import Exchange, Verdict
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import BUY, Control, connected, started, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


async def test_a_binance_that_is_down_at_start_is_waited_for(
    settings: Settings, free_port: int, tmp_path: Path
) -> None:
    async with started(settings, f"http://127.0.0.1:{free_port}") as exchange:
        assert await until(lambda: asyncio.sleep(0, exchange.last_error))
        with pytest.raises(BrokerError) as failed:
            await exchange.spot.account()
        assert failed.value.code is Code.BINANCE_UNAVAILABLE
        assert (exchange.spot.ready, exchange.spot.reachable) == (False, False)
        async with PaperServer(tmp_path, port=free_port, seed=1, clock=utc_now):
            await asyncio.wait_for(exchange.until_ready(), 10)
            assert (await exchange.spot.account()).can_trade
            assert exchange.spot.reachable


async def test_a_binance_that_answers_before_its_markets_are_there_is_not_said_to_be_well(
    settings: Settings, paper: PaperServer, control: Control
) -> None:
    refused = {"method": "GET", "path": "/api/v3/exchangeInfo", "code": -1000, "http": 503}
    await control.do("fault", when="received", do="code", times=2, **refused)
    async with started(settings, paper.url) as exchange:
        await exchange.spot.server_time_ms()
        assert exchange.spot.reachable
        assert exchange.last_error == "Binance is not available: its symbols are not loaded yet"
        await asyncio.wait_for(exchange.until_ready(), 10)
        await asyncio.wait_for(exchange.futures.until_ready(), 10)
        assert exchange.last_error is None


async def test_before_the_markets_are_there_nothing_is_sent(settings: Settings, free_port: int) -> None:
    async with started(settings, f"http://127.0.0.1:{free_port}") as exchange:
        sent = await exchange.spot.submit(BUY, client_order_id="cb-1", timestamp_ms=0)
        assert (sent.verdict, sent.http) == (Verdict.NOT_SENT, None)
        for ask in (exchange.spot.symbol, exchange.spot.rules):
            with pytest.raises(BrokerError) as failed:
                ask("BTCUSDT")
            assert failed.value.code is Code.BINANCE_UNAVAILABLE


async def test_an_order_to_a_binance_that_is_gone_was_certainly_not_sent(
    settings: Settings, tmp_path: Path
) -> None:
    async with PaperServer(tmp_path, port=0, seed=1, clock=utc_now) as paper:
        async with connected(settings, paper.url) as exchange:
            now = await exchange.spot.server_time_ms()
            await paper.__aexit__(None, None, None)
            sent = await exchange.spot.submit(BUY, client_order_id="cb-1", timestamp_ms=now)
            assert (sent.verdict, sent.reason) == (Verdict.NOT_SENT, "no connection to Binance")
            with pytest.raises(BrokerError) as failed:
                await exchange.spot.look_up("BTCUSDT", "cb-1")
            assert failed.value.code is Code.BINANCE_UNAVAILABLE


async def test_an_order_whose_tls_fails_was_certainly_not_sent(
    settings: Settings, paper: PaperServer, tmp_path: Path
) -> None:
    async with connected(settings, paper.url, cache_folder=tmp_path) as exchange:
        await until(lambda: asyncio.to_thread((tmp_path / "paper.spot.markets.json").exists))
    no_tls = paper.url.replace("http://", "https://")
    async with connected(settings, no_tls, cache_folder=tmp_path) as exchange:
        sent = await exchange.spot.submit(BUY, client_order_id="cb-1", timestamp_ms=0)
        assert (sent.verdict, sent.reason) == (Verdict.NOT_SENT, "no connection to Binance")


async def test_closing_waits_for_no_answer(exchange: Exchange, control: Control) -> None:
    await control.do("fault", method="GET", path="/api/v3/account", when="received", do="hold")
    waiting = asyncio.create_task(exchange.spot.account())
    await control.held()
    await asyncio.wait_for(exchange.close(), 5)
    with pytest.raises(BrokerError) as failed:
        await waiting
    assert failed.value.code is Code.BINANCE_UNAVAILABLE


async def test_an_exchange_that_was_never_started_can_be_closed(settings: Settings) -> None:
    await Exchange(settings, paper_url="http://127.0.0.1:9", clock=utc_now, cache_folder=None).close()


async def test_live_without_keys_refuses_what_needs_them() -> None:
    live = Settings(binance_testnet=False, binance_futures_testnet=False, _env_file=None)
    # Never started: it has nothing that it could connect with.
    exchange = Exchange(live, paper_url=None, clock=utc_now, cache_folder=None)
    calls = (
        exchange.spot.account(),
        exchange.spot.open_orders(),
        exchange.spot.look_up("BTCUSDT", "cb-1"),
    )
    for call in calls:
        with pytest.raises(BrokerError) as failed:
            await call
        assert failed.value.code is Code.BINANCE_NOT_CONFIGURED
        assert failed.value.message == "Binance API not configured"
    sent = await exchange.spot.submit(BUY, client_order_id="cb-1", timestamp_ms=0)
    assert (sent.verdict, sent.reason) == (Verdict.NOT_SENT, "Binance API not configured")
    await exchange.close()
