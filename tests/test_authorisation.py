"""Who may do what: every route and every tool of the real app, for every kind of credential.

A route that is not in the table fails the test: whoever adds one says here who may use it.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from broker.agents import Agent
from broker.app import Broker, running
from broker.clock import random_bytes, utc_now
from broker.halt import Level
from broker.intents import Intent, State
from broker.store import Store, queries
from broker.store.audit import head
from broker.tools import TOOLS
from broker.web.auth import cookie_name

from .api import modern
from .serving import serving
from .support import BTC, BUY, KEY, http_client, settings_in, trusted
from .tools.support import WAYS, asking
from .web.support import signed_in

pytestmark = pytest.mark.anyio

UNAUTHORIZED = {"error": "Invalid MCP API key"}
MCP_HEADERS = {"Accept": "application/json, text/event-stream"}
TOOL_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}

OPEN, AGENT, TRADER = "anybody", "an agent", "a trader"

ROUTES: Mapping[tuple[str, str], str] = {
    ("GET", "/health"): OPEN,
    ("GET", "/tools"): OPEN,
    ("POST", "/tools/{name}"): AGENT,
    ("GET", "/mcp"): AGENT,
    ("POST", "/mcp"): AGENT,
    ("DELETE", "/mcp"): AGENT,
    ("GET", "/"): TRADER,
    ("GET", "/intents/{id}"): TRADER,
    ("POST", "/intents/{id}/decision"): TRADER,
    ("POST", "/intents/{id}/cancel"): TRADER,
    ("POST", "/intents/{id}/check"): TRADER,
    ("POST", "/intents/{id}/word"): TRADER,
    ("POST", "/trading"): TRADER,
    ("GET", "/agents"): TRADER,
    ("POST", "/agents"): TRADER,
    ("POST", "/agents/{name}/key"): TRADER,
    ("POST", "/agents/{name}/limits"): TRADER,
    ("POST", "/agents/{name}/revocation"): TRADER,
    ("GET", "/channels"): TRADER,
    ("GET", "/channels/deliveries"): TRADER,
    ("POST", "/channels"): TRADER,
    **{("POST", f"/channels/{{id}}/{act}"): TRADER for act in ("test", "pause", "resume", "renew", "remove")},
    ("GET", "/told/{id}"): TRADER,
    ("POST", "/seen"): TRADER,
    ("GET", "/reject/{id}/{token}"): OPEN,
    ("POST", "/reject/{id}/{token}"): OPEN,
    ("GET", "/sessions"): TRADER,
    ("POST", "/sessions/{id}/revoke"): TRADER,
    ("POST", "/sessions/password"): TRADER,
    ("GET", "/events"): TRADER,
    ("GET", "/signin"): OPEN,
    ("POST", "/signin"): OPEN,
    ("POST", "/signout"): TRADER,
    ("GET", "/welcome"): OPEN,
    ("POST", "/welcome"): OPEN,
    ("GET", "/static"): OPEN,
}

FORMS: Mapping[str, Mapping[str, Any]] = {
    "/sessions/password": {"old": "x", "password": "kitten-mule-42", "again": "kitten-mule-42"},
    "/intents/{id}/word": {"found": "placed", "words": "I looked"},
    "/trading": {"level": "halted", "shown": "open"},
    "/agents": {"name": "intruder", "tools": ["binance_get_ticker"]},
    "/agents/{name}/key": {"overlap": "0"},
    "/agents/{name}/limits": {"tools": ["binance_get_ticker"], "max_leverage": "1"},
}

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    **{f"binance_get_{name}": {"symbol": BTC} for name in ("ticker", "orderbook", "klines", "trades")},
    "binance_get_exchange_info": {},
    "binance_get_funding_rate": {"symbol": BTC},
    "binance_get_account": {},
    "binance_get_open_orders": {},
    "binance_get_trade_history": {"symbol": BTC},
    "binance_get_futures_positions": {},
    "binance_create_order": BUY,
    "binance_close_position": {"symbol": BTC},
    "binance_set_leverage": {"symbol": BTC, "leverage": 5},
    "binance_cancel_order": {"symbol": BTC, "orderId": "1"},
    "binance_cancel_all_orders": {"symbol": BTC},
    "intent_get": {},
    "intent_wait": {"timeoutSeconds": 1},
    "intent_list": {},
    "intent_cancel": {},
}


@dataclass(frozen=True, kw_only=True)
class House:
    """A broker on a port, a request of the agent default that waits, and what people show at the door."""

    broker: Broker
    url: str
    cookie: str
    session: str
    ended: str
    other: str
    revoked: str
    intent: Intent

    @property
    def store(self) -> Store:
        return self.broker.store

    @property
    def no_agents(self) -> dict[str, dict[str, str]]:
        """Headers that let nobody in as an agent."""
        return {
            "nothing": {},
            "a wrong key": {"X-MCP-API-Key": "cbk_" + "x" * 43},
            "a revoked key": {"X-MCP-API-Key": self.revoked},
            "a revoked key, as a bearer": {"Authorization": f"Bearer {self.revoked}"},
            "a session's token as a key": {"X-MCP-API-Key": self.session},
            "a session": self.signed_in(self.session),
            "a key in a cookie": self.signed_in(KEY),
        }

    @property
    def no_traders(self) -> dict[str, dict[str, str]]:
        """Headers that let nobody in as a trader."""
        nobody = {name: shown for name, shown in self.no_agents.items() if name != "a session"}
        return {
            **nobody,
            "an agent's key": {"X-MCP-API-Key": KEY},
            "an agent's key, as a bearer": {"Authorization": f"Bearer {KEY}"},
            "another agent's key": {"X-MCP-API-Key": self.other},
            "an ended session": self.signed_in(self.ended),
        }

    def signed_in(self, token: str) -> dict[str, str]:
        return {"Cookie": f"{self.cookie}={token}"}

    def path(self, template: str) -> str:
        if "/intents/" in template:
            return template.format(id=self.intent.id)
        if "{id}" in template:
            return template.format(id="a" * 26, token="a-token")
        return template.format(name="default" if template.startswith("/agents") else "binance_get_ticker")

    def form(self, template: str) -> Mapping[str, Any]:
        if template.endswith("/decision"):
            return {"digest": self.intent.digest, "decision": "approve", "confirmed": "yes"}
        return FORMS.get(template, {})

    async def recorded(self) -> int:
        """The number of the audit log's last row: whatever changes something writes one."""
        return await self.store.read(head)

    async def now(self) -> Intent:
        return await self.store.read(lambda connection: queries.find_any(connection, self.intent.id))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    settings = settings_in(tmp_path, mcp_api_key=KEY, port=0)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(running(settings, clock=utc_now, random=random_bytes))
        url = await stack.enter_async_context(listening(broker))
        await asyncio.wait_for(broker.exchange.until_ready(), 10)
        await asyncio.wait_for(broker.exchange.futures.until_ready(), 10)
        store = broker.store
        ended = await signed_in(store)
        session = await store.people.session(ended)
        assert session is not None and await store.people.end_session(session.id, "Ana", standing=trusted)
        async with http_client(url) as client:
            parked = (await client.post("/tools/binance_create_order", json=BUY)).json()
        yield House(
            broker=broker,
            url=url,
            cookie=cookie_name(settings),
            session=await signed_in(store),
            ended=ended,
            other=await let_in(store, "other"),
            revoked=await let_in(store, "gone", then_revoke=True),
            intent=await store.read(lambda connection: queries.find_any(connection, parked["intentId"])),
        )


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[str]:
    async with serving(broker.app) as url:
        yield url
        broker.hub.close()


async def let_in(store: Store, name: str, *, then_revoke: bool = False) -> str:
    agents = store.agents
    key = await store.database.write(
        lambda connection: agents.add(connection, Agent(name=name), actor="command line")
    )
    if then_revoke:
        await store.database.write(lambda connection: agents.revoke(connection, name, actor="command line"))
    return key


def routes_of(broker: Broker) -> set[tuple[str, str]]:
    """Of the application inside the guard."""
    inside = inspect.getclosurevars(broker.app).nonlocals["app"]
    assert isinstance(inside, Starlette)
    found: set[tuple[str, str]] = set()
    for route in inside.routes:
        if isinstance(route, Mount):
            found.add(("GET", route.path))
            continue
        assert isinstance(route, Route)
        methods = route.methods or {"GET", "POST", "DELETE"}  # what the protocol behind it knows
        found |= {(method, route.path) for method in methods - {"HEAD"}}
    return found


async def status_of(client: httpx2.AsyncClient, method: str, path: str, **given: Any) -> httpx2.Response:
    """Without reading a stream to its end, which it does not have."""
    async with client.stream(method, path, **given) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer
        await answer.aread()
        return answer


# Routes


async def test_every_route_is_in_the_table(house: House) -> None:
    assert routes_of(house.broker) == ROUTES.keys()


async def test_without_an_agents_key_nothing_of_the_agents_answers(
    house: House, subtests: pytest.Subtests
) -> None:
    before = await house.recorded()
    async with http_client(house.url, key=None) as client:
        for (method, template), whose in ROUTES.items():
            for shown, headers in house.no_agents.items():
                if whose != AGENT:
                    continue
                with subtests.test(f"{method} {template} with {shown}"):
                    answer = await client.request(
                        method, house.path(template), json=BUY, headers={**MCP_HEADERS, **headers}
                    )
                    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert await house.recorded() == before


async def test_without_a_session_no_page_answers_and_nothing_changes(
    house: House, subtests: pytest.Subtests
) -> None:
    before = await house.recorded()
    async with http_client(house.url, key=None) as client:
        for (method, template), whose in ROUTES.items():
            for shown, headers in house.no_traders.items():
                if whose != TRADER:
                    continue
                with subtests.test(f"{method} {template} with {shown}"):
                    given: dict[str, Any] = {"data": house.form(template)} if method == "POST" else {}
                    answer = await client.request(method, house.path(template), headers=headers, **given)
                    if template == "/events":
                        assert answer.status_code == 401
                        continue
                    assert answer.status_code == 303
                    assert answer.headers["location"].startswith("/signin?next=")
                    assert house.intent.summary not in answer.text
    assert await house.recorded() == before
    assert (await house.now()).state is State.PENDING
    halt = await house.store.read(house.store.halts.current)
    assert halt.level is Level.OPEN


async def test_what_is_open_shows_nothing_of_anybodys_requests(
    house: House, subtests: pytest.Subtests
) -> None:
    async with http_client(house.url, key=None) as client:
        for (method, template), whose in ROUTES.items():
            if whose != OPEN or method != "GET":
                continue
            path = "/static/icon.svg" if template == "/static" else house.path(template)
            with subtests.test(f"{method} {template}"):
                answer = await client.get(path)
                assert answer.status_code in (200, 404, 410)
                assert house.intent.id not in answer.text and "pending" not in answer.text[:300]


async def test_with_its_credential_every_route_answers(house: House, subtests: pytest.Subtests) -> None:
    """So that what is refused above is refused for its credential. Signing out comes last."""
    order = sorted(ROUTES, key=lambda route: route[1] in ("/agents/{name}/revocation", "/signout"))
    async with http_client(house.url, key=None) as client:
        for method, template in order:
            whose = ROUTES[method, template]
            if whose == OPEN:
                continue
            with subtests.test(f"{method} {template}"):
                headers = {"X-MCP-API-Key": house.other, **MCP_HEADERS}
                given: dict[str, Any] = {"json": {**TOOL_CALL, "params": {"name": "intent_list"}}}
                if template.startswith("/tools"):
                    given = {"json": {"symbol": BTC}}
                if whose == TRADER:
                    headers = house.signed_in(house.session)
                    given = {"data": house.form(template)}
                if method == "GET":
                    given = {}
                answer = await status_of(client, method, house.path(template), headers=headers, **given)
                assert answer.status_code not in (401, 403)
                assert answer.status_code < 500
                if template != "/signout":
                    assert "/signin" not in answer.headers.get("location", "")
    assert (await house.now()).decision is not None
    assert (await house.store.read(house.store.halts.current)).level is Level.HALTED


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("DELETE", 405)])
async def test_mcp_without_a_post_answers_as_the_sdk_does_without_sessions(
    house: House, method: str, status: int
) -> None:
    async with http_client(house.url, key=house.other) as client:
        answer = await status_of(client, method, "/mcp", headers=MCP_HEADERS)
    assert answer.status_code == status


# Tools


def test_every_tool_is_called_here() -> None:
    assert ARGUMENTS.keys() == TOOLS.keys()


def given_for(house: House, tool: str) -> dict[str, Any]:
    about_one = tool in ("intent_get", "intent_wait", "intent_cancel")
    return {**ARGUMENTS[tool], **({"intentId": house.intent.id} if about_one else {})}


async def test_no_tool_is_called_without_a_key_that_holds(house: House, subtests: pytest.Subtests) -> None:
    before = await house.recorded()
    async with http_client(house.url, key=None) as client:
        for tool in TOOLS:
            given = given_for(house, tool)
            message = {**TOOL_CALL, "params": {"name": tool, "arguments": given}}
            for shown in ("nothing", "a wrong key", "a revoked key", "a session"):
                headers = house.no_agents[shown]
                with subtests.test(f"{tool} with {shown}"):
                    over_http = await client.post(f"/tools/{tool}", json=given, headers=headers)
                    assert (over_http.status_code, over_http.json()) == (401, UNAUTHORIZED)
                    for era in ("2025-11-25", "2026-07-28"):
                        version = {"MCP-Protocol-Version": era, **MCP_HEADERS}
                        over_mcp = await client.post("/mcp", json=message, headers={**version, **headers})
                        assert (over_mcp.status_code, over_mcp.json()) == (401, UNAUTHORIZED)
    assert await house.recorded() == before
    assert (await house.now()).state is State.PENDING


@pytest.mark.parametrize("way", WAYS)
async def test_with_another_agents_key_every_tool_acts_for_that_agent_alone(
    house: House, way: str, subtests: pytest.Subtests
) -> None:
    async with asking(house.url, way, house.other) as ask:
        for tool in TOOLS:
            with subtests.test(tool):
                told = await ask(tool, given_for(house, tool))
                assert house.intent.id not in str(told.body).replace(f"'intentId': '{house.intent.id}'", "")
                if tool in ("intent_get", "intent_wait", "intent_cancel"):
                    assert (told.failed, told.body["error"]) == (True, "UNKNOWN_INTENT")
    assert (await house.now()).state is State.PENDING
    pending = await house.store.read(lambda connection: queries.in_states(connection, {State.PENDING}))
    assert {intent.agent for intent in pending} == {"default", "other"}


# One agent and another's requests


@pytest.mark.parametrize("way", WAYS)
async def test_anothers_request_answers_like_one_that_does_not_exist(house: House, way: str) -> None:
    nowhere = "0" * 26
    async with asking(house.url, way, house.other) as ask:
        for tool in ("intent_get", "intent_wait", "intent_cancel"):
            anothers = await ask(tool, {"intentId": house.intent.id})
            nobodys = await ask(tool, {"intentId": nowhere})
            assert str(anothers.body).replace(house.intent.id, nowhere) == str(nobodys.body)
        assert (await ask("intent_list", {})).body == {"intents": [], "count": 0}
        assert (await ask("intent_list", {"status": "pending"})).body["count"] == 0


@pytest.mark.parametrize("way", WAYS)
async def test_neither_keys_nor_equal_requests_of_two_agents_meet(house: House, way: str) -> None:
    key = {"idempotencyKey": "one-intended-action"}
    async with asking(house.url, way, KEY) as ask:
        first = (await ask("binance_create_order", {**BUY, **key, "amount": "0.012"})).body
    async with asking(house.url, way, house.other) as ask:
        same = (await ask("binance_create_order", {**BUY, **key, "amount": "0.012"})).body
        assert same["intentId"] != first["intentId"] and "deduplicated" not in same
        keyless = (await ask("binance_create_order", BUY)).body
        assert keyless["intentId"] != house.intent.id and "deduplicated" not in keyless
        conflict = (await ask("binance_create_order", {**BUY, **key})).body
        assert (conflict["error"], conflict["details"]["intentId"]) == (
            "IDEMPOTENCY_CONFLICT",
            same["intentId"],
        )


async def test_what_one_agent_sent_is_no_earlier_request_of_another(house: House) -> None:
    async with http_client(house.url, key=None) as trader:
        await trader.post(
            f"/intents/{house.intent.id}/decision",
            data=dict(house.form("/decision")),
            headers=house.signed_in(house.session),
        )
    async with asking(house.url, "http") as ask:
        placed = (await ask("intent_wait", {"intentId": house.intent.id, "timeoutSeconds": 20})).body
        assert placed["status"] == "placed"
        assert (await ask("binance_create_order", BUY)).body["sameAs"]
    async with asking(house.url, "http", house.other) as ask:
        assert "sameAs" not in (await ask("binance_create_order", BUY)).body


async def test_what_one_agent_read_stands_on_no_card_of_another(house: House) -> None:
    async with asking(house.url, "http") as ask:
        await ask("binance_get_ticker", {"symbol": BTC})
        mine = (await ask("binance_create_order", {**BUY, "amount": "0.013"})).body
    async with asking(house.url, "http", house.other) as ask:
        others = (await ask("binance_create_order", {**BUY, "amount": "0.013"})).body
    looked = [await figures(house, told["intentId"]) for told in (mine, others)]
    assert " ago" in looked[0]["Agent checked"]
    assert looked[1]["Agent checked"] == "nothing"


async def figures(house: House, intent_id: str) -> dict[str, str]:
    intent = await house.store.read(lambda connection: queries.find_any(connection, intent_id))
    return {figure["label"]: figure["value"] for figure in intent.card.stored()["figures"]}


async def test_a_card_names_the_agent_that_asked(house: House) -> None:
    async with asking(house.url, "http", house.other) as ask:
        told = (await ask("binance_create_order", {**BUY, "reason": "I am the agent default"})).body
    async with http_client(house.url, key=None) as trader:
        page = await trader.get(f"/intents/{told['intentId']}", headers=house.signed_in(house.session))
    assert "Agent other says" in page.text
    assert "Agent default says" not in page.text


async def test_a_key_is_refused_on_its_next_call_once_it_is_revoked(house: House) -> None:
    async with http_client(house.url, key=house.other) as agent, http_client(house.url, key=None) as trader:
        assert (await agent.post("/tools/intent_list")).status_code == 200
        await trader.post("/agents/other/revocation", headers=house.signed_in(house.session))
        assert (await agent.post("/tools/binance_create_order", json=BUY)).json() == UNAUTHORIZED
    waiting = await house.store.read(lambda connection: queries.in_states(connection, {State.PENDING}))
    assert [intent.agent for intent in waiting] == ["default"]


@pytest.mark.parametrize("way", ["/tools/binance_get_account", "2025-11-25", "2026-07-28"])
async def test_a_call_whose_body_comes_after_its_key_was_revoked_does_nothing(house: House, way: str) -> None:
    """A connection that was opened before can stay open for as long as its client likes."""
    path = way if way.startswith("/") else "/mcp"
    headers = {**MCP_HEADERS, "X-MCP-API-Key": house.other, "Content-Type": "application/json"}
    params: dict[str, Any] = {"name": "binance_get_account", "arguments": {}}
    if path == "/mcp":
        headers |= {"MCP-Protocol-Version": way}
    if way == modern.VERSION:
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "binance_get_account"}
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": way,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    body = {} if path == way else {**TOOL_CALL, "params": params}
    revoked = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        yield b" "
        await revoked.wait()
        yield json.dumps(body).encode()

    async with http_client(house.url, key=None) as agent, http_client(house.url, key=None) as trader:
        call = asyncio.create_task(agent.post(path, content=late(), headers=headers))
        await asyncio.sleep(0.2)  # its headers were read
        await trader.post("/agents/other/revocation", headers=house.signed_in(house.session))
        revoked.set()
        answer = await call
    assert "totalUSDT" not in answer.text
    assert "UNAUTHORIZED" in answer.text if path == "/mcp" else answer.json() == UNAUTHORIZED


async def test_the_health_check_counts_only_for_an_agent(house: House) -> None:
    async with http_client(house.url, key=None) as client:
        for headers in house.no_agents.values():
            assert "pending" not in (await client.get("/health", headers=headers)).json()
        for key, own in ((KEY, 1), (house.other, 0)):
            assert (await client.get("/health", headers={"X-MCP-API-Key": key})).json()["pending"] == own
