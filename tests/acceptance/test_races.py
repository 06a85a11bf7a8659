"""Two traders, one card; one trader, many tabs."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser, ElementHandle, Page, expect

from .people import Agent, agent, control, first_trader, orders_at, sign_in
from .processes import BrokerProcess, PaperProcess

pytestmark = pytest.mark.anyio

ROUNDS = 50
TABS = 8


async def test_two_browsers_that_decide_at_once_make_one_decision_and_one_order(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    await control(exchange.url, "price", symbol="BTCUSDT", price="60000")  # one that moves shows a card anew
    pages = [await first_trader(browser, broker), await sign_in(browser, broker)]
    sizes = [f"0.00{number:03}" for number in range(100, 100 + ROUNDS)]
    async with agent(broker) as asking:
        for size in sizes:
            parked = await asking.park(amount=size, idempotencyKey=f"round-{size}")
            buttons = [await _enabled(page, parked["intentId"]) for page in pages]
            await asyncio.gather(*(button.evaluate("button => button.click()") for button in buttons))
            told = await asking.call("intent_wait", intentId=parked["intentId"])
            assert told["status"] == "placed", told
    orders = await orders_at(exchange.url)
    ids = [order["clientOrderId"] for order in orders]
    assert len(ids) == len(set(ids)) == ROUNDS


async def _enabled(page: Page, intent_id: str) -> ElementHandle:
    """The button itself: once the other trader has decided, a locator would wait for it in vain.

    Where no hand moves, decided cards leave the page, and buttons rest for a moment.
    """
    await page.mouse.move(10, 10)
    await page.mouse.move(20, 20)
    button = page.locator(f'#pending [data-intent="{intent_id}"] button[value=approve]')
    await expect(button).to_be_enabled()
    found = await button.element_handle()
    assert found is not None
    return found


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
