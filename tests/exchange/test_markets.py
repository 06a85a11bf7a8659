"""Symbols, their rules, and the file that remembers them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.clock import utc_now
from broker.errors import BrokerError, Code
from broker.exchange import Exchange, Market, clients
from broker.exchange.markets import Cache, Markets, rules_of, trim
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import Control, connected, started, until

D = Decimal

INFO: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "orderTypes": ["LIMIT", "MARKET"],
    "isSpotTradingAllowed": True,
    "permissionSets": [["SPOT", "TRD_GRP_004"]],
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "0.00000000",
            "tickSize": "0.01000000",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000", "stepSize": "0.00001000"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "120.5", "stepSize": "0"},
        {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9000000", "applyMinToMarket": True},
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "4",
            "askMultiplierDown": "0.3",
        },
        {"filterType": "ICEBERG_PARTS", "limit": 10},
    ],
}


def test_rules_are_the_filters_texts() -> None:
    rules = rules_of(INFO)
    assert (rules.symbol, rules.base, rules.quote) == ("BTCUSDT", "BTC", "USDT")
    assert (rules.tick, rules.step) == (D("0.01"), D("0.00001"))
    assert (rules.min_amount, rules.max_amount) == (D("0.00001"), D(9000))
    assert (rules.min_notional, rules.max_notional) == (D(5), D(9000000))
    assert (rules.bid_up, rules.bid_down, rules.ask_up, rules.ask_down) == (D(5), D("0.2"), D(4), D("0.3"))
    assert rules.active
    assert rules.order_types == {"LIMIT", "MARKET"}


def test_a_market_order_obeys_the_tighter_of_both_lot_filters() -> None:
    rules = rules_of(INFO)
    assert (rules.market_min_amount, rules.market_max_amount) == (D("0.00001"), D("120.5"))


def test_a_limit_of_zero_is_none() -> None:
    assert rules_of(INFO).max_price is None


@pytest.mark.parametrize(
    ("flags", "least", "most"),
    [
        ({"applyMinToMarket": True, "applyMaxToMarket": False}, D(5), None),
        ({"applyMinToMarket": False, "applyMaxToMarket": True}, D(0), D(9)),
    ],
)
def test_a_market_orders_notional_is_limited_where_binance_says_so(
    flags: dict[str, bool], least: Decimal, most: Decimal | None
) -> None:
    others = [item for item in INFO["filters"] if item["filterType"] != "NOTIONAL"]
    notional = {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9", **flags}
    rules = rules_of(INFO | {"filters": [*others, notional]})
    assert (rules.min_notional, rules.max_notional) == (D(5), D(9))
    assert (rules.market_min_notional, rules.market_max_notional) == (least, most)


@pytest.mark.parametrize(("minutes", "by_last"), [(5, False), (0, True)])
def test_without_minutes_of_an_average_the_last_price_counts(minutes: int, by_last: bool) -> None:
    others = [item for item in INFO["filters"] if item["filterType"] != "NOTIONAL"]
    notional = {"filterType": "NOTIONAL", "minNotional": "5", "avgPriceMins": minutes}
    assert rules_of(INFO | {"filters": [*others, notional]}).by_last_price is by_last


def test_a_symbol_with_the_older_filters_has_rules_too() -> None:
    older = [item for item in INFO["filters"] if item["filterType"] in ("PRICE_FILTER", "LOT_SIZE")]
    minimum = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": False}
    rules = rules_of(INFO | {"filters": [*older, minimum], "status": "BREAK"})
    assert (rules.min_notional, rules.max_notional, rules.bid_up) == (D(10), None, None)
    assert (rules.market_max_amount, rules.market_min_notional) == (D(9000), D(0))
    assert not rules.active


def test_trimming_changes_no_rule() -> None:
    trimmed = trim(INFO)
    assert rules_of(trimmed) == rules_of(INFO)
    assert "permissionSets" not in trimmed
    assert len(trimmed["filters"]) == 5


@pytest.mark.parametrize("filters", [[], [{"filterType": "PRICE_FILTER"}]])
def test_a_symbol_without_rules_is_an_error_like_others(filters: list[Any]) -> None:
    client = clients.executor(Settings(_env_file=None), "http://127.0.0.1:1", timeout_seconds=1)
    markets = Markets(Market.SPOT, client)
    markets.take([INFO | {"filters": filters}])
    with pytest.raises(BrokerError) as failed:
        markets.rules("BTCUSDT")
    assert failed.value.code is Code.BINANCE_UNAVAILABLE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "paper.spot.markets.json"


def test_kept_symbols_are_read_for_an_hour(file: Path) -> None:
    cache, now = Cache(file, "paper"), utc_now()
    cache.write([trim(INFO)], now)
    assert cache.read(now + timedelta(minutes=59)) == [trim(INFO)]
    assert cache.read(now + timedelta(minutes=61)) is None


def test_kept_symbols_of_the_future_or_of_another_mode_are_not_read(file: Path) -> None:
    now = utc_now()
    Cache(file, "paper").write([trim(INFO)], now)
    assert Cache(file, "live").read(now) is None
    assert Cache(file, "paper").read(now - timedelta(seconds=1)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"savedAt": 1}', "\udcff"])
def test_a_broken_file_is_not_read(file: Path, text: str) -> None:
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert Cache(file, "paper").read(utc_now()) is None


@pytest.mark.anyio
async def test_a_symbol_may_be_an_id_or_unified(exchange: Exchange) -> None:
    assert exchange.spot.symbol("BTCUSDT") == exchange.spot.symbol("BTC/USDT") == "BTCUSDT"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("NOSUCH", "NOSUCH"),
        ("btcusdt", "btcusdt"),
        ("", ""),
        ("X" * 1000, "X" * 30),
        ("BTC-240101-C", "BTC-240101-C"),
        ("\n<b>", "\n<b>"),
    ],
)
async def test_an_unknown_symbol_is_named_as_far_as_it_is_short(
    exchange: Exchange, text: str, shown: str
) -> None:
    for ask in (exchange.spot.symbol, exchange.spot.rules):
        with pytest.raises(BrokerError) as failed:
            ask(text)
        assert failed.value.code is Code.UNKNOWN_SYMBOL
        assert failed.value.details == {"symbol": shown}
        assert repr(shown) in failed.value.message
        assert "\n" not in failed.value.message


@pytest.mark.anyio
async def test_markets_are_asked_for_once_for_reads_and_orders(exchange: Exchange, control: Control) -> None:
    await exchange.spot.ticker("BTCUSDT")
    await exchange.spot.account()
    await exchange.spot.look_up("BTCUSDT", "cb-1")
    assert len(await control.requests("GET", "/api/v3/exchangeInfo")) == 1


@pytest.mark.anyio
async def test_a_start_from_the_file_needs_no_binance_and_has_the_same_rules(
    settings: Settings, paper: PaperServer, file: Path
) -> None:
    async with connected(settings, paper.url, cache_folder=file.parent) as exchange:
        rules = exchange.spot.rules("BTCUSDT")
        await until(lambda: asyncio.to_thread(file.exists))
    async with connected(settings, "http://127.0.0.1:9", cache_folder=file.parent) as exchange:
        assert exchange.spot.ready
        assert exchange.spot.rules("BTCUSDT") == rules
        assert exchange.spot.symbol("BTC/USDT") == "BTCUSDT"


@pytest.mark.anyio
@pytest.mark.parametrize("symbols", [[1], [{}], [{"symbol": "X", "filters": 3}]])
async def test_a_file_with_nonsense_does_not_hinder_the_start(
    settings: Settings, paper: PaperServer, file: Path, symbols: list[Any]
) -> None:
    Cache(file, "paper").write(symbols, utc_now())
    async with connected(settings, paper.url, cache_folder=file.parent) as exchange:
        assert exchange.spot.symbol("BTCUSDT") == "BTCUSDT"


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_written_does_not_hinder_the_start(
    settings: Settings, paper: PaperServer, tmp_path: Path
) -> None:
    missing = tmp_path / "no" / "such" / "folder"
    async with started(settings, paper.url, cache_folder=missing) as exchange:
        await exchange.until_ready()
        assert (await exchange.spot.account()).can_trade
