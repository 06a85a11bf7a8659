"""ccxt's instances by mode, confined to the sections of the API that the broker uses."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

import aiohttp
import ccxt.pro
import certifi

from ..settings import Mode, Settings
from .wire import Wire

OFFICIAL: Final = "https://api.binance.com/"

SECTIONS: Final = ("public", "private")
"""Without an address ccxt refuses every other section: those that move funds are out of reach."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

OPTIONS: Final[Mapping[str, Any]] = {
    # A stock instance asks four other endpoints, with the keys, when it loads its markets.
    "fetchCurrencies": False,
    "fetchMargins": False,
    "fetchMarkets": {"types": ["spot"]},
    "fetchOpenOrders": {"warnWithoutSymbol": False},
}


class Spot(Wire, ccxt.pro.binance):  # type: ignore[misc]
    """ccxt's Binance, spot."""

    timeout_on_exit = 0

    def get_exceptions_by_url(self, url: str, kind: str) -> Any:
        # ccxt picks its table of errors by the official address; on loopback it would pick none.
        return super().get_exceptions_by_url(OFFICIAL, kind)


def reader(settings: Settings, paper_url: str | None, *, timeout_seconds: float) -> Any:
    """Throttled by a rolling window, so that one read doesn't wait behind others; numbers are Decimals."""
    return _spot(settings, paper_url, timeout_seconds, enableRateLimit=True, number=Decimal)


def executor(settings: Settings, paper_url: str | None, *, timeout_seconds: float) -> Any:
    """Neither throttles nor retries. It reads numbers as text: a step that is a Decimal is none to ccxt,
    which would then send amounts unrounded, through a float.
    """
    return _spot(settings, paper_url, timeout_seconds, enableRateLimit=False, number=str)


def _spot(settings: Settings, paper_url: str | None, timeout_seconds: float, **config: Any) -> Any:
    key, secret = _keys(settings)
    client: Any = Spot(
        {
            "apiKey": key,
            "secret": secret,
            "timeout": round(timeout_seconds * 1000),
            "rateLimiterAlgorithm": "rollingWindow",
            "options": OPTIONS,
            **config,
        }
    )
    if settings.mode is Mode.TESTNET:
        client.set_sandbox_mode(True)
    client.urls["api"] = _addresses(client, settings.mode, paper_url)
    return client


def attach(client: Any, *, fresh_connections: bool) -> aiohttp.ClientSession:
    """Give the client a session of ours, which the caller closes. Needs the running loop.

    With `fresh_connections` each request opens its own: on an idle connection that the server has just
    closed, a POST would fail without saying whether it arrived.
    """
    client.ssl_context = _tls()
    connector = aiohttp.TCPConnector(ssl=_tls(), force_close=fresh_connections)
    client.session = aiohttp.ClientSession(connector=connector, middlewares=[_refuse_redirect])
    client.own_session = False
    session: aiohttp.ClientSession = client.session
    return session


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


async def _refuse_redirect(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp would send a signed request once more, elsewhere.
    response = await handler(request)
    if response.status in REDIRECTS:
        response.close()
        raise aiohttp.ClientResponseError(
            response.request_info, (), status=response.status, message="redirected"
        )
    return response


def _addresses(client: Any, mode: Mode, paper_url: str | None) -> dict[str, str]:
    if mode is not Mode.PAPER:
        return {section: client.urls["api"][section] for section in SECTIONS}
    if paper_url is None:
        raise ValueError("paper mode needs the address of the paper exchange")
    return {section: f"{paper_url}/api/v3" for section in SECTIONS}


def _keys(settings: Settings) -> tuple[str, str]:
    if settings.mode is Mode.PAPER:
        return "paper-key", "paper-secret"
    if settings.binance_api_key is None or settings.binance_api_secret is None:
        return "", ""
    return settings.binance_api_key.get_secret_value(), settings.binance_api_secret.get_secret_value()
