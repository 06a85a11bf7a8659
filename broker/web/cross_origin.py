"""What stands before every request: the host it names, the site it comes from, and the headers that go back.

No token guards against forged requests. A browser says itself where a request comes from, in headers that no
page can set: `Sec-Fetch-Site` on HTTPS and on localhost, `Origin` on every unsafe request besides. What comes
from another site is refused; what carries neither header is no browser, holds no trader's cookie, and has to
show a key. (Go's CrossOriginProtection and Datasette do the same, and say why.) The check of the host keeps a
name that an attacker points at this machine from being an origin at all.

An origin is scheme, host and port. The broker itself speaks plain http; where PUBLIC_URL is https, a proxy
speaks TLS for it, under that name. So its origins are PUBLIC_URL's, and plain http on its other names.
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
    """Wrap the whole application, the agents' side too."""
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
    """Space around a header's value is no part of it (RFC 9110, 5.5); httptools leaves what follows it in."""
    return {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}


def _refusal(scope: Scope, hosts: frozenset[str | None], public: SplitResult) -> PlainTextResponse | None:
    headers = Headers(scope=scope)
    if _hostname(headers.get("host", "")) not in hosts:
        return PlainTextResponse(
            "This broker does not answer to that host name. Use localhost, or set PUBLIC_URL.\n", 421
        )
    if scope.get("method", "GET") not in SAFE and not _same_site(headers, public):
        return PlainTextResponse("Refused: this request comes from another site.\n", 403)
    return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _same_site(headers: Headers, public: SplitResult) -> bool:
    """Sec-Fetch-Site goes first. "same-site" is refused: another port of this host is not the broker."""
    fetched_from = headers.get("sec-fetch-site")
    if fetched_from is not None:
        return fetched_from in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or _origin(origin) in _own_origins(headers.get("host", ""), public)


def _own_origins(host: str, public: SplitResult) -> set[tuple[str, str | None, int | None]]:
    """Under PUBLIC_URL's own name a proxy may serve another scheme beside it, whose pages are not ours."""
    behind_proxy = public.hostname not in LOCAL and _hostname(host) == public.hostname
    own = {_origin(public.geturl())} | (set() if behind_proxy else {_origin(f"http://{host}")})
    return {origin for origin in own if origin is not None}


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    """Scheme, host and port, which is the scheme's own where none is named. None for no http origin."""
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
