"""The phone: a notification is opened, one is rejected from, one is seen by nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect
from standardwebhooks import Webhook

from ..notify.support import Endpoint, endpoint
from ..support import eventually
from .people import PASSWORD, agent, control, first_trader, orders_at
from .processes import BrokerProcess, PaperProcess

pytestmark = pytest.mark.anyio

PHONE: Any = {"width": 390, "height": 844}


async def add_phone(page: Page, broker: BrokerProcess, there: Endpoint) -> None:
    """A channel that leads to `there`, whose test message's link is opened."""
    await page.goto(f"{broker.page}/channels")
    await page.get_by_text("A phone, with the ntfy app").click()
    form = page.locator("form", has=page.locator("input[value=ntfy]"))
    await form.get_by_label("Name").fill("phone")
    await form.get_by_label("Topic").fill("orders-of-ana")
    await form.get_by_label("Server", exact=True).fill(there.url)
    await form.get_by_role("button", name="Add").click()
    await expect(page.get_by_text("Not confirmed")).to_be_visible()
    [test] = await there.count(1)
    await page.goto(test.json["click"])
    await expect(page.get_by_text("Works", exact=True)).to_be_visible()


async def test_a_request_reaches_a_phone_which_opens_it_rejects_it_or_is_told_that_nobody_looked(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    command = ("tests.acceptance.shifted", str(ahead))
    async with endpoint() as there:
        with BrokerProcess(
            tmp_path, command=command, PAPER_URL=exchange.url, NOTIFY_ALLOW_PRIVATE="true"
        ) as broker:
            desk = await first_trader(browser, broker)
            await add_phone(desk, broker, there)
            await desk.context.close()  # nobody looks at a page from here on
            await control(exchange.url, "price", symbol="BTCUSDT", price="60000")  # no card comes back
            async with agent(broker) as asking:
                parked = await asking.park(amount="0.011", reason="On the phone.")
                _, told = await there.count(2)
                assert told.json["title"] == "PAPER BUY 0.011 BTC"

                context = await browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
                phone = await context.new_page()
                await phone.goto(told.json["click"])
                await phone.get_by_label("Name").fill("Ana")
                await phone.get_by_label("Password").fill(PASSWORD)
                await phone.get_by_role("button", name="Sign in").tap()
                await phone.wait_for_url(f"{broker.page}/intents/{parked['intentId']}")
                await phone.get_by_role("button", name="Approve BUY 0.011 BTC").tap()
                answer = await asking.call("intent_wait", intentId=parked["intentId"])
                assert answer["status"] == "placed"
                [order] = await orders_at(exchange.url)
                assert order["clientOrderId"].endswith(parked["intentId"])
                await context.close()

                parked = await asking.park(amount="0.012")
                told = (await there.count(3))[2]
                [_, reject] = told.json["actions"]
                assert (reject["label"], reject["method"]) == ("Reject", "POST")
                link = reject["url"].replace(broker.page, broker.url)  # a name that browsers know
                async with httpx2.AsyncClient() as http:
                    assert (await http.get(link)).status_code == 200
                    answer = await asking.call("intent_get", intentId=parked["intentId"])
                    assert answer["status"] == "pending"
                    assert (await http.post(link)).status_code == 200
                    assert (await http.post(link)).status_code == 410
                answer = await asking.call("intent_get", intentId=parked["intentId"])
                assert (answer["status"], answer["decision"]["by"]) == ("rejected", "Ana")

                parked = await asking.park(amount="0.013")
                await there.count(4)
                assert "nobody" not in parked["outcome"]
                ahead.write_text("151")
                told = (await there.count(5))[4]
                assert told.json["title"] == "PAPER NOBODY HAS SEEN THIS: BUY 0.013 BTC"
                assert told.json["priority"] == 5
                answer = await asking.call("intent_get", intentId=parked["intentId"])
                assert (
                    answer["outcome"] == "Not executed: waiting for a trader, and nobody has seen this yet."
                )
    assert len(await orders_at(exchange.url)) == 1


async def test_what_a_killed_broker_had_on_the_wire_is_told_again_with_its_id(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    def started(port: int | None = None) -> BrokerProcess:
        return BrokerProcess(tmp_path, port=port, PAPER_URL=exchange.url, NOTIFY_ALLOW_PRIVATE="true")

    async with endpoint() as there:
        with started() as broker:
            desk = await first_trader(browser, broker)
            await desk.goto(f"{broker.page}/channels")
            await desk.get_by_text("A webhook", exact=True).click()
            form = desk.locator("form", has=desk.locator("input[value=webhook]"))
            await form.get_by_label("Name").fill("desk")
            await form.get_by_label("Address").fill(f"{there.url}/hook")
            await form.get_by_role("button", name="Add").click()
            secret = await desk.locator(".secret code").inner_text()
            await there.count(1)
            there.answers = ["hang"]
            async with agent(broker) as asking:
                parked = await asking.park()
                await there.count(2)
                broker.kill()
        with started(broker.port):
            _, before, after = await there.count(3)
    assert before.headers["webhook-id"] == after.headers["webhook-id"]
    told = Webhook(secret).verify(after.body, dict(after.headers))
    assert told["data"]["intent"]["id"] == parked["intentId"]
    assert len(there.received) == 3


async def test_an_agent_cannot_ring_phones_at_will(
    browser: Browser, tmp_path: Path, exchange: PaperProcess
) -> None:
    """A phone hears of twenty requests and of the rest at once; one for large alerts alone hears nothing."""
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    command = ("tests.acceptance.shifted", str(ahead))
    async with endpoint() as there, endpoint() as alerts:
        with BrokerProcess(
            tmp_path, command=command, PAPER_URL=exchange.url, NOTIFY_ALLOW_PRIVATE="true"
        ) as broker:
            desk = await first_trader(browser, broker)
            await add_phone(desk, broker, there)
            await desk.get_by_text("A phone, with the ntfy app").click()
            form = desk.locator("form", has=desk.locator("input[value=ntfy]"))
            await form.get_by_label("Name").fill("alerts")
            await form.get_by_label("Topic").fill("alerts-of-ana")
            await form.get_by_label("Server", exact=True).fill(alerts.url)
            for topic in ("New requests", "Outcomes that need attention", "Cancelled protective orders"):
                await form.get_by_label(topic).uncheck()
            await form.get_by_label("Minimum value, USDT").fill("1000000")
            await form.get_by_role("button", name="Add").click()
            await alerts.count(1)
            await desk.context.close()  # nobody looks at a page from here on
            async with agent(broker) as asking:
                for number in range(26):
                    await asking.park(amount=f"0.000{11 + number}")
                await there.count(1 + 20 + 1)
                ahead.write_text("151")
                await there.count(1 + 20 + 1 + 3 + 1)

                async def overlooked() -> bool:
                    titles = [one.json["title"] for one in there.received]
                    return any(title.endswith("of default wait unseen") for title in titles)

                await eventually(overlooked)
                answer = await asking.call("intent_list", limit=50)
                assert answer["count"] == 26
    titles = [one.json["title"] for one in there.received]
    urgent = [one for one in there.received if one.json["priority"] == 5]
    assert len([title for title in titles if title.startswith("PAPER BUY")]) == 20
    assert len(urgent) <= 3 + 2 and len(titles) <= 1 + 20 + 5 + 3
    assert [one.json["title"] for one in alerts.received] == ["PAPER Test"]
