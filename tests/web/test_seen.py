"""A request counts as seen once a trader was shown it, and not before."""

from __future__ import annotations

import httpx2
import pytest

from broker.clock import to_ms
from broker.intents import Intent
from broker.notify import Watch
from broker.store import queries

from ..support import let_write
from .support import MovableClock, World

pytestmark = pytest.mark.anyio


async def seen(desk: World, intent: Intent) -> bool:
    found = await desk.store.read(lambda c: queries.find_any(c, intent.id))
    return found.seen_at is not None


@pytest.mark.parametrize("path", ["/", "/intents/{id}"])
async def test_a_page_that_is_drawn_shows_it(desk: World, ana: httpx2.AsyncClient, path: str) -> None:
    intent = await desk.park()
    assert not await seen(desk, intent)
    await ana.get(path.format(id=intent.id))
    found = await desk.store.read(lambda c: queries.find_any(c, intent.id))
    assert found.seen_at is not None and to_ms(found.seen_at) == to_ms(desk.clock())


async def test_other_pages_strangers_and_agents_do_not(
    desk: World, ana: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    intent = await desk.park()
    for path in ("/sessions", "/channels", "/signin"):
        await ana.get(path)
    for path in ("/", f"/intents/{intent.id}"):
        await stranger.get(path)
    await stranger.post("/seen", data={"id": intent.id})
    assert not await seen(desk, intent)


async def test_an_open_page_tells_what_it_showed(desk: World, ana: httpx2.AsyncClient) -> None:
    first, second = await desk.park("0.01"), await desk.park("0.02")
    answer = await ana.post("/seen", data={"id": [first.id, "nothing", "'"]})
    assert answer.status_code == 204
    assert [await seen(desk, intent) for intent in (first, second)] == [True, False]


async def test_what_could_not_be_noted_is_told_again(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    await let_write(desk.store, False)
    assert (await ana.post("/seen", data={"id": intent.id})).status_code == 503
    await let_write(desk.store, True)
    assert (await ana.post("/seen", data={"id": intent.id})).status_code == 204
    assert await seen(desk, intent)


async def test_a_page_is_shown_though_that_cannot_be_noted(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    await let_write(desk.store, False)
    assert (await ana.get("/")).status_code == 200
    await let_write(desk.store, True)
    assert not await seen(desk, intent)


async def test_a_card_says_that_nobody_had_seen_it(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    intent = await desk.park()
    assert "Nobody" not in (await ana.get(f"/intents/{intent.id}")).text.split("<h2")[1]
    other = await desk.park("0.03")
    clock.advance(seconds=150)
    await Watch(desk.store, clock, lambda: None).look()
    shown = (await ana.get(f"/intents/{other.id}")).text
    assert "Nobody has seen this request, and half of its time is over." in shown
    again = (await ana.get(f"/intents/{other.id}")).text
    assert "Nobody had seen this request by" in again
    assert "Nobody has seen this yet, and half its time is over</span>" in again  # its record
