"""The request's page, handed to a person through his client, where the operator allows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import mcp
import pytest
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, ErrorData

from broker.api import mcp_elicitation
from broker.intents import Intent, State, Suggestion

from ..support import BTC, BUY, KEY, TRADER, Wired, eventually, give_key, http_client, served, wired
from .modern import CAN_LINKS, CAN_TASKS, FORMS_ONLY, call, request

pytestmark = pytest.mark.anyio

CREATE = "binance_create_order"
OTHERS_KEY = "another-agents-own-key"
ACCEPTED = {"approval": {"action": "accept"}}
DECLINED = {"approval": {"action": "decline"}}

Action = Literal["accept", "decline", "cancel"]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Wired]:
    async with wired(tmp_path, mcp_url_elicitation=True) as broker:
        yield broker


@pytest.fixture
async def http(broker: Wired) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(broker) as url, http_client(url) as http:
        yield http


class Person:
    """What a client's person does with a link, and which links he was shown."""

    def __init__(self, action: Action | ErrorData, then: Callable[[], None] = lambda: None) -> None:
        self.links: list[str] = []
        self._action = action
        self._then = then

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult | ErrorData:
        assert params.mode == "url"
        self.links.append(params.url)
        self._then()
        return self._action if isinstance(self._action, ErrorData) else ElicitResult(action=self._action)


@asynccontextmanager
async def client_of(http: httpx2.AsyncClient, person: Person) -> AsyncIterator[mcp.Client]:
    transport = streamable_http_client(f"{http.base_url}/mcp", http_client=http)
    async with mcp.Client(transport, elicitation_callback=person) as client:
        yield client


async def the_one(broker: Wired) -> Intent:
    listed = await broker.call("intent_list")
    assert listed["count"] == 1
    return await broker.intent(listed["intents"][0]["intentId"])


async def waits(broker: Wired, intent: Intent) -> bool:
    return bool(broker.hub._waiters.get(intent.id))


def body(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_link_that_was_not_opened_leaves_the_request_waiting(
    broker: Wired, http: httpx2.AsyncClient, action: Action
) -> None:
    person = Person(action)
    async with client_of(http, person) as client:
        told = body(await asyncio.wait_for(client.call_tool(CREATE, BUY), 10))
    intent = await the_one(broker)
    assert person.links == [f"{broker.settings.url}/intents/{intent.id}"]
    assert (told["status"], told["intentId"]) == ("pending", intent.id)
    assert (told["next"]["tool"], intent.state) == ("intent_wait", State.PENDING)


async def test_an_opened_link_approves_nothing(
    broker: Wired, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last round its model is told in plain words."""
    monkeypatch.setattr(mcp_elicitation, "ROUND_SECONDS", 1)
    monkeypatch.setattr(mcp_elicitation, "ROUNDS", 2)
    person = Person("accept")
    async with client_of(http, person) as client:
        result = await asyncio.wait_for(client.call_tool(CREATE, BUY), 20)
    intent = await the_one(broker)
    assert (body(result)["status"], intent.state, len(person.links)) == ("pending", State.PENDING, 1)
    assert await broker.control.requests() == []


async def test_a_call_ends_after_six_rounds(broker: Wired, http: httpx2.AsyncClient) -> None:
    broker.hub.close()  # nobody waits any more
    told, rounds = await call(http, CREATE, BUY, CAN_LINKS), 0
    while told["resultType"] == "input_required":
        answered = ACCEPTED if "inputRequests" in told else {}
        told, rounds = await again(http, told["requestState"], answered), rounds + 1
    assert (rounds, told["structuredContent"]["status"]) == (6, "pending")
    assert await broker.parked_count() == 1


async def test_the_decision_answers_the_call_at_once(broker: Wired, http: httpx2.AsyncClient) -> None:
    shown = asyncio.Event()
    async with client_of(http, Person("accept", shown.set)) as client:
        calling = asyncio.create_task(client.call_tool(CREATE, BUY))
        await asyncio.wait_for(shown.wait(), 10)
        intent = await the_one(broker)
        await eventually(lambda: waits(broker, intent))
        broker.executor.take(await broker.approve(intent))
        told = body(await asyncio.wait_for(calling, 10))
    assert (told["status"], told["result"]["order"]["filled"]) == ("placed", 0.015)
    assert (await the_one(broker)).id == intent.id


async def test_a_rejection_answers_the_call_too(broker: Wired, http: httpx2.AsyncClient) -> None:
    first = await call(http, CREATE, BUY, CAN_LINKS)
    intent = await the_one(broker)
    await broker.store.intents.reject(intent.id, intent.digest, TRADER, "not today", Suggestion())
    told = await again(http, first["requestState"])
    assert (told["isError"], told["structuredContent"]["status"]) == (False, "rejected")
    assert told["structuredContent"]["decision"]["reason"] == "not today"
    assert (await the_one(broker)).id == intent.id


async def again(
    http: httpx2.AsyncClient, state: str, answered: Any = ACCEPTED, arguments: Any = BUY
) -> dict[str, Any]:
    return await call(http, CREATE, arguments, CAN_LINKS, inputResponses=answered, requestState=state)


async def test_a_client_that_cannot_show_links_after_all_learns_of_the_request(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    person = Person(ErrorData(code=-32600, message="forms only"))
    async with client_of(http, person) as client:
        with pytest.raises(mcp.MCPError):
            await client.call_tool(CREATE, BUY)
        told = body(await client.call_tool(CREATE, BUY))
    assert (told["status"], told["deduplicated"], len(person.links)) == ("pending", True, 1)
    assert (await the_one(broker)).id == told["intentId"]


async def test_a_state_holds_for_its_own_call_of_its_own_agent(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    state = (await call(http, CREATE, BUY, CAN_LINKS))["requestState"]
    assert (await the_one(broker)).id not in state
    give_key(broker.store, "another", OTHERS_KEY)
    larger = {**BUY, "amount": "0.016"}
    for key, arguments, sent in (
        (KEY, larger, state),
        (KEY, BUY, state[:-2] + ("AA" if state[-2:] != "AA" else "BB")),
        (KEY, BUY, '["01", 1]'),
        (OTHERS_KEY, BUY, state),
    ):
        async with http_client(str(http.base_url), key) as caller:
            params = {
                "name": CREATE,
                "arguments": arguments,
                "inputResponses": ACCEPTED,
                "requestState": sent,
            }
            refused = await request(caller, "tools/call", params, CAN_LINKS)
        assert refused["error"]["code"] == -32602
    assert await broker.parked_count() == 1


async def test_a_call_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with wired(tmp_path, mcp_url_elicitation=True) as before:
        async with served(before) as url, http_client(url) as http:
            state = (await call(http, CREATE, BUY, CAN_LINKS))["requestState"]
            intent = await the_one(before)
    async with wired(tmp_path) as after:  # also where links are no longer handed over
        async with served(after) as url, http_client(url) as http:
            told = await again(http, state, DECLINED)
        assert told["structuredContent"]["intentId"] == intent.id
        assert (await the_one(after)).state is State.PENDING


async def test_a_retry_without_its_answer_is_told_how_it_stands(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    state = (await call(http, CREATE, BUY, CAN_LINKS))["requestState"]
    for answered in ({}, {"other": {"action": "accept"}}):
        told = await again(http, state, answered)
        assert told["structuredContent"]["status"] == "pending"
    assert await broker.parked_count() == 1


@pytest.mark.parametrize("can", [{}, FORMS_ONLY, {"elicitation": {"form": {}}}], ids=str)
async def test_who_cannot_open_links_is_answered_plainly(
    broker: Wired, http: httpx2.AsyncClient, can: dict[str, Any]
) -> None:
    told = await call(http, CREATE, BUY, can)
    assert (told["resultType"], told["structuredContent"]["status"]) == ("complete", "pending")


async def test_the_older_era_is_answered_plainly(broker: Wired, http: httpx2.AsyncClient) -> None:
    person = Person("accept")
    transport = streamable_http_client(f"{http.base_url}/mcp", http_client=http)
    async with mcp.Client(transport, mode="legacy", elicitation_callback=person) as client:
        assert body(await client.call_tool(CREATE, BUY))["status"] == "pending"
    assert person.links == []


async def test_what_does_not_wait_has_no_link(broker: Wired, http: httpx2.AsyncClient) -> None:
    parked = (await broker.park(**BUY)).id
    for tool, arguments in (("binance_get_ticker", {"symbol": BTC}), ("intent_get", {"intentId": parked})):
        assert (await call(http, tool, arguments, CAN_LINKS))["resultType"] == "complete"


async def test_without_the_setting_there_are_no_links(tmp_path: Path) -> None:
    async with wired(tmp_path) as broker, served(broker) as url, http_client(url) as http:
        told = await call(http, CREATE, BUY, CAN_LINKS)
    assert (told["resultType"], told["structuredContent"]["status"]) == ("complete", "pending")


async def test_who_can_do_both_opens_the_link_and_then_polls(tmp_path: Path) -> None:
    both = {**CAN_LINKS, **CAN_TASKS}
    settings: dict[str, Any] = {"mcp_tasks": True, "mcp_url_elicitation": True}
    async with wired(tmp_path, **settings) as broker, served(broker) as url, http_client(url) as http:
        first = await call(http, CREATE, BUY, both)
        assert (first["resultType"], "taskId" in first) == ("input_required", False)
        more = {"requestState": first["requestState"], "inputResponses": ACCEPTED}
        handle = await call(http, CREATE, BUY, both, **more)
        assert (handle["resultType"], handle["taskId"]) == ("task", (await the_one(broker)).id)
        assert "requestState" not in handle
        told = await call(http, CREATE, BUY, both, **{**more, "inputResponses": DECLINED})
        assert (told["resultType"], told["structuredContent"]["status"]) == ("complete", "pending")
