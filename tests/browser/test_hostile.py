"""Whatever others write: every figure, warning and button stays visible, and can be hit."""

from __future__ import annotations

import json
from decimal import Decimal
from math import ceil, floor
from typing import Any

import pytest
from playwright.async_api import Page

from broker.cards import Figure
from broker.notifications import Attempt, Kind, Topic
from broker.halt import Level
from broker.intents import State, Suggestion
from broker.reasons import Reason, Why

from ..support import give_key
from ..web.support import check
from .site import Site, connected

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SIZES = {"desktop": (1280, 800), "phone": (390, 844), "small": (320, 640)}

HOSTILE = {
    "marks on one letter": "e" + "\u0301\u0316\u0330\u0489" * 125,
    "marks on every letter": "".join(letter + "\u030d\u0310\u0349\u0353" * 8 for letter in "sell all") * 2,
    "Hangul parts": "\u1100" * 500,
    "joined Indic letters": "\u0915\u094d" * 250,
    "wide letters": "\ufdfd\u2e3b\U00012031" * 80,
    "a long word": "W" * 500,
    "turned": "\u202e\u2067" * 20 + "000,9 ta tey \u05d0\u05d1 12" * 10,
    "line ends and tabs": "a\n\t\r\v\f\u2028\u2029\x85" * 60,
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467\ufe0f" * 60 + "\U0001f3ff" * 60,
    "invisible": "\u3164\u2800\u115f\u1160\uffa0\U000e0041\u200b" * 70,
}

NAME = "e" + "\u0301" * 39
WIDE_NAME = "\ufdfd" * 40

WRONG = """(selector) => {
  const wrong = [];
  if (document.documentElement.scrollWidth > innerWidth) wrong.push("wider than the screen");
  for (const element of document.querySelectorAll(selector)) {
    if (!element.checkVisibility()) continue;
    element.scrollIntoView({ block: "center", behavior: "instant" });
    const box = element.getBoundingClientRect();
    const what = `${element.tagName} ${element.className} ${element.innerText.slice(0, 40)}`;
    if (box.left < -0.5 || box.right > innerWidth + 0.5 || box.width < 1 || box.height < 1) {
      wrong.push(`outside: ${what} ${JSON.stringify(box)}`);
      continue;
    }
    const line = element.getClientRects()[0];
    const hit = document.elementFromPoint(line.left + line.width / 2, line.top + line.height / 2);
    if (!element.contains(hit)) wrong.push(`covered: ${what} by ${hit?.outerHTML.slice(0, 80)}`);
  }
  return wrong;
}"""

SHOWN = (
    "button, summary, .mode, nav a, h3, .figures dt, .figures dd, .checks span, .checks b, .red li, "
    ".warnings li, .countdown, .live b, .outcome, .row > a, .row time, .record time, .here, .people time, "
    ".state, .rights dt, .delivery time, .delivery b, .against, .door dt, .door dd, #equity b, #volume b"
)

RAW = """(text) => {
  for (const box of document.querySelectorAll(".untrusted")) {
    const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) if (walker.currentNode.data.trim()) texts.push(walker.currentNode);
    const words = texts.filter((one) => !one.parentElement.closest("time")).at(-1);
    if (words) words.data = text;
  }
}"""


async def fill(site: Site, text: str) -> dict[str, str]:
    """That text in every field that another may have written. Answers the pages that show it."""
    desk, store = site.desk, site.desk.store
    name = WIDE_NAME if text == HOSTILE["wide letters"] else NAME
    await desk.sign_in(name, text[:200])
    desk.exchange_problem = f"Binance is not available: HTTP 503: {text}"
    desk.figures = [Figure(label="Market now", value="64,250 USDT"), Figure(label="Free", value=f"1 {text}")]
    rejected = await desk.park("0.01", reason=text)
    await store.intents.reject(rejected.id, rejected.digest, name, text[:300], Suggestion(amount=Decimal(1)))
    refused = await desk.submit(
        await desk.park("0.02", reason=text), State.REFUSED, why=Why(Reason.BINANCE_REFUSED, text[:300])
    )
    unknown = await desk.lose(await desk.park("0.03", reason=text), seconds_ago=60)
    await store.audit("orders:cancelled", "agent:default", symbol=text[:30], orders=["1"], protective=True)
    desk.prices.says("64213")
    await desk.park("0.04", side="SELL", reason=text)
    waiting = await desk.park(
        "0.5",
        reason=text,
        checks=[
            check("order_value", "Order value", "32100", "1000", passed=False, enforced=False),
            check("balance", "Free coins", "0.5", "0.5", unit=text, near=True),
        ],
        second_tap=[f"Sells ALL your free {text}"],
        warnings=[f"The market of {text} is thin", "The market is thin"],
        suggestible=["amount", "price"],
    )
    give_key(store, "default", "k" * 20)
    await store.halts.set(Level.EXITS_ONLY, name, text[:200])
    config = {"url": "https://hooks.example/x"}
    channel = await store.channels.add(
        "Ana", Kind.WEBHOOK, WIDE_NAME, "https://" + "w" * 92 + "…", config, set(Topic), Decimal(250)
    )
    await store.channels.test(channel.id, "Ana")

    def fail(connection: Any) -> None:
        queued = [one.id for one in store.outbox.of_trader(connection, "Ana", 99)]
        for delivery, _ in store.outbox.claim(connection, queued, desk.clock()):
            store.outbox.record(connection, delivery, Attempt(problem=text[:300]), desk.clock())

    await store.database.write(fail)
    return {
        "inbox": "/",
        **{one.state: f"/intents/{one.id}" for one in (rejected, refused, unknown)},
        "waiting": f"/intents/{waiting.id}",
        "channels": "/channels",
        "agents": "/agents",
        "sessions": "/sessions",
    }


async def wrong(page: Page) -> list[str]:
    """What cannot be seen or hit, in each size; light and dark are drawn by turns."""
    found = []
    for size, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        found += [f"{size}: {what}" for what in await page.evaluate(WRONG, SHOWN)]
    return found


@pytest.mark.parametrize("kind", HOSTILE)
async def test_every_figure_warning_and_button_stays_visible(site: Site, kind: str) -> None:
    text = HOSTILE[kind]
    pages = await fill(site, text)
    scheme: Any = "dark" if list(HOSTILE).index(kind) % 2 else "light"
    context = await site.context(await site.desk.sign_in("Ana", text[:200]), color_scheme=scheme)
    page = await site.open(context=context)
    found = {}
    for name, path in pages.items():
        await page.goto(site.url + path)
        await connected(page)
        found[name] = await wrong(page)
        await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        found[f"{name}, unfolded"] = await wrong(page)
        await page.evaluate(RAW, text)
        found[f"{name}, not scrubbed"] = await wrong(page)
    found = {name: what for name, what in found.items() if what}
    assert not found, json.dumps(found, indent=1)


@pytest.mark.parametrize("kind", ["marks on one letter", "marks on every letter", "Hangul parts"])
async def test_nothing_is_painted_outside_its_box(site: Site, kind: str) -> None:
    """Above the agent's words and below them each pixel is the same, whatever they are."""
    intent = await site.desk.park("0.5", reason="The dip looks overdone.")
    page = await site.inbox(viewport={"width": 390, "height": 844})
    box = page.locator(f"#intent-{intent.id} blockquote")

    async def around() -> list[bytes]:
        await box.evaluate("(box) => box.scrollIntoView({ block: 'center' })")
        place = await box.bounding_box()
        assert place is not None
        left, top, bottom = place["x"], floor(place["y"]), ceil(place["y"] + place["height"])
        across = {"x": left, "width": place["width"]}
        return [
            await page.screenshot(clip={**across, "y": top - 16, "height": 16}),  # the line above
            await page.screenshot(clip={**across, "y": bottom, "height": 10}),  # the ticket's padding
        ]

    before = await around()
    await box.evaluate("(box, text) => { box.textContent = text; }", HOSTILE[kind][:400])
    assert await around() == before
