"""Live prices on open pages."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime

import pytest
from sqlalchemy import Connection

from broker.intents import Intent
from broker.web import page_queries, live
from broker.web.assets import render

from .support import MovableClock, World
from .tab import PRICE, prices_in, tab

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.01)


async def wanted(desk: World, *symbols: tuple[str, str]) -> None:
    async with asyncio.timeout(5):
        while desk.prices.symbols != set(symbols):
            await desk.prices.changed.wait()
            desk.prices.changed.clear()


async def test_a_card_is_drawn_with_the_price_now_beside_the_one_when_asked(desk: World) -> None:
    intent = await desk.park()
    desk.prices.says("64341.43")
    async with tab(desk.app, await desk.sign_in()) as page:
        whole = await page.message()
    assert "When asked</span> 64,213.00" in whole
    assert f'id="live-{intent.id}"' in whole
    assert prices_in(whole) == ["64,341.43 (+0.2 %)"]


async def test_a_new_price_is_told_alone_without_its_card(desk: World) -> None:
    intent = await desk.park()
    desk.prices.says("64213")
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        desk.prices.says("64341.5")
        message = await page.message_with("64,341.50")
    assert f'hx-target="#live-{intent.id}" hx-swap="outerHTML"' in message
    assert "<form" not in message
    assert "id:" not in message.splitlines()[0], "the audit log's numbers alone are the stream's"


@pytest.mark.parametrize(
    ("price", "tone"), [("64533", "plain"), ("64534.1", "warn"), ("63892", "plain"), ("63891", "warn")]
)
async def test_half_a_percent_stands_out(desk: World, price: str, tone: str) -> None:
    await desk.park()
    desk.prices.says("64213")
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        desk.prices.says(price)
        assert f'class="live tone-{tone}"' in await page.message_with(f"<b>{price[:2]},{price[2:]}")


async def test_a_price_that_no_longer_comes_is_seen_to_be_stale(desk: World, clock: MovableClock) -> None:
    await desk.park()
    desk.prices.says("64213")
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        clock.advance(seconds=12)
        await page.told("64,213.00, stale, 12 s old")
        clock.advance(minutes=3)
        assert await page.prices() == ["64,213.00, stale, 3 min old"]
        desk.prices.says("64300")
        assert await page.prices() == ["64,300.00 (+0.1 %)"]


async def test_a_price_from_before_the_clock_was_set_back_is_not_shown_as_the_one_now(
    desk: World, clock: MovableClock
) -> None:
    await desk.park()
    desk.prices.says("64213")
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        clock.advance(minutes=-2)
        await page.told("64,213.00, stale, 2 min old")


async def test_no_price_at_all_says_so(desk: World) -> None:
    await desk.park()
    async with tab(desk.app, await desk.sign_in()) as page:
        assert "<b>no price yet</b>" in await page.message()


async def test_a_setting_has_no_price_when_asked(desk: World) -> None:
    await desk.park(reference=None, market="futures")
    desk.prices.says("64300", market="futures")
    async with tab(desk.app, await desk.sign_in()) as page:
        whole = await page.message()
    assert "<b>64,300.00</b>" in whole
    assert "When asked</span>" not in whole


async def test_nothing_is_told_while_nothing_changes(desk: World) -> None:
    await desk.park()
    desk.prices.says("64213")
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        desk.prices.says("64300")
        await page.told("64,300.00 (+0.1 %)")
        for _ in range(20):
            desk.prices.says("64300")
            await asyncio.sleep(live.EVERY_SECONDS)
        desk.prices.says("64400")
        assert await page.prices() == ["64,400.00 (+0.3 %)"]


async def test_all_cards_of_a_symbol_are_told_at_once_and_drawn_once_for_all_tabs(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def counted(template: str, **context: object) -> str:
        drawn.append(render(template, **context))
        return drawn[-1]

    monkeypatch.setattr(live, "render", counted)
    app = desk.app
    await desk.park("0.01")
    await desk.park("0.02")
    desk.prices.says("64213")
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(tab(app, await desk.sign_in())) for _ in range(5)]
        for page in tabs:
            await page.message()
        desk.prices.says("64300")
        told = [await page.message_with("64,300.00") for page in tabs]
    assert len(set(told)) == 1
    assert told[0].count(PRICE) == 2
    assert len([one for one in drawn if "64,300.00" in one]) == 1


async def test_each_tab_wants_what_it_shows_and_nothing_once_it_is_closed(desk: World) -> None:
    await desk.park("0.01")
    rests = await desk.place(await desk.park("0.02", symbol="ETHUSDT"))
    filled = await desk.place(await desk.park("0.03", symbol="BNBUSDT"), "filled", "0.03")
    app = desk.app
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(tab(app, await desk.sign_in(), rests.id))
        await wanted(desk, ("spot", "ETHUSDT"))
        async with tab(app, await desk.sign_in()):
            await wanted(desk, ("spot", "ETHUSDT"), ("spot", "BTCUSDT"))
        await wanted(desk, ("spot", "ETHUSDT"))
        async with tab(app, await desk.sign_in(), filled.id), tab(app, await desk.sign_in(), ""):
            await desk.park("0.04", symbol="SOLUSDT")
            await wanted(desk, ("spot", "ETHUSDT"))
    await wanted(desk)
    assert desk.prices.listeners == [] or not desk.prices.symbols


async def test_what_is_decided_is_wanted_no_longer(desk: World) -> None:
    intent = await desk.park()
    async with tab(desk.app, await desk.sign_in()):
        await wanted(desk, ("spot", "BTCUSDT"))
        await desk.store.intents.withdraw(intent.id, "default")
        await wanted(desk)
        await desk.park("0.02", market="futures")
        await wanted(desk, ("futures", "BTCUSDT"))


async def test_prices_of_other_symbols_do_not_reach_a_requests_page(desk: World) -> None:
    bitcoin, ether = await desk.park("0.01"), await desk.park("0.02", symbol="ETHUSDT", reference="3000")
    app = desk.app
    async with tab(app, await desk.sign_in(), ether.id) as page, tab(app, await desk.sign_in()) as inbox:
        await page.message()
        await inbox.message()
        desk.prices.says("64300")
        assert f"live-{bitcoin.id}" in await inbox.message_with("64,300.00")
        desk.prices.says("3003", "ETHUSDT")
        seen = []
        while "3,003.00 (+0.1 %)" not in seen:
            seen += await page.prices()
        assert not [price for price in seen if price.startswith("64,")]


async def test_an_order_that_rests_shows_the_price_on_its_own_page(desk: World) -> None:
    intent = await desk.place(await desk.park())
    desk.prices.says("64213")
    async with tab(desk.app, await desk.sign_in(), intent.id) as page:
        assert prices_in(await page.message()) == ["64,213.00 (0.0 %)"]
        desk.prices.says("64300")
        await page.told("64,300.00 (+0.1 %)")


async def test_a_database_in_trouble_does_not_end_the_prices(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.park()
    desk.prices.says("64213")
    priced, troubles = page_queries.priced, [OSError("the database is gone")]

    def once_broken(
        connection: Connection, subjects: Collection[str], now: datetime
    ) -> Mapping[str, Sequence[Intent]]:
        if troubles:
            raise troubles.pop()
        return priced(connection, subjects, now)

    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        monkeypatch.setattr(page_queries, "priced", once_broken)
        await desk.store.intents.withdraw((await desk.park("0.02")).id, "default")
        desk.prices.says("64300")
        await page.told("64,300.00 (+0.1 %)")
    assert troubles == []
