"""A request that waits, as a task of MCP 2026-07-28: for clients that can, where the operator allows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client

from broker.intents import Intent, State, Suggestion

from ..support import BTC, BUY, REST, TRADER, Wired, give_key, http_client, let_write, served, trusted, wired
from ..task_client import TASKS, TasksExtension, WasCancelled, ask
from .modern import CAN_LINKS, CAN_TASKS, call, request, task

pytestmark = pytest.mark.anyio

CREATE = "binance_create_order"
OTHERS_KEY = "another-agents-own-key"
WHATS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("get", {}),
    ("cancel", {}),
    ("update", {"inputResponses": {}}),
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Wired]:
    async with wired(tmp_path, mcp_tasks=True) as broker:
        yield broker


@pytest.fixture
async def http(broker: Wired) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(broker) as url, http_client(url) as http:
        yield http


@asynccontextmanager
async def polling(http: httpx2.AsyncClient, tasks: TasksExtension) -> AsyncIterator[mcp.Client]:
    transport = streamable_http_client(f"{http.base_url}/mcp", http_client=http)
    async with mcp.Client(transport, extensions=[tasks]) as client:
        yield client


async def parked(http: httpx2.AsyncClient, broker: Wired, **arguments: Any) -> Intent:
    handle = await call(http, CREATE, arguments or BUY, CAN_TASKS)
    assert handle["resultType"] == "task", handle
    return await broker.intent(handle["taskId"])


async def status(http: httpx2.AsyncClient, intent: Intent) -> dict[str, Any]:
    answer = await task(http, "get", intent.id)
    found: dict[str, Any] = answer["result"]
    return found


async def reject(broker: Wired, intent: Intent) -> None:
    await broker.store.intents.reject(
        intent.id, intent.digest, TRADER, "too large", Suggestion(), standing=trusted
    )


async def test_a_client_that_polls_gets_the_outcome_as_its_calls_result(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    tasks = TasksExtension()
    async with polling(http, tasks) as client:
        calling = asyncio.create_task(client.call_tool(CREATE, BUY))
        handle = await asyncio.wait_for(tasks.handles.get(), 10)
        intent = await broker.intent(handle.task_id)
        assert (handle.status, intent.state) == ("working", State.PENDING)
        assert handle.status_message.startswith("Not executed: waiting for a trader. A trader must decide at")
        assert f"/intents/{intent.id} before 2026-03-04T12:05:00" in handle.status_message
        assert (handle.ttl_ms, handle.poll_interval_ms) == (86_700_000, 2000)
        broker.executor.take(await broker.approve(intent))
        result = await asyncio.wait_for(calling, 10)
    assert not result.is_error
    assert isinstance(result.structured_content, dict)
    assert result.structured_content["status"] == "placed"
    assert result.structured_content["result"]["order"]["filled"] == 0.015


async def test_a_task_is_what_became_of_its_request(broker: Wired, http: httpx2.AsyncClient) -> None:
    """A person's no is a result and no error: an error is what clients try once more."""
    rejected = await parked(http, broker)
    await reject(broker, rejected)
    told = await status(http, rejected)
    assert (told["status"], told["result"]["isError"]) == ("completed", False)
    assert told["result"]["content"][0]["text"].startswith("Rejected by Ana. Nothing was sent.")
    assert told["result"]["structuredContent"]["decision"]["reason"] == "too large"

    expired = await parked(http, broker)
    broker.clock.advance(301)
    await broker.store.intents.expire_due()
    told = await status(http, expired)
    assert (told["status"], told["statusMessage"]) == (
        "completed",
        "Expired: no decision in time. Nothing was sent.",
    )
    assert told["lastUpdatedAt"] > told["createdAt"]

    refused = await parked(http, broker)
    await broker.control.fault("received", "code", code=-2010, msg="Insufficient balance.")
    await broker.submitted(await broker.approve(refused))
    told = await status(http, refused)
    assert (told["status"], told["result"]["isError"]) == ("completed", False)
    assert told["result"]["structuredContent"]["status"] == "refused"


async def test_what_is_approved_or_unknown_goes_on(broker: Wired, http: httpx2.AsyncClient) -> None:
    intent = await parked(http, broker)
    await broker.approve(intent)
    assert (await status(http, intent))["status"] == "working"
    await broker.control.fault("executed", "drop")
    await broker.submitted(await broker.intent(intent.id))
    told = await status(http, intent)
    assert (told["status"], "result" in told) == ("working", False)
    assert "MAY BE LIVE" in told["statusMessage"]


async def test_cancelling_a_task_withdraws_what_is_still_pending(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    tasks = TasksExtension()
    async with polling(http, tasks) as client:
        calling = asyncio.create_task(client.call_tool(CREATE, BUY))
        handle = await asyncio.wait_for(tasks.handles.get(), 10)
        for _ in range(2):
            acknowledged = await ask(client.session, "cancel", handle.task_id)
            assert (acknowledged.task_id, acknowledged.status) == (None, None)
        with pytest.raises(WasCancelled):
            await asyncio.wait_for(calling, 10)
    assert (await broker.intent(handle.task_id)).state is State.WITHDRAWN


async def test_cancelling_a_task_changes_nothing_that_was_decided(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    intent = await parked(http, broker)
    await broker.approve(intent)
    assert (await task(http, "cancel", intent.id))["result"]["resultType"] == "complete"
    assert (await broker.intent(intent.id)).state is State.APPROVED


async def test_a_broker_that_cannot_say_is_no_missing_task(broker: Wired, http: httpx2.AsyncClient) -> None:
    intent = await parked(http, broker)
    await let_write(broker.store, False)
    error = (await task(http, "cancel", intent.id))["error"]
    assert (error["code"], error["data"]["error"]) == (-32603, "STORE_UNAVAILABLE")
    assert error["data"]["next"]["say"]
    await let_write(broker.store, True)
    assert (await status(http, intent))["status"] == "working"


async def test_no_answer_of_a_client_decides(broker: Wired, http: httpx2.AsyncClient) -> None:
    intent = await parked(http, broker)
    accepted = {"approval": {"action": "accept"}, intent.id: {"action": "accept"}}
    told = await task(http, "update", intent.id, inputResponses=accepted)
    assert told["result"]["resultType"] == "complete"
    assert (await broker.intent(intent.id)).state is State.PENDING


async def test_anothers_task_is_as_unknown_as_none(broker: Wired, http: httpx2.AsyncClient) -> None:
    intent = await parked(http, broker)
    give_key(broker.store, "another", OTHERS_KEY)
    async with http_client(str(http.base_url), OTHERS_KEY) as other:
        for what, more in WHATS:
            answers = [
                await task(other, what, task_id, **more) for task_id in (intent.id, "nothing", "x" * 70)
            ]
            assert [answer["error"]["code"] for answer in answers] == [-32602] * 3
            assert len({str(answer["error"]) for answer in answers}) == 1
    assert (await broker.intent(intent.id)).state is State.PENDING


async def test_the_header_that_routes_has_to_name_the_task(broker: Wired, http: httpx2.AsyncClient) -> None:
    intent = await parked(http, broker)
    for what, more in WHATS:
        told = await request(http, f"tasks/{what}", {"taskId": intent.id, **more}, CAN_TASKS, name="x")
        assert told["error"]["code"] == -32020
    assert (await broker.intent(intent.id)).state is State.PENDING


async def test_a_client_that_cannot_is_answered_plainly_and_may_not_ask(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    told = await call(http, CREATE, BUY, {})
    assert (told["resultType"], told["structuredContent"]["status"]) == ("complete", "pending")
    task_id = told["structuredContent"]["intentId"]
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        error = (await request(http, method, {"taskId": task_id, "inputResponses": {}}, CAN_LINKS))["error"]
        assert error["code"] == -32021
        assert error["data"] == {"requiredCapabilities": {"extensions": {TASKS: {}}}}
    assert (await broker.intent(task_id)).state is State.PENDING


async def test_the_older_era_is_answered_plainly(http: httpx2.AsyncClient) -> None:
    transport = streamable_http_client(f"{http.base_url}/mcp", http_client=http)
    async with mcp.Client(transport, mode="legacy", extensions=[TasksExtension()]) as client:
        result = await client.call_tool(CREATE, BUY)
        assert isinstance(result.structured_content, dict)
        assert result.structured_content["status"] == "pending"
        with pytest.raises(mcp.MCPError) as refused:
            await ask(client.session, "get", result.structured_content["intentId"])
    assert refused.value.code == -32601


async def test_only_what_waits_becomes_a_task(broker: Wired, http: httpx2.AsyncClient) -> None:
    intent = await parked(http, broker)
    for tool, arguments in (
        ("binance_get_ticker", {"symbol": BTC}),
        ("intent_get", {"intentId": intent.id}),
        ("intent_list", {}),
        ("binance_create_order", {"symbol": "NOPE", "side": "buy", "amount": 1}),
    ):
        assert (await call(http, tool, arguments, CAN_TASKS))["resultType"] == "complete"


async def test_a_repeated_call_is_the_same_task_and_its_result_once_it_ended(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    again = {**BUY, "idempotencyKey": "an-intended-action"}
    intent = await parked(http, broker, **again)
    assert (await parked(http, broker, **again)).id == intent.id
    await reject(broker, intent)
    told = await call(http, CREATE, again, CAN_TASKS)
    assert (told["resultType"], told["structuredContent"]["status"]) == ("complete", "rejected")
    assert await broker.parked_count() == 0


async def test_the_warning_of_a_repeat_is_not_hidden_in_a_task(
    broker: Wired, http: httpx2.AsyncClient
) -> None:
    first = await parked(http, broker)
    await broker.submitted(await broker.approve(first))
    for _ in range(2):  # the first answer may be lost
        told = await call(http, CREATE, BUY, CAN_TASKS)
        assert told["structuredContent"]["sameAs"] == {"intentId": first.id, "status": "placed"}
        assert told["structuredContent"]["status"] == "pending"
        assert f"It repeats your request {first.id}, which is placed" in told["content"][0]["text"]


async def test_a_task_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    async with wired(tmp_path, mcp_tasks=True) as before:
        async with served(before) as url, http_client(url) as http:
            intent = await parked(http, before, **REST)
    async with wired(tmp_path, mcp_tasks=True) as after:
        async with served(after) as url, http_client(url) as http:
            assert (await status(http, intent))["status"] == "working"
            await reject(after, intent)
            assert (await status(http, intent))["status"] == "completed"


async def test_without_the_setting_there_are_no_tasks(tmp_path: Path) -> None:
    async with wired(tmp_path) as broker, served(broker) as url, http_client(url) as http:
        told = await call(http, CREATE, BUY, CAN_TASKS)
        assert (told["resultType"], told["structuredContent"]["status"]) == ("complete", "pending")
        answer = await task(http, "get", told["structuredContent"]["intentId"])
        assert answer["error"]["code"] == -32601
        offered = await request(http, "server/discover", {}, CAN_TASKS)
        assert not offered["result"]["capabilities"].get("extensions")


async def test_the_extension_is_offered(http: httpx2.AsyncClient) -> None:
    offered = await request(http, "server/discover", {}, {})
    assert offered["result"]["capabilities"]["extensions"] == {TASKS: {}}
