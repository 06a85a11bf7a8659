"""Where each mode's clients would go, and where they cannot."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from broker.exchange import Market, clients
from broker.exchange.wire import UnexpectedRequest, recording
from broker.settings import Settings

KEYS = {"binance_api_key": "k" * 16, "binance_api_secret": "s" * 16}
FUTURES_KEYS = {"binance_futures_api_key": "f" * 16, "binance_futures_api_secret": "t" * 16}
LIVE = {"binance_testnet": False, "binance_futures_testnet": False}
PAPER = "http://127.0.0.1:1234"

SPOT, FUTURES = Market.SPOT, Market.FUTURES


def made(role: str, market: Market, given: dict[str, Any], paper_url: str | None) -> Any:
    settings = Settings(**given, _env_file=None)
    if role in ("reader", "executor"):
        return getattr(clients, role)(settings, paper_url, timeout_seconds=1, market=market)
    return getattr(clients, role)(settings, paper_url, market=market)


def fapi(base: str) -> dict[str, str]:
    return {"fapiPublic": f"{base}/v1", "fapiPrivate": f"{base}/v1", "fapiPrivateV3": f"{base}/v3"}


def spot(base: str) -> dict[str, str]:
    return {"public": base, "private": base}


ADDRESSES: list[tuple[str, Market, dict[str, Any], str | None, dict[str, Any]]] = [
    ("reader", SPOT, {}, PAPER, spot(f"{PAPER}/api/v3") | {"sapi": f"{PAPER}/sapi/v1"}),
    ("reader", SPOT, KEYS, None, spot("https://testnet.binance.vision/api/v3")),
    (
        "reader",
        SPOT,
        KEYS | LIVE,
        None,
        spot("https://api.binance.com/api/v3") | {"sapi": "https://api.binance.com/sapi/v1"},
    ),
    ("reader", FUTURES, {}, PAPER, fapi(f"{PAPER}/fapi") | {"sapi": f"{PAPER}/sapi/v1"}),
    ("reader", FUTURES, KEYS, None, fapi("https://demo-fapi.binance.com/fapi")),
    (
        "reader",
        FUTURES,
        KEYS | LIVE,
        None,
        fapi("https://fapi.binance.com/fapi") | {"sapi": "https://api.binance.com/sapi/v1"},
    ),
    ("executor", SPOT, {}, PAPER, {"private": f"{PAPER}/api/v3"}),
    ("executor", SPOT, KEYS, None, {"private": "https://testnet.binance.vision/api/v3"}),
    ("executor", SPOT, KEYS | LIVE, None, {"private": "https://api.binance.com/api/v3"}),
    ("executor", FUTURES, {}, PAPER, {"fapiPrivate": f"{PAPER}/fapi/v1"}),
    ("executor", FUTURES, KEYS, None, {"fapiPrivate": "https://demo-fapi.binance.com/fapi/v1"}),
    ("executor", FUTURES, KEYS | LIVE, None, {"fapiPrivate": "https://fapi.binance.com/fapi/v1"}),
    (
        "prices",
        SPOT,
        KEYS | LIVE,
        None,
        {
            "ws": {
                "spot": "wss://stream.binance.com:9443/ws",
                "ws-api": {"spot": "wss://ws-api.binance.com:443/ws-api/v3"},
            }
        },
    ),
    ("prices", FUTURES, KEYS | LIVE, None, {"ws": {"linear": "wss://fstream.binance.com/ws"}}),
    ("prices", FUTURES, KEYS, None, {"ws": {"linear": "wss://fstream.binancefuture.com/ws"}}),
    (
        "order_updates",
        SPOT,
        KEYS,
        None,
        {
            "ws": {
                "spot": "wss://stream.testnet.binance.vision/ws",
                "ws-api": {"spot": "wss://ws-api.testnet.binance.vision/ws-api/v3"},
            }
        },
    ),
    (
        "order_updates",
        FUTURES,
        KEYS | LIVE,
        None,
        {
            "fapiPrivate": "https://fapi.binance.com/fapi/v1",
            "ws": {"linear": "wss://fstream.binance.com/ws"},
        },
    ),
]


@pytest.mark.parametrize(("role", "market", "given", "paper_url", "addresses"), ADDRESSES)
def test_a_client_knows_the_addresses_of_its_mode_and_role_and_no_other(
    role: str, market: Market, given: dict[str, Any], paper_url: str | None, addresses: dict[str, Any]
) -> None:
    assert made(role, market, given, paper_url).urls["api"] == addresses


@pytest.mark.parametrize("role", ["prices", "order_updates"])
@pytest.mark.parametrize("market", Market)
def test_streams_of_paper_stay_on_its_port(role: str, market: Market) -> None:
    streams = made(role, market, {}, PAPER).urls["api"]["ws"]
    told = [streams["linear"]] if market is FUTURES else [streams["spot"], streams["ws-api"]["spot"]]
    assert all(address.startswith("ws://127.0.0.1:1234/") for address in told)


WALLET = [
    "capital/withdraw/apply",
    "asset/transfer",
    "sub-account/universalTransfer",
    "account/apiRestrictions/x",
]


@pytest.mark.anyio
@pytest.mark.parametrize("role", ["reader", "executor", "prices", "order_updates"])
@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("given", [{}, KEYS, KEYS | LIVE])
async def test_nothing_that_moves_funds_can_be_asked_for(
    role: str, market: Market, given: dict[str, Any]
) -> None:
    client = made(role, market, given, PAPER)
    client.weight, client.now_ms = None, lambda: 1
    for path, method in itertools.product(WALLET, ("GET", "POST", "DELETE")):
        with recording() as facts, pytest.raises((ccxt.NotSupported, UnexpectedRequest)):
            request = client.sign(path, ["sapi"], method, {})
            await client.fetch(request["url"], request["method"], request["headers"], request["body"])
        assert not facts.sent


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize("section", ["papi", "dapiPrivate", "eapiPrivate", "sapiV2", "sapiV3", "v1"])
def test_other_sections_have_no_address(market: Market, section: str) -> None:
    for role in ("reader", "executor", "prices", "order_updates"):
        with pytest.raises(ccxt.NotSupported):
            made(role, market, KEYS | LIVE, None).sign("order", [section], "POST", {})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "listenKey", ""),
        ("DELETE", "listenKey", ""),
        ("GET", "listenKey", None),
        ("POST", "listenKey", "symbol=BTCUSDT"),
        ("POST", "order", ""),
        ("GET", "account", None),
    ],
)
async def test_a_stream_of_news_may_ask_for_its_key_alone(method: str, path: str, body: str | None) -> None:
    client = made("order_updates", FUTURES, {}, PAPER)
    with pytest.raises(UnexpectedRequest):
        await client.fetch(f"{PAPER}/fapi/v1/{path}", method, None, body)
    with pytest.raises(UnexpectedRequest):
        await made("prices", FUTURES, {}, PAPER).fetch(f"{PAPER}/fapi/v1/listenKey", "POST", None, "")


@pytest.mark.parametrize(
    ("market", "given", "key"),
    [
        (SPOT, KEYS | FUTURES_KEYS, "k" * 16),
        (FUTURES, KEYS | FUTURES_KEYS, "f" * 16),
        (FUTURES, KEYS, "k" * 16),
        (FUTURES, {}, "paper-key"),
        (FUTURES, LIVE, ""),
    ],
)
def test_futures_have_a_key_of_their_own_or_spots(market: Market, given: dict[str, Any], key: str) -> None:
    for role in ("reader", "executor", "order_updates"):
        assert made(role, market, given, PAPER).apiKey == key
    assert made("prices", market, given, PAPER).apiKey == ""


@pytest.mark.parametrize("market", Market)
def test_paper_without_an_address_is_refused(market: Market) -> None:
    for role in ("reader", "executor", "prices", "order_updates"):
        with pytest.raises(ValueError, match="URL of the paper exchange"):
            made(role, market, {}, None)


@pytest.mark.parametrize("role", ["reader", "executor"])
@pytest.mark.parametrize(("market", "kind"), [(SPOT, "spot"), (FUTURES, "linear")])
def test_nothing_but_markets_is_asked_for_at_the_load(role: str, market: Market, kind: str) -> None:
    client = made(role, market, {}, PAPER)
    assert client.options["fetchCurrencies"] is False
    assert client.options["fetchMargins"] is False
    assert client.options["fetchMarkets"]["types"] == [kind]


@pytest.mark.parametrize("market", Market)
def test_the_executor_neither_waits_nor_repeats(market: Market) -> None:
    client = clients.executor(Settings(_env_file=None), PAPER, timeout_seconds=20, market=market)
    assert client.enableRateLimit is False
    assert "maxRetriesOnFailure" not in client.options
    assert client.timeout == 20_000


@pytest.mark.parametrize("market", Market)
def test_reads_are_throttled_by_a_rolling_window_and_give_decimals(market: Market) -> None:
    client = made("reader", market, {}, PAPER)
    assert client.enableRateLimit is True
    assert client.tokenBucket["algorithm"] == "rollingWindow"
    client.init_throttler()
    assert client.throttler.config["maxWeight"] == {SPOT: 960, FUTURES: 1920}[market], "80 % of all"
    assert client.parse_number("0.1") == Decimal("0.1")


@pytest.mark.parametrize(
    ("market", "code", "error"),
    [
        (SPOT, "-2008", ccxt.AuthenticationError),
        (SPOT, "-2026", ccxt.InvalidOrder),
        (SPOT, "-1008", ccxt.OperationFailed),
        (FUTURES, "-2019", ccxt.InsufficientFunds),
        (FUTURES, "-2021", ccxt.OrderImmediatelyFillable),
        (FUTURES, "-4164", ccxt.InvalidOrder),
    ],
)
def test_loopback_has_binances_table_of_errors(market: Market, code: str, error: type[Exception]) -> None:
    client = made("reader", market, {}, PAPER)
    assert client.get_exceptions_by_url(f"{PAPER}/x/order", "exact")[code] is error
