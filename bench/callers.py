"""A no-op tool, `intent_get` and a park, with one caller and with 32 concurrent callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median, quantiles

from .figures import P95
from .house import House, house, since
from .serving import calm_gc
from .table import WIDTH

CALLERS = (1, 32)
CALLS = {"no-op tool (floor)": 960, "intent_get": 960, "park": 96}
"""The number of timed calls. The parks stay within one minute's request weight."""

Call = Callable[[], Awaitable[object]]


async def table() -> str:
    lines = ["", f"{'over MCP':{WIDTH}}{'callers':>14}{'p50 ms':>14}{'p95 ms':>14}{'calls/s':>14}"]
    for callers in CALLERS:
        for name, count in CALLS.items():
            async with house() as one:
                calm_gc()
                call = await _call(one, name)
                await call()
                times, seconds = await _timed(call, callers, count)
            p95 = quantiles(times, n=20)[P95]
            lines.append(f"{name:{WIDTH}}{callers:14}{median(times):14.2f}{p95:14.2f}{count / seconds:14.0f}")
    return "\n".join(lines)


async def _call(house: House, name: str) -> Call:
    if name == "intent_get":
        parked = await house.park()
        return lambda: house.agent.call("intent_get", intentId=parked["intentId"])
    if name == "park":
        return house.park
    return lambda: house.bare_agent.call("nothing", symbol="BTCUSDT")


async def _timed(call: Call, callers: int, count: int) -> tuple[list[float], float]:
    """Return the milliseconds of each call, and the seconds of all calls together."""
    times: list[float] = []

    async def caller() -> None:
        for _ in range(count // callers):
            started = time.perf_counter()
            await call()
            times.append(since(started))

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return times, time.perf_counter() - started
