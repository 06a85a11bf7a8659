"""A desk with a real store, without an exchange: what the pages are tested with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select
from starlette.applications import Starlette
from starlette.types import ASGIApp

from broker.arguments import read_arguments
from broker.cards import Card, Check, Figure, Tone
from broker.clock import to_ms
from broker.errors import BrokerError
from broker.exchange import LivePrice
from broker.hub import Hub
from broker.intents import Intent, Request, State
from broker.notify import Links, Rejections
from broker.order_record import OrderRecord
from broker.reasons import Reason, Why
from broker.settings import Settings
from broker.store import Feed, Standing, Store
from broker.store.tables import traders
from broker.web import Desk, guarded, routes
from broker.web.auth import cookie_name

from ..support import LONG_AGO, MANY_PENDING, NO_ANSWER, order, trusted

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
MOVED = "Price moved +2.0 %: now 61,260, the card said 60,300 or better"


@dataclass
class MovableClock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **how_far: float) -> None:
        self.now += timedelta(**how_far)


@dataclass
class CountedBytes:
    """Never the same bytes twice, and the same in every run."""

    numbers: Any = field(default_factory=lambda: count(1))

    def __call__(self, length: int) -> bytes:
        return int(next(self.numbers)).to_bytes(length, "big")


@dataclass
class Ticker:
    """The prices that a test says there are, and who wants which."""

    clock: Any
    wanted: dict[Hashable, set[tuple[str, str]]] = field(default_factory=dict)
    prices: dict[tuple[str, str], LivePrice] = field(default_factory=dict)
    listeners: list[asyncio.Event] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def says(self, price: str, symbol: str = "BTCUSDT", market: str = "spot") -> None:
        self.prices[market, symbol] = LivePrice(Decimal(price), to_ms(self.clock()))
        for listener in self.listeners:
            listener.set()

    @property
    def symbols(self) -> set[tuple[str, str]]:
        return {symbol for symbols in self.wanted.values() for symbol in symbols}

    def want(self, owner: Hashable, symbols: Iterable[tuple[str, str]]) -> None:
        self.wanted[owner] = {*symbols}
        self.changed.set()

    def last(self, market: str, symbol: str) -> LivePrice | None:
        return self.prices.get((market, symbol))

    @contextmanager
    def subscribed(self) -> Iterator[asyncio.Event]:
        self.listeners.append(listener := asyncio.Event())
        try:
            yield listener
        finally:
            self.listeners.remove(listener)


@dataclass
class World:
    """What lies around the pages, and what the test says it answers."""

    store: Store
    hub: Hub
    clock: Any
    settings: Settings
    approved: list[Intent] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=lambda: [Figure(label="Market now", value="64,250 USDT")])
    equity: Decimal | None = Decimal("200000")
    exchange_problem: str | None = None
    slow: asyncio.Event | None = None
    cancelled: list[tuple[str, str]] = field(default_factory=list)
    cancel_problem: BrokerError | None = None
    found: State | None = None
    offset_ms: int = 0
    check_problem: Exception | None = None
    last_calls: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prices = Ticker(self.clock)
        links = Links(self.settings.url, self.store.vault)
        self.rejections = Rejections(self.store, links, self.clock)

    @property
    def desk(self) -> Desk:
        return Desk(
            settings=self.settings,
            store=self.store,
            hub=self.hub,
            clock=self.clock,
            prices=self.prices,
            approved=self.approved.append,
            cancel_rest=self._cancel_rest,
            check=self._check,
            offset_ms=lambda _: self.offset_ms,
            figures_now=self._figures_now,
            equity=self._equity,
            exchange_problem=lambda: self.exchange_problem,
            last_call=self.last_calls.get,
            rejections=self.rejections,
        )

    @property
    def app(self) -> ASGIApp:
        return guarded(Starlette(routes=routes(self.desk)), self.settings)

    async def park(self, amount: str = "0.015", **changes: Any) -> Intent:
        parked = await self.store.intents.park(request(amount, **changes), max_pending=MANY_PENDING)
        assert not parked.deduplicated
        return parked.intent

    async def approve(self, intent: Intent) -> Intent:
        limit = self.settings.max_daily_volume_usdt
        return await self.store.intents.approve(
            intent.id, intent.digest, "Ana", limit, confirmed=True, standing=trusted
        )

    async def submit(
        self, intent: Intent, to: State, *, wire_timestamp_ms: int = 1795348800000, **result: Any
    ) -> Intent:
        """Approved if need be, and sent; `to` is what that came to."""
        approved = await self.approve(intent) if intent.state is State.PENDING else intent
        submissions = self.store.submissions
        begun = await submissions.begin(
            approved,
            is_exit=approved.is_exit,
            client_order_id=f"cb-{intent.id}",
            namespace="spot",
            wire_timestamp_ms=wire_timestamp_ms,
            value_usdt=None,
            approved_since=LONG_AGO,
        )
        return await submissions.settle(begun, to, actor="binance", **result)

    async def place(self, intent: Intent, status: str = "open", filled: str = "0") -> Intent:
        return await self.submit(intent, State.PLACED, order=placed(intent, status, filled))

    async def lose(self, intent: Intent, seconds_ago: float = 0) -> Intent:
        """Sent, so many seconds ago, and never answered."""
        sent_ms = to_ms(self.clock()) - round(seconds_ago * 1000)
        return await self.submit(intent, State.UNKNOWN, wire_timestamp_ms=sent_ms, why=NO_ANSWER)

    async def move_price(self, intent: Intent) -> Intent:
        """Approved if need be, and back to waiting since the price had moved; with the card of now."""
        approved = await self.approve(intent) if intent.state is State.PENDING else intent
        amount = intent.arguments.stored()["amount"]
        sentence = f"BUY {amount} BTC at market ≈ 919.35 USDT, {bound('61,566')}"
        anew = request(amount, sentence=sentence, value="919.35", reference="61260")
        return await self.store.submissions.show_anew(approved, anew, Why(Reason.PRICE_MOVED, MOVED))

    async def sign_in(self, trader: str = "Ana", browser: str = "Firefox on the desk") -> str:
        """The session's token, of a trader who is made if need be."""
        return await signed_in(self.store, trader, browser)

    @property
    def cookie(self) -> str:
        return cookie_name(self.settings)

    async def _figures_now(self, _: Intent) -> list[Figure]:
        if self.slow:
            await self.slow.wait()
        return self.figures

    async def _cancel_rest(self, intent: Intent, trader: str, standing: Standing) -> None:
        await self.store.read(standing)
        if self.cancel_problem:
            raise self.cancel_problem
        self.cancelled.append((intent.id, trader))

    async def _check(self, intent: Intent) -> None:
        if self.check_problem:
            raise self.check_problem
        if self.found:
            await self.store.submissions.settle(intent, self.found, actor="reconciler")

    async def _equity(self) -> Decimal | None:
        return self.equity


def placed(intent: Intent, status: str = "open", filled: str = "0", **changes: Any) -> OrderRecord:
    """The order of that intent, as it is kept."""
    asked = {name: intent.arguments.stored()[name] for name in ("symbol", "side", "amount")}
    return order(id="28", status=status, filled=filled, **asked, **changes)


@asynccontextmanager
async def world(folder: Path, clock: Any, random: Any, **settings: Any) -> AsyncIterator[World]:
    store = open_store(folder, clock, random)
    hub = Hub()
    feed = asyncio.create_task(Feed(store.database, hub).run())
    try:
        yield World(store=store, hub=hub, clock=clock, settings=Settings(data_dir=folder, **settings))
    finally:
        hub.close()
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)
        store.close()


async def signed_in(store: Store, trader: str = "Ana", browser: str = "Firefox on the desk") -> str:
    """A session's token without the cost, and the news, of a password."""
    made = {"name": trader, "password_hash": "of no password", "created_at": to_ms(NOON)}
    query = select(traders.c.password_hash).where(traders.c.name == trader)

    def transaction(connection: Connection) -> str:
        connection.execute(insert(traders).prefix_with("OR IGNORE"), made)
        return str(connection.execute(query).scalar_one())

    opened = await store.people.open_session(trader, await store.database.write(transaction), browser)
    assert opened
    return opened[1]


def open_store(folder: Path, clock: Any, random: Any) -> Store:
    return Store.open(
        folder / "paper.db", mode="paper", account="paper", clock=clock, random=random, may_make=True
    )


def bound(worst: str) -> str:
    return f"sent only at {worst} or better, checked just before sending"


def card(amount: str = "0.015", *, side: str = "BUY", **changes: Any) -> Card:
    act = f"{side} {amount} BTC"
    drawn: dict[str, Any] = {
        "act": act,
        "sentence": f"{act} at market ≈ 963.20 USDT, {bound('64,534')}",
        "figures": [
            Figure(label="Market when asked", value="64,213 USDT"),
            Figure(label="Book average, slippage", value="64,220.15, 0.12 %", tone=Tone.WARN),
            Figure(label="Value, share of equity", value="963.20 USDT, 0.5 %"),
            Figure(label="BTC after", value="0.515"),
        ],
        "checks": [
            check("balance", "Free USDT", "964.16", "100000"),
            check("order_value", "Order value", "963.20", "2000"),
            check("daily_volume", "Volume today with this", "963.20", "10000"),
        ],
        "suggestible": ["amount"],
    }
    return Card.model_validate(drawn | changes)


def check(name: str, label: str, figure: str, limit: str, **changes: Any) -> Check:
    return Check.model_validate(
        {"name": name, "label": label, "figure": figure, "limit": limit, "unit": "USDT", "passed": True}
        | changes
    )


def request(
    amount: str = "0.015",
    *,
    side: str = "BUY",
    key: str | None = None,
    reason: str | None = "The dip looks overdone.",
    value: str = "963.20",
    ttl_seconds: int = 300,
    agent: str = "default",
    is_exit: bool = False,
    market: str = "spot",
    symbol: str = "BTCUSDT",
    reference: str | None = "64213",
    tool: str = "binance_create_order",
    arguments: Mapping[str, str] | None = None,
    **drawn: Any,
) -> Request:
    """What `drawn` names stands on the card."""
    shown = card(amount, side=side, symbol=symbol, **drawn)
    arguments = arguments or {"symbol": symbol, "side": side.lower(), "type": "market", "amount": amount}
    return Request(
        agent=agent,
        tool=tool,
        asked=arguments,
        arguments=read_arguments(tool, arguments),
        market=market,
        mode="paper",
        account="paper",
        reference_price=None if reference is None else Decimal(reference),
        tolerance_pct=Decimal("0.5"),
        worst_price=Decimal("64534"),
        value_usdt=Decimal(value),
        is_exit=is_exit,
        summary=shown.sentence,
        card=shown,
        reason=reason,
        idempotency_key=key,
        ttl_seconds=ttl_seconds,
    )
