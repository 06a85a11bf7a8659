"""The red button, and a request whose outcome nobody knows, in a real browser."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from broker.errors import BrokerError, Code
from broker.intents import State
from broker.store import queries

from ..web.support import placed
from .site import Site, connected

pytestmark = pytest.mark.anyio


async def test_a_halt_shows_on_every_tab_and_is_taken_back(site: Site) -> None:
    context = await site.context()
    page, other = await site.inbox(context), await site.inbox(context)
    await page.bring_to_front()
    await page.get_by_text("Halt", exact=True).click()
    await page.get_by_label("Why").fill("look first")
    await page.get_by_role("button", name="Halt everything").click()
    for tab in (page, other):
        await expect(tab.locator("#trading")).to_contain_text("HALTED")
        await expect(tab.locator("#trading")).to_contain_text("by Ana. “look first”")
    await other.bring_to_front()
    await other.get_by_text("Change", exact=True).click()
    await other.get_by_role("button", name="Resume trading").click()
    await expect(page.get_by_text("Halt", exact=True)).to_be_visible()
    await expect(page.locator("#trading")).not_to_contain_text("HALTED")
    site.expect_clean_console()


async def test_a_halt_that_comes_while_a_finger_is_over_a_card_disables_its_buttons_for_a_moment(
    site: Site,
) -> None:
    await site.desk.park()
    page = await site.inbox()
    approve = page.get_by_role("button", name="Approve BUY 0.015 BTC")
    await expect(approve).to_be_enabled()
    await page.evaluate(
        """() => new MutationObserver(() => { document.body.dataset.rested = "yes"; }).observe(
            document.querySelector("button.approve"), {attributes: true, attributeFilter: ["disabled"]})"""
    )
    await page.get_by_text("Halt", exact=True).click()
    await page.get_by_role("button", name="Exits only").click()
    await expect(page.locator("body[data-rested=yes]")).to_have_count(1)
    await expect(approve).to_be_enabled()


async def test_a_halt_without_an_answer_says_that_it_is_not_confirmed(site: Site) -> None:
    site.expected = ("ERR_FAILED", "Failed to fetch")
    page = await site.inbox()
    await page.route("**/trading", lambda route: route.abort())
    await page.get_by_text("Halt", exact=True).click()
    await page.get_by_role("button", name="Halt everything").click()
    await expect(page.locator("#trading .problem")).to_contain_text(
        "Not confirmed: the broker did not answer"
    )
    await page.unroute("**/trading")
    await page.get_by_role("button", name="Halt everything").click()
    await expect(page.locator("#trading")).to_contain_text("HALTED")
    site.expect_clean_console()


async def test_check_now_shows_what_binance_says_and_why_it_could_not_be_asked(site: Site) -> None:
    site.expected = ("409",)
    lost = await site.desk.lose(await site.desk.park())
    page = await site.open(f"/intents/{lost.id}")
    site.desk.check_problem = BrokerError(Code.BINANCE_TIMEOUT, "Binance did not answer within 8 s.")
    await page.get_by_role("button", name="Check now").click()
    await expect(page.get_by_text("Binance could not be asked")).to_be_visible()
    site.desk.check_problem, site.desk.found = None, State.NOT_SENT
    await page.get_by_role("button", name="Check now").click()
    await expect(page.locator(".outcome")).to_have_text("Approved, not sent")
    site.expect_clean_console()


async def test_why_it_could_not_be_asked_stands_also_once_the_stream_draws_all_anew(site: Site) -> None:
    site.expected = ("409",)
    lost = await site.desk.lose(await site.desk.park())
    site.desk.check_problem = BrokerError(Code.BINANCE_TIMEOUT, "Binance did not answer within 8 s.")
    context, shown = await site.context(), asyncio.Event()

    async def later(route: Route) -> None:
        await shown.wait()
        await route.continue_()

    await context.route("**/events*", later)
    page = await site.open(f"/intents/{lost.id}", context)
    await page.get_by_role("button", name="Check now").click()
    why = page.get_by_text("Binance could not be asked")
    await expect(why).to_be_visible()
    shown.set()
    await connected(page)
    await expect(why).to_be_visible()


async def test_a_traders_word_is_recorded_and_binances_contradiction_appears_by_itself(site: Site) -> None:
    lost = await site.desk.lose(await site.desk.park(), seconds_ago=60)
    page = await site.open(f"/intents/{lost.id}")
    await page.get_by_text("Record the outcome manually").click()
    await page.get_by_label("At Binance it").select_option("never arrived")
    await page.get_by_label("How you know").fill("the app shows none")
    await page.get_by_role("button", name="Record outcome").click()
    await expect(page.locator(".outcome")).to_contain_text("recorded: it was never sent: the app shows none")
    [word] = await site.desk.store.read(queries.recorded)
    await site.desk.store.submissions.check_word(word, State.PLACED, None, placed(word))
    await expect(page.locator(".diverged")).to_contain_text("but Binance has it")
    await expect(page.get_by_role("button", name="Cancel order")).to_be_visible()
    site.expect_clean_console()
