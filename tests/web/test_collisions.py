"""Requests that wait at the same time for opposite sides."""

from __future__ import annotations

import httpx2
import pytest

from .support import MovableClock, World
from .tab import tab

pytestmark = pytest.mark.anyio


async def test_a_card_names_what_waits_against_it(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    await desk.park("0.015", ttl_seconds=600)
    await desk.park("0.01", side="SELL", agent="agent-b", ttl_seconds=200)
    clock.advance(seconds=10)
    page = (await ana.get("/")).text
    assert "Collides with: agent-b SELL 0.01 BTC, 3:10 left" in page
    assert "Collides with: default BUY 0.015 BTC, 9:50 left" in page


async def test_same_side_other_symbol_and_other_market_do_not_collide(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    await desk.park("0.015")
    await desk.park("0.016")
    await desk.park("0.017", side="SELL", symbol="ETHUSDT")
    await desk.park("0.018", side="SELL", market="futures")
    page = (await ana.get("/")).text
    assert "Collides" not in page
    assert page.count("No opposite request is waiting.") == 4


async def test_what_takes_no_side_says_nothing_of_it(desk: World, ana: httpx2.AsyncClient) -> None:
    await desk.park(
        tool="binance_set_leverage", arguments={"symbol": "BTCUSDT", "leverage": "20"}, market="futures"
    )
    assert "opposite" not in (await ana.get("/")).text


async def test_what_is_over_no_longer_collides(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    await desk.park("0.015", ttl_seconds=600)
    await desk.park("0.01", side="SELL", ttl_seconds=100)
    clock.advance(seconds=100)
    assert "Collides" not in (await ana.get("/")).text


async def test_open_pages_hear_of_it_when_one_comes_and_when_it_goes(desk: World) -> None:
    waits = await desk.park("0.015")
    line = f'hx-target="#against-{waits.id}" hx-swap="outerHTML"'
    async with tab(desk.app, await desk.sign_in(), waits.id) as page:
        await page.message()
        other = await desk.park("0.01", side="SELL", agent="agent-b")
        came = await page.message()
        assert line in came and "Collides with: agent-b SELL 0.01 BTC, 5:00 left" in came
        await desk.store.intents.withdraw(other.id, "agent-b")
        went = await page.message()
        assert line in went and "No opposite request is waiting." in went


async def test_only_cards_that_it_works_against_are_told(desk: World) -> None:
    waits = await desk.park("0.015")
    await desk.park("0.02", key="same side")
    async with tab(desk.app, await desk.sign_in(), "inbox") as page:
        await page.message()
        await desk.park("0.03", key="again")
        assert "#against-" not in await page.message()
        await desk.park("0.01", side="SELL", agent="agent-b")
        assert f'hx-target="#against-{waits.id}"' in await page.message()
