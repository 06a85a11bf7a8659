"""Everybody can read and reach everything, in each theme and size."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Page
from sqlalchemy import Connection

from broker.agents import Agent
from broker.events import EventKind, Topic
from broker.halt import Level
from broker.intents import State, Suggestion
from broker.notifications import Attempt, Kind
from broker.notify import Links

from ..support import give_key, trusted
from ..web.support import check
from ..web.support import placed as order_of
from .site import Site, connected

pytestmark = pytest.mark.anyio

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}


async def fill(site: Site) -> dict[str, str]:
    """One of each that a page may show. Answers the ids of one that waits, and of what became of others."""
    intents = site.desk.store.intents
    site.desk.exchange_problem = "Binance cannot be reached"
    rejected = await site.desk.park("0.01")
    await intents.reject(rejected.id, rejected.digest, "Ana", "Too large", Suggestion(), standing=trusted)
    unknown = await site.desk.lose(await site.desk.park("0.02"), seconds_ago=60)
    worse = await site.desk.park("0.025")
    await site.desk.submit(worse, State.PLACED, order=order_of(worse, "filled", "0.025", cost="1700"))
    placed = await site.desk.place(await site.desk.park("0.03"), "partly_filled", "0.012")
    await site.desk.store.audit(
        EventKind.ORDERS_CANCELLED, "agent:default", symbol="BTCUSDT", orders=["1"], protective=True
    )
    site.desk.prices.says("64213")
    site.desk.prices.says("65000", market="futures")
    await site.desk.move_price(await site.desk.park("0.04"))
    close = {"symbol": "BTCUSDT", "side": "sell", "type": "market", "amount": "0.02"}
    for act, tool, arguments in (
        ("CLOSE LONG 0.02 BTC", "binance_close_position", close),
        ("LEVERAGE 5× → 20×", "binance_set_leverage", {"symbol": "BTCUSDT", "leverage": "20"}),
    ):
        sentence = f"{act}, cross"
        await site.desk.park(act=act, sentence=sentence, market="futures", tool=tool, arguments=arguments)
    await site.desk.park("0.02", reason=None)
    above = check("order_value", "Order value", "32100", "1000", passed=False, enforced=False)
    near = check("balance", "Free BTC", "0.5", "0.5", unit="BTC", near=True)
    waiting = await site.desk.park(
        "0.5",
        side="SELL",
        is_exit=True,
        suggestible=["amount", "price"],
        checks=[above, near],
        second_tap=["Sells ALL your free BTC"],
        warnings=["The market is thin"],
        reason="long " * 99,
    )
    store = site.desk.store
    give_key(store, "default", "k" * 20)
    limited = Agent(
        name="momentum-eth", tools=frozenset({"binance_get_ticker"}), max_order_value_usdt=Decimal(250)
    )

    def add(connection: Connection) -> None:
        store.agents.add(connection, limited, actor="trader:Ana")
        store.agents.rotate(connection, limited.name, timedelta(hours=24), actor="command line")
        store.agents.add(connection, Agent(name="old-bot"), actor="trader:Ana")
        store.agents.revoke(connection, "old-bot", actor="trader:Ana")

    await store.database.write(add)
    return {"waiting": waiting.id, "placed": placed.id, "unknown": unknown.id, "diverged": worse.id}


async def told(site: Site) -> str:
    """Channels in each state, with what was told on them. Answers the link that rejects one."""
    store, now = site.desk.store, site.desk.clock
    long = "https://hooks.example/" + "a-long-path/" * 6
    config, least = {"url": long}, Decimal(250)
    for kind, name, address in ((Kind.NTFY, "phone", "https://ntfy.sh/ana…"), (Kind.WEBHOOK, "desk", long)):
        channel = await store.channels.add(
            "Ana", kind, name, address, config, set(Topic), least, standing=trusted
        )
        await store.channels.test(channel.id, "Ana", standing=trusted)
    failing = await store.channels.add(
        "Ana", Kind.WEBHOOK, "failing", long, config, set(Topic), None, standing=trusted
    )
    paused = await store.channels.add(
        "Ana", Kind.WEBHOOK, "paused", long, config, set(Topic), None, standing=trusted
    )
    await store.channels.pause(paused.id, "Ana", True, standing=trusted)
    await site.desk.park("0.06", reason=None)

    def happen(connection: Connection) -> str:
        queued = [one.id for one in store.outbox.of_trader(connection, "Ana", 99)]
        deliveries = [delivery for delivery in store.outbox.claim(connection, queued, now())]
        attempts = [Attempt(), Attempt(problem="answered 500"), Attempt(problem="answered 410", final=True)]
        for delivery, attempt in zip(deliveries, attempts * 9, strict=False):
            store.outbox.record(connection, delivery, attempt, now())
        [mine, *_] = [one for one in deliveries if one.event.intent_id and one.channel != failing.id]
        return Links(site.url, store.vault).reject(mine, "Ana").removeprefix(site.url)

    link: str = await store.database.write(happen)
    return link


async def faults(page: Page) -> list[Any]:
    await page.evaluate(AXE_SCRIPT)
    found = await page.evaluate("axe.run({resultTypes: ['violations']})")  # what passes is not drawn up
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    small = await page.evaluate(
        "[...document.querySelectorAll('button, input:not([type=hidden]), select, summary')]"
        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 43.9).map(e => e.outerHTML)"
    )
    violations = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]
    return [*violations, *small, *(["wider than the screen"] if wide else [])]


async def open_all(page: Page) -> None:
    for summary in await page.locator("summary").all():
        await summary.click(position={"x": 8, "y": 20})


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_all_can_be_tapped(site: Site, size: str, scheme: str) -> None:
    site.expected = ("401",)
    options: dict[str, Any] = {"viewport": SIZES[size], "color_scheme": scheme, "has_touch": size == "phone"}
    context = await site.context(**options)
    page = await site.inbox(context)
    found = {"empty": await faults(page)}
    ids = await fill(site)
    requests = {name: f"/intents/{intent_id}" for name, intent_id in ids.items()}
    pages = {
        "sessions": "/sessions",
        "channels": "/channels",
        "reject": await told(site),
        "agents": "/agents",
    }
    for name, path in {"inbox": "/", **requests, **pages}.items():
        await page.goto(site.url + path)
        if name != "reject":
            await connected(page)
        await open_all(page)
        found[name] = await faults(page)
    await page.get_by_role("button", name="Make a new key for default").click()
    await page.get_by_role("heading", name="Key of default").wait_for()
    await open_all(page)
    found["new key"] = await faults(page)
    await page.goto(site.url + requests["waiting"])
    await page.get_by_role("button", name="Approve SELL 0.5 BTC").click()
    await page.get_by_role("button", name="Approve anyway").wait_for()
    found["second tap"] = await faults(page)
    await site.desk.store.halts.set(Level.EXITS_ONLY, "Ana", "a word " * 20, standing=trusted, shown=0)
    await page.get_by_text("EXITS ONLY", exact=True).wait_for()
    await page.get_by_text("Change", exact=True).click()
    found["halted"] = await faults(page)

    await asyncio.to_thread(lambda: site.desk.store.people.remove_trader("Ana", actor="command"))
    token = await asyncio.to_thread(site.desk.store.people.invite)
    stranger = await site.browser.new_context(**options)
    page = await stranger.new_page()
    for name, path in {"signin": "/signin", "welcome": f"/welcome?token={token}", "dead": "/welcome"}.items():
        await page.goto(site.url + path)
        found[name] = await faults(page)
    found = {name: what for name, what in found.items() if what}
    assert not found, found
