"""Where each mode's clients would go, and where they cannot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from broker.exchange import clients
from broker.settings import Settings

KEYS = {"binance_api_key": "k" * 16, "binance_api_secret": "s" * 16}
LIVE = {"binance_testnet": False, "binance_futures_testnet": False}

MODES: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, "http://127.0.0.1:1234", "http://127.0.0.1:1234/api/v3"),
    (KEYS, None, "https://testnet.binance.vision/api/v3"),
    (KEYS | LIVE, None, "https://api.binance.com/api/v3"),
    (LIVE, None, "https://api.binance.com/api/v3"),
]

ROLES = [clients.reader, clients.executor]


@pytest.mark.parametrize("build", ROLES)
@pytest.mark.parametrize(("given", "paper_url", "address"), MODES)
def test_a_client_knows_the_two_sections_of_its_mode_and_no_other(
    build: Any, given: dict[str, Any], paper_url: str | None, address: str
) -> None:
    client = build(Settings(**given, _env_file=None), paper_url, timeout_seconds=1)
    assert client.urls["api"] == {"public": address, "private": address}
    with pytest.raises(ccxt.NotSupported):
        client.sign("capital/withdraw/apply", ["sapi"], "POST", {})


def test_paper_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="address of the paper exchange"):
        clients.reader(Settings(_env_file=None), None, timeout_seconds=1)


@pytest.mark.parametrize("build", ROLES)
def test_nothing_but_markets_is_asked_for_at_the_load(build: Any) -> None:
    client = build(Settings(_env_file=None), "http://127.0.0.1:1", timeout_seconds=1)
    assert client.options["fetchCurrencies"] is False
    assert client.options["fetchMargins"] is False
    assert client.options["fetchMarkets"]["types"] == ["spot"]


def test_the_executor_neither_waits_nor_repeats() -> None:
    client = clients.executor(Settings(_env_file=None), "http://127.0.0.1:1", timeout_seconds=20)
    assert client.enableRateLimit is False
    assert "maxRetriesOnFailure" not in client.options
    assert client.timeout == 20_000


def test_reads_are_throttled_by_a_rolling_window_and_give_decimals() -> None:
    client = clients.reader(Settings(_env_file=None), "http://127.0.0.1:1", timeout_seconds=8)
    assert client.enableRateLimit is True
    assert client.tokenBucket["algorithm"] == "rollingWindow"
    assert client.parse_number("0.1") == Decimal("0.1")


@pytest.mark.parametrize(
    ("code", "error"),
    [("-2008", ccxt.AuthenticationError), ("-2026", ccxt.InvalidOrder), ("-1008", ccxt.OperationFailed)],
)
def test_loopback_has_binances_table_of_errors(code: str, error: type[Exception]) -> None:
    client = clients.reader(Settings(_env_file=None), "http://127.0.0.1:1", timeout_seconds=1)
    assert client.get_exceptions_by_url("http://127.0.0.1:1/api/v3/order", "exact")[code] is error
