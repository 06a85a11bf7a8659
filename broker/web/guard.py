"""What stands before every request: the host it names, the site it comes from, and the headers that go back.

No token guards against forged requests. A browser says itself where a request comes from, in headers that no
page can set: `Sec-Fetch-Site` on HTTPS and on localhost, `Origin` on every unsafe request besides. What comes
from another site is refused; what carries neither header is no browser, holds no trader's cookie, and has to
show a key. (Go's CrossOriginProtection and Datasette do the same, and say why.) The check of the host keeps a
name that an attacker points at this machine from being an origin at all.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import Settings

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

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
        refusal = _refusal(trimmed, hosts, public.netloc)
        await (refusal or app)(trimmed, receive, _with_headers(send))

    return guard


def _trimmed(scope: Scope) -> Scope:
    """Space around a header's value is no part of it (RFC 9110, 5.5); httptools leaves what follows it in."""
    return {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}


def _refusal(scope: Scope, hosts: frozenset[str | None], public: str) -> PlainTextResponse | None:
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


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _same_site(headers: Headers, public: str) -> bool:
    fetched_from = headers.get("sec-fetch-site")
    if fetched_from is not None:
        return fetched_from in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or _netloc(origin) in {headers.get("host"), public} - {""}


def _with_headers(send: Send) -> Send:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return add
