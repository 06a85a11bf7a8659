"""Commands about agents beside a broker that serves: they take effect there, and last past a restart."""

from __future__ import annotations

import asyncio
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from .processes import BrokerProcess
from .test_under_fire import command

pytestmark = pytest.mark.anyio

TICKER = {"symbol": "BTCUSDT"}


def key_in(said: str) -> str:
    [key] = re.findall(r"cbk_[\w-]{43}", said)
    return str(key)


def ask(broker: BrokerProcess, key: str, tool: str = "binance_get_ticker") -> httpx2.Response:
    url, headers = f"{broker.url}/tools/{tool}", {"X-MCP-API-Key": key}
    return httpx2.post(url, json=TICKER if "ticker" in tool else {}, headers=headers, trust_env=False)


def until(broker: BrokerProcess, key: str, status: int) -> None:
    """The broker hears of what a command did within half a second."""
    give_up = time.monotonic() + 5
    while ask(broker, key, "intent_list").status_code != status:
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_agents_are_let_in_limited_and_revoked_while_the_broker_serves(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        until(broker, broker.key, 200)
        key = key_in(command(broker, "agents", "add", "bot", "--symbols", "BTCUSDT").stdout)
        assert ask(broker, key).json()["symbol"] == "BTCUSDT"
        command(broker, "agents", "limit", "bot", "--symbols", "ETHUSDT")
        give_up = time.monotonic() + 5
        while ask(broker, key).json().get("error") != "SYMBOL_NOT_ALLOWED":
            assert time.monotonic() < give_up
        command(broker, "agents", "revoke", "bot")
        until(broker, key, 401)
        old = broker.key
        new = key_in(command(broker, "agents", "rotate", "default", "--overlap", "1").stdout)
        assert new == broker.key != old
        assert [ask(broker, each, "intent_list").status_code for each in (old, new)] == [200, 200]
        assert command(broker, "call", "intent_list", PORT=str(broker.port)).returncode == 0
        command(broker, "agents", "revoke", "default")
        until(broker, new, 401)
    with BrokerProcess(tmp_path, port=broker.port) as broker:
        assert any("the agent default is revoked" in line for line in broker.output)
        assert [ask(broker, each, "intent_list").status_code for each in (old, new, key)] == [401] * 3
    with BrokerProcess(tmp_path, port=broker.port, MCP_API_KEY="another-key-of-16") as broker:
        assert ask(broker, "another-key-of-16", "intent_list").status_code == 401
        key = key_in(command(broker, "agents", "rotate", "default").stdout)
        until(broker, key, 200)


async def test_many_waits_of_one_agent_keep_nobody_out(tmp_path: Path) -> None:
    """Each is a connection, and a process is often started with few of those."""
    with few_files(256):
        broker = BrokerProcess(tmp_path)
    with broker:
        key = key_in(command(broker, "agents", "add", "greedy").stdout)
        until(broker, key, 200)
        parked = f"{broker.url}/tools/binance_create_order"
        limits = httpx2.Limits(max_connections=None)
        greedy = httpx2.AsyncClient(headers={"X-MCP-API-Key": key}, limits=limits, trust_env=False)
        async with greedy as http:
            told = await http.post(parked, json={"symbol": "BTCUSDT", "side": "buy", "amount": "0.01"})
            asked = {"intentId": told.json()["intentId"], "timeoutSeconds": 30}
            wait, waits = f"{broker.url}/tools/intent_wait", []
            for _ in range(300):
                waits.append(asyncio.create_task(http.post(wait, json=asked, timeout=60)))
            await asyncio.sleep(2)  # until all have arrived
            assert (await asyncio.to_thread(ask, broker, broker.key)).status_code == 200
            page = await asyncio.to_thread(httpx2.get, f"{broker.url}/signin", trust_env=False)
            assert page.status_code == 200
            await http.post(f"{broker.url}/tools/intent_cancel", json={"intentId": asked["intentId"]})
            answers = await asyncio.gather(*waits)
        assert {answer.json()["status"] for answer in answers} == {"withdrawn"}


@contextmanager
def few_files(most: int) -> Iterator[None]:
    """What is started meanwhile may open no more, unless it asks for more."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
