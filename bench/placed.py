"""From the trader's tap to the recorded fill, one at a time and sixteen at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from .figures import Pair, measure
from .house import SMALLEST, House, since

MANY = 16
ROUNDS = 5
ORDERS_PER_MINUTE = 80
"""The orders that fit into Binance's request weight, with the checks before each submission."""


@dataclass(frozen=True)
class Placed:
    """Make `in_flight` approvals at once, and wait until the last one is placed."""

    in_flight: int

    @property
    def TITLE(self) -> str:
        return f"approve → placed, {self.in_flight} in flight"

    FLOOR = "as many times, at once: one FULL commit by sqlite3 + the POST by ccxt alone + one FULL commit"

    async def run(self, house: House) -> Pair:
        placed = 0

        async def ours() -> float:
            nonlocal placed
            if placed + self.in_flight > ORDERS_PER_MINUTE:
                await asyncio.sleep(60)
                placed = 0
            placed += self.in_flight
            parked = [await house.park() for _ in range(self.in_flight)]
            started = time.perf_counter()
            await asyncio.gather(*(self._approve(house, intent) for intent in parked))
            return since(started)

        async def floor() -> float:
            started = time.perf_counter()
            await asyncio.gather(*(self._bare(house) for _ in range(self.in_flight)))
            return since(started)

        samples = max(2, ORDERS_PER_MINUTE // (self.in_flight * ROUNDS * 2))
        return await measure(ours, floor, rounds=ROUNDS, samples=samples, warm_up=1)

    async def _approve(self, house: House, parked: dict[str, str]) -> None:
        await house.approve(parked)
        await house.wait_until_placed(parked["intentId"])

    async def _bare(self, house: House) -> None:
        house.commits.one()
        await house.ccxt.order(str(SMALLEST))
        house.commits.one()
