"""Who is at the door: a trader with a session, or somebody who has to sign in first."""

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
    """The path if it lies on this site for certain, else the inbox."""
    return path if path and LOCAL_PATH.fullmatch(path) else "/"


def writable(typed: str) -> str:
    """A form can be sent with half a surrogate pair, which a page cannot show."""
    return typed.encode(errors="replace").decode()


def cookie_name(settings: Settings) -> str:
    """With the port, which alone tells brokers on one host apart: cookies know no ports."""
    return f"broker_session_{settings.port}"


def browser_cookie_name(settings: Settings) -> str:
    """The cookie by which a browser that signed in before is known; it lets nobody in."""
    return f"broker_browser_{settings.port}"


async def session_of(request: Request, desk: Desk) -> Session | None:
    token = request.cookies.get(cookie_name(desk.settings))
    session = await desk.store.people.session(token) if token else None
    if session is not None:
        recognise(request.scope, Trader(session.trader))
    return session


def wants_fragment(request: Request) -> bool:
    """Whether the page's script asks, which puts a piece of a page in place by itself."""
    return request.headers.get("hx-request") == "true"


class NotShown(Exception):
    """Something came about, and the page that says so could not be drawn; the text says it in its place."""


@contextmanager
def telling(what: str) -> Iterator[None]:
    """From here on a failure undoes nothing: it must not say that nothing was recorded."""
    try:
        yield
    except BrokerError as error:
        raise NotShown(f"{what} The page that shows it could not be drawn: load it again.") from error


def for_traders(desk: Desk, endpoint: TraderEndpoint) -> Endpoint:
    """Only with a session; others are shown the way in, and come back afterwards.

    The session is looked up once the request is whole, since its sender decides how long that takes. What
    changes something asks for it again where it is recorded.
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
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotShown as done:
            return _message(request, 503, "Look again", str(done))
        except BrokerError as error:
            return _failure(request, error)
        except ClientDisconnect:  # left before the request was whole: nothing was done, nobody reads this
            return Response(status_code=400)

    return answer


def let_in(response: Response, token: str, settings: Settings) -> None:
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=SESSION_DAYS * 86400,
        httponly=True,
        samesite="lax",
        secure=settings.url.startswith("https://"),
    )


def remember_browser(response: Response, cookie: str, settings: Settings) -> None:
    """Browsers keep a cookie for 400 days at most."""
    response.set_cookie(
        browser_cookie_name(settings),
        cookie,
        max_age=400 * 86400,
        path="/signin",
        httponly=True,
        samesite="strict",
        secure=settings.url.startswith("https://"),
    )


def let_out(response: Response, settings: Settings) -> None:
    response.delete_cookie(cookie_name(settings))


def _sign_in_first(request: Request) -> Response:
    if wants_fragment(request):
        seen = urlsplit(request.headers.get("hx-current-url", "")).path
        return Response(status_code=401, headers={"HX-Redirect": _sign_in(seen)})
    return RedirectResponse(_sign_in(request.url.path if request.method == "GET" else "/"), 303)


def _sign_in(then: str) -> str:
    return f"/signin?next={quote(local_path(then), safe='/')}"


def _failure(request: Request, error: BrokerError) -> Response:
    status, title = {
        Code.UNKNOWN_INTENT: (404, "There is no such request"),
        Code.STORE_UNAVAILABLE: (503, "The database is not available"),
    }.get(error.code, (error.http_status, "That did not work"))
    message = "Nothing was recorded. " if request.method == "POST" else ""
    return _message(request, status, title, message + error.message)


def _message(request: Request, status: int, title: str, message: str) -> Response:
    if wants_fragment(request):
        return HTMLResponse(escape(one_line(message)), status)
    return html("message.html", status, title=title, message=message)
