"""Whoever is signed out while he acts decides nothing: his session is asked for where it is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from starlette.routing import Route

from broker.notifications import Kind, Topic
from broker.store import Session
from broker.store.audit import head
from broker.web import routes

from ..support import give_key
from .support import PASSWORD, World
from .test_decisions import HTMX

pytestmark = pytest.mark.anyio

Act = tuple[str, dict[str, str]]
"""What is posted: the address and the form."""


async def decision(desk: World, what: str) -> Act:
    intent = await desk.park()
    return f"/intents/{intent.id}/decision", {"digest": intent.digest, "decision": what, "confirmed": "yes"}


async def approve(desk: World) -> Act:
    return await decision(desk, "approve")


async def reject(desk: World) -> Act:
    return await decision(desk, "reject")


async def cancel(desk: World) -> Act:
    return f"/intents/{(await desk.place(await desk.park())).id}/cancel", {}


async def word(desk: World) -> Act:
    return f"/intents/{(await desk.lose(await desk.park(), 60)).id}/word", {"found": "not_sent"}


async def halt(desk: World) -> Act:
    return "/trading", {"level": "halted"}


async def revoke(desk: World) -> Act:
    await desk.sign_in()
    [other, *_] = await desk.store.people.sessions_of("Ana")
    return f"/sessions/{other.id}/revoke", {}


async def change_password(_: World) -> Act:
    return "/sessions/password", {"old": PASSWORD, "password": "kitten-mule-42", "again": "kitten-mule-42"}


async def add_agent(desk: World) -> Act:
    return "/agents", {"name": "bot", "tools": "binance_get_ticker"}


async def an_agent(desk: World, act: str, **form: str) -> Act:
    give_key(desk.store, "bot", "k" * 20)
    return f"/agents/bot/{act}", form


async def rotate_key(desk: World) -> Act:
    return await an_agent(desk, "key", overlap="0")


async def limit_agent(desk: World) -> Act:
    return await an_agent(desk, "limits", tools="binance_get_ticker")


async def revoke_agent(desk: World) -> Act:
    return await an_agent(desk, "revocation")


async def add_channel(desk: World) -> Act:
    form = {"kind": "webhook", "name": "desk", "address": "https://hooks.example/", "events": "alerts"}
    return "/channels", form


async def a_channel(desk: World, act: str) -> Act:
    config = {"url": "https://hooks.example/", "secret": "whsec_c2VjcmV0"}
    channel = await desk.store.channels.add("Ana", Kind.WEBHOOK, "desk", "x", config, {Topic.ALERTS}, None)
    return f"/channels/{channel.id}/{act}", {}


async def try_channel(desk: World) -> Act:
    return await a_channel(desk, "test")


async def pause_channel(desk: World) -> Act:
    return await a_channel(desk, "pause")


async def resume_channel(desk: World) -> Act:
    return await a_channel(desk, "resume")


async def renew_secret(desk: World) -> Act:
    return await a_channel(desk, "renew")


async def remove_channel(desk: World) -> Act:
    return await a_channel(desk, "remove")


ACTS: dict[str, tuple[Callable[[World], Awaitable[Act]], ...]] = {
    "/intents/{id}/decision": (approve, reject),
    "/intents/{id}/cancel": (cancel,),
    "/intents/{id}/word": (word,),
    "/trading": (halt,),
    "/sessions/{id}/revoke": (revoke,),
    "/sessions/password": (change_password,),
    "/agents": (add_agent,),
    "/agents/{name}/key": (rotate_key,),
    "/agents/{name}/limits": (limit_agent,),
    "/agents/{name}/revocation": (revoke_agent,),
    "/channels": (add_channel,),
    "/channels/{id}/test": (try_channel,),
    "/channels/{id}/pause": (pause_channel,),
    "/channels/{id}/resume": (resume_channel,),
    "/channels/{id}/renew": (renew_secret,),
    "/channels/{id}/remove": (remove_channel,),
}
"""By route, every act that is a trader's own."""

NO_ACTS = {"/intents/{id}/check", "/signout", "/seen", "/reject/{id}/{token}", "/signin", "/welcome"}
"""The first three record nothing in his name that his session stands for, and a token stands for the fourth;
the others make a session.
"""

EVERY_ACT = [act for acts in ACTS.values() for act in acts]


async def removed(desk: World, session: Session) -> None:
    await asyncio.to_thread(desk.store.people.remove_trader, session.trader, actor="command line")


async def signed_out(desk: World, session: Session) -> None:
    assert await desk.store.people.end_session(session.id, session.trader)


async def timed_out(desk: World, session: Session) -> None:
    desk.clock.advance(days=7)


async def newest_row(desk: World) -> int:
    row: int = await desk.store.read(head)
    return row


async def test_no_act_is_forgotten_here(desk: World) -> None:
    pages = [route for route in routes(desk.desk) if isinstance(route, Route)]
    assert {page.path for page in pages if "POST" in (page.methods or ())} == {*ACTS, *NO_ACTS}


@pytest.mark.parametrize("ended", [removed, signed_out, timed_out])
@pytest.mark.parametrize("act", EVERY_ACT)
async def test_an_act_counts_only_while_the_session_holds_where_it_is_recorded(
    desk: World, ana: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, act: Any, ended: Any
) -> None:
    """The session ends just after the page looked it up."""
    address, form = await act(desk)
    look_up, rows = desk.store.people.session, 0

    async def then_it_ends(token: str) -> Session | None:
        nonlocal rows
        session = await look_up(token)
        assert session is not None
        await ended(desk, session)
        rows = await newest_row(desk)
        return session

    monkeypatch.setattr(desk.store.people, "session", then_it_ends)
    answer = await ana.post(address, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/")
    assert await newest_row(desk) == rows
    assert desk.approved == [] and desk.cancelled == []


async def test_the_pages_script_is_led_to_the_way_in(
    desk: World, ana: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, form = await approve(desk)
    look_up = desk.store.people.session

    async def then_it_ends(token: str) -> Session | None:
        session = await look_up(token)
        desk.store.people.remove_trader("Ana", actor="command line")
        return session

    monkeypatch.setattr(desk.store.people, "session", then_it_ends)
    answer = await ana.post(address, data=form, headers=HTMX)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/signin?next=/")


@pytest.mark.parametrize("act", EVERY_ACT)
async def test_a_form_that_comes_slowly_is_the_act_of_whoever_is_signed_in_at_its_end(
    desk: World, ana: httpx2.AsyncClient, act: Any
) -> None:
    address, form = await act(desk)
    begun, removed = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        begun.set()
        await removed.wait()
        yield urlencode(form).encode()

    encoded = {"Content-Type": "application/x-www-form-urlencoded"}
    posting = asyncio.create_task(ana.post(address, content=slowly(), headers=encoded))
    async with asyncio.timeout(5):
        await begun.wait()
    await asyncio.to_thread(desk.store.people.remove_trader, "Ana", actor="command line")
    rows = await newest_row(desk)
    removed.set()
    assert (await posting).headers["location"] == "/signin?next=/"
    assert await newest_row(desk) == rows
    assert desk.approved == [] and desk.cancelled == []
