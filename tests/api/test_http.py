"""The tools over plain HTTP: statuses and bodies as the contract has them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from broker import __version__
from broker.agents import Agent
from broker.errors import BrokerError, Code
from broker.tools import TOOLS

from ..support import BTC, BUY, KEY, REST, Wired, eventually, http_client, let_write, running, served, wired

pytestmark = pytest.mark.anyio

UNAUTHORIZED = {"error": "Invalid MCP API key"}

WRONG_KEYS = [
    {},
    {"X-MCP-API-Key": "wrong"},
    {"X-MCP-API-Key": ""},
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Bearer"},
    {"X-MCP-API-Key": "wrong", "Authorization": f"Bearer {KEY}"},
]

NO_OBJECTS: list[str | bytes] = ["{", "[]", "1", "null", '"text"', b"\xff", "[" * 5_000]

NO_NUMBERS = [
    "NaN",
    "Infinity",
    "0.1234567890123456",
    "1" * 5_000,
    "1e1000000",
    "-1e-1000000",
    "1e99999999999999999999",
]

COUNTED = [
    ("binance_get_klines", "limit", {}),
    ("binance_get_trades", "limit", {}),
    ("binance_create_order", "ttlSeconds", {"side": "buy", "amount": "0.015"}),
    ("binance_set_leverage", "leverage", {}),
]


@pytest.fixture
async def client(broker: Wired) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(broker) as url, http_client(url) as client:
        yield client


async def post(client: httpx2.AsyncClient, tool: str, content: str | bytes) -> httpx2.Response:
    return await client.post(f"/tools/{tool}", content=content)


def assert_failed(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["success"], body["error"]) == (status, False, code)
    assert body["message"]
    return body


# Who may call


async def test_without_the_right_key_nothing_is_called(broker: Wired, subtests: pytest.Subtests) -> None:
    async with served(broker) as url, http_client(url, key=None) as client:
        for headers in WRONG_KEYS:
            for path in ("/tools/binance_create_order", "/tools/nothing", "/mcp"):
                with subtests.test(f"{path} {headers}"):
                    answer = await client.post(path, json=BUY, headers=headers)
                    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert await broker.parked_count() == 0


async def test_the_key_comes_in_either_header(broker: Wired) -> None:
    async with served(broker) as url, http_client(url, key=None) as client:
        for headers in ({"X-MCP-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}):
            answer = await client.post("/tools/intent_list", headers=headers)
            assert answer.json() == {"intents": [], "count": 0}


# Statuses


async def test_a_parked_request_answers_200_and_has_no_success(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/tools/binance_create_order", json=BUY)
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert "success" not in answer.json()


async def test_a_body_that_is_no_object_is_a_bad_request(
    client: httpx2.AsyncClient, subtests: pytest.Subtests
) -> None:
    for body in NO_OBJECTS:
        with subtests.test(str(body[:10])):
            assert_failed(await post(client, "binance_get_ticker", body), 400, "INVALID_ARGUMENTS")


async def test_bad_arguments_are_a_bad_request_that_names_them(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/tools/binance_get_ticker", json={"symbol": "BTCUSDT", "limit": 5})
    body = assert_failed(answer, 400, "INVALID_ARGUMENTS")
    assert body["details"]["fields"][0]["field"] == "limit"


async def test_a_number_that_json_or_a_double_may_have_changed_is_refused(
    client: httpx2.AsyncClient, subtests: pytest.Subtests
) -> None:
    for amount in NO_NUMBERS:
        with subtests.test(amount[:20]):
            body = json.dumps(BUY).replace('"0.015"', amount)
            assert_failed(await post(client, "binance_create_order", body), 400, "INVALID_ARGUMENTS")


@pytest.mark.parametrize(("tool", "field", "more"), COUNTED)
async def test_a_count_with_a_huge_exponent_is_never_written_out(
    client: httpx2.AsyncClient, tool: str, field: str, more: dict[str, Any]
) -> None:
    """A billion digits would keep the whole broker busy for minutes: no halt, no order, no expiry."""
    for number in ("1e1000000", "1e99999999999999999999"):
        body = json.dumps({"symbol": BTC, **more, field: 0}).replace(": 0}", f": {number}}}")
        answer = assert_failed(await post(client, tool, body), 400, "INVALID_ARGUMENTS")
        told = {"field": field, "problem": "Input should be a finite number"}
        assert answer["details"]["fields"] == [told]


async def test_a_name_that_is_no_text_is_refused_like_any_other(client: httpx2.AsyncClient) -> None:
    answer = await post(client, "binance_get_ticker", '{"symbol": "BTCUSDT", "\\ud800": 1}')
    assert_failed(answer, 400, "INVALID_ARGUMENTS")


async def test_a_failed_rule_is_an_answer_and_no_http_error(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/tools/binance_create_order", json={**BUY, "amount": "0.00001"})
    assert_failed(answer, 200, "ORDER_FILTER")


async def test_an_unknown_tool_is_not_found(client: httpx2.AsyncClient) -> None:
    assert_failed(await client.post("/tools/binance_withdraw", json={}), 404, "UNKNOWN_TOOL")


async def test_a_body_over_64_kib_is_too_large_wherever_it_comes_in(client: httpx2.AsyncClient) -> None:
    large = json.dumps({**BUY, "reason": "x" * 65_536})
    assert_failed(await post(client, "binance_create_order", large), 413, "PAYLOAD_TOO_LARGE")
    assert (await client.post("/mcp", content=large)).status_code == 413


async def test_a_body_of_64_kib_is_not_too_large(client: httpx2.AsyncClient) -> None:
    exactly = '{"symbol": "BTCUSDT"}'.ljust(64 * 1024)
    assert (await post(client, "binance_get_ticker", exactly)).status_code == 200


async def test_tools_are_posted_to(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/tools/binance_get_ticker")).status_code == 405
    assert (await client.post("/tools")).status_code == 405


async def test_binance_in_trouble_is_a_bad_gateway_and_too_slow_a_timeout(
    tmp_path: Path,
) -> None:
    async with wired(tmp_path, patience=0.3) as broker, served(broker) as url, http_client(url) as client:
        path = "/api/v3/ticker/24hr"
        for fault, status, code in (
            ({"do": "code", "http": 503}, 502, "BINANCE_UNAVAILABLE"),
            ({"do": "hang"}, 504, "BINANCE_TIMEOUT"),
            ({"do": "code", "http": 429, "code": -1003}, 429, "RATE_LIMITED"),
        ):
            await broker.control.do("fault", when="received", path=path, times=1, **fault)
            answer = await client.post("/tools/binance_get_ticker", json={"symbol": "BTCUSDT"})
            body = assert_failed(answer, status, code)
        assert answer.headers["retry-after"] == str(body["details"]["retryAfterSeconds"])


async def test_live_without_keys_answers_as_the_contract_says(tmp_path: Path) -> None:
    live = {"binance_testnet": False, "binance_futures_testnet": False}
    async with wired(tmp_path) as broker, served(broker) as url, http_client(url) as client:
        settings = broker.settings.model_copy(update=live)
        assert (settings.mode, settings.configured) == ("live", False)
        broker.exchange.spot._configured = settings.configured
        answer = await client.post("/tools/binance_get_account", json={})
        assert (answer.status_code, answer.json()) == (500, {"error": "Binance API not configured"})
        answer = await client.post("/tools/binance_create_order", json=BUY)
        assert (answer.status_code, answer.json()) == (500, {"error": "Binance API not configured"})


async def test_an_error_of_our_own_never_shows_its_text(broker: Wired, client: httpx2.AsyncClient) -> None:
    rename = text("ALTER TABLE intents RENAME COLUMN card TO secret_card")
    parked = (await client.post("/tools/binance_create_order", json=BUY)).json()
    await broker.store.database.write(lambda connection: connection.execute(rename))
    answer = await client.post("/tools/intent_list")
    assert_failed(answer, 503, "STORE_UNAVAILABLE")
    wrong = text("UPDATE intents SET state = 'a-state-of-no-meaning'")
    back = text("ALTER TABLE intents RENAME COLUMN secret_card TO card")
    await broker.store.database.write(lambda connection: connection.execute(back))
    await broker.store.database.write(lambda connection: connection.execute(wrong))
    answer = await client.post("/tools/intent_get", json={"intentId": parked["intentId"]})
    body = assert_failed(answer, 500, "INTERNAL")
    assert "meaning" not in json.dumps(body)


@pytest.mark.parametrize("path", ["/tools/intent_list", "/mcp"])
async def test_a_database_that_fails_between_the_headers_and_the_body_is_told_as_such(
    broker: Wired, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asked: list[int] = []

    def version() -> int:
        asked.append(1)
        if len(asked) > 1:
            raise BrokerError(Code.STORE_UNAVAILABLE, "The broker's database is not available.")
        return 0

    monkeypatch.setattr(broker.store.database, "version", version)
    listing = {"name": "intent_list", "arguments": {}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": listing}
    headers = {"Accept": "application/json, text/event-stream"}
    answer = await client.post(path, json=call if path == "/mcp" else {}, headers=headers)
    assert answer.status_code == (200 if path == "/mcp" else 503)  # a model reads results, not statuses
    assert "STORE_UNAVAILABLE" in answer.text


# Idempotency


async def test_the_header_is_an_idempotency_key(broker: Wired, client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "an-intended-action"}
    first, again = [
        (await client.post("/tools/binance_create_order", json=BUY, headers=headers)).json() for _ in range(2)
    ]
    assert (again["intentId"], again["deduplicated"]) == (first["intentId"], True)
    assert (await broker.intent(first["intentId"])).idempotency_key == "an-intended-action"
    other = await client.post("/tools/binance_create_order", json={**BUY, "amount": "0.016"}, headers=headers)
    assert_failed(other, 200, "IDEMPOTENCY_CONFLICT")


async def test_a_header_of_a_bad_length_is_refused_by_name(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/tools/binance_create_order", json=BUY, headers={"Idempotency-Key": "short"})
    body = assert_failed(answer, 400, "INVALID_ARGUMENTS")
    assert body["details"]["fields"][0]["field"] == "idempotencyKey"


# What is open


async def test_the_catalogue_is_open_and_says_all_of_each_tool(broker: Wired) -> None:
    async with served(broker) as url, http_client(url, key=None) as client:
        tools = (await client.get("/tools")).json()["tools"]
    assert [tool["name"] for tool in tools] == list(TOOLS)
    for tool in tools:
        assert tool.keys() >= {
            "name",
            "description",
            "inputSchema",
            "outputSchema",
            "riskLevel",
            "requiresConfirmation",
        }
        assert tool["inputSchema"]["additionalProperties"] is False


async def test_health_is_open_and_counts_only_for_agents(broker: Wired) -> None:
    await broker.park(**BUY)
    await broker.gateway.call(Agent(name="other"), "binance_create_order", REST)
    async with running(broker.executor.run()), served(broker) as url:
        async with http_client(url, key=None) as stranger, http_client(url) as agent:
            await eventually(lambda: healthy(stranger))
            assert (await stranger.get("/health")).json() == {
                "status": "healthy",
                "service": "mcp-binance-connector",
                "version": __version__,
                "mode": "paper",
                "testnet": False,
                "timestamp": round(broker.clock.now.timestamp() * 1000),
            }
            wrong = await stranger.get("/health", headers={"X-MCP-API-Key": "wrong"})
            assert "pending" not in wrong.json()
            assert (await agent.get("/health")).json()["pending"] == 1


async def test_health_fails_without_executor_or_database(broker: Wired, client: httpx2.AsyncClient) -> None:
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    assert "executor" in answer.json()["problem"]
    gone = text("ALTER TABLE intents RENAME TO gone")
    await broker.store.database.write(lambda connection: connection.execute(gone))
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    assert "database" in answer.json()["problem"]


async def test_health_fails_while_nothing_can_be_written_and_comes_back(
    broker: Wired, client: httpx2.AsyncClient
) -> None:
    async with running(broker.executor.run()):
        assert await eventually(lambda: healthy(client))
        await let_write(broker.store, False)
        assert (await client.post("/tools/binance_create_order", json=BUY)).status_code == 503
        answer = await client.get("/health")
        assert (answer.status_code, "database" in answer.json()["problem"]) == (503, True)
        await let_write(broker.store, True)
        assert await healthy(client)


async def test_health_does_not_depend_on_binance(broker: Wired, client: httpx2.AsyncClient) -> None:
    await broker.control.do("fault", when="received", do="code", http=503, times=999)
    async with running(broker.executor.run()):
        assert await eventually(lambda: healthy(client))


async def healthy(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/health")).status_code == 200
