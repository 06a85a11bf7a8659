"""Two traders, one card; one trader, many tabs."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, Page, expect

from .people import Agent, agent, control, first_trader, orders_at, sign_in
from .processes import BrokerProcess, PaperProcess

pytestmark = pytest.mark.anyio

ROUNDS = 50
APPROVE = '#pending [data-intent="{}"] button[value=approve]'
TABS = 8


async def test_two_browsers_that_decide_at_once_make_one_decision_and_one_order(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    await control(exchange.url, "price", symbol="BTCUSDT", price="60000")  # one that moves shows a card anew
    pages = [await first_trader(browser, broker), await sign_in(browser, broker)]
    sizes = [f"0.{20 + 2 * number:05}" for number in range(ROUNDS)]  # none is a repeat of another
    async with agent(broker) as asking:
        for size in sizes:
            parked = await asking.park(amount=size, idempotencyKey=f"round-{size}")
            for page in pages:
                await _enabled(page, parked["intentId"])
            while not any(await asyncio.gather(*(_press(page, parked["intentId"]) for page in pages))):
                pass  # a card was drawn anew in that moment, and its button rests
            told = await asking.call("intent_wait", intentId=parked["intentId"])
            assert told["status"] == "placed", told
    orders = await orders_at(exchange.url)
    ids = [order["clientOrderId"] for order in orders]
    assert len(ids) == len(set(ids)) == ROUNDS


async def _enabled(page: Page, intent_id: str) -> None:
    """Where no hand moves, decided cards leave the page, and buttons rest for a moment."""
    await page.mouse.move(10, 10)
    await page.mouse.move(20, 20)
    await expect(page.locator(APPROVE.format(intent_id))).to_be_enabled()


async def _press(page: Page, intent_id: str) -> bool:
    """Press the button that is there now. Not found once the other trader has decided."""
    return bool(
        await page.evaluate(
            """selector => {
                const button = document.querySelector(selector);
                const ready = button !== null && !button.disabled;
                if (ready) button.click();
                return ready;
            }""",
            APPROVE.format(intent_id),
        )
    )


async def test_with_eight_tabs_open_approve_answers_in_each(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    first = await first_trader(browser, broker)
    tabs = [first, *[await first.context.new_page() for _ in range(TABS - 1)]]
    for tab in tabs[1:]:
        await tab.goto(broker.page)
    async with agent(broker) as asking:
        for number, tab in enumerate(tabs):
            await _approve_in(tab, asking, f"0.00{number + 1}")
    assert len(await orders_at(exchange.url)) == TABS


async def _approve_in(tab: Page, asking: Agent, size: str) -> None:
    parked = await asking.park(amount=size)
    await tab.bring_to_front()  # where a trader clicks; a browser draws hidden tabs once a second
    await tab.reload()
    button = tab.locator(f'[data-intent="{parked["intentId"]}"] button[value=approve]').first
    await expect(button).to_be_enabled()
    await button.click()
    outcome = tab.locator(f'[data-intent="{parked["intentId"]}"] .outcome').first
    await outcome.wait_for(timeout=15_000)
    assert (await asking.call("intent_wait", intentId=parked["intentId"]))["status"] == "placed"
