"""What breaks off is told, on /health too, and begun again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from broker import app, supervisor
from broker.clock import utc_now
from broker.intents import State
from broker.supervisor import WELL_AFTER_SECONDS, Parts
from broker.store import Store, queries

from .support import Randomness, eventually, request, running, settings_in

pytestmark = pytest.mark.anyio


class Elapsed:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "AGAIN_SECONDS", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_a_part_that_breaks_off_is_begun_again_and_is_unwell_for_a_while() -> None:
    elapsed = Elapsed()
    kept, begun, goes_on = Parts(elapsed), 0, asyncio.Event()

    async def part() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise TimeoutError("the pool is empty")
        await goes_on.wait()

    assert kept.well
    keeping = asyncio.create_task(kept.keep("a part", part))

    async def third_time() -> bool:
        return begun == 3

    await eventually(third_time)
    assert not kept.well
    elapsed.seconds += WELL_AFTER_SECONDS + 0.1
    assert kept.well
    goes_on.set()
    await asyncio.wait_for(keeping, 5)


async def test_a_part_that_is_cancelled_is_not_begun_again() -> None:
    kept = Parts()
    async with running(kept.keep("a part", asyncio.Event().wait)):  # type: ignore[arg-type]
        await asyncio.sleep(0)
    assert kept.well


async def set_card(store: Store, card: str) -> None:
    statement = f"UPDATE intents SET card = '{card}'"
    await store.database.write(lambda connection: connection.exec_driver_sql(statement))


async def test_a_row_that_cannot_be_read_shows_on_health_and_expiry_goes_on_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "WELL_AFTER_SECONDS", 0.5)
    async with app.running(settings_in(tmp_path), clock=utc_now, random=Randomness()) as broker:
        transport = httpx2.ASGITransport(app=broker.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:

            async def is_well() -> bool:
                return (await client.get("/health")).status_code == 200

            async def is_unwell() -> bool:
                return not await is_well()

            await eventually(is_well)
            parked = await broker.store.intents.park(request(ttl_seconds=0))
            await set_card(broker.store, "{")
            await eventually(is_unwell)
            await set_card(broker.store, "{}")
            await eventually(is_well)

            async def is_expired() -> bool:
                found = await broker.store.read(lambda it: queries.find(it, parked.intent.id))
                return bool(found.state is State.EXPIRED)

            await eventually(is_expired)
