"""The audit log as it grows, handed to whoever listens."""

from __future__ import annotations

import asyncio

import pytest

from broker.hub import Hub
from broker.store import Feed, Store

from ..support import request, running

pytestmark = pytest.mark.anyio


async def test_each_row_is_published_once_and_in_order_whoever_wrote_it(
    store: Store, neighbour: Store
) -> None:
    hub = Hub()
    feed = Feed(store.database, hub)
    with hub.subscribed() as listener:
        async with running(feed.run()):
            first = asyncio.create_task(listener.get())
            while not first.done():
                await store.audit("test:start", "test")
            for number in range(200):
                await (store, neighbour)[number % 2].audit("test:row", "test", number=number)
            events = [await first]
            async with asyncio.timeout(10):
                while events[-1] and events[-1].data.get("number") != 199:
                    events.append(await listener.get())
    published = [event for event in events if event]
    assert [event.data["number"] for event in published if event.kind == "test:row"] == list(range(200))
    assert len({event.seq for event in published}) == len(events)


async def test_a_commit_wakes_who_waits_for_the_intent(store: Store) -> None:
    hub = Hub()
    parked = (await store.intents.park(request())).intent
    async with running(Feed(store.database, hub).run()):
        with hub.waiting(parked.id) as changed:
            await store.intents.withdraw(parked.id, parked.agent)
            await asyncio.wait_for(changed.wait(), 10)
