"""Strangers and agents crowd a real broker while a trader decides."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from .people import PASSWORD, Agent, agent, orders_at
from .processes import BrokerProcess, PaperProcess, environment

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 10
"""For an answer: far more than it takes, for a machine that is busy with other tests too."""

CPU_SECONDS = 2.0
"""Of the broker's own, from an approval to the order: ten times what it takes, on a busy machine too."""

IDLE = 3000
FEW_FILES = 400
CALLERS = 8

SLOW = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
    b"POST /signin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 16000\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\na",
)
ENDLESS = {
    "header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
    "url": b"GET /",
    "body of nothing": b"POST /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"fffffff\r\n",
}


@contextmanager
def files(most: int) -> Iterator[None]:
    """How many files this process, and what it starts, may open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def idle(broker: BrokerProcess, count: int) -> Iterator[None]:
    """Connections that never send a whole request."""
    with files(count + 1000), ExitStack() as stack:
        for number in range(count):
            stranger = stack.enter_context(closing(socket.create_connection(("127.0.0.1", broker.port))))
            with suppress(ConnectionError):
                stranger.sendall(SLOW[number % len(SLOW)])
        yield


def cpu_seconds(broker: BrokerProcess) -> float:
    fields = Path(f"/proc/{broker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send_without_end(broker: BrokerProcess, start: bytes) -> int:
    """Up to 100 MB; how many bytes the broker took before it hung up."""
    sent, piece = 0, b"a" * 65536
    with closing(socket.create_connection(("127.0.0.1", broker.port))) as stranger:
        stranger.settimeout(60)
        with suppress(OSError):
            stranger.sendall(start)
            while sent < 100_000_000:
                stranger.sendall(piece)
                sent += len(piece)
    return sent


@asynccontextmanager
async def trader(broker: BrokerProcess) -> AsyncIterator[httpx2.AsyncClient]:
    """Signed in, by the forms of the page."""
    added = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "broker", "traders", "add", "Ana", "--password-stdin"),
        cwd=broker.folder,
        env=environment(DATA_DIR=str(broker.folder / "data")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    await added.communicate(PASSWORD.encode())
    async with httpx2.AsyncClient(base_url=broker.url, timeout=60) as http:
        signed_in = await http.post("/signin", data={"name": "Ana", "password": PASSWORD})
        assert signed_in.status_code == 303
        yield http


async def approved_and_placed(
    broker: BrokerProcess, http: httpx2.AsyncClient, asking: Agent, parked: dict[str, str]
) -> float:
    """By the trader's form, over a new connection; the broker's CPU seconds until the order is placed."""
    started = cpu_seconds(broker)
    async with httpx2.AsyncClient(base_url=broker.url, cookies=http.cookies, timeout=60) as fresh:
        form = {"digest": parked["digest"], "decision": "approve"}
        answer = await fresh.post(f"/intents/{parked['intentId']}/decision", data=form)
        assert answer.status_code == 303, answer.text
    told = await asking.call("intent_wait", intentId=parked["intentId"], timeoutSeconds=50)
    assert told["status"] == "placed", told
    return cpu_seconds(broker) - started


@asynccontextmanager
async def flooding(broker: BrokerProcess) -> AsyncIterator[None]:
    """Agents that call without pause, with a valid key."""

    async def call(http: httpx2.AsyncClient, tool: str) -> None:
        while True:
            with suppress(httpx2.HTTPError):
                await http.post(f"/tools/{tool}", json={})

    limits = httpx2.Limits(max_connections=CALLERS)
    headers = {"X-MCP-API-Key": broker.key}
    async with httpx2.AsyncClient(base_url=broker.url, headers=headers, limits=limits, timeout=60) as http:
        tools = ("intent_list", "binance_get_exchange_info")
        callers = [asyncio.create_task(call(http, tools[n % 2])) for n in range(CALLERS)]
        try:
            yield
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


@pytest.mark.parametrize("kind", ENDLESS)
async def test_what_never_ends_is_cut_early_and_keeps_nobody_waiting(
    broker: BrokerProcess, kind: str
) -> None:
    sending = asyncio.create_task(asyncio.to_thread(send_without_end, broker, ENDLESS[kind]))
    slowest = 0.0
    async with httpx2.AsyncClient(base_url=broker.url, timeout=60) as http:
        while not sending.done():
            started = time.monotonic()
            assert (await http.get("/health")).status_code == 200
            slowest = max(slowest, time.monotonic() - started)
            await asyncio.sleep(0.05)
    assert await sending < 20_000_000  # what lies in the kernel's buffers counts too
    assert slowest < PATIENCE_SECONDS


async def test_an_approval_reaches_the_exchange_through_a_crowd(
    broker: BrokerProcess, exchange: PaperProcess
) -> None:
    async with agent(broker) as asking, trader(broker) as http:
        parked = [await asking.park(amount=amount) for amount in ("0.01", "0.011")]
        with idle(broker, IDLE):
            async with flooding(broker):
                endless = asyncio.to_thread(send_without_end, broker, ENDLESS["header"])
                sending = asyncio.create_task(endless)
                for one in parked:
                    assert await approved_and_placed(broker, http, asking, one) < CPU_SECONDS
                started = cpu_seconds(broker)
                halted = await http.post("/trading", data={"level": "halted", "reason": "a crowd"})
                assert halted.status_code < 400, halted.text
                assert cpu_seconds(broker) - started < CPU_SECONDS
                await sending
            refused = await asking.call("binance_create_order", symbol="BTCUSDT", side="buy", amount="0.013")
            assert refused["error"] == "TRADING_HALTED"
    assert len(await orders_at(exchange.url)) == 2
    assert "Traceback" not in "".join(broker.output)
    assert len(broker.output) < 100


async def test_where_few_files_may_be_open_the_exchange_still_gets_one(
    tmp_path: Path, exchange: PaperProcess
) -> None:
    few = ("tests.acceptance.few_files", str(FEW_FILES))
    with BrokerProcess(tmp_path, command=few, PAPER_URL=exchange.url) as broker:
        async with agent(broker) as asking, trader(broker) as http:
            parked = await asking.park()
            with idle(broker, 2 * FEW_FILES):
                assert await approved_and_placed(broker, http, asking, parked) < CPU_SECONDS
                async with httpx2.AsyncClient(base_url=broker.url, timeout=60) as stranger:
                    assert (await stranger.get("/health")).status_code == 200
        assert "Traceback" not in "".join(broker.output)
    assert len(await orders_at(exchange.url)) == 1


JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("path", "kind"), [("/tools/intent_list", JSON), ("/mcp", JSON), ("/signin", FORM), ("/nothing", FORM)]
)
async def test_a_client_that_hangs_up_in_mid_body_leaves_no_traceback(
    broker: BrokerProcess, path: str, kind: str
) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-MCP-API-Key: {broker.key}\r\nContent-Length: 100\r\n"
        f"Accept: application/json, text/event-stream\r\nContent-Type: {kind}\r\n\r\n{{"
    )
    with closing(socket.create_connection(("127.0.0.1", broker.port))) as stranger:
        stranger.sendall(head.encode())
        await asyncio.sleep(0.5)
    async with httpx2.AsyncClient(base_url=broker.url, timeout=60) as http:
        assert (await http.get("/health")).status_code == 200
    broker.stop()
    assert "Traceback" not in "".join(broker.output)


NOTIFICATIONS = (
    b"{",
    b"[]",
    b"\xff",
    b"[" * 60_000,
    b'{"jsonrpc": "2.0", "method": "notifications/nothing"}',
    b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": []}}',
    b'{"jsonrpc": "2.0", "method": "notifications/progress", "params": [1]}',
    b'{"jsonrpc": "2.0", "method": "notifications/initialized", "params": {"_meta": 5}}',
    b'{"jsonrpc": "2.0", "method": "tools/call"}',
)


async def test_a_bad_notification_is_answered_and_leaves_no_traceback(broker: BrokerProcess) -> None:
    headers = {
        "X-MCP-API-Key": broker.key,
        "Accept": "application/json, text/event-stream",
        "Content-Type": JSON,
    }
    async with httpx2.AsyncClient(base_url=broker.url, headers=headers, timeout=60) as http:
        for version in ({}, {"MCP-Protocol-Version": "2025-11-25"}, {"MCP-Protocol-Version": "2026-07-28"}):
            for body in NOTIFICATIONS:
                answer = await http.post("/mcp", content=body, headers=version)
                assert answer.status_code in (202, 400), (version, body[:80], answer.text)
    broker.stop()
    assert "Traceback" not in "".join(broker.output)
