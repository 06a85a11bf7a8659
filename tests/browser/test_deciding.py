"""A trader decides what agents ask for, in a real browser."""

from __future__ import annotations

import asyncio
import re
import time
from decimal import Decimal

import pytest
from playwright.async_api import expect

from broker.intents import Intent, State
from broker.store import queries

from ..support import trusted
from ..web.support import PASSWORD
from .site import Site, connected

pytestmark = pytest.mark.anyio

NOTE_DISABLED = """() => {
    window.disabled = [];
    new MutationObserver(() => {
        const button = document.querySelector("button[value=approve]");
        if (button) window.disabled.push(button.disabled);
    }).observe(document.body, {childList: true, subtree: true, attributes: true});
}"""
"""Whether the button to approve was disabled, at each change of the page."""


CLICK_AT = """([ids, at]) => new Promise((done) => setTimeout(() => {
    for (const id of ids) document.querySelector(`#intent-${id} button.approve`)?.click();
    done();
}, at - Date.now()))"""
"""Clicks as near to one moment as two browsers can."""


async def now(site: Site, intent: Intent) -> Intent:
    return await site.desk.store.read(lambda connection: queries.find_any(connection, intent.id))


async def test_a_request_appears_by_itself_and_is_approved(site: Site) -> None:
    page = await site.inbox()
    await expect(page.get_by_text("No requests are waiting.")).to_be_visible()
    intent = await site.desk.park()
    await page.get_by_role("button", name="Approve BUY 0.015 BTC").click()
    await expect(page.locator(f"#intent-{intent.id}")).to_contain_text("Approved by Ana, sending")
    await expect(page.locator(f"#outcome-{intent.id}")).to_contain_text("Approved by Ana, sending")
    assert [taken.id for taken in site.desk.approved] == [intent.id]
    await expect(page).to_have_title("Confirmation broker")


async def test_the_title_counts_what_waits(site: Site) -> None:
    page = await site.inbox()
    await site.desk.park("0.01")
    await expect(page).to_have_title("(1) Confirmation broker")
    intent = await site.desk.park("0.02")
    await expect(page).to_have_title("(2) Confirmation broker")
    await site.desk.store.intents.withdraw(intent.id, "default")
    await expect(page).to_have_title("(1) Confirmation broker")
    await expect(page.locator(f"#outcome-{intent.id}")).to_contain_text("Withdrawn by agent default")


async def test_a_rejection_carries_reason_and_suggestion(site: Site) -> None:
    intent = await site.desk.park()
    page = await site.inbox()
    await page.get_by_text("Reject with a reason").click()
    await page.get_by_label("Reason").select_option("Too large")
    await page.get_by_label("In your words").fill("Half would do.")
    await page.get_by_label("Suggested amount").fill("0.0075")
    await page.get_by_role("button", name="Reject", exact=True).click()
    await expect(page.locator(f"#intent-{intent.id} .outcome")).to_have_text("Rejected by Ana")
    decision = (await now(site, intent)).decision
    assert decision and decision.reason == "Too large: Half would do."
    assert decision.suggestion.amount == Decimal("0.0075")


async def test_enter_in_a_field_rejects_and_never_approves(site: Site) -> None:
    intent = await site.desk.park()
    page = await site.inbox()
    await page.get_by_text("Reject with a reason").click()
    await page.get_by_label("Suggested amount").fill("0.0075")
    await expect(page.get_by_role("button", name="Reject", exact=True)).to_be_enabled()
    await page.get_by_label("Suggested amount").press("Enter")
    await expect(page.locator(f"#intent-{intent.id} .outcome")).to_have_text("Rejected by Ana")
    assert site.desk.approved == []


async def test_what_was_typed_survives_a_mistake_and_a_new_connection(site: Site) -> None:
    site.expected = ("422",)
    await site.desk.park()
    page = await site.inbox()
    await page.get_by_text("Reject with a reason").click()
    await page.get_by_label("In your words").fill("Half would do.")
    await page.get_by_label("Suggested amount").fill("much less")
    await page.get_by_role("button", name="Reject", exact=True).click()
    await expect(page.get_by_text("Suggested amount: must be a finite number")).to_be_visible()
    await expect(page.get_by_label("Suggested amount")).to_have_value("much less")
    await page.get_by_label("Suggested amount").fill("0.001")
    await page.evaluate("document.getElementById('stream')._htmx.sse.reader.cancel()")
    other = await site.desk.park("0.02")
    await expect(page.locator(f"#intent-{other.id}")).to_be_visible()
    await expect(page.get_by_label("Suggested amount").first).to_have_value("0.001")
    await expect(page.get_by_label("In your words").first).to_have_value("Half would do.")


async def test_a_second_tap_is_needed_for_what_stands_in_red(site: Site) -> None:
    intent = await site.desk.park(second_tap=["Sells ALL your free BTC"])
    page = await site.inbox()
    await page.get_by_role("button", name="Approve BUY 0.015 BTC").click()
    anyway = page.get_by_role("button", name="Approve anyway: BUY 0.015 BTC")
    await expect(anyway).to_be_visible()
    assert (await now(site, intent)).state is State.PENDING
    await anyway.click()
    await expect(page.locator(f"#intent-{intent.id}")).to_contain_text("Approved by Ana")


async def test_a_double_click_is_no_second_tap(site: Site) -> None:
    intent = await site.desk.park(second_tap=["Sells ALL your free BTC"])
    page = await site.inbox()
    await page.get_by_role("button", name="Approve BUY 0.015 BTC").dblclick(delay=20)
    await expect(page.get_by_role("button", name="Approve anyway")).to_be_enabled()
    assert (await now(site, intent)).state is State.PENDING


async def test_a_card_that_just_appeared_cannot_be_tapped_by_accident(site: Site) -> None:
    page = await site.inbox()
    await page.evaluate(NOTE_DISABLED)
    await site.desk.park()
    await expect(page.get_by_role("button", name="Approve BUY 0.015 BTC")).to_be_enabled()
    assert (await page.evaluate("() => window.disabled"))[0] is True, "when it appeared"


async def test_no_card_moves_when_others_come_and_go(site: Site) -> None:
    first, second, third = [await site.desk.park(f"0.0{n}") for n in (1, 2, 3)]
    page = await site.inbox()

    async def top(intent: Intent) -> int:
        return int(await page.locator(f"#intent-{intent.id}").evaluate("card => card.offsetTop"))

    before = await top(second), await top(third)
    newest = await site.desk.park("0.04")
    await expect(page.locator(f"#intent-{newest.id}")).to_be_visible()
    await site.desk.store.intents.withdraw(first.id, "default")
    await expect(page.locator(f"#intent-{first.id} .outcome")).to_be_visible()
    await page.locator(f"#intent-{second.id}").get_by_role("button", name="Approve").click()
    await expect(page.locator(f"#intent-{second.id} .outcome")).to_be_visible()
    assert (await top(second), await top(third)) == before


async def test_decided_cards_leave_once_nobody_has_touched_the_page_for_a_while(site: Site) -> None:
    context = await site.context()
    await context.clock.install()
    first, second = await site.desk.park("0.01"), await site.desk.park("0.02")
    page = await site.inbox(context)
    await context.clock.run_for(500)
    await page.locator(f"#intent-{first.id}").get_by_role("button", name="Approve").click()
    await expect(page.locator(f"#intent-{first.id} .outcome")).to_be_visible()
    await expect(page.locator(".htmx-request")).to_have_count(0)  # or the clock's leap ends it as too late
    await page.evaluate("document.getElementById('stream').remove()")
    await context.clock.run_for(8_000)
    await page.mouse.move(10, 10)
    await context.clock.run_for(8_000)
    await expect(page.locator(f"#intent-{first.id}")).to_be_visible()
    await context.clock.run_for(3_000)
    await expect(page.locator(f"#intent-{first.id}")).to_have_count(0)
    moved = page.locator(f"#intent-{second.id} button.approve")
    await expect(moved).to_be_enabled()


async def test_two_browsers_deciding_at_once_make_one_decision_fifty_times(site: Site) -> None:
    site.expected = ("409",)
    pages = [
        await site.inbox(await site.context(await site.desk.sign_in(trader))) for trader in ("Ana", "Ben")
    ]
    for turn in range(10):
        parked = [await site.desk.park(f"0.{turn}{number}1", value="1") for number in range(5)]
        ids = [intent.id for intent in parked]
        for page in pages:
            await page.mouse.move(10 + turn, 10)  # a page that is left alone puts decided cards away
            for id in ids:
                await expect(page.locator(f"#intent-{id} button.approve")).to_be_enabled()
        at = time.time() * 1000 + 50
        await asyncio.gather(*(page.evaluate(CLICK_AT, [ids, at]) for page in pages))
        for page in pages:
            for id in ids:
                await expect(page.locator(f"#intent-{id} .outcome")).to_contain_text("Approved by")
    assert len({taken.id for taken in site.desk.approved}) == len(site.desk.approved) == 50


async def test_with_eight_tabs_open_each_can_still_approve(site: Site) -> None:
    """A browser has six connections to a site: were all streams kept, a decision would wait for ever."""
    intents = [await site.desk.park(f"0.0{number}", value="1") for number in range(1, 9)]
    context = await site.context()
    pages = [await site.open(context=context) for _ in intents]
    for page in pages[-3:]:
        await connected(page)
    for page, intent in zip(pages, intents, strict=True):
        await page.bring_to_front()
        button = page.locator(f"#intent-{intent.id} button.approve")
        await expect(button).to_be_enabled()
        await button.click(trial=True)
        await button.click()
        await expect(page.locator(f"#intent-{intent.id} .outcome")).to_be_visible(timeout=15_000)
    superseded = [await page.locator("#lost").is_visible() for page in pages]
    assert superseded == [True] * 5 + [False] * 3
    assert len(site.desk.approved) == 8


async def test_a_superseded_tab_says_so_keeps_working_buttons_and_stays_out(site: Site) -> None:
    context = await site.context()
    intent = await site.desk.park()
    oldest = await site.inbox(context)
    others = [await site.inbox(context) for _ in range(3)]
    await expect(oldest.locator("#lost")).to_contain_text("This tab no longer updates")
    await oldest.get_by_role("button", name="Approve BUY 0.015 BTC").click()
    await expect(oldest.locator(f"#intent-{intent.id} .outcome")).to_contain_text("Approved by Ana")
    for page in others:
        await expect(page.locator(f"#intent-{intent.id} .outcome")).to_contain_text("Approved by Ana")
        await expect(page.locator("#connection")).to_have_text("Connected")


async def test_the_countdown_runs_and_an_expired_card_leaves_no_buttons(site: Site) -> None:
    intent = await site.desk.park(ttl_seconds=90)
    page = await site.inbox()
    await expect(page.locator(f"#intent-{intent.id} .countdown")).to_have_text(re.compile(r"1:[0-3]\d"))
    await site.desk.store.intents.withdraw(intent.id, "default")
    await expect(page.locator(f"#intent-{intent.id} button")).to_have_count(0)


async def test_a_requests_own_page_follows_its_outcome(site: Site) -> None:
    intent = await site.desk.park()
    page = await site.inbox()
    await page.goto(f"{site.url}/intents/{intent.id}")
    await connected(page)
    await page.get_by_role("button", name="Approve BUY 0.015 BTC").click()
    await expect(page.locator(".record li")).to_have_count(2)
    await expect(page.locator(".record")).to_contain_text("Approved by Ana")


class TestWithoutScript:
    async def test_signing_in_deciding_and_signing_out_work(self, site: Site) -> None:
        intent = await site.desk.park(second_tap=["Sells ALL your free BTC"])
        context = await site.browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{site.url}/intents/{intent.id}")
        await page.get_by_label("Name").fill("Ana")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page).to_have_url(f"{site.url}/intents/{intent.id}")
        await page.get_by_role("button", name="Approve BUY 0.015 BTC").click()
        await page.get_by_role("button", name="Approve anyway: BUY 0.015 BTC").click()
        await expect(page).to_have_url(f"{site.url}/intents/{intent.id}")
        await expect(page.locator(".outcome")).to_have_text("Approved by Ana, sending")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_url(f"{site.url}/signin")

    async def test_a_decision_that_comes_too_late_says_who_decided(self, site: Site) -> None:
        intent = await site.desk.park()
        page = await (await site.context(java_script_enabled=False)).new_page()
        await page.goto(site.url)
        await site.desk.store.intents.approve(
            intent.id, intent.digest, "Ben", Decimal(10000), standing=trusted, confirmed=True
        )
        await page.get_by_role("button", name="Reject", exact=True).click()
        await expect(page.get_by_text("Not recorded: Ben approved this at")).to_be_visible()


async def test_the_first_trader_comes_in_by_the_link(site: Site) -> None:
    await asyncio.to_thread(lambda: site.desk.store.people.remove_trader("Ana", actor="command"))
    token = await asyncio.to_thread(site.desk.store.people.invite)
    page = await (await site.browser.new_context()).new_page()
    await page.goto(f"{site.url}/welcome?token={token}")
    await page.get_by_label("Name").fill("Eva")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password again").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await connected(page)
    await page.goto(f"{site.url}/welcome?token={token}")
    await expect(page.get_by_text("This link has expired or was used")).to_be_visible()
