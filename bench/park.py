"""An order that is checked and parked. Floor: a no-op tool, the reads and one commit."""

from __future__ import annotations

import time

from .ccxt_alone import SYMBOL
from .figures import Pair, measure
from .house import House, since

TITLE = "park: binance_create_order over MCP"
FLOOR = "a no-op tool over MCP + the reads of its checks by ccxt alone + one FULL commit by sqlite3"


async def run(house: House) -> Pair:
    async def ours() -> float:
        started = time.perf_counter()
        parked = await house.park()
        took = since(started)
        await house.withdraw(parked["intentId"])
        return took

    async def floor() -> float:
        started = time.perf_counter()
        await house.bare_agent.call("nothing", symbol=SYMBOL)
        await house.ccxt.reads_of_checks()
        house.commits.one()
        return since(started)

    # so few samples that they stay within one minute's request weight
    return await measure(ours, floor, rounds=5, samples=20, warm_up=5)
