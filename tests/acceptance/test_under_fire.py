"""A broker that is frozen, halted, out of disk, or put back from a copy sends nothing that it should not."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from .people import Agent, agent, control, first_trader, orders_at, sign_in
from .processes import BrokerProcess, PaperProcess, environment

pytestmark = pytest.mark.anyio

PAST_THE_HORIZON_MS = 21_000
RESTING = "/api/v3/openOrders"
"""Read by the last checks before the POST, and by nobody else as long as nothing was placed."""


def command(broker: BrokerProcess, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command beside the broker, on its data."""
    return subprocess.run(
        [sys.executable, "-m", "broker", *arguments],
        cwd=broker.folder,
        env=environment(DATA_DIR=str(broker.folder / "data"), **settings),
        text=True,
        capture_output=True,
        check=False,
    )


async def approve(page: Page, amount: str) -> None:
    await page.get_by_role("button", name=f"Approve BUY {amount} BTC").click()


async def held(exchange: PaperProcess) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"{exchange.url}/control/held?count=1&seconds=20", timeout=30)
        assert answer.json()["held"]


async def state(asking: Agent, parked: dict[str, Any]) -> str:
    return str((await asking.call("intent_get", intentId=parked["intentId"]))["status"])


async def test_a_broker_frozen_between_approval_and_post_sends_nothing_when_it_thaws(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    with BrokerProcess(
        tmp_path, command=("tests.acceptance.shifted", str(ahead)), PAPER_URL=exchange.url
    ) as broker:
        page = await first_trader(browser, broker)
        async with agent(broker) as asking:
            parked = await asking.park()
            await control(exchange.url, "fault", method="GET", path=RESTING, when="received", do="hold")
            await approve(page, "0.01")
            await held(exchange)
            broker.send(signal.SIGSTOP)
            ahead.write_text("60")
            await control(exchange.url, "release")
            broker.send(signal.SIGCONT)
            told = await asking.call("intent_wait", intentId=parked["intentId"])
    assert told["status"] == "not_sent"
    assert "the approval is too old" in told["outcome"]
    assert await orders_at(exchange.url) == []


async def test_a_halt_by_command_stops_what_is_approved_and_only_the_page_resumes(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    page = await first_trader(browser, broker)
    async with agent(broker) as asking:
        first, second = await asking.park(amount="0.01"), await asking.park(amount="0.012")
        await control(exchange.url, "fault", method="GET", path=RESTING, when="received", do="hold")
        await approve(page, "0.01")
        await held(exchange)
        halted = await asyncio.to_thread(command, broker, "halt", "--reason", "lunch")
        assert (halted.returncode, halted.stdout) == (0, "Trading is halted (by command line).\n")
        await control(exchange.url, "release")
        assert (await asking.call("intent_wait", intentId=first["intentId"]))["status"] == "not_sent"
        refused = await asking.call("binance_create_order", symbol="BTCUSDT", side="buy", amount="0.013")
        assert (refused["success"], refused["error"]) == (False, "TRADING_HALTED")

        await expect(page.get_by_text("HALTED", exact=True)).to_be_visible()
        await approve(page, "0.012")
        await expect(page.get_by_text("Not approved: the request still waits.").first).to_be_visible()
        assert await state(asking, second) == "pending"
        looser = await asyncio.to_thread(command, broker, "halt", "--exits-only")
        assert looser.stdout == "Trading is halted (by command line).\n"

        await page.get_by_text("Change", exact=True).click()
        await page.get_by_role("button", name="Resume trading").click()
        await expect(page.get_by_text("HALTED", exact=True)).to_have_count(0)
        await approve(page, "0.012")
        assert (await asking.call("intent_wait", intentId=second["intentId"]))["status"] == "placed"
    assert len(await orders_at(exchange.url)) == 1


@contextmanager
def no_room_on_disk(broker: BrokerProcess) -> Iterator[None]:
    """No file of the broker's process grows any more, as on a full disk."""
    before = resource.prlimit(broker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, before)


async def test_on_a_full_disk_nothing_is_parked_or_approved_it_is_said_and_it_recovers(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    page = await first_trader(browser, broker)
    async with agent(broker) as asking, httpx2.AsyncClient(base_url=broker.url) as http:
        waiting = await asking.park(amount="0.01")
        with no_room_on_disk(broker):
            refused = await asking.call("binance_create_order", symbol="BTCUSDT", side="buy", amount="0.012")
            assert (refused["success"], refused["error"]) == (False, "STORE_UNAVAILABLE")
            health = await http.get("/health")
            assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
            await approve(page, "0.01")
            await expect(page.get_by_text("Nothing was recorded.").first).to_be_visible()
            await expect(page.get_by_text("The broker's database is not available").first).to_be_visible()
            assert await state(asking, waiting) == "pending"
        assert (await http.get("/health")).status_code == 200
        await page.reload()
        await approve(page, "0.01")
        assert (await asking.call("intent_wait", intentId=waiting["intentId"]))["status"] == "placed"
    assert len(await orders_at(exchange.url)) == 1
    verified = await asyncio.to_thread(command, broker, "audit", "verify")
    assert (verified.returncode, verified.stdout) == (0, "The audit log is intact.\n")


async def test_a_restored_backup_is_settled_by_asking_and_never_sent(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    with BrokerProcess(tmp_path, PAPER_URL=exchange.url) as broker:
        page = await first_trader(browser, broker)
        async with agent(broker) as asking:
            sent, waiting = await asking.park(amount="0.01"), await asking.park(amount="0.012")
            backup = await asyncio.to_thread(command, broker, "db", "backup", "copy.db")
            assert backup.returncode == 0, backup.stderr
            await approve(page, "0.01")
            told = await asking.call("intent_wait", intentId=sent["intentId"])
            assert told["status"] == "placed"
        served = await asyncio.to_thread(command, broker, "db", "restore", "copy.db")
        assert (served.returncode, "Another broker already serves" in served.stderr) == (2, True)
        broker.stop()
        restored = await asyncio.to_thread(command, broker, "db", "restore", "copy.db")
        named = f"PAPER mode, database {tmp_path / 'data' / 'paper.db'}, not served\n"
        assert (restored.returncode, restored.stderr) == (0, named)
        port = broker.port
    with BrokerProcess(tmp_path, port=port, PAPER_URL=exchange.url) as broker:
        page = await sign_in(browser, broker)
        await expect(page.get_by_text("HALTED", exact=True)).to_be_visible()
        async with agent(broker) as asking:
            found = await asking.call("intent_wait", intentId=sent["intentId"])
            assert (found["status"], found["result"]["order"]["filled"]) == ("placed", 0.01)
            assert await state(asking, waiting) == "unknown"
            await control(exchange.url, "clock", offset_ms=PAST_THE_HORIZON_MS)
            never = await asking.call("intent_wait", intentId=waiting["intentId"], timeoutSeconds=40)
            assert never["status"] == "not_sent"
        assert len(await orders_at(exchange.url)) == 1
        exported = await asyncio.to_thread(command, broker, "audit", "export")
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    intents = {line["intentId"]: line for line in lines if line["type"] == "intent"}
    assert intents[sent["intentId"]]["verdict"] == "matched"
    assert intents[waiting["intentId"]]["state"] == "not_sent"
    kinds = [line["kind"] for line in lines if line["type"] == "event"]
    assert {"database:restored", "session:opened", "trading:halted"} <= set(kinds)


async def test_an_old_copy_put_back_by_hand_is_not_served(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    data = tmp_path / "data"
    with BrokerProcess(tmp_path, PAPER_URL=exchange.url) as broker:
        assert command(broker, "db", "backup", "copy.db").returncode == 0
        async with agent(broker) as asking:
            await asking.park()
        broker.stop()
        for left in ("paper.db", "paper.db-wal", "paper.db-shm"):
            (data / left).unlink(missing_ok=True)
        (tmp_path / "copy.db").rename(data / "paper.db")
        verified, started = command(broker, "audit", "verify"), command(broker, PORT="0")
    assert (verified.returncode, "are missing" in verified.stdout) == (1, True)
    assert started.returncode == 2
    assert "is older than its audit head" in started.stderr and started.stderr.count("\n") == 1
