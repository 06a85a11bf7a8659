"""Endpoints on loopback that behave as a test says, and a broker's worker that tells them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from broker.notifications import Channel, Delivery, Kind, Progress, Topic
from broker.hub import Hub
from broker.intents import Intent
from broker.notify import Links, Rejections, Sender, Taps, Worker
from broker.notify.webhook import new_secret
from broker.store import Feed, Store, queries

from ..serving import accept_no_more, address, listening
from ..support import Clock, Randomness, eventually, open_store, running
from ..web.support import request

URL = "https://broker.example"
BOT = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
ANA = 4711
"""Her account on Telegram."""

PATIENCE = 1.5
"""Seconds that an endpoint gets: many more than a slow one takes, also on a busy machine."""

SLOW_SECONDS = 0.05


@dataclass(frozen=True)
class Received:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Endpoint:
    """Answers 200, or what `answers` says next: a status, with headers, or a way to fail."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int | str | tuple[int, Mapping[str, str]]] = field(default_factory=list)
    always: int | str | tuple[int, Mapping[str, str]] = 200
    at_once: int = 0
    most_at_once: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.path_qs, headers, body))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            return await self._answer(request, self.answers.pop(0) if self.answers else self.always)
        finally:
            self.at_once -= 1

    async def _answer(self, request: web.BaseRequest, how: Any) -> web.StreamResponse:
        assert request.transport
        match how:
            case "hang":
                await asyncio.sleep(60)
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
            case "hold":
                await self.released.wait()
            case "reset":
                request.transport.abort()
            case "garbage":
                request.transport.write(b"\x00\xff not HTTP at all\r\n\r\n")
                request.transport.close()
            case "endless":
                response = web.StreamResponse()
                await response.prepare(request)
                while True:
                    await response.write(b"x" * 65536)
            case (int(status), headers):
                return web.Response(status=status, headers=headers)
            case int(status):
                return web.Response(status=status)
        return web.Response()

    async def count(self, count: int) -> list[Received]:
        """What arrived, once that is so much."""

        async def enough() -> bool:
            return len(self.received) >= count

        await eventually(enough)
        return self.received


@asynccontextmanager
async def answering(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], port: int = 0
) -> AsyncIterator[str]:
    """The address at which `handle` answers."""
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.05)
    await runner.setup()
    with listening(port) as listener:
        await web.SockSite(runner, listener).start()
        try:
            yield address(listener)
        finally:
            await accept_no_more(listener)
            await runner.cleanup()


@asynccontextmanager
async def endpoint(port: int = 0) -> AsyncIterator[Endpoint]:
    made = Endpoint()
    async with answering(made.handle, port) as made.url:
        yield made


@dataclass(frozen=True, kw_only=True)
class Telling:
    """A store whose outbox is emptied."""

    store: Store
    hub: Hub
    clock: Clock
    random: Randomness
    links: Links
    worker: Worker
    taps: Taps
    rejections: Rejections

    async def intent(self, intent: Intent) -> Intent:
        """As it is now."""
        found: Intent = await self.store.read(lambda c: queries.find(c, intent.id))
        return found

    async def park(self, amount: str = "0.015", **changes: Any) -> Intent:
        return (await self.store.intents.park(request(amount, **changes))).intent

    async def webhook(self, url: str, trader: str = "Ana", **changes: Any) -> Channel:
        secret = new_secret(self.random)
        return await self.add(trader, Kind.WEBHOOK, {"url": url, "secret": secret}, **changes)

    async def ntfy(self, url: str, trader: str = "Ana", **changes: Any) -> Channel:
        config = {"url": url, "topic": "orders-of-ana", "token": "tk_s3cret"}
        return await self.add(trader, Kind.NTFY, config, **changes)

    async def telegram(self, url: str, trader: str = "Ana", *, user: int = ANA, chat: int = ANA) -> Channel:
        config = {"url": url, "token": BOT, "user": user, "chat": chat}
        return await self.add(trader, Kind.TELEGRAM, config)

    async def add(
        self, trader: str, kind: Kind, config: Mapping[str, Any], *, least: Decimal | None = None
    ) -> Channel:
        address = "an endpoint"
        return await self.store.channels.add(trader, kind, "phone", address, config, set(Topic), least)

    async def config(self, channel: Channel) -> Mapping[str, Any]:
        _, config = await self.store.read(lambda c: self.store.channels.with_config(c, channel.id))
        return dict(config)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.worker._bell.set()

    async def deliveries(self, trader: str = "Ana") -> list[Delivery]:
        """Oldest first."""
        found = await self.store.read(lambda c: self.store.outbox.of_trader(c, trader, 1000))
        return list(reversed(found))

    async def until(
        self, progress: Progress, count: int = 1, trader: str = "Ana", *, seconds: float = 0
    ) -> list[Delivery]:
        """The trader's deliveries that came so far, once there are so many. `seconds` pass at each look."""

        async def found() -> list[Delivery]:
            if seconds:
                self.advance(seconds)
            there = [one for one in await self.deliveries(trader) if one.progress is progress]
            return there if len(there) >= count else []

        return await eventually(found)

    async def until_noted(self, note: str) -> Delivery:
        async def found() -> list[Delivery]:
            return [one for one in await self.deliveries() if one.note == note]

        return (await eventually(found))[0]


@asynccontextmanager
async def telling(
    folder: Path,
    clock: Clock,
    random: Randomness | None = None,
    *,
    allow_private: bool = True,
    seconds: float = PATIENCE,
) -> AsyncIterator[Telling]:
    random = random or Randomness()
    store, hub = open_store(folder / "paper.db", clock, random), Hub()
    links = Links(URL, store.vault)
    sender = Sender(allow_private=allow_private, clock=clock, seconds=seconds)
    try:
        async with running(Feed(store.database, hub).run()):
            worker = Worker(store=store, hub=hub, clock=clock, links=links, mode="paper", sender=sender)
            rejections = Rejections(store, links, clock)
            taps = Taps(store, rejections, sender)
            async with running(worker.run()), running(taps.run()):
                yield Telling(
                    store=store,
                    hub=hub,
                    clock=clock,
                    random=random,
                    links=links,
                    worker=worker,
                    taps=taps,
                    rejections=rejections,
                )
    finally:
        store.close()
