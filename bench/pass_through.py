"""A read that passes straight through. Floor: a no-op tool and the same read by ccxt alone."""

from __future__ import annotations

import time

from .ccxt_alone import SYMBOL
from .figures import Pair, measure
from .house import House, since

TITLE = "pass-through: binance_get_ticker over MCP"
FLOOR = "a no-op tool over MCP + the same ticker by ccxt alone"


async def run(house: House) -> Pair:
    async def ours() -> float:
        started = time.perf_counter()
        await house.agent.call("binance_get_ticker", symbol=SYMBOL)
        return since(started)

    async def floor() -> float:
        started = time.perf_counter()
        await house.bare_agent.call("nothing", symbol=SYMBOL)
        await house.ccxt.ticker()
        return since(started)

    return await measure(ours, floor, rounds=5, samples=100, warm_up=30)
