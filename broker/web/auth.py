"""Authentication of page requests: sessions, cookies, redirects to the sign-in page, error pages."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from markupsafe import escape
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ..errors import BrokerError, Code
from ..http_server import Trader, recognise
from ..settings import Settings
from ..store import NotSignedIn, Session
from ..store.people import SESSION_DAYS
from ..untrusted import one_line
from .assets import html
from .deps import Desk

LOCAL_PATH = re.compile(r"/(?![/\\])[\w\-./?=&%~]{0,200}", re.ASCII)

Endpoint = Callable[[Request], Awaitable[Response]]
TraderEndpoint = Callable[[Request, Session], Awaitable[Response]]


def local_path(path: str | None) -> str:
    """The path if it is certainly on this site, else the inbox."""
    return path if path and LOCAL_PATH.fullmatch(path) else "/"


def writable(typed: str) -> str:
    """Replaces lone surrogates, which a form can contain and a page cannot encode."""
    return typed.encode(errors="replace").decode()


def cookie_name(settings: Settings) -> str:
    """Contains the port: cookies ignore ports, so brokers on one host would share the name."""
    return f"broker_session_{settings.port}"


def browser_cookie_name(settings: Settings) -> str:
    """The device cookie (`allowances.Browsers`). It is not a credential."""
    return f"broker_browser_{settings.port}"


async def session_of(request: Request, desk: Desk) -> Session | None:
    """The request's valid session. Its connection then counts as a trader's (`http_server`)."""
    token = request.cookies.get(cookie_name(desk.settings))
    session = await desk.store.people.session(token) if token else None
    if session is not None:
        recognise(request.scope, Trader(session.trader))
    return session


def wants_fragment(request: Request) -> bool:
    """Whether htmx sent the request and will insert a fragment of the page."""
    return request.headers.get("hx-request") == "true"


class NotShown(Exception):
    """The action succeeded but its page could not be rendered. The text says what was done."""


@contextmanager
def after_commit(done: str) -> Iterator[None]:
    """For rendering after a commit: an error must not say that nothing was recorded. Raises NotShown."""
    try:
        yield
    except BrokerError as error:
        raise NotShown(f"{done} The page could not be shown. Reload it.") from error


def for_traders(desk: Desk, endpoint: TraderEndpoint) -> Endpoint:
    """Require a session; without one, redirect to the sign-in page, which leads back here.

    The session is checked after the whole body has arrived, because the sender controls how long that takes.
    Every write checks it again in its transaction.
    """

    async def answer(request: Request) -> Response:
        if request.method == "POST":
            await request.body()
        session = await session_of(request, desk)
        if session is None:
            return _sign_in_first(request)
        try:
            return await endpoint(request, session)
        except NotSignedIn:
            return _sign_in_first(request)

    return with_errors(answer)


def with_errors(endpoint: Endpoint) -> Endpoint:
    """Turn errors into pages, or into plain text for htmx."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotShown as done:
            return _message(request, 503, "Reload the page", str(done))
        except BrokerError as error:
            return _failure(request, error)
        except ClientDisconnect:  # before the whole body arrived: nothing was done
            return Response(status_code=400)

    return answer


def set_session_cookie(response: Response, token: str, settings: Settings) -> None:
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=SESSION_DAYS * 86400,
        httponly=True,
        samesite="lax",
        secure=settings.url.startswith("https://"),
    )


def remember_browser(response: Response, cookie: str, settings: Settings) -> None:
    """Set the device cookie. Browsers limit a cookie's age to 400 days (RFC 6265bis)."""
    response.set_cookie(
        browser_cookie_name(settings),
        cookie,
        max_age=400 * 86400,
        path="/signin",
        httponly=True,
        samesite="strict",
        secure=settings.url.startswith("https://"),
    )


def delete_session_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(cookie_name(settings))


def _sign_in_first(request: Request) -> Response:
    if wants_fragment(request):
        page = urlsplit(request.headers.get("hx-current-url", "")).path
        return Response(status_code=401, headers={"HX-Redirect": _sign_in(page)})
    return RedirectResponse(_sign_in(request.url.path if request.method == "GET" else "/"), 303)


def _sign_in(then: str) -> str:
    return f"/signin?next={quote(local_path(then), safe='/')}"


def _failure(request: Request, error: BrokerError) -> Response:
    status, title = {
        Code.UNKNOWN_INTENT: (404, "No such request"),
        Code.STORE_UNAVAILABLE: (503, "The database is not available"),
    }.get(error.code, (error.http_status, "Request failed"))
    message = "Nothing was recorded. " if request.method == "POST" else ""
    return _message(request, status, title, message + error.message)


def _message(request: Request, status: int, title: str, message: str) -> Response:
    if wants_fragment(request):
        return HTMLResponse(escape(one_line(message)), status)
    return html("message.html", status, title=title, message=message)
