"""Checks of every request against forged requests (CSRF) and DNS rebinding, and security headers.

There is no CSRF token. Browsers send headers that a page cannot set: `Sec-Fetch-Site` over HTTPS and on
localhost, `Origin` with every unsafe request. Requests from another site are refused. A request with neither
header is not from a browser: it carries no trader's cookie and needs an API key. Go's CrossOriginProtection
and Datasette work the same way. The check of the Host header stops DNS rebinding.

An origin is scheme, host and port. The broker serves plain HTTP; if PUBLIC_URL is https, a proxy terminates
TLS for that name. So the broker's origins are PUBLIC_URL's, and plain HTTP on its other names.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import OWN_NAME, Settings

LOCAL = frozenset({"localhost", "127.0.0.1", "::1", OWN_NAME})

PORTS = {"http": 80, "https": 443}

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

SECURITY_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Wrap the whole application, pages and agent API."""
    public = urlsplit(settings.public_url or "")
    hosts = LOCAL | {settings.host} | ({public.hostname} if public.hostname else set())

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        trimmed = _trimmed(scope)
        refusal = _refusal(trimmed, hosts, public)
        await (refusal or app)(trimmed, receive, _with_headers(send))

    return guard


def _trimmed(scope: Scope) -> Scope:
    """Strip spaces around header values (RFC 9110, 5.5); httptools leaves trailing ones in."""
    return {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}


def _refusal(scope: Scope, hosts: frozenset[str | None], public: SplitResult) -> PlainTextResponse | None:
    headers = Headers(scope=scope)
    if _hostname(headers.get("host", "")) not in hosts:
        return PlainTextResponse("Unknown host name. Use localhost, or set PUBLIC_URL to this name.\n", 421)
    if scope.get("method", "GET") not in SAFE and not _same_site(headers, public):
        return PlainTextResponse("Refused: this request comes from another site.\n", 403)
    return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _same_site(headers: Headers, public: SplitResult) -> bool:
    """Sec-Fetch-Site takes precedence. "same-site" is refused: it may be another port of this host."""
    fetched_from = headers.get("sec-fetch-site")
    if fetched_from is not None:
        return fetched_from in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or _origin(origin) in _own_origins(headers.get("host", ""), public)


def _own_origins(host: str, public: SplitResult) -> set[tuple[str, str | None, int | None]]:
    """For PUBLIC_URL's host only that URL's origin: over another scheme, the proxy may serve other pages."""
    behind_proxy = public.hostname not in LOCAL and _hostname(host) == public.hostname
    origins = {_origin(public.geturl())} | (set() if behind_proxy else {_origin(f"http://{host}")})
    return {origin for origin in origins if origin is not None}


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    """Scheme, host and port (the scheme's default if the URL has none). None if it is not http or https."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or PORTS[parts.scheme]


def _with_headers(send: Send) -> Send:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return add
