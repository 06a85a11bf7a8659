"""Sign-in, sign-out, and the first trader's invitation link."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..credentials import MAX_NAME, MAX_PASSWORD, MIN_PASSWORD
from ..errors import BrokerError
from ..store import NotSignedIn, Session
from .assets import html
from .auth import (
    after_commit,
    delete_session_cookie,
    for_traders,
    local_path,
    remember_browser,
    session_of,
    set_session_cookie,
    with_errors,
)
from .deps import Desk
from .hashing import RETRY_SECONDS, Crowded
from .passwords import Passwords
from .posts import post
from .wording import as_quoted


class SignIn:
    def __init__(self, desk: Desk, passwords: Passwords) -> None:
        self._desk = desk
        self._people = desk.store.people
        self._passwords = passwords

    def routes(self) -> list[BaseRoute]:
        sign_out = for_traders(self._desk, self.sign_out)
        return [
            Route("/signin", with_errors(self.form)),
            post("/signin", with_errors(self.sign_in)),
            post("/signout", sign_out),
            Route("/welcome", with_errors(self.welcome)),
            post("/welcome", with_errors(self.accept)),
        ]

    async def form(self, request: Request) -> Response:
        then = local_path(request.query_params.get("next"))
        if await session_of(request, self._desk):
            return RedirectResponse(then, 303)
        return await self._form(then)

    async def sign_in(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as sent:
            name, password = str(sent.get("name", "")).strip(), str(sent.get("password", ""))
            then = local_path(str(sent.get("next", "")))
        try:
            hashed = await self._passwords.check_sign_in(request, name, password)
        except Crowded:
            return await self._too_many(then, name)
        response = await self._open(request, name, hashed, then) if hashed else None
        return response or await self._form(then, name, "The name or the password is wrong.", 401)

    async def sign_out(self, request: Request, session: Session) -> Response:
        with suppress(NotSignedIn):  # it has already ended
            standing = self._people.standing(session)
            await self._people.end_session(session.id, session.trader, standing=standing)
        response = RedirectResponse("/signin", 303)
        delete_session_cookie(response, self._desk.settings)
        return response

    async def welcome(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        if not await self._people.invitation_holds(token):
            return _invalid_link()
        return self._welcome(token)

    async def accept(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as sent:
            token, name = str(sent.get("token", "")), str(sent.get("name", "")).strip()
            password, again = str(sent.get("password", "")), str(sent.get("again", ""))
        if not await self._people.invitation_holds(token):
            return _invalid_link()
        if password != again:
            return self._welcome(token, name, "password again: the two passwords differ")
        try:
            hashed = await self._people.accept_invitation(token, name, password)
        except BrokerError as error:
            if error.http_status != 400:
                raise
            return self._welcome(token, name, error.message)
        if hashed is None:
            return _invalid_link()
        with after_commit("Your name and password are set. Sign in with them."):
            return await self._open(request, name, hashed, "/") or _invalid_link()

    async def _open(self, request: Request, name: str, hashed: str, then: str) -> Response | None:
        user_agent = request.headers.get("user-agent", "unknown")
        opened = await self._people.open_session(name, hashed, user_agent)
        if opened is None:
            return None
        session, token = opened
        response = RedirectResponse(then, 303)
        set_session_cookie(response, token, self._desk.settings)
        cookie = self._passwords.browsers.cookie(session.id, name, hashed)
        remember_browser(response, cookie, self._desk.settings)
        return response

    async def _too_many(self, then: str, name: str) -> Response:
        problem = (
            "Too many sign-in attempts right now; your password was not checked. "
            f"Try again in {RETRY_SECONDS} seconds, or use a browser in which you signed in before."
        )
        response = self._page(then, name, problem, 429)  # without another database read
        response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response

    async def _form(
        self, then: str, name: str = "", problem: str | None = None, status: int = 200
    ) -> Response:
        no_traders = not await asyncio.to_thread(self._people.traders)
        return self._page(then, name, problem, status, no_traders=no_traders)

    def _page(
        self, then: str, name: str, problem: str | None, status: int, *, no_traders: bool = False
    ) -> Response:
        return html(
            "signin.html",
            status,
            mode=str(self._desk.settings.mode),
            then=then,
            name=as_quoted(name)[:MAX_NAME],
            problem=problem,
            no_traders=no_traders,
        )

    def _welcome(self, token: str, name: str = "", problem: str | None = None) -> Response:
        return html(
            "welcome.html",
            422 if problem else 200,
            token=token,
            name=as_quoted(name)[:MAX_NAME],
            problem=problem,
            confirms_protective_cancels=self._desk.settings.confirm_protective_cancels,
            shortest=MIN_PASSWORD,
            longest=MAX_PASSWORD,
            longest_name=MAX_NAME,
        )


def _invalid_link() -> Response:
    return html(
        "message.html",
        410,
        title="This link has expired or was used",
        message="A link works once, for a day, and only until a trader exists. "
        "Sign in, or restart the broker for a new link.",
    )
