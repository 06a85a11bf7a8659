"""Where the time goes: the steps of a request's life one by one, alone, in this process."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import cast

from broker.agents import Agent
from broker.cards import Figure
from broker.clock import random_bytes, utc_now
from broker.exchange import Exchange
from broker.gateway import Gateway
from broker.hub import Hub
from broker.intents import Intent, client_order_id
from broker.logs import configure
from broker.notify import Links, Rejections
from broker.orders import spot_quote
from broker.orders.request import order_of
from broker.settings import Settings
from broker.store import Store, queries
from broker.store.audit import events_after, head
from broker.tools import HIGH, Call, HighInput, answer, validated
from broker.web.assets import render
from broker.web.deps import Desk
from broker.web.live import Live
from broker.web.messages import Messages
from broker.web.view_builder import Drawing
from tests.support import LONG_AGO, MANY_PENDING, trusted

from .ccxt_alone import SYMBOL
from .house import NAME, PASSWORD, House, since

TOOL = HIGH["binance_create_order"]
AGENT = Agent(name="bench", alone=True)
LIVES = 30
WARM_UP = 5
NO_LIMIT = Decimal(1_000_000)

NO_OP = "floor: no-op tool over MCP"
BARE_TICKER = "floor: ticker by ccxt alone"
BARE_READS = "floor: three reads by ccxt alone"
BARE_COMMIT = "floor: one FULL commit by sqlite3"
TICKER = "validation, the broker's exchange layer, answer"
KEY = "idempotency key looked up"
FIGURES = "figures read"
PREPARED = "figures read, checks run, card drawn"
PARKED = "parked: one transaction"
ANSWER = "answer as JSON"
NEWS = "new audit row read for the feed"
CHANGE = "change read and drawn for the stream"
SESSION = "session looked up"
ASKED = "request read: does it need a second tap?"
APPROVED = "approved: one transaction"
CHECKED = "figures read and all checks run again"
BEGUN = "submission begun: one transaction"
POSTED = "POST by the executor's client, to the wire"
PAGE = "beside it: card read and drawn for the trader"

OF_ROW = {
    "pass_through": (NO_OP, BARE_TICKER, TICKER),
    "park": (NO_OP, BARE_READS, BARE_COMMIT, KEY, FIGURES, PREPARED, PARKED, ANSWER),
    "card": (BARE_COMMIT, PARKED, NEWS, CHANGE),
    "approve": (BARE_COMMIT, SESSION, ASKED, APPROVED, CHECKED, BEGUN, POSTED, NEWS, CHANGE, PAGE),
}
"""What each row of the table is made of."""

REST = """\
What is missing to a row's figure: HTTP, the hops between threads, what happens beside it in the same process
(the feed, the stream, the trader's answer), and, for the card, the browser's work."""


@dataclass(frozen=True)
class Steps:
    """Milliseconds by step."""

    taken: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.taken[name].append(since(started))

    def medians(self) -> dict[str, float]:
        return {name: median(times[WARM_UP:]) for name, times in self.taken.items()}


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """The broker's parts, and nobody who works beside them."""

    house: House
    call: Call
    gateway: Gateway
    drawing: Drawing
    messages: Messages
    session: str

    @property
    def store(self) -> Store:
        return self.call.store

    @property
    def exchange(self) -> Exchange:
        return self.call.exchange


async def lives(house: House) -> dict[str, float]:
    """The median of each step."""
    steps = Steps()
    async with _workshop(house) as shop:
        for _ in range(WARM_UP + LIVES):
            await _bare(house, steps)
            await _read(shop, steps)
            await _live(shop, steps)
    return steps.medians()


async def _bare(house: House, steps: Steps) -> None:
    with steps.step(NO_OP):
        await house.bare_agent.call("nothing", symbol=SYMBOL)
    with steps.step(BARE_TICKER):
        await house.ccxt.ticker()
    with steps.step(BARE_READS):
        await house.ccxt.reads_of_checks()
    with steps.step(BARE_COMMIT):
        house.commits.one()


async def _read(shop: Workshop, steps: Steps) -> None:
    with steps.step(TICKER):
        await shop.gateway.call(AGENT, "binance_get_ticker", {"symbol": SYMBOL})


async def _live(shop: Workshop, steps: Steps) -> None:
    store, intents, submissions = shop.store, shop.store.intents, shop.store.submissions
    with steps.step(KEY):
        await store.read(lambda it: queries.find_by_key(it, "bench", TOOL.name, "none"))
    given = cast(HighInput, validated(TOOL.input, shop.house.next_order()))
    rounded = TOOL.rounded(shop.call, given)
    with steps.step(FIGURES):
        await spot_quote.read(shop.call, order_of(rounded), None)
    with steps.step(PREPARED):
        request = await TOOL.prepare(shop.call, given, rounded)
    before = await store.read(head)
    with steps.step(PARKED):
        intent = (await intents.park(request, max_pending=MANY_PENDING)).intent
    with steps.step(ANSWER):
        answer(shop.call, intent).model_dump(mode="json", exclude_defaults=True)
    with steps.step(NEWS):
        [event] = await store.read(lambda it: events_after(it, before))
    with steps.step(CHANGE):
        await shop.messages.change(event)
    with steps.step(SESSION):
        await store.people.session(shop.session)
    with steps.step(ASKED):
        await store.read(lambda it: queries.find_any(it, intent.id))
    with steps.step(APPROVED):
        intent = await intents.approve(
            intent.id, intent.digest, NAME, NO_LIMIT, standing=trusted, confirmed=True
        )
    with steps.step(PAGE):
        page = await shop.drawing.request(NAME, intent.id)
        render("card.html", card=page.card)
    timestamp = await shop.exchange.spot.server_time_ms()
    order_id = client_order_id(intent.id)
    with steps.step(CHECKED):
        await TOOL.reassess(shop.call, intent)
    with steps.step(BEGUN):
        intent = await submissions.begin(
            intent,
            is_exit=False,
            client_order_id=order_id,
            namespace="spot",
            wire_timestamp_ms=timestamp,
            value_usdt=None,
            approved_since=LONG_AGO,
        )
    started = time.time()
    await TOOL.submit(shop.exchange, intent.terms, order_id, timestamp)
    steps.taken[POSTED].append((await shop.house.arrival() - started) * 1000)


@asynccontextmanager
async def _workshop(house: House) -> AsyncIterator[Workshop]:
    settings = Settings(
        _env_file=None,
        data_dir=house.folder / "life",
        paper_url=house.exchange_url,
        max_position_size_pct=Decimal(100),
        max_pending_per_agent=1_000_000,
        max_calls_per_minute_per_agent=1_000_000,
        log_level="warning",
    )
    configure(settings)
    store = Store.open(
        settings.database,
        mode=settings.mode,
        account=settings.account,
        clock=utc_now,
        random=random_bytes,
        may_make=True,
    )
    exchange = Exchange(settings, paper_url=house.exchange_url, clock=utc_now, cache_folder=None)
    hub = Hub()
    desk = _desk(settings, store, hub, exchange)
    drawing = Drawing(desk, Live(desk))
    await exchange.start()
    try:
        await exchange.until_ready()
        await asyncio.to_thread(store.people.add_trader, NAME, PASSWORD, actor="bench")
        hashed = await asyncio.to_thread(store.people.right_password, NAME, PASSWORD)
        opened = await store.people.open_session(NAME, hashed or "", "bench")
        if opened is None:
            raise RuntimeError("the bench's trader cannot sign in")
        _, token = opened
        yield Workshop(
            house=house,
            call=Call(
                agent=AGENT,
                settings=settings,
                exchange=exchange,
                store=store,
                hub=hub,
                clock=utc_now,
                looked_at=lambda _, __: (),
            ),
            gateway=Gateway(settings=settings, exchange=exchange, store=store, hub=hub, clock=utc_now),
            drawing=drawing,
            messages=Messages(desk, drawing),
            session=token,
        )
    finally:
        await exchange.close()
        store.close()


def _desk(settings: Settings, store: Store, hub: Hub, exchange: Exchange) -> Desk:
    """A page's figures from the exchange are kept for seconds, and so left out here."""

    async def no_figures(_: Intent) -> list[Figure]:
        return []

    async def no_equity() -> None:
        return None

    async def no_cancel(_: Intent, __: str, ___: object) -> None:
        return None

    async def no_check(_: Intent) -> None:
        return None

    return Desk(
        settings=settings,
        store=store,
        hub=hub,
        clock=utc_now,
        prices=exchange.prices,
        approved=lambda _: None,
        cancel_rest=no_cancel,
        check=no_check,
        offset_ms=lambda _: 0,
        figures_now=no_figures,
        equity=no_equity,
        exchange_problem=lambda: None,
        last_call=lambda _: None,
        rejections=Rejections(store, Links(settings.url, store.vault), utc_now),
    )
