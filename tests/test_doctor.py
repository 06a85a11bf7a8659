"""A key that may withdraw stops live mode; nothing is sent before that is known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from broker.cli import app
from broker.doctor import Keys, diagnose, links
from broker.errors import BrokerError, Code, StartError
from broker.exchange import Level
from broker.executor import Executor
from broker.intents import State
from broker.settings import Settings

from .support import BUY, Wired

pytestmark = pytest.mark.anyio


def live(broker: Wired, **changes: Any) -> Settings:
    """Live by its flags; the exchange behind it stays the paper one."""
    flags = {"binance_testnet": False, "binance_futures_testnet": False, "binance_api_key": "a-key"}
    return broker.settings.model_copy(update=flags | changes)


def executor(broker: Wired, keys: Keys) -> Executor:
    return Executor(
        settings=broker.settings,
        store=broker.store,
        exchange=broker.exchange,
        clock=broker.clock,
        permit=keys.require_harmless,
    )


async def test_live_mode_does_not_start_with_a_key_that_may_withdraw(broker: Wired) -> None:
    await broker.control.do("permissions", withdraw=True)
    with pytest.raises(StartError, match=r"withdraw.*ALLOW_WITHDRAWAL_KEYS=true"):
        await Keys(live(broker), broker.exchange).first_look()


async def test_it_does_when_that_is_allowed_or_the_key_cannot(broker: Wired) -> None:
    cannot = Keys(live(broker), broker.exchange)
    await cannot.first_look()
    cannot.require_harmless()
    await broker.control.do("permissions", withdraw=True)
    allowed = Keys(live(broker, allow_withdrawal_keys=True), broker.exchange)
    await allowed.first_look()
    allowed.require_harmless()


async def test_paper_mode_asks_nothing_of_its_key_before_it_sends(broker: Wired) -> None:
    await broker.control.do("permissions", withdraw=True)
    keys = Keys(broker.settings, broker.exchange)
    await keys.first_look()
    keys.require_harmless()


async def test_nothing_is_sent_before_binance_told_of_the_key(broker: Wired) -> None:
    path = "/sapi/v1/account/apiRestrictions"
    away = {"method": "GET", "path": path, "when": "received", "do": "code", "http": 503, "times": 1}
    await broker.control.do("fault", **away)
    keys = Keys(live(broker), broker.exchange)
    await keys.first_look()
    with pytest.raises(BrokerError) as refused:
        keys.require_harmless()
    assert refused.value.code is Code.BINANCE_UNAVAILABLE

    worker = executor(broker, keys)
    intent = await broker.approved(**BUY)
    worker.take(intent)
    await asyncio.wait(worker._running.values())
    assert (await broker.intent(intent.id)).state is State.APPROVED
    assert await broker.control.requests() == []

    await keys.keep_looking()
    worker.take(intent)
    assert (await broker.until(intent, State.PLACED, State.NOT_SENT)).state is State.PLACED


async def test_a_key_that_turns_out_to_withdraw_later_stops_every_order(broker: Wired) -> None:
    path = "/sapi/v1/account/apiRestrictions"
    away = {"method": "GET", "path": path, "when": "received", "do": "code", "http": 503, "times": 1}
    await broker.control.do("fault", **away)
    await broker.control.do("permissions", withdraw=True)
    keys = Keys(live(broker), broker.exchange)
    await keys.first_look()
    await keys.keep_looking()
    intent = await broker.approved(**BUY)
    executor(broker, keys).take(intent)
    stopped = await broker.until(intent, State.PLACED, State.NOT_SENT)
    assert stopped.state is State.NOT_SENT
    assert stopped.note is not None and "withdraw" in stopped.note
    assert await broker.control.requests() == []


async def test_the_doctor_finds_a_safe_setup_well(broker: Wired) -> None:
    well = {finding.subject: finding.level for finding in await diagnose(broker.settings, broker.exchange)}
    assert well == {
        "clock": Level.OK,
        "API key": Level.OK,
        "withdrawals": Level.OK,
        "futures": Level.OK,
        "cancels of protective orders": Level.OK,
        "links in notifications": Level.WARN,
    }


async def test_the_doctor_names_what_is_wrong(broker: Wired) -> None:
    await broker.control.do("clock", offset_ms=-7_000)
    await broker.control.do("permissions", withdraw=True, futures=False)
    findings = {finding.subject: finding for finding in await diagnose(broker.settings, broker.exchange)}
    assert {subject: finding.level for subject, finding in findings.items()} == {
        "clock": Level.BAD,
        "API key": Level.OK,
        "withdrawals": Level.WARN,
        "futures": Level.WARN,
        "cancels of protective orders": Level.OK,
        "links in notifications": Level.WARN,
    }
    assert findings["clock"].text.startswith("7.0 s ahead of Binance's")


@pytest.mark.parametrize(("confirms", "level"), [(False, Level.WARN), (True, Level.OK)])
async def test_the_doctor_warns_of_unconfirmed_protective_cancels_with_real_money(
    broker: Wired, confirms: bool, level: Level
) -> None:
    settings = live(broker, confirm_protective_cancels=confirms)
    [finding] = [
        finding
        for finding in await diagnose(settings, broker.exchange)
        if finding.subject == "cancels of protective orders"
    ]
    assert finding.level is level
    assert ("CONFIRM_PROTECTIVE_CANCELS=true" in finding.text) is not confirms


def test_the_command_tells_it_in_paper_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(app, ["doctor"])
    assert ran.exit_code == 0, ran.output
    assert "PAPER mode" in ran.output
    assert "API key: accepted by Binance" in ran.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "level"),
    [
        (None, Level.WARN),
        ("http://localhost:3606", Level.WARN),
        ("http://127.9.9.9", Level.WARN),
        ("http://[::1]:3606", Level.WARN),
        ("http://[0:0:0:0:0:0:0:1]:3606", Level.WARN),
        ("http://[::ffff:127.0.0.1]:3606", Level.WARN),
        ("http://localhost.:3606", Level.WARN),
        ("http://broker.localhost:3606", Level.WARN),
        ("http://0.0.0.0:3606", Level.WARN),
        ("http://[2001:db8::1]:3606", Level.OK),
        ("https://broker.example", Level.OK),
        ("http://192.168.1.5:3606", Level.OK),
    ],
)
def test_links_that_open_on_this_machine_alone_are_named(
    tmp_path: Path, url: str | None, level: Level
) -> None:
    finding = links(Settings(_env_file=None, data_dir=tmp_path, public_url=url))
    assert finding.level is level
    if level is Level.WARN:
        assert all(way in finding.text for way in ("PUBLIC_URL", "Tailscale", "Caddy", "tunnel"))
