"""An agent asks, a trader decides, Binance gets one order or none, the agent learns which."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from .people import Era, agent, control, first_trader, orders_at, sign_in
from .processes import BrokerProcess, PaperProcess

pytestmark = pytest.mark.anyio

ERAS: list[Era] = ["auto", "legacy"]


@pytest.mark.parametrize("era", ERAS)
async def test_an_approved_order_is_placed_once_and_the_agent_gets_its_fill(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess, era: Era
) -> None:
    page = await first_trader(browser, broker)
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    async with agent(broker, era) as asking:
        tools = await asking.client.list_tools()
        assert {"binance_create_order", "intent_wait"} <= {tool.name for tool in tools.tools}
        parked = await asking.park(amount="0.0150001", reason="A dip.")
        assert parked["rounded"]["amount"] == 0.015
        assert await orders_at(exchange.url) == []

        waiting = asyncio.create_task(asking.call("intent_wait", intentId=parked["intentId"]))
        await page.get_by_role("button", name="Approve BUY 0.015 BTC").click()
        told = await waiting

    assert told["status"] == "placed"
    assert told["decision"]["by"] == "Ana"
    assert told["result"]["order"]["filled"] == 0.015
    [order] = await orders_at(exchange.url)
    assert order["clientOrderId"] == told["result"]["order"]["clientOrderId"]
    assert order["clientOrderId"].endswith(parked["intentId"])
    assert str(order["orderId"]) == told["result"]["order"]["id"]
    await expect(page.get_by_text("Placed, filled 0.015 of 0.015").first).to_be_visible()


async def test_a_rejection_reaches_the_agent_with_its_reason_and_suggestion(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    page = await first_trader(browser, broker)
    async with agent(broker) as asking:
        parked = await asking.park()
        card = page.locator(f'[data-intent="{parked["intentId"]}"]')
        await card.get_by_text("Reject", exact=False).first.wait_for()
        await page.goto(f"{broker.page}/intents/{parked['intentId']}")
        await page.locator("details.reject > summary").click()
        await page.get_by_label("Suggested amount").fill("0.005")
        await page.get_by_label("In your words").fill("Half of it would do.")
        await page.locator("button[value=reject]").click()
        told = await asking.call("intent_wait", intentId=parked["intentId"], until="decided")

    assert told["status"] == "rejected"
    assert "Half of it would do." in told["decision"]["reason"]
    assert told["decision"]["suggestion"] == {"amount": 0.005}
    assert "result" not in told
    assert await orders_at(exchange.url) == []


async def test_what_nobody_decides_expires_and_can_no_longer_be_approved(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    command = ("tests.acceptance.shifted", str(ahead))
    with BrokerProcess(tmp_path, command=command, PAPER_URL=exchange.url) as broker:
        page = await first_trader(browser, broker)
        async with agent(broker) as asking:
            parked = await asking.park()
            await page.goto(f"{broker.page}/intents/{parked['intentId']}")
            waiting = asyncio.create_task(asking.call("intent_wait", intentId=parked["intentId"]))
            ahead.write_text("301")
            told = await waiting
        assert told["status"] == "expired"
        await page.reload()
        await expect(page.get_by_text("Expired: no decision, not sent").first).to_be_visible()
        await expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert await orders_at(exchange.url) == []


async def test_a_withdrawn_request_leaves_the_page_and_nothing_is_sent(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    page = await first_trader(browser, broker)
    async with agent(broker) as asking:
        parked = await asking.park()
        approve = page.get_by_role("button", name="Approve BUY 0.01 BTC")
        await expect(approve).to_be_visible()
        told = await asking.call("intent_cancel", intentId=parked["intentId"])
        assert told["status"] == "withdrawn"
        await expect(approve).to_have_count(0)
    assert await orders_at(exchange.url) == []


async def test_a_kill_between_parking_and_approval_loses_nothing(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    with BrokerProcess(tmp_path, PAPER_URL=exchange.url) as broker:
        page = await first_trader(browser, broker)
        async with agent(broker) as asking:
            parked = await asking.park()
        port = broker.port
        broker.kill()
    await expect(page.get_by_text("NOT CONNECTED").first).to_be_visible(timeout=20_000)
    with BrokerProcess(tmp_path, port=port, PAPER_URL=exchange.url) as broker:
        page = await sign_in(browser, broker)
        async with agent(broker) as asking:
            await page.get_by_role("button", name="Approve BUY 0.01 BTC").click()
            told = await asking.call("intent_wait", intentId=parked["intentId"])
    assert told["status"] == "placed"
    assert len(await orders_at(exchange.url)) == 1


async def test_an_order_whose_answer_was_lost_is_settled_by_asking(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    page = await first_trader(browser, broker)
    await control(exchange.url, "fault", method="POST", path="/api/v3/order", when="executed", do="reset")
    async with agent(broker) as asking:
        parked = await asking.park()
        await page.get_by_role("button", name="Approve BUY 0.01 BTC").click()
        told = await asking.call("intent_wait", intentId=parked["intentId"], timeoutSeconds=40)
    assert told["status"] == "placed"
    assert len(await orders_at(exchange.url)) == 1


async def test_ctrl_c_stops_it_within_three_seconds_with_open_pages_and_waiting_agents(
    browser: Browser, broker: BrokerProcess
) -> None:
    page = await first_trader(browser, broker)
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    async with agent(broker) as asking:
        parked = await asking.park()
        waiting = asyncio.create_task(
            asking.call("intent_wait", intentId=parked["intentId"], timeoutSeconds=50)
        )
        await asyncio.sleep(0.2)
        started = asyncio.get_running_loop().time()
        code = await asyncio.to_thread(broker.stop, signal.SIGINT)
        took = asyncio.get_running_loop().time() - started
        told = await waiting
    assert code == 0
    assert took < 3, broker.output
    assert told["status"] == "pending"
    assert not any("Traceback" in line or "ERROR" in line for line in broker.output), broker.output
