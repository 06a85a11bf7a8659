"""The steps of a request's life, each timed alone in this process."""

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
from broker.settings import Settings
from broker.store import Store, queries
from broker.store.audit import events_after, head
from broker.tools import HIGH, Call, HighInput, answer, validated
from broker.orders import spot_quote
from broker.orders.request import order_of
from broker.web.assets import render
from broker.web.deps import Desk
from broker.web.view_builder import Drawing
from broker.web.live import Live
from broker.web.messages import Messages

from .ccxt_alone import SYMBOL
from .house import NAME, PASSWORD, House, since

TOOL = HIGH["binance_create_order"]
AGENT = Agent(name="bench", alone=True)
REPEATS = 30
WARM_UP = 5
NO_LIMIT = Decimal(1_000_000)

NO_OP = "floor: no-op tool over MCP"
BARE_TICKER = "floor: ticker by ccxt alone"
BARE_READS = "floor: three reads by ccxt alone"
BARE_COMMIT = "floor: one FULL commit by sqlite3"
TICKER = "ticker: validation, exchange layer, answer"
KEY = "idempotency key looked up"
FIGURES = "figures read"
PREPARED = "figures read, checks run, card rendered"
PARKED = "parked: one transaction"
ANSWER = "answer as JSON"
NEWS = "new audit row read for the feed"
CHANGE = "change read and rendered for the stream"
SESSION = "session looked up"
INTENT_READ = "intent read: does it need a second tap?"
APPROVED = "approved: one transaction"
CHECKED = "figures read and all checks run again"
BEGUN = "submission begun: one transaction"
POSTED = "POST by the executor's client, to the wire"
PAGE = "concurrently: card read and rendered for the trader"

OF_ROW = {
    "pass_through": (NO_OP, BARE_TICKER, TICKER),
    "park": (NO_OP, BARE_READS, BARE_COMMIT, KEY, FIGURES, PREPARED, PARKED, ANSWER),
    "card": (BARE_COMMIT, PARKED, NEWS, CHANGE),
    "approve": (BARE_COMMIT, SESSION, INTENT_READ, APPROVED, CHECKED, BEGUN, POSTED, NEWS, CHANGE, PAGE),
}
"""The steps of each row."""

REST = """\
The rest of a row's time: HTTP, hops between threads, concurrent work in the same process (the feed, the
stream, the trader's answer) and, for the card, the browser."""


@dataclass(frozen=True)
class Steps:
    """The milliseconds of each step."""

    taken: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.taken[name].append(since(started))

    def medians(self) -> dict[str, float]:
        return {name: median(times[WARM_UP:]) for name, times in self.taken.items()}


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The broker's parts, without its background tasks."""

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


async def step_medians(house: House) -> dict[str, float]:
    """Return the median of each step."""
    steps = Steps()
    async with _parts(house) as parts:
        for _ in range(WARM_UP + REPEATS):
            await _bare(house, steps)
            await _read(parts, steps)
            await _request(parts, steps)
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


async def _read(parts: Parts, steps: Steps) -> None:
    with steps.step(TICKER):
        await parts.gateway.call(AGENT, "binance_get_ticker", {"symbol": SYMBOL})


async def _request(parts: Parts, steps: Steps) -> None:
    store, intents, submissions = parts.store, parts.store.intents, parts.store.submissions
    with steps.step(KEY):
        await store.read(lambda it: queries.find_by_key(it, "bench", TOOL.name, "none"))
    given = cast(HighInput, validated(TOOL.input, parts.house.next_order()))
    rounded = TOOL.rounded(parts.call, given)
    with steps.step(FIGURES):
        await spot_quote.read(parts.call, order_of(rounded))
    with steps.step(PREPARED):
        request = await TOOL.prepare(parts.call, given, rounded)
    before = await store.read(head)
    with steps.step(PARKED):
        intent = (await intents.park(request)).intent
    with steps.step(ANSWER):
        answer(parts.call, intent).model_dump(mode="json", exclude_defaults=True)
    with steps.step(NEWS):
        [event] = await store.read(lambda it: events_after(it, before))
    with steps.step(CHANGE):
        await parts.messages.change(event)
    with steps.step(SESSION):
        await store.people.session(parts.session)
    with steps.step(INTENT_READ):
        await store.read(lambda it: queries.find(it, intent.id))
    with steps.step(APPROVED):
        intent = await intents.approve(intent.id, intent.digest, NAME, NO_LIMIT)
    with steps.step(PAGE):
        page = await parts.drawing.request(NAME, intent.id)
        render("card.html", card=page.card)
    timestamp = await parts.exchange.spot.server_time_ms()
    order_id = client_order_id(intent.id)
    with steps.step(CHECKED):
        await TOOL.reassess(parts.call, intent)
    with steps.step(BEGUN):
        intent = await submissions.begin(
            intent,
            is_exit=False,
            client_order_id=order_id,
            namespace="spot",
            wire_timestamp_ms=timestamp,
        )
    started = time.time()
    await TOOL.submit(parts.exchange, intent.terms, order_id, timestamp)
    steps.taken[POSTED].append((await parts.house.arrival() - started) * 1000)


@asynccontextmanager
async def _parts(house: House) -> AsyncIterator[Parts]:
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
        settings.database, mode=settings.mode, account=settings.account, clock=utc_now, random=random_bytes
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
            raise RuntimeError("the benchmark's trader cannot sign in")
        _, token = opened
        yield Parts(
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
    """Return a desk without figures from the exchange: the broker caches those for seconds."""

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
