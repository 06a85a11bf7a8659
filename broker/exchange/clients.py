"""Creates ccxt clients by market, mode and role. Each can call only the API sections that its role needs."""

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
    # By default, ccxt also calls four private endpoints when it loads the markets.
    "fetchCurrencies": False,
    "fetchMargins": False,
    "fetchOpenOrders": {"warnWithoutSymbol": False},
    "watchPositions": {"fetchPositionsSnapshot": False},
}


class Role(StrEnum):
    READER = "reader"
    EXECUTOR = "executor"
    PRICES = "prices"
    NEWS = "news"


SECTIONS: Final[Mapping[Market, Mapping[Role, tuple[str, ...]]]] = {
    Market.SPOT: {
        Role.READER: ("public", "private", "sapi"),
        Role.EXECUTOR: ("private",),
        Role.PRICES: (),
        Role.NEWS: (),
    },
    Market.FUTURES: {
        Role.READER: ("fapiPublic", "fapiPrivate", "fapiPrivateV3", "sapi"),
        Role.EXECUTOR: ("fapiPrivate",),
        Role.PRICES: (),
        Role.NEWS: ("fapiPrivate",),
    },
}
"""ccxt refuses sections without an address, so endpoints that move funds cannot be called. Of `sapi`, `Wire`
allows only the endpoint with the key's rights; testnets have no `sapi`."""

PAPER: Final[Mapping[str, str]] = {
    "public": "/api/v3",
    "private": "/api/v3",
    "sapi": "/sapi/v1",
    "fapiPublic": "/fapi/v1",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV3": "/fapi/v3",
}


class Spot(Wire, ccxt.pro.binance):  # type: ignore[misc]
    """ccxt's Binance, spot."""

    timeout_on_exit = 0
    exchange_info: ClassVar[Mapping[str, str]] = {"showPermissionSets": "false"}

    def get_exceptions_by_url(self, url: str, kind: str) -> Any:
        # ccxt selects its error table by the official address; a loopback address would select none.
        return super().get_exceptions_by_url("https://api.binance.com/", kind)

    async def ask(self, what: str, params: Mapping[str, Any] | None = None) -> Any:
        """A public endpoint, by ccxt's name for it."""
        return await getattr(self, f"public_get_{what}")(dict(params or {}))


class Futures(Wire, ccxt.pro.binanceusdm):  # type: ignore[misc]
    """ccxt's Binance, USDT-margined futures."""

    timeout_on_exit = 0
    exchange_info: ClassVar[Mapping[str, str]] = {}

    def get_exceptions_by_url(self, url: str, kind: str) -> Any:
        return super().get_exceptions_by_url("https://fapi.binance.com/", kind)

    async def ask(self, what: str, params: Mapping[str, Any] | None = None) -> Any:
        """A public endpoint, by ccxt's name for it."""
        return await getattr(self, f"fapipublic_get_{what}")(dict(params or {}))


class SpotStream(Streaming, Spot):
    """Spot's WebSockets."""


class FuturesStream(Streaming, Futures):
    """The WebSockets of USDT-margined futures."""


CLIENTS: Final = {Market.SPOT: Spot, Market.FUTURES: Futures}
COSTS_A_MINUTE: Final = {Market.SPOT: 1200, Market.FUTURES: 2400}
"""Binance's weight limits per minute (6000, 2400) in ccxt's costs: on spot, one cost is five weights."""

STREAMS: Final = {Market.SPOT: SpotStream, Market.FUTURES: FuturesStream}


def reader(
    settings: Settings, paper_url: str | None, *, timeout_seconds: float, market: Market = Market.SPOT
) -> Any:
    """A client for reads, with ccxt's rolling-window rate limiter. Numbers are Decimals.

    The window allows what agents may use: Binance's own count lags behind many simultaneous requests.
    """
    client = CLIENTS[market](
        _config(
            settings,
            market,
            timeout_seconds,
            enableRateLimit=True,
            rateLimiterAlgorithm="rollingWindow",
            rateLimit=MINUTE_MS / (COSTS_A_MINUTE[market] * AGENTS_PCT / 100),
            number=Decimal,
        )
    )
    return _with_addresses(client, settings.mode, paper_url, market, Role.READER)


def executor(
    settings: Settings, paper_url: str | None, *, timeout_seconds: float, market: Market = Market.SPOT
) -> Any:
    """A client for orders, without rate limiter and retries. Numbers are strings.

    With Decimal numbers ccxt ignores the step size and would send unrounded amounts, converted to float.
    """
    client = CLIENTS[market](_config(settings, market, timeout_seconds, enableRateLimit=False, number=str))
    return _with_addresses(client, settings.mode, paper_url, market, Role.EXECUTOR)


def prices(settings: Settings, paper_url: str | None, *, market: Market) -> Any:
    """A WebSocket client for live prices, without API keys."""
    return _stream(settings, paper_url, market, Role.PRICES, apiKey="", secret="")


def news(settings: Settings, paper_url: str | None, *, market: Market) -> Any:
    """A WebSocket client for the account's order events."""
    return _stream(settings, paper_url, market, Role.NEWS)


def _stream(settings: Settings, paper_url: str | None, market: Market, role: Role, **more: Any) -> Any:
    # Rate limited: Binance closes connections that send more than a few messages per second.
    client = STREAMS[market](_config(settings, market, 10, enableRateLimit=True, **more))
    return _with_addresses(client, settings.mode, paper_url, market, role)


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


def _with_addresses(client: Any, mode: Mode, paper_url: str | None, market: Market, role: Role) -> Any:
    """Set the addresses of the mode; remove all others."""
    if mode is Mode.TESTNET:
        # ccxt supports Binance's demo instead of the futures testnet. One instance cannot use both.
        if market is Market.SPOT:
            client.set_sandbox_mode(True)
        else:
            client.enable_demo_trading(True)
    if mode is Mode.PAPER and paper_url is None:
        raise ValueError("paper mode needs the address of the paper exchange")
    known = {name: f"{paper_url}{path}" for name, path in PAPER.items()}
    known = known if mode is Mode.PAPER else client.urls["api"]
    sections = [name for name in SECTIONS[market][role] if name in known]
    streams = {}
    if role in (Role.PRICES, Role.NEWS):
        streams["ws"] = _streams(client, mode, paper_url, market)
    client.urls["api"] = {**{name: known[name] for name in sections}, **streams}
    return client


def _streams(client: Any, mode: Mode, paper_url: str | None, market: Market) -> dict[str, Any]:
    """ccxt detects spot by "/stream" in the address, and extends a futures address that ends in "/ws"."""
    if mode is Mode.PAPER:
        at = f"ws{str(paper_url).removeprefix('http')}"
        spot, futures, api = f"{at}/stream", f"{at}/ws", f"{at}/ws-api/v3"
    else:
        known = client.urls["api"]["ws"]
        spot, futures, api = known["spot"], known["linear"], known["ws-api"]["spot"]
    return {"linear": futures} if market is Market.FUTURES else {"spot": spot, "ws-api": {"spot": api}}


def attach(client: Any, *, fresh_connections: bool = False) -> aiohttp.ClientSession:
    """Give the client its HTTP session and return it; the caller closes it. Needs the running loop.

    `fresh_connections`: each request opens a connection, because a POST on an idle connection that the server
    has just closed fails without showing whether it arrived. And only GET requests are ever sent again.
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
    # aiohttp would send the signed request again, to another address.
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
    # aiohttp sends a DELETE again when its connection breaks, even a fresh one.
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
