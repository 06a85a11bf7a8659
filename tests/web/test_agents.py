"""The page of agents: their keys and limits, in a trader's hands, with plain forms."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from broker.agents import Agent
from broker.intents import State
from broker.store import Known, queries
from broker.tools import TOOLS

from ..support import give_key
from .support import MovableClock, World

pytestmark = pytest.mark.anyio

EXCHANGE_TOOLS = [name for name in TOOLS if not name.startswith("intent_")]
KEY = re.compile(r"cbk_[\w-]{43}")


def known(desk: World) -> dict[str, Known]:
    found = desk.store.database.read_now(desk.store.agents.all)
    return {one.agent.name: one for one in found}


def who(desk: World, key: str) -> str | None:
    found = desk.store.database.read_now(lambda connection: desk.store.agents.by_key(connection, key))
    return None if found is None else found.agent.name


async def add(client: httpx2.AsyncClient, name: str = "bot", **more: Any) -> httpx2.Response:
    form = {"name": name, "tools": EXCHANGE_TOOLS, **more}
    return await client.post("/agents", data=form)


def key_in(page: httpx2.Response) -> str:
    [key] = KEY.findall(page.text)
    return str(key)


async def test_a_key_is_shown_once_and_on_no_other_page(desk: World, ana: httpx2.AsyncClient) -> None:
    answer = await add(ana, symbols="BTC/USDT, ETHUSDT", max_order_value_usdt="250", max_leverage="3")
    key = key_in(answer)
    assert (answer.status_code, who(desk, key)) == (200, "bot")
    assert answer.headers["Cache-Control"] == "no-store"
    assert known(desk)["bot"].agent == Agent(
        name="bot",
        symbols=frozenset({"BTCUSDT", "ETHUSDT"}),
        max_order_value_usdt=Decimal(250),
        max_leverage=3,
    )
    for path in ("/agents", "/", "/sessions"):
        page = await ana.get(path)
        assert page.status_code == 200
        assert not KEY.findall(page.text)
        assert "New agent bot, added by Ana" in page.text


async def test_the_page_tells_who_may_ask_and_how_each_stands(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    give_key(desk.store, "default", "k" * 20)
    await add(ana, "bot", max_daily_volume_usdt="2000")
    desk.last_calls["bot"] = clock()
    await desk.park("0.01", agent="bot")
    page = (await ana.get("/agents")).text
    entry = page[page.index('id="agent-bot"') : page.index('id="agent-default"')]
    assert "1 waiting" in entry
    assert re.search(r"last call <time[^>]*>12:00:00 UTC", entry)
    assert '<dt>Daily volume limit, USDT</dt><dd class="untrusted">2000</dd>' in entry
    assert "no call since the broker started" in page[page.index('id="agent-default"') :]
    assert 'href="/agents" aria-current="page"' in page


async def test_without_limits_it_is_limited_as_all_are(desk: World, ana: httpx2.AsyncClient) -> None:
    await add(ana)
    assert known(desk)["bot"].agent == Agent(name="bot")


async def test_tools_are_those_that_are_ticked(desk: World, ana: httpx2.AsyncClient) -> None:
    await add(ana, tools=["binance_get_ticker"])
    assert known(desk)["bot"].agent.tools == frozenset({"binance_get_ticker"})
    page = (await ana.get("/agents")).text
    entry = page[page.index('id="agent-bot"') : page.index("Add an agent")]
    assert re.findall(r'name="tools" value="(\w+)" checked', entry) == ["binance_get_ticker"]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"name": "two words"}, "Name: must have 1 to 40"),
        ({"name": "<b>"}, "Name: must have 1 to 40"),
        (
            {"max_leverage": "21"},
            "Maximum leverage: is above the broker&#39;s limit of 20 (MAX_LEVERAGE)",
        ),
        ({"max_order_value_usdt": "much"}, "Maximum order value, USDT: "),
        ({"tools": []}, "Tools: select at least one"),
        ({"tools": ["binance_fly"]}, "Tools: there is no tool"),
        ({"symbols": "BTC-USDT"}, "Symbols: "),
    ],
)
async def test_a_form_that_will_not_do_comes_back_filled_in(
    desk: World, ana: httpx2.AsyncClient, form: dict[str, Any], told: str
) -> None:
    answer = await add(ana, **{"name": "bot", "max_pending": "7", **form})
    assert answer.status_code == 422
    assert answer.text.count(told) == 1
    assert 'name="max_pending" value="7"' in answer.text
    assert "<b>&lt;b&gt;" not in answer.text and 'value="<b>"' not in answer.text
    assert known(desk) == {}


async def test_limits_are_set_as_the_form_says(desk: World, ana: httpx2.AsyncClient) -> None:
    await add(ana, symbols="BTCUSDT", max_pending="7")
    form = {"tools": EXCHANGE_TOOLS, "symbols": "", "max_pending": "8", "max_leverage": "2"}
    answer = await ana.post("/agents/bot/limits", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents")
    assert known(desk)["bot"].agent == Agent(name="bot", max_pending=8, max_leverage=2)
    refused = await ana.post("/agents/bot/limits", data={**form, "max_pending": "51"})
    assert refused.status_code == 422
    assert "Maximum waiting requests: is above" in refused.text
    assert known(desk)["bot"].agent.max_pending == 8
    assert "Limits of agent bot changed by Ana" in (await ana.get("/")).text


async def test_a_new_key_ends_the_old_one_now_or_later(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    keys = [key_in(await add(ana))]
    keys.append(key_in(await ana.post("/agents/bot/key", data={"overlap": "1"})))
    assert [who(desk, key) for key in keys] == ["bot", "bot"]
    assert "Old key from" in (await ana.get("/agents")).text
    clock.advance(hours=1)
    assert [who(desk, key) for key in keys] == [None, "bot"]
    keys.append(key_in(await ana.post("/agents/bot/key", data={"overlap": "0"})))
    assert [who(desk, key) for key in keys] == [None, None, "bot"]
    answer = await ana.post("/agents/bot/key", data={"overlap": "9999"})
    assert (answer.status_code, KEY.findall(answer.text)) == (422, [])
    assert "Old key: must be one of the options" in answer.text


async def test_revoking_withdraws_what_waits_and_says_so(desk: World, ana: httpx2.AsyncClient) -> None:
    key = key_in(await add(ana))
    waiting = await desk.park("0.01", agent="bot")
    answer = await ana.post("/agents/bot/revocation")
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents")
    assert who(desk, key) is None
    found = desk.store.database.read_now(lambda connection: queries.find_any(connection, waiting.id))
    assert found.state is State.WITHDRAWN
    page = (await ana.get(f"/intents/{waiting.id}")).text
    assert "Withdrawn: its agent was revoked by Ana" in page
    assert "Agent bot was revoked by Ana" in page
    late = await ana.post(
        f"/intents/{waiting.id}/decision", data={"digest": waiting.digest, "decision": "approve"}
    )
    assert late.status_code == 409
    again = await ana.post("/agents/bot/revocation")
    assert (again.status_code, "Name: bot is already revoked" in again.text) == (422, True)
    key = key_in(await ana.post("/agents/bot/key", data={"overlap": "0"}))
    assert who(desk, key) == "bot"
    assert "Agent bot may call again: new key from Ana" in (await ana.get("/")).text


async def test_an_agents_own_withdrawal_is_told_as_its_own(desk: World, ana: httpx2.AsyncClient) -> None:
    moved = await desk.move_price(await desk.park("0.01", agent="bot"))
    await desk.store.intents.withdraw(moved.id, "bot")
    assert "Withdrawn by agent bot" in (await ana.get(f"/intents/{moved.id}")).text


async def test_an_approval_past_its_agents_own_volume_says_so(desk: World, ana: httpx2.AsyncClient) -> None:
    await add(ana, max_daily_volume_usdt="900")
    waiting = await desk.park("0.015", agent="bot")
    form = {"digest": waiting.digest, "decision": "approve"}
    answer = await ana.post(f"/intents/{waiting.id}/decision", data=form)
    assert answer.status_code == 422
    assert "the agent&#39;s daily volume limit is 900.00 USDT. 0.00 USDT are used; with this" in answer.text
    assert "request (963.20 USDT) it would be 963.20 USDT." in answer.text


@pytest.mark.parametrize("path", ["key", "limits", "revocation"])
async def test_an_agent_that_is_not_there_is_named(ana: httpx2.AsyncClient, path: str) -> None:
    tools = [] if path == "key" else EXCHANGE_TOOLS
    answer = await ana.post(f"/agents/nobody/{path}", data={"overlap": "0", "tools": tools})
    assert answer.status_code == 422
    assert answer.text.count("there is no agent") == 1
    assert "Name: there is no agent &#39;nobody&#39;" in answer.text


async def test_a_new_key_of_default_is_kept_where_commands_find_it(
    desk: World, ana: httpx2.AsyncClient, tmp_path: Path
) -> None:
    give_key(desk.store, "default", "k" * 20)
    key = key_in(await ana.post("/agents/default/key", data={"overlap": "0"}))
    assert (tmp_path / "mcp-api-key").read_text() == key


async def test_half_a_surrogate_pair_in_a_form_is_no_failure(desk: World, ana: httpx2.AsyncClient) -> None:
    body = "name=%ED%A0%80&symbols=%ED%A0%80&tools=%ED%A0%80"
    type_ = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert (await ana.post("/agents", content=body, headers=type_)).status_code == 422
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n\\ud800\r\n'
        for name in ("name", "tools")
    )
    multipart = {"Content-Type": "multipart/form-data; boundary=x; charset=raw_unicode_escape"}
    answer = await ana.post("/agents", content=f"{parts}--x--\r\n", headers=multipart)
    assert answer.status_code == 422
    assert known(desk) == {}


async def test_no_agent_keeps_anothers_requests_out_of_the_traders_sight(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    for number in range(1, 101):
        await desk.park(str(number), agent=f"loud-{number % 2}")
    quiet = [await desk.park(str(number), agent="quiet") for number in (1, 2)]
    page = (await ana.get("/")).text
    shown = re.findall(r'data-intent="(\w+)"', page)
    assert len(shown) == 100
    assert {intent.id for intent in quiet} <= set(shown)
    assert shown[-2:] == [intent.id for intent in quiet], "the oldest first"
    assert "2 more waiting" in page
