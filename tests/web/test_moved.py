"""A request whose price moved after its approval: it waits again, with other figures."""

from __future__ import annotations

import httpx2
import pytest

from broker.intents import State
from broker.store import queries

from .support import MOVED, World
from .tab import tab
from .test_decisions import decide

pytestmark = pytest.mark.anyio


async def test_it_comes_back_with_a_banner_new_figures_and_a_new_digest(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park()
    moved = await desk.move_price(intent)
    assert moved.digest != intent.digest
    for path in ("/", f"/intents/{intent.id}"):
        page = (await ana.get(path)).text
        said = f"{MOVED}. It was not sent. Check the new figures."
        assert f'<p class="moved untrusted" role="alert">{said}</p>' in page
        assert "sent only at 61,566 or better" in page
        assert "When shown</span> 61,260.00" in page
        assert f'name="digest" value="{moved.digest}"' in page
        assert intent.digest not in page


async def test_every_open_page_gets_it_back_also_from_the_list_of_what_was_decided(desk: World) -> None:
    intent = await desk.park()
    async with tab(desk.app, await desk.sign_in()) as page:
        await page.message()
        approved = await desk.approve(intent)
        assert f'hx-target="#decided" hx-swap="afterbegin"><li class="row" id="outcome-{intent.id}"' in (
            await page.message_with("Approved by Ana")
        )
        moved = await desk.move_price(approved)
        back = await page.message_with(MOVED)
    assert f'<hx-partial hx-target="#outcome-{intent.id}" hx-swap="delete">' in back
    assert '<hx-upsert hx-target="#pending, ' in back
    assert f'name="digest" value="{moved.digest}"' in back
    assert f'hx-target="#fingerprint-{intent.id}" hx-swap="textContent">{moved.digest}<' in back
    assert '<hx-partial hx-target="#count" hx-swap="textContent">1</hx-partial>' in back


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_decision_on_the_old_figures_is_answered_with_the_new_card(
    desk: World, ana: httpx2.AsyncClient, decision: str
) -> None:
    intent = await desk.park()
    moved = await desk.move_price(intent)
    answer = await decide(ana, intent, decision, script=True)
    assert answer.status_code == 409
    assert "this request has changed. Check it again" in answer.text
    assert f'name="digest" value="{moved.digest}"' in answer.text
    assert desk.approved == []


async def test_the_second_approval_counts_for_the_new_figures(desk: World, ana: httpx2.AsyncClient) -> None:
    moved = await desk.move_price(await desk.park())
    assert (await decide(ana, moved, "approve")).status_code == 303
    found = await desk.store.read(lambda connection: queries.find_any(connection, moved.id))
    assert found.state is State.APPROVED
    assert [taken.digest for taken in desk.approved] == [moved.digest]


async def test_its_record_says_why_it_waits_again(desk: World, ana: httpx2.AsyncClient) -> None:
    moved = await desk.move_price(await desk.park())
    assert (
        f'<span class="untrusted">Waits again: {MOVED}</span>' in (await ana.get(f"/intents/{moved.id}")).text
    )
