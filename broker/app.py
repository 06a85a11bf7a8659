"""Wiring: starts and stops everything that runs in a serving process, in the right order."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from . import api, web
from .agents import DEFAULT
from .brokers import Serving
from .cancel_remaining import cancel_rest
from .cards import Figure
from .clock import Clock, Randomness
from .doctor import Keys, diagnose
from .errors import BrokerError, StartError
from .exchange import Exchange, Finding
from .executor import Executor
from .expiry import expire_in_time
from .files import allow_many_files, api_key, clean_up, prepare_folder, state_key
from .gateway import Gateway
from .http_server import Limits, Server, listening
from .hub import Hub
from .intents import Intent
from .locks import Lock, hold, take_lock
from .logs import get_logger
from .notify import Links, Rejections, Sender, Taps, Watch, Worker, beat
from .orders.context import Context
from .paper import PaperServer
from .paper.http.errors import FolderInUse
from .price_watch import watch_waiting
from .reconciler import Reconciler
from .settings import Mode, Settings
from .store import Feed, Store
from .store.opening import open_store
from .supervisor import Parts
from .tools import HIGH, read_equity

EQUITY_SECONDS = 2.0
PULSE_SECONDS = 5.0
"""Between two reads of Binance's server time (request weight 1 per market)."""

LOCK_SECONDS = 0.5

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A running broker, without its HTTP server. `invitation`: token of the first trader's link."""

    settings: Settings
    app: ASGIApp
    hub: Hub
    store: Store
    exchange: Exchange
    invitation: str | None


def _set_default_key(store: Store, key: str) -> None:
    """Raises StartError."""
    if not store.database.write_now(lambda connection: store.agents.give(connection, DEFAULT, key)):
        log.warning("the agent default is revoked; `broker agents rotate default` makes a new key")


@asynccontextmanager
async def running(settings: Settings, *, clock: Clock, random: Randomness) -> AsyncIterator[Broker]:
    """Starts all parts, and stops them in reverse order. Raises StartError."""
    async with AsyncExitStack() as stack:
        prepare_folder(settings.database.parent)
        lock = stack.enter_context(take_lock(settings.database))
        held = stack.enter_context(hold(settings.database))
        store = open_store(settings, clock, random, may_make=True)
        stack.callback(store.close)
        stack.push_async_callback(store.refusals.close)
        lock.tell(_serving(settings, store))
        clean_up(settings.folder)
        store.database.examine()
        _set_default_key(store, api_key(settings, random))
        paper_url = await stack.enter_async_context(_paper(settings, clock))
        exchange = Exchange(
            settings,
            paper_url=paper_url,
            clock=clock,
            cache_folder=settings.folder,
        )
        await exchange.start()
        stack.push_async_callback(exchange.close)

        hub = Hub()
        context = Context(settings=settings, store=store, exchange=exchange, clock=clock)
        gateway = Gateway(settings=settings, exchange=exchange, store=store, hub=hub, clock=clock)
        keys = Keys(settings, exchange)
        await keys.first_look()
        executor = Executor(
            settings=settings, store=store, exchange=exchange, clock=clock, permit=keys.require_harmless
        )
        reconciler = Reconciler(store=store, exchange=exchange, submitting=executor.submitting)
        await reconciler.adopt()
        sender = Sender(allow_private=settings.notify_allow_private, clock=clock)
        links = Links(settings.url, store.vault)
        rejections = Rejections(store, links, clock)
        worker = Worker(
            store=store, hub=hub, clock=clock, links=links, mode=str(settings.mode), sender=sender
        )
        agents = api.Agents(store, clock)
        endpoint = api.McpEndpoint(gateway, agents, state_key=state_key(settings, random))
        await stack.enter_async_context(endpoint.running())
        parts = await stack.enter_async_context(
            _background(
                {
                    "feed": Feed(store.database, hub).run,
                    "head of the audit log": store.trail,
                    "refused attempts": store.refusals.run,
                    "locks": partial(_keep_locks, (lock, held), store),
                    "executor": executor.run,
                    "reconciler": reconciler.run,
                    "expiry": partial(expire_in_time, store, clock),
                    "notifications": worker.run,
                    "taps": Taps(store, rejections, sender).run,
                    "unseen requests": Watch(store, clock, lambda: exchange.last_error).run,
                    "prices": partial(watch_waiting, store, hub, exchange),
                    "keys": keys.keep_looking,
                    "pulse": partial(_listen, exchange),
                }
            )
        )
        desk = web.Desk(
            settings=settings,
            store=store,
            hub=hub,
            clock=clock,
            approved=executor.take,
            prices=exchange.prices,
            cancel_rest=partial(cancel_rest, context),
            check=reconciler.settle,
            offset_ms=lambda market: exchange.on(market).clock_offset_ms,
            figures_now=_figures_now(context),
            equity=_remembered(lambda: _equity(exchange)),
            last_call=gateway.pace.last_call,
            rejections=rejections,
            exchange_problem=lambda: store.problem or exchange.last_error,
        )

        def healthy() -> bool:
            return executor.healthy and parts.well

        if settings.heartbeat_url is not None:
            # The operator set this URL, so private addresses are allowed.
            heartbeat_sender = Sender(allow_private=True, clock=clock)
            url = settings.heartbeat_url.get_secret_value()

            def all_healthy() -> bool:
                return healthy() and worker.healthy and store.problem is None

            heartbeat = partial(beat, heartbeat_sender, url, all_healthy)
            await stack.enter_async_context(_background({"heartbeat": heartbeat}))
        state = api.ApiState(gateway=gateway, store=store, agents=agents, healthy=healthy)
        app = Starlette(
            routes=[Route("/mcp", endpoint.app), *api.routes(state), *web.routes(desk)],
        )
        stack.callback(hub.close)
        yield Broker(
            settings=settings,
            app=web.guarded(app, settings),
            hub=hub,
            store=store,
            exchange=exchange,
            invitation=store.people.invite(),
        )


def _serving(settings: Settings, store: Store) -> Serving:
    return Serving(
        process=os.getpid(),
        mode=str(settings.mode),
        database=str(settings.database.absolute()),
        folder=str(settings.folder.absolute()),
        url=settings.url,
        files=tuple(store.database.files),
    )


async def _keep_locks(locks: Sequence[Lock], store: Store) -> None:
    """Restores lock files that were deleted, so that no second broker starts. Runs until cancelled."""
    while True:
        await asyncio.sleep(LOCK_SECONDS)
        for lock in locks:
            with suppress(OSError):  # the store notices a missing or read-only folder
                try:
                    if await asyncio.to_thread(lock.keep):
                        log.error("a lock file was deleted; restored it", file=str(lock.path))
                except StartError as error:
                    store.database.seal(f"{lock.path} was deleted, and then: {error}")


async def serve(
    settings: Settings, *, clock: Clock, random: Randomness, ready: Callable[[Broker], None]
) -> None:
    """Serves until SIGINT or SIGTERM. Calls `ready` once the port answers. Raises StartError."""
    allow_many_files()
    limits = Limits.of(settings)
    with listening(settings.host, settings.port) as main_socket, ExitStack() as stack:
        # With PORT=0 the system chose the port; links need the real one.
        settings = settings.model_copy(update={"port": main_socket.getsockname()[1]})
        sockets = [main_socket]
        if settings.url != settings.agents_url:
            settings, more = _listen_on_ipv6(settings)
            sockets += [stack.enter_context(one) for one in more]
        async with running(settings, clock=clock, random=random) as broker:
            proxied = settings.public_url is not None
            server = Server(broker.app, limits, lambda: ready(broker), behind_proxy=proxied)
            _stop_on_signals(server, broker.hub)
            gc.collect()
            gc.freeze()  # these objects live as long as the process; do not scan them again
            gc.set_threshold(50_000, 20, 100)
            await server.serve(sockets=sockets)


def _stop_on_signals(server: Server, hub: Hub) -> None:
    def stop() -> None:
        server.force_exit = server.should_exit  # the second signal stops at once
        server.should_exit = True
        hub.close()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _listen_on_ipv6(settings: Settings) -> tuple[Settings, list[socket.socket]]:
    """A socket on ::1, where browsers look first for a name under localhost.

    If another program has that port, it would get the traders' cookies. Then the pages stay on 127.0.0.1.
    """
    try:
        ipv6 = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError:  # the system has no IPv6
        return settings, []
    try:
        ipv6.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ipv6.bind(("::1", settings.port))
        ipv6.listen(2048)
    except OSError as error:
        ipv6.close()
        if error.errno == errno.EADDRINUSE:
            log.warning("another program listens on ::1, so the pages stay on 127.0.0.1", port=settings.port)
            settings = settings.model_copy(update={"public_url": settings.local_url})
        return settings, []
    return settings, [ipv6]


async def diagnosed(settings: Settings, clock: Clock) -> Sequence[Finding]:
    """The findings of `broker doctor`. In paper mode it starts an empty paper exchange of its own."""
    with TemporaryDirectory(prefix="broker-doctor-") as folder:
        temporary = settings.model_copy(update={"data_dir": Path(folder)})
        async with _paper(temporary, clock) as paper_url:
            exchange = Exchange(settings, paper_url=paper_url, clock=clock, cache_folder=None)
            await exchange.start()
            try:
                return await diagnose(settings, exchange)
            finally:
                await exchange.close()


@asynccontextmanager
async def _paper(settings: Settings, clock: Clock) -> AsyncIterator[str | None]:
    """The paper exchange's URL, or None outside paper mode. Starts one unless PAPER_URL names one."""
    if settings.mode is not Mode.PAPER or settings.paper_url is not None:
        yield settings.paper_url
        return
    try:
        server = PaperServer(settings.folder / "paper-exchange", seed=settings.paper_seed, clock=clock)
        await server.__aenter__()
    except (OSError, FolderInUse) as error:
        raise StartError(f"The paper exchange cannot start: {error}") from None
    try:
        yield server.url
    finally:
        await server.__aexit__(None, None, None)


@asynccontextmanager
async def _background(work: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> AsyncIterator[Parts]:
    parts = Parts()
    tasks = [asyncio.create_task(parts.keep(name, part)) for name, part in work.items()]
    try:
        yield parts
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _figures_now(context: Context) -> Callable[[Intent], Coroutine[Any, Any, list[Figure]]]:
    async def read(intent: Intent) -> list[Figure]:
        return await HIGH[intent.tool].figures_now(context, intent)

    return read


async def _listen(exchange: Exchange) -> None:
    """Polls Binance, so that the page shows whether it can be reached. Runs until cancelled."""
    while True:
        await asyncio.sleep(PULSE_SECONDS)
        for venue in (exchange.spot, exchange.futures):
            with suppress(BrokerError):
                await venue.server_time_ms()


async def _equity(exchange: Exchange) -> Decimal | None:
    with suppress(BrokerError):
        return await read_equity(exchange)
    return None


def _remembered(
    read: Callable[[], Coroutine[Any, Any, Decimal | None]],
) -> Callable[[], Coroutine[Any, Any, Decimal | None]]:
    """Caches the result of `read` for EQUITY_SECONDS: pages ask often."""
    lock, last, at = asyncio.Lock(), None, float("-inf")

    async def remembered() -> Decimal | None:
        nonlocal last, at
        async with lock:
            now = asyncio.get_running_loop().time()
            if now - at >= EQUITY_SECONDS:
                last, at = await read(), now
            return last

    return remembered
