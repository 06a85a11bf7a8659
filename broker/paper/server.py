"""The paper exchange as a server on 127.0.0.1, in a running event loop or in its own process."""

import asyncio
import contextlib
import logging
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from .control import Control
from .futures import FuturesExchange
from .futures.endpoints import futures_endpoints
from .http.connection import Transports
from .http.fault_proxy import FaultProxy
from .http.limits import Limits
from .http.rest import Rest, Venues
from .http.signing import Credentials
from .market.store import Store
from .permissions import Permissions
from .spot.account_endpoints import SpotAccount
from .spot.exchange import DEPOSIT, Exchange
from .spot.market_endpoints import SpotMarket
from .streams import Pace, Streams

_log = logging.getLogger(__name__)

HOST = "127.0.0.1"
MATCHING_INTERVAL_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 75
_POLICY_VIOLATION = 1008


def build_app(
    exchange: Exchange,
    *,
    key: str = "paper-key",
    secret: str = "paper-secret",  # noqa: S107 - it guards play money
    limits: Limits | None = None,
    transports: Transports | None = None,
    futures: FuturesExchange | None = None,
    futures_limits: Limits | None = None,
    pace: Pace | None = None,
) -> Starlette:
    """Build the ASGI app. Without `transports`, faults that break a connection raise RuntimeError."""
    limits, transports = limits or Limits(), transports or _no_access
    permissions, credentials = Permissions(), Credentials(key, secret)
    endpoints = SpotMarket(exchange, limits).endpoints() | SpotAccount(exchange, permissions).endpoints()
    spot = Rest(exchange, endpoints, credentials, limits)
    futures_rest = (
        _futures_rest(futures, credentials, futures_limits or Limits.of_futures(), permissions)
        if futures
        else None
    )
    proxy = FaultProxy(Venues(spot, futures_rest), transports)
    streams = Streams(exchange, futures, credentials, limits, transports, pace or Pace())
    control = [*Control(exchange, proxy, futures, permissions).routes(), *streams.control_routes()]
    app = Starlette(
        routes=[Mount("/control", routes=control), *streams.routes(), Mount("/", app=proxy)],
        middleware=[Middleware(LoopbackOnly)],
    )
    app.state.proxy = proxy
    app.state.streams = streams
    return app


def _futures_rest(
    futures: FuturesExchange, credentials: Credentials, limits: Limits, permissions: Permissions
) -> Rest:
    endpoints = futures_endpoints(futures, limits, permissions)
    return Rest(futures, endpoints, credentials, limits, permitted=lambda: permissions.futures)


class LoopbackOnly:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or _is_loopback(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await PlainTextResponse("loopback only", 403)(scope, receive, send)


class PaperServer:
    """A context manager that serves on 127.0.0.1. Raises FolderInUse, and OSError if the port is taken.

    The state is stored in `folder`. `clock` returns aware UTC times.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        seed: int,
        clock: Callable[[], datetime],
        key: str = "paper-key",
        secret: str = "paper-secret",  # noqa: S107 - it guards play money
        balances: Mapping[str, Decimal] = DEPOSIT,
        limits: Limits | None = None,
        futures_limits: Limits | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._folder = folder
        self._port = port
        self._seed = seed
        self._clock = clock
        self._credentials = {"key": key, "secret": secret}
        self._balances = balances
        self._limits = limits
        self._futures_limits = futures_limits
        self._pace = pace

    async def __aenter__(self) -> Self:
        self._socket = _listening(self._port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        try:
            self._store = Store(self._folder)
        except BaseException:
            self._socket.close()
            raise
        self.exchange = Exchange(self._store, seed=self._seed, clock=self._clock, balances=self._balances)
        self.futures = FuturesExchange(self._store, seed=self._seed, clock=lambda: self.exchange.now)
        app = build_app(
            self.exchange,
            **self._credentials,
            limits=self._limits,
            transports=self._transport,
            futures=self.futures,
            futures_limits=self._futures_limits,
            pace=self._pace,
        )
        self._proxy: FaultProxy = app.state.proxy
        self._streams: Streams = app.state.streams
        self._uvicorn = _Uvicorn(app)
        self._serving = asyncio.create_task(self._uvicorn.serve(sockets=[self._socket]))
        self._matching = asyncio.create_task(self._match_on())
        await self._uvicorn.ready.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._matching.cancel()
        self._proxy.close()
        self._streams.close()
        self._uvicorn.should_exit = True
        await asyncio.gather(self._serving, self._matching, return_exceptions=True)
        self._store.close()

    async def _match_on(self) -> None:
        while True:
            await asyncio.sleep(MATCHING_INTERVAL_SECONDS)
            try:
                self.exchange.match()
                self.futures.match()
            except sqlite3.Error:
                _log.exception("fills could not be written")

    def _transport(self, scope: Scope) -> asyncio.Transport | None:
        client = tuple(scope["client"])
        for connection in self._uvicorn.server_state.connections:
            if getattr(connection, "client", None) == client:
                return connection.transport
        return None


class _Uvicorn(uvicorn.Server):
    """Does not handle signals, and sets `ready` when it accepts connections."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            lifespan="off",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def run(folder: Path, port: int, seed: int) -> None:
    """Print the URL, and serve until SIGINT or SIGTERM."""
    asyncio.run(_run(folder, port, seed))


def _no_access(_: Scope) -> asyncio.Transport | None:
    raise RuntimeError("this server gives no access to its connections")


def _listening(port: int) -> socket.socket:
    """Open the socket. With IPPROTO_TCP asyncio disables Nagle's algorithm, which adds 40 ms per answer."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.close()
        raise
    return listening


async def _run(folder: Path, port: int, seed: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with PaperServer(folder, port=port, seed=seed, clock=_utc_now) as server:
        print(f"Paper exchange at {server.url}", flush=True)
        await stopped.wait()


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and ip_address(client[0]).is_loopback
