"""Signing in and out, and the first trader's link."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import anyio
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..credentials import MAX_NAME, MAX_PASSWORD, MIN_PASSWORD
from ..errors import BrokerError
from ..store import Session
from .assets import html
from .desk import Desk
from .visitor import for_traders, let_in, let_out, local_path, session_of, telling, with_errors
from .words import as_quoted

FAILURES = RateLimitItemPerMinute(10)
AT_ONCE = 2
"""Passwords checked at the same time: each takes 64 MiB while it lasts."""

MAX_BODY = 16 * 1024


class SignIn:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._people = desk.store.people
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._slots = anyio.CapacityLimiter(AT_ONCE)

    def routes(self) -> list[BaseRoute]:
        leave = for_traders(self._desk, self.leave)
        return [
            Route("/signin", with_errors(self.form)),
            Route("/signin", with_errors(self.enter), methods=["POST"], max_body_size=MAX_BODY),
            Route("/signout", leave, methods=["POST"], max_body_size=MAX_BODY),
            Route("/welcome", with_errors(self.welcome)),
            Route("/welcome", with_errors(self.accept), methods=["POST"], max_body_size=MAX_BODY),
        ]

    async def form(self, request: Request) -> Response:
        then = local_path(request.query_params.get("next"))
        if await session_of(request, self._desk):
            return RedirectResponse(then, 303)
        return await self._form(then)

    async def enter(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as sent:
            name, password = str(sent.get("name", "")).strip(), str(sent.get("password", ""))
            then = local_path(str(sent.get("next", "")))
        key = name.casefold()[:MAX_NAME]
        if not self._limiter.hit(FAILURES, key):  # counted before the check, so that none run beside it
            return await self._too_many(then, name, self._seconds_left(key))
        hashed = await self._right(name, password)
        response = await self._open(request, name, hashed, then) if hashed else None
        if response is None:
            await self._people.refuse_sign_in(as_quoted(name), "wrong name or password")
            return await self._form(then, name, "That name and password do not match.", 401)
        self._limiter.clear(FAILURES, key)
        return response

    async def leave(self, request: Request, session: Session) -> Response:
        await self._people.end_session(session.id, session.trader)
        response = RedirectResponse("/signin", 303)
        let_out(response, self._desk.settings)
        return response

    async def welcome(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        if not await self._people.invitation_holds(token):
            return _dead_link()
        return _welcome(token)

    async def accept(self, request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as sent:
            token, name = str(sent.get("token", "")), str(sent.get("name", "")).strip()
            password, again = str(sent.get("password", "")), str(sent.get("again", ""))
        if not await self._people.invitation_holds(token):
            return _dead_link()
        if password != again:
            return _welcome(token, name, "password: the two passwords are not the same")
        try:
            hashed = await self._people.accept_invitation(token, name, password)
        except BrokerError as error:
            if error.http_status != 400:
                raise
            return _welcome(token, name, error.message)
        if hashed is None:
            return _dead_link()
        with telling("Your name and password are set: sign in with them."):
            return await self._open(request, name, hashed, "/") or _dead_link()

    async def _right(self, name: str, password: str) -> str | None:
        check = partial(self._people.right_password, name, password)
        return await anyio.to_thread.run_sync(check, limiter=self._slots)

    async def _open(self, request: Request, name: str, hashed: str, then: str) -> Response | None:
        user_agent = request.headers.get("user-agent", "unknown")
        opened = await self._people.open_session(name, hashed, user_agent)
        if opened is None:
            return None
        response = RedirectResponse(then, 303)
        let_in(response, opened[1], self._desk.settings)
        return response

    async def _too_many(self, then: str, name: str, seconds: int) -> Response:
        problem = f"Too many failures for this name. Try again in {seconds} seconds."
        response = await self._form(then, name, problem, 429)
        response.headers["Retry-After"] = str(seconds)
        return response

    async def _form(
        self, then: str, name: str = "", problem: str | None = None, status: int = 200
    ) -> Response:
        return html(
            "signin.html",
            status,
            mode=str(self._desk.settings.mode),
            then=then,
            name=as_quoted(name)[:MAX_NAME],
            problem=problem,
            nobody=not await asyncio.to_thread(self._people.traders),
        )

    def _seconds_left(self, key: str) -> int:
        reset = self._limiter.get_window_stats(FAILURES, key).reset_time
        return max(1, round(reset - time.time()))


def _welcome(token: str, name: str = "", problem: str | None = None) -> Response:
    return html(
        "welcome.html",
        422 if problem else 200,
        token=token,
        name=as_quoted(name)[:MAX_NAME],
        problem=problem,
        shortest=MIN_PASSWORD,
        longest=MAX_PASSWORD,
        longest_name=MAX_NAME,
    )


def _dead_link() -> Response:
    return html(
        "message.html",
        410,
        title="This link is dead",
        message="It was used, it is older than a day, or a trader exists already. "
        "Sign in, or start the broker again for a new link.",
    )
