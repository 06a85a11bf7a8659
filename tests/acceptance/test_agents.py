"""Commands about agents beside a broker that serves: they take effect there, and last past a restart."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx2

from .processes import BrokerProcess
from .test_under_fire import command

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
