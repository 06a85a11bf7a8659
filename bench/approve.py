"""From the trader's tap to the order's POST on the wire. Floor: a form, a commit and ccxt alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .figures import Pair, measure
from .house import SMALLEST, House, since

TITLE = "approve → POST on the wire"
FLOOR = "a no-op form post + one FULL commit by sqlite3 + the POST by ccxt alone"


async def run(house: House) -> Pair:
    async def ours() -> float:
        parked = await house.park()
        started = time.time()
        await house.approve(parked)
        took = (await house.arrival() - started) * 1000
        await house.wait_until_placed(parked["intentId"])
        return took

    async def floor() -> float:
        started = time.perf_counter()
        form = {"digest": "0" * 64, "decision": "approve"}
        async with house.http.post(f"{house.bare_url}/form", data=form, allow_redirects=False):
            pass
        house.commits.one()
        took = since(started)
        started = time.time()
        await house.ccxt.order(str(SMALLEST))
        return took + (await house.arrival() - started) * 1000

    async with _open_page(house):
        # so few samples that they stay within one minute's request weight
        return await measure(ours, floor, rounds=5, samples=8, warm_up=2)


@asynccontextmanager
async def _open_page(house: House) -> AsyncIterator[None]:
    """Keep an inbox page open, so that the broker renders each change for its event stream."""

    async def follow() -> None:
        async with house.http.get(f"{house.broker.url}/events?for=inbox") as stream:
            async for _ in stream.content.iter_any():
                pass

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
