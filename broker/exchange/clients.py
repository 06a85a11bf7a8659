"""ccxt instances by market, mode and role. Each has only the sections of the API that its role uses."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Final

import aiohttp
import ccxt.pro
import certifi

from ..settings import Mode, Settings
from .models import Market
from .streaming import Streaming
from .weight import AGENTS_PCT, MINUTE_MS
from .wire import Wire

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

OPTIONS: Final[Mapping[str, Any]] = {
    # By default ccxt calls four more endpoints, with the keys, when it loads its markets.
    "fetchCurrencies": False,
    "fetchMargins": False,
    "fetchOpenOrders": {"warnWithoutSymbol": False},
    "watchPositions": {"fetchPositionsSnapshot": False},
}


class Role(StrEnum):
    READER = "reader"
    EXECUTOR = "executor"
    PRICES = "prices"
    ORDER_UPDATES = "order_updates"


SECTIONS: Final[Mapping[Market, Mapping[Role, tuple[str, ...]]]] = {
    Market.SPOT: {
        Role.READER: ("public", "private", "sapi"),
        Role.EXECUTOR: ("private",),
        Role.PRICES: (),
        Role.ORDER_UPDATES: (),
    },
    Market.FUTURES: {
        Role.READER: ("fapiPublic", "fapiPrivate", "fapiPrivateV3", "sapi"),
        Role.EXECUTOR: ("fapiPrivate",),
        Role.PRICES: (),
        Role.ORDER_UPDATES: ("fapiPrivate",),
    },
}
"""ccxt cannot call a section that has no URL here, so the sections that move funds are out of reach.
Of `sapi`, wire.py allows only the key's permissions; testnets have no `sapi`."""

PAPER: Final[Mapping[str, str]] = {
    "public": "/api/v3",
    "private": "/api/v3",
    "sapi": "/sapi/v1",
    "fapiPublic": "/fapi/v1",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV3": "/fapi/v3",
}


class Spot(Wire, ccxt.pro.binance):  # type: ignore[misc]
    timeout_on_exit = 0
    exchange_info: ClassVar[Mapping[str, str]] = {"showPermissionSets": "false"}

    def get_exceptions_by_url(self, url: str, kind: str) -> Any:
        # ccxt selects its error table by the official URL. It would find none for a loopback URL.
        return super().get_exceptions_by_url("https://api.binance.com/", kind)

    async def ask(self, what: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a public endpoint by ccxt's name for it."""
        return await getattr(self, f"public_get_{what}")(dict(params or {}))


class Futures(Wire, ccxt.pro.binanceusdm):  # type: ignore[misc]
    timeout_on_exit = 0
    exchange_info: ClassVar[Mapping[str, str]] = {}

    def get_exceptions_by_url(self, url: str, kind: str) -> Any:
        return super().get_exceptions_by_url("https://fapi.binance.com/", kind)

    async def ask(self, what: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a public endpoint by ccxt's name for it."""
        return await getattr(self, f"fapipublic_get_{what}")(dict(params or {}))


class SpotStream(Streaming, Spot):
    pass


class FuturesStream(Streaming, Futures):
    pass


CLIENTS: Final = {Market.SPOT: Spot, Market.FUTURES: Futures}
COST_PER_MINUTE: Final = {Market.SPOT: 1200, Market.FUTURES: 2400}
"""Binance's request weight per minute (6000, 2400) in ccxt's cost units. On spot a cost of 1 is weight 5."""

STREAMS: Final = {Market.SPOT: SpotStream, Market.FUTURES: FuturesStream}


def reader(
    settings: Settings, paper_url: str | None, *, timeout_seconds: float, market: Market = Market.SPOT
) -> Any:
    """Client for reads. Numbers are Decimals. A rolling window throttles it, without a delay between calls.

    The window is the agents' weight ceiling: Binance's own counter lags behind many concurrent calls.
    """
    client = CLIENTS[market](
        _config(
            settings,
            market,
            timeout_seconds,
            enableRateLimit=True,
            rateLimiterAlgorithm="rollingWindow",
            rateLimit=MINUTE_MS / (COST_PER_MINUTE[market] * AGENTS_PCT / 100),
            number=Decimal,
        )
    )
    return _set_urls(client, settings.mode, paper_url, market, Role.READER)


def executor(
    settings: Settings, paper_url: str | None, *, timeout_seconds: float, market: Market = Market.SPOT
) -> Any:
    """Client that neither throttles nor retries. It parses numbers as str: ccxt does not recognise a Decimal
    step size and would then send the amount unrounded, through a float.
    """
    client = CLIENTS[market](_config(settings, market, timeout_seconds, enableRateLimit=False, number=str))
    return _set_urls(client, settings.mode, paper_url, market, Role.EXECUTOR)


def prices(settings: Settings, paper_url: str | None, *, market: Market) -> Any:
    """Client for live prices, without keys."""
    return _stream(settings, paper_url, market, Role.PRICES, apiKey="", secret="")


def order_updates(settings: Settings, paper_url: str | None, *, market: Market) -> Any:
    """Client for the account's order updates."""
    return _stream(settings, paper_url, market, Role.ORDER_UPDATES)


def _stream(settings: Settings, paper_url: str | None, market: Market, role: Role, **more: Any) -> Any:
    # Throttled: Binance closes a connection that sends more than a few messages per second.
    client = STREAMS[market](_config(settings, market, 10, enableRateLimit=True, **more))
    return _set_urls(client, settings.mode, paper_url, market, role)


def _config(settings: Settings, market: Market, timeout_seconds: float, **more: Any) -> dict[str, Any]:
    key, secret = _keys(settings, market)
    types = {Market.SPOT: ["spot"], Market.FUTURES: ["linear"]}[market]
    return {
        "apiKey": key,
        "secret": secret,
        "timeout": round(timeout_seconds * 1000),
        "options": {**OPTIONS, "fetchMarkets": {"types": types}},
        **more,
    }


def _set_urls(client: Any, mode: Mode, paper_url: str | None, market: Market, role: Role) -> Any:
    """Give the client the URLs of its mode and role, and no others."""
    if mode is Mode.TESTNET:
        # ccxt replaced Binance's futures testnet by its demo. One instance cannot use both.
        if market is Market.SPOT:
            client.set_sandbox_mode(True)
        else:
            client.enable_demo_trading(True)
    if mode is Mode.PAPER and paper_url is None:
        raise ValueError("paper mode needs the URL of the paper exchange")
    known = {name: f"{paper_url}{path}" for name, path in PAPER.items()}
    known = known if mode is Mode.PAPER else client.urls["api"]
    sections = [name for name in SECTIONS[market][role] if name in known]
    streams = {}
    if role in (Role.PRICES, Role.ORDER_UPDATES):
        streams["ws"] = _stream_urls(client, mode, paper_url, market)
    client.urls["api"] = {**{name: known[name] for name in sections}, **streams}
    return client


def _stream_urls(client: Any, mode: Mode, paper_url: str | None, market: Market) -> dict[str, Any]:
    """ccxt recognises spot by "/stream" in the URL, and extends a futures URL that ends in "/ws"."""
    if mode is Mode.PAPER:
        at = f"ws{str(paper_url).removeprefix('http')}"
        spot, futures, api = f"{at}/stream", f"{at}/ws", f"{at}/ws-api/v3"
    else:
        known = client.urls["api"]["ws"]
        spot, futures, api = known["spot"], known["linear"], known["ws-api"]["spot"]
    return {"linear": futures} if market is Market.FUTURES else {"spot": spot, "ws-api": {"spot": api}}


def open_session(client: Any, *, fresh_connections: bool = False) -> aiohttp.ClientSession:
    """Give the client an HTTP session and return it; the caller closes it. Needs a running event loop.

    With `fresh_connections` each request opens a new connection: on an idle connection that the server has
    just closed, a POST would fail without a sign of whether it arrived. POST and DELETE are not re-sent then.
    """
    client.ssl_context = _tls()
    connector = aiohttp.TCPConnector(ssl=_tls(), force_close=fresh_connections)
    middlewares = [_refuse_redirect, *([_send_once] if fresh_connections else [])]
    client.session = aiohttp.ClientSession(connector=connector, middlewares=middlewares)
    client.own_session = False
    session: aiohttp.ClientSession = client.session
    return session


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


async def _refuse_redirect(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp would send the signed request again, to another URL.
    response = await handler(request)
    if response.status in REDIRECTS:
        response.close()
        raise aiohttp.ClientResponseError(
            response.request_info, (), status=response.status, message="redirected"
        )
    return response


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp re-sends a DELETE if its connection breaks, even a fresh one. Another error type prevents that.
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET":
            raise
        raise aiohttp.ClientConnectionError(str(error)) from error


def _keys(settings: Settings, market: Market) -> tuple[str, str]:
    if settings.mode is Mode.PAPER:
        return "paper-key", "paper-secret"
    key, secret = settings.binance_api_key, settings.binance_api_secret
    if market is Market.FUTURES and settings.binance_futures_api_key is not None:
        key, secret = settings.binance_futures_api_key, settings.binance_futures_api_secret
    if key is None or secret is None:
        return "", ""
    return key.get_secret_value(), secret.get_secret_value()
