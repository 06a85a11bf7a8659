"""A broker wired up as `broker.app` does it, before the real paper exchange; its clock stands still."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.routing import Route

from broker import api
from broker.agents import Agent
from broker.arguments import LeverageArguments, OrderArguments
from broker.cards import Card
from broker.exchange import Exchange
from broker.executor import Executor
from broker.gateway import Gateway
from broker.hub import Hub
from broker.intents import Intent, Request, State
from broker.order_record import OrderRecord
from broker.paper import PaperServer
from broker.reasons import Reason, Why
from broker.reconciler import Reconciler
from broker.settings import Settings
from broker.store import Feed, Store, queries
from broker.stored import Stored

from .serving import serving

T = TypeVar("T")

AGENT = "default"
LONE = Agent(name=AGENT, alone=True)
KEY = "the-agents-own-key"
STATE_KEY = bytes(range(32))
TRADER = "Ana"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""As `approved_since`: no approval is too old."""

MANY_PENDING = 1_000_000
"""As `max_pending`: no agent has too many waiting."""

BTC = "BTCUSDT"
ORDER = "/api/v3/order"
MOVED = Why(Reason.PRICE_MOVED, "Price moved")
TOO_LATE = Why(Reason.APPROVAL_TOO_OLD, "too late")
NO_ANSWER = Why(Reason.NO_ANSWER, "no answer")
RESTORED = Why(Reason.BACKUP_RESTORED, "a backup was restored")
BUY: dict[str, Any] = {"symbol": BTC, "side": "buy", "amount": "0.015"}
REST: dict[str, Any] = {**BUY, "type": "limit", "price": "58000"}


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Randomness:
    """Never the same twice, always the same in the next run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, size: int) -> bytes:
        return next(self._numbers).to_bytes(size, "big")


class Control:
    """The paper exchange's control surface: prices, faults, and the truth about what reached it."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def do(self, what: str, **arguments: Any) -> Any:
        answer = await self._client.post(what, json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, what: str) -> Any:
        return (await self._client.get(what)).json()

    async def fault(self, when: str, do: str, *, method: str = "POST", **more: Any) -> None:
        await self.do("fault", when=when, do=do, method=method, path=ORDER, **more)

    async def orders(self) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = (await self._client.get("orders")).json()["orders"]
        return orders

    async def requests(self, method: str = "POST", path: str = ORDER) -> list[dict[str, Any]]:
        logged = (await self._client.get("requests")).json()["requests"]
        return [entry for entry in logged if (entry["method"], entry["path"]) == (method, path)]

    async def held(self) -> int:
        """How many requests are held at the exchange, as soon as one is."""
        return len((await self._client.get("held", params={"count": 1})).json()["held"])


def trusted(connection: Connection) -> None:
    """A session check that always passes."""


def always_permit() -> None:
    """Orders may be sent."""


def never_submitting(intent_id: str) -> bool:
    """No answer of Binance is waited for in this process."""
    return False


def settings_in(folder: Path, **changes: Any) -> Settings:
    return Settings(_env_file=None, data_dir=folder, **changes)


def open_store(path: Path, clock: Clock, random: Randomness | None = None, **more: Any) -> Store:
    given: dict[str, Any] = {"random": random or Randomness(), "may_make": True, **more}
    return Store.open(path, mode="paper", account="paper", clock=clock, **given)


@dataclass(frozen=True, kw_only=True)
class Wired:
    settings: Settings
    clock: Clock
    store: Store
    hub: Hub
    exchange: Exchange
    gateway: Gateway
    executor: Executor
    reconciler: Reconciler
    paper: PaperServer
    control: Control

    async def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """A tool call of the agent, answered as JSON. Raises BrokerError."""
        answer = await self.gateway.call(LONE, tool, arguments)
        return answer.model_dump(mode="json", exclude_defaults=True)

    async def park(self, **arguments: Any) -> Intent:
        answer = await self.call("binance_create_order", **arguments)
        return await self.intent(answer["intentId"])

    async def approve(self, intent: Intent) -> Intent:
        limit = self.settings.max_daily_volume_usdt
        return await self.store.intents.approve(
            intent.id, intent.digest, TRADER, limit, standing=trusted, confirmed=True
        )

    async def approved(self, **arguments: Any) -> Intent:
        """Parked and approved, and in nobody's hands yet."""
        return await self.approve(await self.park(**arguments))

    async def begun(self, **arguments: Any) -> Intent:
        """Committed as `submitting`, as by a process that died before its POST."""
        intent = await self.approved(**arguments)
        return await self.store.submissions.begin(
            intent,
            is_exit=intent.is_exit,
            client_order_id=f"cb-{intent.id}",
            namespace="spot",
            wire_timestamp_ms=await self.exchange.spot.server_time_ms(),
            value_usdt=None,
            approved_since=LONG_AGO,
        )

    async def intent(self, intent_id: str) -> Intent:
        return await self.store.read(lambda connection: queries.find_any(connection, intent_id))

    async def submitted(self, intent: Intent) -> Intent:
        """Through the executor, until there is a verdict."""
        self.executor.take(intent)
        return await self.until(intent, State.PLACED, State.REFUSED, State.NOT_SENT, State.UNKNOWN)

    async def until(self, intent: Intent, *states: State) -> Intent:
        async with asyncio.timeout(10):
            with self.hub.waiting(intent.id, agent=intent.agent) as changed:
                while (found := await self.intent(intent.id)).state not in states:
                    await changed.wait()
                    changed.clear()
                return found

    async def parked_count(self) -> int:
        return await self.store.read(queries.count_pending)

    async def audit_holds(self) -> bool:
        return await self.store.read(lambda it: self.store.log.verify(it, None)) is None


@asynccontextmanager
async def wired(
    folder: Path, *, clock: Clock | None = None, patience: float = 8.0, **changes: Any
) -> AsyncIterator[Wired]:
    """BTC is held at 60,000 with 1 BTC on every level. `patience` is what Binance gets, in seconds."""
    clock = clock or Clock()
    settings = settings_in(folder, **changes)
    async with AsyncExitStack() as stack:
        paper = await stack.enter_async_context(PaperServer(folder / "paper", seed=1, clock=clock))
        paper.exchange.pin(BTC, Decimal(60_000))
        paper.exchange.set_level_size(BTC, Decimal(1))
        client = httpx2.AsyncClient(base_url=f"{paper.url}/control", trust_env=False, verify=False)
        await stack.enter_async_context(client)
        store = open_store(folder / "paper.db", clock)
        stack.callback(store.close)
        exchange = Exchange(
            settings,
            paper_url=paper.url,
            clock=clock,
            cache_folder=None,
            read_seconds=patience,
            submit_seconds=patience,
        )
        await exchange.start()
        stack.push_async_callback(exchange.close)
        await asyncio.wait_for(exchange.until_ready(), 10)
        await asyncio.wait_for(exchange.futures.until_ready(), 10)
        hub = Hub()
        await stack.enter_async_context(running(Feed(store.database, hub).run()))
        yield Wired(
            settings=settings,
            clock=clock,
            store=store,
            hub=hub,
            exchange=exchange,
            gateway=Gateway(settings=settings, exchange=exchange, store=store, hub=hub, clock=clock),
            executor=Executor(
                settings=settings, store=store, exchange=exchange, clock=clock, permit=always_permit
            ),
            reconciler=Reconciler(store=store, exchange=exchange, submitting=never_submitting),
            paper=paper,
            control=Control(client),
        )


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """One of the broker's endless parts, while the block runs."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def served(broker: Wired) -> AsyncIterator[str]:
    """The agents' side on a port of its own; its address. The agent's key is KEY."""
    give_key(broker.store, AGENT, KEY)
    agents = api.Agents(broker.store, broker.clock)
    endpoint = api.McpEndpoint(broker.gateway, agents, state_key=STATE_KEY)
    state = api.ApiState(
        gateway=broker.gateway, store=broker.store, agents=agents, healthy=lambda: broker.executor.healthy
    )
    app = Starlette(routes=[Route("/mcp", endpoint.app), *api.routes(state)])
    async with endpoint.running(), serving(app) as url:
        yield url


def give_key(store: Store, agent: str, key: str) -> None:
    """As at start, from the settings."""
    assert store.database.write_now(lambda connection: store.agents.give(connection, agent, key))


@asynccontextmanager
async def http_client(url: str, key: str | None = KEY) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {} if key is None else {"X-MCP-API-Key": key}
    async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as client:
        yield client


@asynccontextmanager
async def mcp_client(url: str, mode: str, key: str = KEY) -> AsyncIterator[mcp.Client]:
    """`mode` is the protocol's era: "auto" for the newest, "legacy" for the one with a handshake."""
    async with http_client(url, key) as http:
        async with mcp.Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client:
            yield client


async def let_write(store: Store, allowed: bool) -> None:
    """Whether the database can be written: a full disk, and room again."""

    def set_on_the_writer() -> None:
        with closing(store.database._writer.raw_connection()) as connection:
            connection.cursor().execute(f"PRAGMA query_only = {'OFF' if allowed else 'ON'}")

    await asyncio.to_thread(set_on_the_writer)


async def eventually(found: Callable[[], Awaitable[T]]) -> T:
    """What `found` comes to, as soon as it is something."""
    async with asyncio.timeout(10):
        while True:
            if answer := await found():
                return answer
            await asyncio.sleep(0.01)


def order(**changes: Any) -> OrderRecord:
    """What `request()` came to at the exchange, as it is kept beside its intent: it rests.

    `changes` have the names that rows have.
    """
    values: dict[str, Any] = {
        "id": "1",
        "clientOrderId": "cb-1",
        "symbol": BTC,
        "side": "buy",
        "type": "market",
        "price": None,
        "average": None,
        "amount": "0.015",
        "filled": "0",
        "cost": "0",
        "fee": None,
        "status": "open",
        "timestamp": 1,
    }
    return OrderRecord.model_validate({**values, **changes})


def card(**changes: Any) -> Card:
    values: dict[str, Any] = {
        "act": "BUY 0.015 BTC",
        "sentence": "BUY 0.015 BTC at market",
        "symbol": BTC,
        "figures": [],
        "checks": [],
    }
    return Card.model_validate({**values, **changes})


S = TypeVar("S", bound=Stored)


def changed(part: S, **changes: Any) -> S:
    """`changes` have the names that rows have."""
    return type(part).model_validate({**part.stored(), **changes})


def terms_of(intent: Intent) -> dict[str, Any]:
    """The canonical text as JSON: what digests are made of."""
    terms: dict[str, Any] = json.loads(intent.canonical)
    return terms


def order_arguments(**changes: Any) -> OrderArguments:
    """`changes` have the names that rows have."""
    values: dict[str, Any] = {"symbol": BTC, "side": "buy", "type": "market", "amount": "0.015"}
    return OrderArguments.model_validate({**values, **changes})


def request(**changes: Any) -> Request:
    """A checked request, as a tool would hand it to the store."""
    if isinstance(given := changes.get("arguments"), dict):
        leverage = changes.get("tool") == "binance_set_leverage"
        changes["arguments"] = LeverageArguments(**given) if leverage else order_arguments(**given)
    values: dict[str, Any] = {
        "agent": AGENT,
        "tool": "binance_create_order",
        "asked": {"symbol": BTC, "side": "buy", "amount": "0.015"},
        "arguments": order_arguments(),
        "market": "spot",
        "mode": "paper",
        "account": "paper",
        "reference_price": Decimal(60_000),
        "tolerance_pct": Decimal("0.5"),
        "worst_price": Decimal(60_300),
        "value_usdt": Decimal(900),
        "is_exit": False,
        "summary": "BUY 0.015 BTC at market",
        "card": card(),
        "reason": None,
        "idempotency_key": None,
        "ttl_seconds": 300,
    }
    return Request(**{**values, **changes})
