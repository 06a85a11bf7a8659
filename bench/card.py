"""From a request's row to its card in a real page. Floor: the same HTML through a bare EventSource.

Both start at the time that the row contains, just before its commit (the broker's is in whole milliseconds),
and end when a MutationObserver in the page sees the card.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from playwright.async_api import Browser, Page, async_playwright

from tests.acceptance.people import sign_in
from tests.conftest import CHROMIUM

from .figures import Pair, measure
from .house import House

TITLE = "row → card in the DOM of Chromium"
FLOOR = "one FULL commit, a bare EventSource and insertAdjacentHTML of the same card"

WATCH = """
new MutationObserver((changes) => {
  const at = performance.timeOrigin + performance.now();
  for (const { addedNodes } of changes)
    for (const node of addedNodes)
      if (node.dataset?.intent) appeared(node.dataset.intent, at);
}).observe(document, { childList: true, subtree: true });
"""

SWEEP = """
(id) => new Promise((done) => {
  const look = () => {
    const card = document.querySelector(`#intent-${id}.settled`);
    if (!card) return setTimeout(look, 5);
    card.remove();
    done();
  };
  look();
})
"""
"""Removes a decided card at once. The page itself does so after a while without input."""


class Cards:
    """The times at which cards appeared on a page, by intent id, in UTC milliseconds."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._at: defaultdict[str, asyncio.Future[float]] = defaultdict(loop.create_future)

    def appeared(self, intent_id: str, at: float) -> None:
        if not self._at[intent_id].done():
            self._at[intent_id].set_result(at)

    async def of(self, intent_id: str) -> float:
        return await asyncio.wait_for(self._at[intent_id], 10)


async def run(house: House) -> Pair:
    async with _chromium() as browser:
        inbox = await sign_in(browser, house.broker)
        cards = await _watched(inbox)
        await inbox.get_by_text("Connected", exact=True).wait_for()
        bare = await browser.new_page()
        bare_cards = await _watched(bare, house.bare_url)
        html, sample_id = await _card(house)
        numbers = count()

        async def ours() -> float:
            parked = await house.park()
            appeared = await cards.of(parked["intentId"])
            await house.withdraw(parked["intentId"])
            await inbox.evaluate(SWEEP, parked["intentId"])
            return appeared - float(parked["createdAt"])

        async def floor() -> float:
            intent_id = f"bare{next(numbers)}"
            body = html.replace(sample_id, intent_id)
            async with house.http.post(f"{house.bare_url}/board", data=body) as answer:
                made_at = float(await answer.json())
            return await bare_cards.of(intent_id) - made_at * 1000

        return await measure(ours, floor, rounds=5, samples=20, warm_up=5)


@asynccontextmanager
async def _chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        raise SystemExit("bench: the row card needs Chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        await browser.close()


async def _watched(page: Page, url: str | None = None) -> Cards:
    cards = Cards()
    await page.expose_function("appeared", cards.appeared)
    await page.add_init_script(WATCH)
    await (page.goto(url) if url else page.reload())
    return cards


async def _card(house: House) -> tuple[str, str]:
    """Return the HTML of a card as the page gets it, and the intent id in it."""
    parked = await house.park()
    intent_id = str(parked["intentId"])
    url = f"{house.broker.url}/intents/{intent_id}"
    async with house.http.get(url, headers={"HX-Request": "true"}) as answer:
        html = await answer.text()
    await house.withdraw(intent_id)
    return html, intent_id
