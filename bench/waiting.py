"""Two thousand agents wait while a hundred requests are decided. Floor: a server that only waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from .figures import P95
from .house import House, house
from .serving import calm_gc
from .table import WIDTH

WAITERS, DECIDED = 2000, 100
WAIT_SECONDS = 50

Wait = Callable[[aiohttp.ClientSession, str], Awaitable[None]]
Wake = Callable[[str], Awaitable[None]]


async def table() -> str:
    """Measure from just before a decision is sent to each waiter's answer, and the growth of memory."""
    head = f"{f'{WAITERS} wait, {DECIDED} are decided':{WIDTH}}"
    lines = ["", f"{head}{'p50 ms':>14}{'p95 ms':>14}{'KiB a waiter':>14}"]
    async with house() as one:
        calm_gc()
        lines.append(await _line("  intent_wait over HTTP", one.broker.pid, *await _broker(one)))
        lines.append(await _line("  floor: an asyncio.Event in Starlette", one.bare_pid, *_bare(one)))
    return "\n".join(lines)


async def _broker(house: House) -> tuple[Sequence[str], Wait, Wake]:
    parked = {one["intentId"]: one for one in [await house.park() for _ in range(DECIDED)]}
    headers = {"X-MCP-API-Key": house.broker.key}

    async def wait(http: aiohttp.ClientSession, intent_id: str) -> None:
        body = {"intentId": intent_id, "timeoutSeconds": WAIT_SECONDS}
        async with http.post(f"{house.broker.url}/tools/intent_wait", json=body, headers=headers) as response:
            answer: Any = await response.json()
            if answer["status"] != "rejected":
                raise RuntimeError(f"not woken by a decision: {answer}")

    async def wake(intent_id: str) -> None:
        await house.decide(parked[intent_id], "reject")

    return list(parked), wait, wake


def _bare(house: House) -> tuple[Sequence[str], Wait, Wake]:
    async def wait(http: aiohttp.ClientSession, name: str) -> None:
        async with http.get(f"{house.bare_url}/wait/{name}") as answer:
            await answer.read()

    async def wake(name: str) -> None:
        async with house.http.post(f"{house.bare_url}/wake/{name}") as answer:
            await answer.read()

    return [str(number) for number in range(DECIDED)], wait, wake


async def _line(title: str, pid: int, names: Sequence[str], wait: Wait, wake: Wake) -> str:
    before, times = _rss_kib(pid), []
    decided_at: dict[str, float] = {}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def waiter(name: str) -> None:
            await wait(http, name)
            times.append((time.perf_counter() - decided_at[name]) * 1000)

        waiters = [asyncio.create_task(waiter(names[n % len(names)])) for n in range(WAITERS)]
        await asyncio.sleep(5)  # until all have arrived
        grown = _rss_kib(pid) - before
        for name in names:
            decided_at[name] = time.perf_counter()
            await wake(name)
        await asyncio.gather(*waiters)
    p95 = quantiles(times, n=20)[P95]
    return f"{title:{WIDTH}}{median(times):14.2f}{p95:14.2f}{grown / WAITERS:14.1f}"


def _rss_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
