"""The bridge between MCP over stdio and a running broker."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from broker import stdio
from broker.stdin_lines import CHUNK, LONGEST
from broker.stdio import MAX_LINE, VERSION, Bridge
from broker.tools.intent_answer import Failure

from .acceptance.processes import environment
from .support import BUY, KEY, Wired, eventually, served

pytestmark = pytest.mark.anyio

MODERN = {VERSION: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class Wire:
    """The client's end: what it writes, and what it was answered."""

    def __init__(self, url: str, key: str) -> None:
        self.lines = asyncio.StreamReader(limit=MAX_LINE)
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self.told: list[str] = []
        self.bridge = Bridge(url, key, write=self.answers.put_nowait, tell=self.told.append)

    def write(self, message: Any) -> None:
        self.lines.feed_data(json.dumps(message).encode() + b"\n")

    def ask(self, request_id: int | str, method: str, **params: Any) -> None:
        self.write({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})

    def call(self, request_id: int | str, tool: str, arguments: dict[str, Any], **meta: Any) -> None:
        self.ask(request_id, "tools/call", name=tool, arguments=arguments, _meta=meta)

    async def read(self) -> Any:
        async with asyncio.timeout(20):
            return json.loads(await self.answers.get())


@asynccontextmanager
async def bridged(url: str, key: str = KEY) -> AsyncIterator[Wire]:
    wire = Wire(url, key)
    running = asyncio.create_task(wire.bridge.run(wire.lines))
    yield wire
    with suppress(AssertionError):
        wire.lines.feed_eof()
    await asyncio.wait_for(running, 5)


@pytest.fixture
async def wire(broker: Wired) -> AsyncIterator[Wire]:
    async with served(broker) as url, bridged(url) as wire:
        yield wire


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_the_older_eras_handshake_and_calls_pass(wire: Wire) -> None:
    wire.ask(0, "initialize", **HELLO)
    told = await wire.read()
    assert (told["id"], told["result"]["protocolVersion"]) == (0, "2025-11-25")
    assert told["result"]["serverInfo"]["name"] == "trading-binance-mcp"
    wire.write({"jsonrpc": "2.0", "method": "notifications/initialized"})
    wire.call("text", "binance_create_order", BUY)
    told = await wire.read()
    assert (told["id"], told["result"]["structuredContent"]["status"]) == ("text", "pending")


async def test_the_newer_era_needs_no_handshake(wire: Wire) -> None:
    wire.ask(1, "server/discover", _meta=MODERN)
    assert "2026-07-28" in (await wire.read())["result"]["supportedVersions"]
    wire.call(2, "binance_create_order", BUY, **MODERN)
    told = await wire.read()
    assert (told["id"], told["result"]["resultType"]) == (2, "complete")
    wire.ask(3, "no/such", _meta=MODERN)
    told = await wire.read()
    assert (told["id"], told["error"]["code"]) == (3, -32601)
    wire.ask(4, "tools/call", name="größer", arguments={}, _meta=MODERN)
    assert (await wire.read())["result"]["structuredContent"]["error"] == "UNKNOWN_TOOL"


@pytest.mark.parametrize("meta", [{}, MODERN], ids=["legacy", "modern"])
async def test_progress_passes_and_a_cancelled_call_waits_no_more(
    broker: Wired, wire: Wire, meta: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.tools.intents.PROGRESS_SECONDS", 0.1)
    intent = await broker.park(**BUY)
    wire.call(7, "intent_wait", {"intentId": intent.id}, progressToken=0, **meta)
    told = await wire.read()
    assert (told["method"], told["params"]["progressToken"]) == ("notifications/progress", 0)
    assert broker.hub._waiters.get(intent.id)
    wire.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})

    async def nobody_waits() -> bool:
        return not broker.hub._waiters.get(intent.id)

    await eventually(nobody_waits)
    wire.call(8, "intent_get", {"intentId": intent.id}, **meta)
    while (told := await wire.read()).get("method"):
        pass
    assert (told["id"], told["result"]["structuredContent"]["status"]) == (8, "pending")


async def test_calls_do_not_wait_for_each_other(broker: Wired, wire: Wire) -> None:
    intent = await broker.park(**BUY)
    wire.call(1, "intent_wait", {"intentId": intent.id})
    wire.call(2, "intent_cancel", {"intentId": intent.id})
    told = [await wire.read(), await wire.read()]
    assert {answer["result"]["structuredContent"]["status"] for answer in told} == {"withdrawn"}


async def test_what_is_no_message_is_answered_and_nothing_ends(wire: Wire) -> None:
    for line, code in ((b"hello", -32700), (b"[1]", -32600), (b"[" * 100_000, -32700)):
        wire.lines.feed_data(line + b"\n")
        assert (await wire.read())["error"]["code"] == code
    wire.lines.feed_data(b" \n")
    wire.ask(1, "initialize", **HELLO)
    while (told := await wire.read())["id"] != 1:
        pass
    assert "result" in told


@pytest.mark.parametrize("meta", [{}, MODERN], ids=["legacy", "modern"])
async def test_a_call_that_is_too_long_is_answered_once_by_its_id_and_goes_nowhere(
    broker: Wired, wire: Wire, meta: dict[str, Any]
) -> None:
    wire.call(7, "binance_create_order", {**BUY, "reason": "x" * 2 * MAX_LINE}, **meta)
    told = await wire.read()
    assert (told["id"], told["result"]["structuredContent"]["error"]) == (7, "PAYLOAD_TOO_LARGE")
    assert f"over {MAX_LINE} bytes" in told["result"]["content"][0]["text"]
    wire.ask(8, "tools/list", _meta=meta, x="x" * MAX_LINE)
    told = await wire.read()
    assert (told["id"], told["error"]["data"]["error"]) == (8, "PAYLOAD_TOO_LARGE")
    wire.call(9, "intent_list", {}, **meta)
    told = await wire.read()
    assert (told["id"], told["result"]["structuredContent"]["count"]) == (9, 0)


async def test_what_is_too_long_to_have_an_id_is_answered_once(wire: Wire) -> None:
    """Also where another line comes with its end, and where the input ends amid it."""
    for size in (MAX_LINE + 1, LONGEST - 10, LONGEST + 1, 2 * LONGEST + CHUNK):
        wire.lines.feed_data(b"x" * size + b"\n[1]\n")
        told = [(await wire.read())["error"] for _ in range(2)]
        assert [error["code"] for error in told] == [-32600, -32600]
        assert [f"over {MAX_LINE} bytes" in error["message"] for error in told] == [True, False]
    wire.lines.feed_data(b"x" * (LONGEST + 1))
    wire.lines.feed_eof()
    assert f"over {MAX_LINE} bytes" in (await wire.read())["error"]["message"]


async def test_a_last_line_without_an_end_is_read(wire: Wire) -> None:
    wire.lines.feed_data(b"[1]")
    wire.lines.feed_eof()
    assert (await wire.read())["error"]["code"] == -32600


async def test_a_broker_that_comes_late_is_waited_for(broker: Wired) -> None:
    url = free_address()
    async with bridged(url) as wire:
        wire.ask(0, "initialize", **HELLO)

        async def noted() -> bool:
            return bool(wire.told)

        await eventually(noted)
        async with served(broker) as there:
            wire.bridge._url = there
            assert "result" in await wire.read()
    assert wire.told[0].startswith(f"No broker answers at {url}. Start one with `broker`.")
    assert wire.told[1].endswith("answers again.")


async def test_without_a_broker_a_model_reads_why_and_a_later_one_serves(
    broker: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "CALL_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(stdio, "START_PATIENCE_SECONDS", 0)
    async with bridged(free_address()) as wire:
        wire.ask(0, "initialize", **HELLO)
        assert "Ask the user to start the broker with `broker`" in (await wire.read())["error"]["message"]
        for meta, kind in (({}, None), (MODERN, "complete")):
            wire.call(1, "binance_create_order", BUY, **meta)
            result = (await wire.read())["result"]
            assert (result["isError"], result.get("resultType")) == (True, kind)
            assert "nothing was sent to Binance" in result["content"][0]["text"]
            assert Failure.model_validate(result["structuredContent"]).error == "BROKER_UNREACHABLE"
        async with served(broker) as there:
            wire.bridge._url = there
            wire.call(2, "binance_create_order", BUY)
            assert (await wire.read())["result"]["structuredContent"]["status"] == "pending"
    assert len(wire.told) == 2


async def test_a_broker_that_goes_away_amid_a_call_leaves_it_open_what_was_done() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        async with bridged(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as wire:
            wire.call(1, "binance_create_order", BUY)
            result = (await wire.read())["result"]
    assert Failure.model_validate(result["structuredContent"]).error == "ANSWER_LOST"
    assert result["structuredContent"]["next"]["tool"] == "intent_list"
    assert "may now wait for a trader" in result["content"][0]["text"]


async def test_a_wrong_key_is_told_to_model_and_operator(broker: Wired) -> None:
    async with served(broker) as url, bridged(url, KEY + "!") as wire:
        wire.call(1, "intent_list", {})
        result = (await wire.read())["result"]
    assert result["structuredContent"]["error"] == "UNAUTHORIZED"
    assert "MCP_API_KEY" in result["content"][0]["text"]
    assert KEY not in "".join(wire.told) and len(wire.told) == 1


async def test_what_the_door_refuses_keeps_its_code(broker: Wired) -> None:
    async with served(broker) as url, bridged(url) as wire:
        wire.call(1, "intent_get", {"intentId": "x" * 100_000})
        told = await wire.read()
    assert told["id"] == 1 and ("error" in told or told["result"]["isError"])


async def test_a_client_that_closes_its_end_gets_what_is_nearly_ready_and_no_more(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    async with served(broker) as url, bridged(url) as wire:
        wire.call(1, "intent_wait", {"intentId": intent.id})
        wire.call(2, "intent_get", {"intentId": intent.id})
        wire.lines.feed_eof()
    assert (await wire.read())["id"] == 2
    assert wire.answers.empty()


def test_the_process_imports_neither_exchange_nor_database_and_says_only_protocol(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOMEBODY_ELSES=1\nPORT=1\n")
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "broker", "stdio"],
        input='{"jsonrpc": "2.0", "id": 1, "method": 1}\nnonsense\n',
        env=environment(DATA_DIR=str(tmp_path / "data")),
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=60,
        check=True,
    )
    [answer] = process.stdout.splitlines()
    assert json.loads(answer)["error"]["code"] == -32700
    imported = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "httpx2" in imported
    for heavy in ("ccxt", "sqlalchemy", "mcp", "mcp_types", "starlette", "uvicorn", "structlog"):
        assert heavy not in imported


async def test_two_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "broker", "stdio"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(DATA_DIR=str(tmp_path / "data"), PORT="1"),
            cwd=tmp_path,
        )

    processes = await asyncio.gather(start(), start())
    for process in processes:
        said, _ = await process.communicate(b"")
        assert (said, process.returncode) == (b"", 0)
    assert os.listdir(tmp_path / "data") == ["mcp-api-key"]
