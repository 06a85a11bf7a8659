"""What moves while a card is open: prices, collisions, a price that moved, an order's rest."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from broker.errors import BrokerError, Code
from broker.intents import Intent, State
from broker.store import queries

from ..support import changed, eventually
from ..web.support import MOVED
from .site import Site, connected

pytestmark = pytest.mark.anyio


HIDDEN = "Object.defineProperty(document, 'visibilityState', {value: 'hidden', writable: true})"
VISIBLE = "document.visibilityState = 'visible'"


async def now(site: Site, intent: Intent) -> Intent:
    return await site.desk.store.read(lambda connection: queries.find_any(connection, intent.id))


async def test_a_price_changes_in_place_without_moving_cards_or_taking_the_focus(site: Site) -> None:
    first, second = await site.desk.park("0.01"), await site.desk.park("0.02")
    site.desk.prices.says("64213")
    page = await site.inbox()
    price = page.locator(f"#live-{first.id}")
    await expect(price).to_have_text("Now 64,213.00 (0.0 %)", use_inner_text=True)
    card = page.locator(f"#intent-{second.id}")
    button = card.get_by_role("button", name="Approve")
    await expect(button).to_be_enabled()
    await card.get_by_text("Reject with a reason").click()
    await card.get_by_label("In your words").fill("Half")
    await button.focus()
    before = await card.evaluate("card => card.offsetTop")
    site.desk.prices.says("65000")
    await expect(price).to_have_text("Now 65,000.00 (+1.2 %)", use_inner_text=True)
    await expect(price).to_have_class("live tone-warn")
    assert await card.evaluate("card => card.offsetTop") == before
    await expect(button).to_be_focused()
    await expect(button).to_be_enabled()
    await expect(card.get_by_label("In your words")).to_have_value("Half")


@pytest.mark.parametrize("width", [1280, 390])
async def test_a_price_that_no_longer_comes_shows_as_stale_and_moves_nothing(site: Site, width: int) -> None:
    intent = await site.desk.park()
    site.desk.prices.says("64213")
    page = await site.inbox(viewport={"width": width, "height": 800})
    price, card = page.locator(f"#live-{intent.id}"), page.locator(f"#intent-{intent.id}")
    await expect(price).to_contain_text("(0.0")
    height = await card.evaluate("card => card.offsetHeight")
    await expect(price).to_contain_text("stale,", timeout=15_000)
    assert await card.evaluate("card => card.offsetHeight") == height


@pytest.mark.parametrize("page_of", ["inbox", "request"])
async def test_a_price_that_moved_brings_the_card_back_and_the_second_approval_counts(
    site: Site, page_of: str
) -> None:
    intent = await site.desk.park()
    page = await site.open("/" if page_of == "inbox" else f"/intents/{intent.id}")
    await connected(page)
    card = page.locator(f"#intent-{intent.id}")
    await card.get_by_role("button", name="Approve BUY 0.015 BTC").click()
    await expect(card).to_contain_text("Approved by Ana, sending")
    moved = await site.desk.move_price(await now(site, intent))
    await expect(card.get_by_role("alert").filter(has_text=MOVED)).to_be_visible()
    button = card.get_by_role("button", name="Approve BUY 0.015 BTC")
    await expect(button).to_be_disabled()
    await expect(card.locator("input[name=digest]")).to_have_value(moved.digest)
    await expect(page.locator(f"#outcome-{intent.id}")).to_have_count(0)
    title = "Confirmation broker" if page_of == "inbox" else "BUY 0.015 BTC – Confirmation broker"
    await expect(page).to_have_title(f"(1) {title}")
    await button.click()
    await expect(card).to_contain_text("Approved by Ana, sending")
    assert [taken.digest for taken in site.desk.approved] == [intent.digest, moved.digest]


async def test_a_card_that_left_for_the_decided_list_comes_back_in_its_place_by_age(site: Site) -> None:
    older, newer = await site.desk.park("0.01"), await site.desk.park("0.02")
    approved = await site.desk.approve(older)
    page = await site.inbox()
    await expect(page.locator(f"#outcome-{older.id}")).to_be_visible()
    await expect(page.locator(f"#intent-{older.id}")).to_have_count(0)
    await site.desk.move_price(approved)
    await expect(page.locator("#pending .card")).to_have_count(2)
    ids = await page.locator("#pending .card").evaluate_all("cards => cards.map(card => card.id)")
    assert ids == [f"intent-{older.id}", f"intent-{newer.id}"]
    await expect(page.locator(f"#outcome-{older.id}")).to_have_count(0)


async def test_a_decision_on_figures_of_before_is_answered_with_the_new_card(
    site: Site,
) -> None:
    site.expected = ("409",)
    intent = await site.desk.park()
    page = await site.open()
    await page.evaluate("document.getElementById('stream').remove()")
    await site.desk.move_price(intent)
    await page.get_by_role("button", name="Approve").click()
    card = page.locator(f"#intent-{intent.id}")
    await expect(card).to_contain_text("this request has changed")
    await expect(card).to_contain_text(MOVED)
    assert site.desk.approved == []


async def test_a_collision_shows_at_once_and_rests_the_buttons(site: Site) -> None:
    intent = await site.desk.park()
    page = await site.inbox()
    card = page.locator(f"#intent-{intent.id}")
    button = card.get_by_role("button", name="Approve")
    await expect(button).to_be_enabled()
    await card.get_by_text("Reject with a reason").click()
    await card.get_by_label("In your words").fill("Half")
    height = await card.evaluate("card => card.offsetHeight")
    other = await site.desk.park("0.01", side="SELL", agent="agent-b")
    await expect(card).to_contain_text("Collides with: agent-b SELL 0.01 BTC")
    await expect(button).to_be_disabled()
    await expect(button).to_be_enabled()
    assert await card.evaluate("card => card.offsetHeight") == height
    await expect(card.get_by_label("In your words")).to_have_value("Half")
    await site.desk.store.intents.withdraw(other.id, "agent-b")
    await expect(card).to_contain_text("No opposite request is waiting.")


async def test_the_rest_of_an_order_is_cancelled_once(site: Site) -> None:
    intent = await site.desk.place(await site.desk.park(), "partly_filled", "0.006")
    page = await site.open(f"/intents/{intent.id}")
    await connected(page)
    await page.get_by_role("button", name="Cancel the rest").dblclick(delay=20)
    await expect(page.get_by_text("Cancelled.")).to_be_visible()
    await expect(page.get_by_role("button", name="Cancel the rest")).to_have_count(0)
    assert site.desk.cancelled == [(intent.id, "Ana")]
    assert intent.order is not None
    order = changed(intent.order, status="cancelled")
    await site.desk.store.submissions.follow(intent, order)
    await expect(page.locator(".card")).to_contain_text("Placed, then cancelled, filled 0.006 of 0.015")


async def test_a_cancel_that_fails_says_so_on_the_card(site: Site) -> None:
    site.expected = ("409",)
    intent = await site.desk.place(await site.desk.park(), "partly_filled", "0.006")
    site.desk.cancel_problem = BrokerError(Code.BINANCE_TIMEOUT, "Binance did not answer in time.")
    page = await site.open(f"/intents/{intent.id}")
    await connected(page)
    await page.get_by_role("button", name="Cancel the rest").click()
    await expect(page.locator(".card .problem")).to_have_text(
        "Cancel not confirmed: Binance did not answer in time."
    )
    await expect(page.get_by_role("button", name="Cancel the rest")).to_be_enabled()


async def test_the_button_for_the_rest_is_never_under_the_finger_that_approved(site: Site) -> None:
    intent = await site.desk.park()
    page = await site.inbox()
    card = page.locator(f"#intent-{intent.id}")
    await card.get_by_role("button", name="Approve").click()
    await expect(card).to_contain_text("Approved by Ana, sending")
    await site.desk.place(await now(site, intent))
    button = card.get_by_role("button", name="Cancel order")
    await expect(button).to_be_disabled()
    await expect(button).to_be_enabled()
    assert (await now(site, intent)).state is State.PLACED


async def test_without_script_the_rest_is_cancelled_too(site: Site) -> None:
    intent = await site.desk.place(await site.desk.park())
    page = await (await site.context(java_script_enabled=False)).new_page()
    await page.goto(f"{site.url}/intents/{intent.id}")
    await page.get_by_role("button", name="Cancel order").click()
    await expect(page).to_have_url(f"{site.url}/intents/{intent.id}")
    assert site.desk.cancelled == [(intent.id, "Ana")]


async def test_what_comes_in_while_nobody_can_look_is_not_seen_until_somebody_does(site: Site) -> None:
    page = await site.inbox()
    await page.evaluate(HIDDEN)
    intent = await site.desk.park()
    await page.locator(f"#intent-{intent.id}").wait_for()
    await asyncio.sleep(1.5)  # a look or more of the page's script
    assert (await now(site, intent)).seen_at is None
    await page.evaluate(VISIBLE)

    async def seen() -> bool:
        return (await now(site, intent)).seen_at is not None

    await eventually(seen)


async def test_what_is_seen_is_told_until_it_is_noted_however_much_it_is(site: Site) -> None:
    """One telling carries a hundred, and the first one does not get through."""
    site.expected = ("503",)
    page = await site.inbox()
    answers = [503]

    async def answer(route: Route) -> None:
        await (route.fulfill(status=answers.pop()) if answers else route.continue_())

    await page.route("**/seen", answer)
    await page.evaluate(HIDDEN)
    intents = [await site.desk.park(key=f"request-{number}") for number in range(103)]
    await page.locator(f"#intent-{intents[-1].id}").wait_for()
    await page.evaluate(VISIBLE)

    async def all_seen() -> bool:
        return not await site.desk.store.read(
            lambda c: site.desk.store.sightings.unseen(c, [intent.id for intent in intents])
        )

    await eventually(all_seen)
    assert answers == []
