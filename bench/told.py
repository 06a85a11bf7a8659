"""Notifications: the time until one is on the wire, and whether dead channels slow requests and decisions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory

from broker.clock import random_bytes, utc_now
from broker.notifications import Channel, Kind, Topic
from broker.hub import Hub
from broker.logs import configure
from broker.notify import Links, Sender, Worker
from broker.notify.webhook import new_secret
from broker.settings import Settings
from broker.store import Feed, Store

from .figures import Pair, Sample, Spread, measure
from .house import House, house, since
from .serving import calm_gc
from .table import line

DEAD = 10
WAITING = 1_000
ROUNDS, SAMPLES, WARM_UP = 5, 40, 10
T_95 = 2.776
"""Student's t for a 95 % interval of the mean of five rounds."""

EVENT = "database:restored"
"""An event that always causes a notification."""


async def table() -> str:
    lines = []
    for count in (1, WAITING):
        async with _setup(count - 1) as setup:
            calm_gc()
            pair = await measure(
                setup.notified, setup.posted, rounds=ROUNDS, samples=SAMPLES, warm_up=WARM_UP
            )
            floor = "the same POST to the same endpoint, from the call on"
            lines.append(line(f"event committed → request on the wire, {count:,} waiting", floor, pair))
    return "\n".join([*lines, await _slowed()])


class _Setup:
    """A store with its notification worker, and an endpoint that answers at once."""

    def __init__(self, store: Store, sender: Sender, url: str, arrived: asyncio.Event) -> None:
        self._store = store
        self._sender = sender
        self._url = url
        self._arrived = arrived
        self.at = 0.0
        self.settled: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)

    async def notified(self) -> float:
        self._arrived.clear()
        await self._store.audit(EVENT, "command line")
        started = time.perf_counter()
        await self._arrived.wait()
        took = (self.at - started) * 1000
        await self.settled()
        return took

    async def posted(self) -> float:
        self._arrived.clear()
        started = time.perf_counter()
        await self._sender.post(self._url, b'{"type":"bench"}' * 60, {})
        return (self.at - started) * 1000


@asynccontextmanager
async def _setup(waiting: int) -> AsyncIterator[_Setup]:
    """Start a worker. `waiting` deliveries wait for endpoints that refuse connections."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        configure(Settings(_env_file=None, data_dir=folder, log_level="error"))
        store = Store.open(
            folder / "paper.db", mode="paper", account="paper", clock=utc_now, random=random_bytes
        )
        stack.callback(store.close)
        arrived, hub = asyncio.Event(), Hub()
        sender = Sender(allow_private=True, clock=utc_now)
        setup = _Setup(store, sender, "", arrived)

        def arrive() -> None:
            setup.at = time.perf_counter()
            arrived.set()

        setup._url = await stack.enter_async_context(_endpoint(arrive))
        if waiting:
            for _ in range(DEAD):
                await _add(store, "http://127.0.0.1:1/")
            for _ in range(waiting // DEAD):
                await store.audit(EVENT, "command line")
        await _add(store, setup._url)
        links = Links("http://127.0.0.1", store.vault)
        worker = Worker(store=store, hub=hub, clock=utc_now, links=links, mode="paper", sender=sender)
        for work in (Feed(store.database, hub).run(), worker.run()):
            task = asyncio.create_task(work)
            stack.push_async_callback(_ended, task)

        async def settled() -> None:
            if worker._under_way:
                await asyncio.wait(worker._under_way)

        setup.settled = settled
        await asyncio.sleep(3 if waiting else 0.2)  # until the worker pauses the dead channels
        yield setup


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _add(store: Store, url: str) -> Channel:
    config = {"url": url, "secret": new_secret(random_bytes)}
    return await store.channels.add("Ana", Kind.WEBHOOK, "bench", "bench", config, {Topic.ALERTS}, None)


@asynccontextmanager
async def _endpoint(arrive: Callable[[], None]) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                arrive()
                headers = dict(one.lower().split(b": ", 1) for one in asked.split(b"\r\n")[1:-2])
                await reader.readexactly(int(headers[b"content-length"]))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()


async def _slowed() -> str:
    """Compare two brokers in separate processes. One of them notifies ten dead endpoints."""
    async with AsyncExitStack() as stack:
        hangs = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
        stack.callback(hangs.close)
        quiet = await stack.enter_async_context(house())
        telling = await stack.enter_async_context(house(notify_allow_private="true"))
        ports = [1, hangs.sockets[0].getsockname()[1]] * (DEAD // 2)
        for number, port in enumerate(ports):
            await _add_to(telling, f"dead {number}", f"http://127.0.0.1:{port}/")
        calm_gc()
        pair = await measure(
            _asked_and_decided(telling), _asked_and_decided(quiet), rounds=ROUNDS, samples=20, warm_up=5
        )
    title = f"parked over MCP and rejected on the page, with {DEAD} dead channels"
    return "\n".join((line(title, "the same with none", pair), _intervals(pair)))


async def _say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while await reader.read(65536):
            pass


async def _add_to(one: House, name: str, url: str) -> None:
    form = [("kind", "webhook"), ("name", name), ("address", url)]
    form += [("events", str(topic)) for topic in Topic]
    async with one.http.post(f"{one.broker.url}/channels", data=form) as answer:
        if answer.status != 200:
            raise RuntimeError(f"adding a channel failed: {answer.status}")


def _asked_and_decided(one: House) -> Sample:
    async def sample() -> float:
        started = time.perf_counter()
        parked = await one.park()
        await one.decide(parked, "reject")
        return since(started)

    return sample


def _intervals(pair: Pair) -> str:
    """Format the 95 % intervals of the mean of the rounds' medians."""
    intervals = []
    for series in (pair.ours, pair.floor):
        middle, half = mean(series.p50), T_95 * stdev(series.p50) / sqrt(len(series.p50))
        intervals.append(Spread(middle, middle - half, middle + half))
    overlap = intervals[0].minimum <= intervals[1].maximum and intervals[1].minimum <= intervals[0].maximum
    shown = " and ".join(f"{one.minimum:.2f}–{one.maximum:.2f}" for one in intervals)
    return f"  95 % intervals of the p50: {shown} ms, which {'overlap' if overlap else 'DO NOT overlap'}"
