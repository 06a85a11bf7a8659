"""What the keys may do, as the operator is told before the first order."""

from __future__ import annotations

from typing import Any

import pytest

from broker.clock import utc_now
from broker.exchange import Exchange, Finding, Level, examine
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import Control, connected

pytestmark = pytest.mark.anyio

KEYS: dict[str, Any] = {"binance_api_key": "k" * 16, "binance_api_secret": "s" * 16}
LIVE: dict[str, Any] = {**KEYS, "binance_testnet": False, "binance_futures_testnet": False}
FUTURES_KEYS = {"binance_futures_api_key": "f" * 16, "binance_futures_api_secret": "t" * 16}


async def found(exchange: Exchange, **given: Any) -> dict[str, Finding]:
    """Findings by subject. The mode is the settings', the exchange the paper one."""
    return {
        finding.subject: finding for finding in await examine(exchange, Settings(**given, _env_file=None))
    }


async def test_all_is_well_with_paper(exchange: Exchange, settings: Settings) -> None:
    findings = await examine(exchange, settings)
    assert [finding.subject for finding in findings] == ["clock", "API key", "withdrawals", "futures"]
    assert {finding.level for finding in findings} == {Level.OK}
    assert not any(finding.unknown or finding.forbids for finding in findings)


@pytest.mark.parametrize(
    ("offset_ms", "level", "told"),
    [
        (0, Level.OK, "ms from Binance's"),
        (2_500, Level.WARN, "s behind Binance's"),
        (-2_500, Level.WARN, "s ahead of Binance's"),
        (60_000, Level.BAD, "s behind Binance's"),
    ],
)
async def test_a_clock_that_is_wrong_is_told(
    settings: Settings, paper: PaperServer, control: Control, offset_ms: int, level: Level, told: str
) -> None:
    await control.do("clock", offset_ms=offset_ms)
    async with connected(settings, paper.url) as exchange:
        finding = (await found(exchange))["clock"]
    assert (finding.level, told in finding.text) == (level, True)


@pytest.mark.parametrize(
    ("given", "level", "forbids"),
    [
        ({}, Level.WARN, False),
        (LIVE, Level.BAD, True),
        (LIVE | {"allow_withdrawal_keys": True}, Level.WARN, False),
    ],
)
async def test_a_key_that_may_withdraw_is_forbidden_in_live_mode_alone(
    exchange: Exchange, control: Control, given: dict[str, Any], level: Level, forbids: bool
) -> None:
    await control.do("permissions", withdraw=True, futures=True)
    finding = (await found(exchange, **given))["withdrawals"]
    assert (finding.level, finding.forbids, finding.unknown) == (level, forbids, False)
    assert "may withdraw" in finding.text


async def test_a_futures_key_of_its_own_is_asked_about_too(exchange: Exchange, control: Control) -> None:
    path = "/sapi/v1/account/apiRestrictions"
    await found(exchange, **LIVE)
    assert len(await control.requests("GET", path)) == 1
    await found(exchange, **LIVE, **FUTURES_KEYS)
    assert len(await control.requests("GET", path)) == 3


async def test_on_testnet_withdrawals_are_not_checked(exchange: Exchange, control: Control) -> None:
    finding = (await found(exchange, **KEYS))["withdrawals"]
    assert (finding.level, finding.text) == (Level.OK, "not checked on testnet")
    assert await control.requests("GET", "/sapi/v1/account/apiRestrictions") == []


async def test_rights_that_cannot_be_read_are_unknown_not_harmless(
    exchange: Exchange, control: Control
) -> None:
    path = "/sapi/v1/account/apiRestrictions"
    await control.do("fault", method="GET", path=path, when="received", do="drop", times=2)
    finding = (await found(exchange, **LIVE))["withdrawals"]
    assert (finding.level, finding.unknown, finding.forbids) == (Level.BAD, True, False)


async def test_a_key_that_binance_does_not_take_is_bad(exchange: Exchange, control: Control) -> None:
    path = "/api/v3/account"
    await control.do("fault", method="GET", path=path, when="received", do="code", http=401, code=-2015)
    findings = await found(exchange)
    assert list(findings) == ["clock", "API key"]
    assert (findings["API key"].level, findings["API key"].unknown) == (Level.BAD, True)
    assert "-2015" in findings["API key"].text


async def test_a_key_without_futures_is_a_warning(exchange: Exchange, control: Control) -> None:
    await control.do("permissions", withdraw=False, futures=False)
    findings = await found(exchange)
    assert findings["futures"].level is Level.WARN
    assert "This API key may not use Binance futures" in findings["futures"].text
    assert findings["API key"].level is Level.OK


async def test_hedge_mode_is_a_warning(exchange: Exchange, control: Control) -> None:
    await control.do("position_mode", dual=True)
    finding = (await found(exchange))["futures"]
    assert (finding.level, "hedge mode" in finding.text) == (Level.WARN, True)


async def test_without_keys_there_is_nothing_to_ask() -> None:
    given: dict[str, Any] = {"binance_testnet": False, "binance_futures_testnet": False}
    live = Settings(**given, _env_file=None)
    (finding,) = await examine(Exchange(live, paper_url=None, clock=utc_now, cache_folder=None), live)
    assert (finding.level, finding.subject) == (Level.WARN, "API key")


async def test_only_reads_are_made(exchange: Exchange, control: Control, settings: Settings) -> None:
    await examine(exchange, settings)
    assert {entry["method"] for entry in await control.all_requests()} == {"GET"}
