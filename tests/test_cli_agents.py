"""The commands about agents, beside the database that a broker serves."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from broker.clock import random_bytes
from broker.files import api_key
from broker.locks import take_lock
from broker.store import Store

from .support import Clock, open_store, settings_in
from .test_cli import Run, make_database, run

__all__ = ["run"]


def key_in(said: str) -> str:
    [key] = re.findall(r"cbk_[\w-]{43}", said)
    return str(key)


def opened(folder: Path) -> closing[Store]:
    return closing(open_store(folder / "data" / "paper.db", Clock()))


def who(folder: Path, key: str) -> str | None:
    with opened(folder) as store:
        found = store.database.read_now(lambda connection: store.agents.by_key(connection, key))
        return None if found is None else found.agent.name


def test_an_agent_is_added_listed_limited_rotated_and_revoked_beside_a_broker(
    run: Run, tmp_path: Path
) -> None:
    with closing(take_lock(make_database(tmp_path))):
        code, said, _ = run(
            *("agents", "add", "bot", "--symbols", "BTC/USDT,ethusdt", "--max-order-value", "250.50"),
            *("--tools", "binance_get_ticker,binance_create_order", "--max-leverage", "3"),
        )
        first = key_in(said)
        assert (code, who(tmp_path, first)) == (0, "bot")
        _, said, _ = run("agents", "list")
        assert first not in said
        assert re.fullmatch(
            r"bot\tkey from \d{4}-\d\d-\d\d \d\d:\d\d UTC\t0 waiting\t"
            r"tools binance_create_order,binance_get_ticker, symbols BTCUSDT,ETHUSDT, "
            r"max_order_value_usdt 250.5, max_leverage 3\n",
            said,
        )
        code, said, _ = run("agents", "limit", "bot", "--tools", "all", "--max-pending", "5")
        assert (code, said) == (
            0,
            "bot: symbols BTCUSDT,ETHUSDT, max_order_value_usdt 250.5, max_leverage 3, max_pending 5\n",
        )
        code, said, _ = run("agents", "rotate", "bot")
        second = key_in(said)
        assert "The old key no longer works." in said
        assert (who(tmp_path, first), who(tmp_path, second)) == (None, "bot")
        code, said, _ = run("agents", "revoke", "bot")
        assert code == 0
        assert said.startswith("bot is revoked. Requests withdrawn or not sent: 0.\nIt stays revoked")
        assert who(tmp_path, second) is None
        assert run("agents", "list")[1].startswith("bot\trevoked ")
        assert run("audit", "verify")[0] == 0


def test_an_overlap_is_told_with_its_end(run: Run, tmp_path: Path) -> None:
    run("agents", "add", "bot")
    _, said, _ = run("agents", "rotate", "bot", "--overlap", "24")
    assert "The old key stops working in 24 hours." in said
    assert run("agents", "list")[1].count("key from ") == 2
    for hours in ("-1", "721", "soon", "nan"):
        assert run("agents", "rotate", "bot", "--overlap", hours)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("add", "two words"), "name: must have 1 to 40"),
        (("add", "bot", "--max-leverage", "21"), "max_leverage: is above the broker's limit of 20"),
        (("add", "bot", "--tools", "binance_fly"), "tools: there is no tool 'binance_fly'"),
        (("add", "BOT2"), "name: bot2 is taken by another agent"),
        (("limit", "nobody", "--tools", "all"), "name: there is no agent 'nobody'"),
        (("rotate", "nobody"), "name: there is no agent 'nobody'"),
        (("revoke", "nobody"), "name: there is no agent 'nobody'"),
    ],
)
def test_what_cannot_be_is_one_line_and_makes_no_key(
    run: Run, arguments: tuple[str, ...], complaint: str
) -> None:
    run("agents", "add", "bot2")
    code, said, told = run("agents", *arguments)
    assert (code, said, told.count("\n")) == (2, "", 1)
    assert told.startswith(f"broker: {complaint}")


def test_a_new_key_of_default_is_where_commands_and_the_next_start_find_it(run: Run, tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "data")
    old = api_key(settings, random_bytes)
    with opened(tmp_path) as store:
        store.database.write_now(lambda connection: store.agents.give(connection, "default", old))
    new = key_in(run("agents", "rotate", "default")[1])
    assert (new != old, api_key(settings, random_bytes)) == (True, new)
    path = tmp_path / "data" / "mcp-api-key"
    assert path.read_text() == new
    assert path.stat().st_mode & 0o777 == 0o600


def test_where_the_key_is_a_setting_its_operator_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as store:
        store.database.write_now(lambda connection: store.agents.give(connection, "default", "k" * 20))
    monkeypatch.setenv("MCP_API_KEY", "k" * 20)
    assert "MCP_API_KEY still holds the old key" in run("agents", "rotate", "default")[1]
    assert not (tmp_path / "data" / "mcp-api-key").exists()
