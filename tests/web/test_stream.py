from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from decimal import Decimal

import httpx2
import pytest

from broker.events import EventKind
from broker.intents import Suggestion
from broker.web.assets import render
from broker.web.messages import Messages, Snapshot

from ..support import trusted
from .support import MovableClock, World
from .tab import tab

pytestmark = pytest.mark.anyio


async def test_without_a_session_the_stream_is_refused_and_never_redirected(
    stranger: httpx2.AsyncClient,
) -> None:
    assert (await stranger.get("/events?for=inbox")).status_code == 401


async def test_a_connection_first_gets_the_whole_list(desk: World) -> None:
    first, second = await desk.park("0.01"), await desk.park("0.02")
    async with tab(desk.app, await desk.sign_in()) as page:
        assert page.status.result() == 200
        whole = await page.message()
    assert 'hx-target="#pending" hx-swap="innerMorph"' in whole
    assert f"intent-{first.id}" in whole and f"intent-{second.id}" in whole


async def test_lines_end_with_a_newline_alone(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in()) as page:
        assert "\r" not in await page.message()


async def test_a_new_request_is_added_at_its_place_by_age(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        intent = await desk.park()
        added = await page.message()
    assert '<hx-upsert hx-target="#pending, ' in added
    assert f'id="intent-{intent.id}"' in added
    assert "Approve BUY 0.015 BTC" in added
    assert '<hx-partial hx-target="#count" hx-swap="textContent">1</hx-partial>' in added


async def test_a_decision_replaces_the_card_and_leads_the_list_of_what_was_decided(desk: World) -> None:
    intent = await desk.park()
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        await desk.store.intents.reject(intent.id, intent.digest, "Ana", None, Suggestion(), standing=trusted)
        change = await page.message()
    assert f'<hx-partial hx-target="#intent-{intent.id}" hx-swap="outerHTML">' in change
    assert '<hx-partial hx-target="#decided" hx-swap="afterbegin">' in change
    assert "Rejected by Ana" in change
    assert "<form" not in change


async def test_a_message_bears_the_number_of_its_audit_row(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in()) as page:
        whole = await page.message()
        await desk.park()
        change = await page.message()
    number = int(whole.splitlines()[0].removeprefix("id: "))
    assert change.splitlines()[0] == f"id: {number + 1}"


async def test_each_event_is_drawn_once_for_all_tabs(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def counted(template: str, **context: object) -> str:
        drawn.append(template)
        return render(template, **context)

    monkeypatch.setattr("broker.web.messages.render", counted)
    app = desk.app
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(tab(app, await desk.sign_in(), "inbox")) for _ in range(5)]
        for page in tabs:
            await page.message()
        await desk.park()
        changes = [await page.message() for page in tabs]
    assert len(set(changes)) == 1
    assert drawn.count("stream/change.html") == 1


async def test_what_the_whole_list_holds_already_is_not_sent_again(
    desk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = Messages.snapshot

    async def after_one_more(self: Messages, trader: str, subject: str) -> Snapshot:
        with desk.hub.subscribed() as events:
            await desk.park("0.01")
            while (event := await events.get()) and event.kind != "intent:parked":
                pass
        return await snapshot(self, trader, subject)

    monkeypatch.setattr(Messages, "snapshot", after_one_more)
    async with tab(desk.app, await desk.sign_in()) as page:
        assert "Approve BUY 0.01 BTC" in await page.message()
        await desk.park("0.02")
        assert "Approve BUY 0.02 BTC" in await page.message()


async def test_a_requests_own_page_gets_its_card_and_its_record(desk: World) -> None:
    intent = await desk.park()
    async with tab(desk.app, await desk.sign_in(), intent.id) as page:
        whole = await page.message()
        assert f'hx-target="#record-{intent.id}"' in whole and "#pending" not in whole
        await desk.store.intents.approve(
            intent.id, intent.digest, "Ana", Decimal(10000), standing=trusted, confirmed=True
        )
        assert "Approved by Ana" in await page.message_with(f"#record-{intent.id}")


async def test_news_reaches_open_pages(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        await desk.store.audit(EventKind.ORDERS_CANCELLED, "agent:default", symbol="ETHUSDT", orders=["7"])
        assert "agent default cancelled 1 order on ETHUSDT" in await page.message()
        await desk.store.audit(
            EventKind.ORDERS_CANCEL_UNCLEAR, "agent:default", symbol="ETHUSDT", orders=["8"]
        )
        assert "agent default may have cancelled 1 order on ETHUSDT" in await page.message()


async def test_what_concerns_no_page_is_not_sent(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        await desk.store.audit(EventKind.DATABASE_RECOVERED, "broker")
        await desk.store.refusals.record(EventKind.SESSION_REFUSED, "browser", "Ana", name="Ana", why="wrong")
        await desk.park()
        assert "intent-" in await page.message()


async def test_a_revoked_session_loses_its_stream_at_once_and_others_keep_theirs(desk: World) -> None:
    app, lost, kept = desk.app, await desk.sign_in("Ana"), await desk.sign_in("Ana")
    session = await desk.store.people.session(lost)
    assert session
    async with tab(app, lost) as on_lost, tab(app, kept) as on_kept:
        await on_lost.message()
        await on_kept.message()
        await desk.store.people.end_session(session.id, "Ana", standing=trusted)
        await on_lost.ended()
        await desk.park()
        assert "intent-" in await on_kept.message()


async def test_a_removed_traders_streams_end(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in("Ana")) as page:
        await page.message()
        await asyncio.to_thread(lambda: desk.store.people.remove_trader("Ana", actor="command"))
        await page.ended()


async def test_a_session_that_ran_out_is_told_nothing_more(desk: World, clock: MovableClock) -> None:
    async with tab(desk.app, await desk.sign_in("Ana")) as page:
        await page.message()
        clock.advance(days=7)
        await desk.park()
        await page.ended()


async def test_the_fourth_tab_of_a_session_supersedes_the_oldest(desk: World) -> None:
    app, token = desk.app, await desk.sign_in()
    async with AsyncExitStack() as stack:
        tabs = []
        for _ in range(4):
            tabs.append(await stack.enter_async_context(tab(app, token)))
            await tabs[-1].message()
        assert "event: superseded" in await tabs[0].message()
        await tabs[0].ended()
        await desk.park()
        for page in tabs[1:]:
            assert "intent-" in await page.message()


async def test_a_broker_that_stops_ends_its_streams(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        desk.hub.close()
        await page.ended()


async def test_a_heartbeat_comes_at_once_with_the_servers_time_and_binances_state(desk: World) -> None:
    desk.exchange_problem = "Binance is down"
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        beat = await page.chunks.get()
    assert beat is not None
    assert beat == ('event: heartbeat\ndata: {"now": 1795348800000, "problem": "Binance is down"}\n\n')


async def test_a_request_that_does_not_exist_ends_its_stream(desk: World) -> None:
    async with tab(desk.app, await desk.sign_in(), "01k9zzzzzzzzzzzzzzzzzzzzzz") as page:
        await page.ended()
