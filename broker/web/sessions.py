"""The page of a trader's sessions and password, with the list of all traders."""

from __future__ import annotations

import asyncio
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..credentials import MAX_PASSWORD, MIN_PASSWORD
from ..errors import BrokerError, Code
from ..store import Session
from .assets import html
from .auth import delete_session_cookie, for_traders, remember_browser
from .deps import Desk
from .hashing import RETRY_SECONDS, Crowded
from .passwords import Passwords
from .posts import post
from .view_builder import Drawing


class Sessions:
    def __init__(self, desk: Desk, drawing: Drawing, passwords: Passwords) -> None:
        self._desk = desk
        self._drawing = drawing
        self._passwords = passwords

    def routes(self) -> list[BaseRoute]:
        show, revoke = for_traders(self._desk, self.show), for_traders(self._desk, self.revoke)
        change = for_traders(self._desk, self.change_password)
        return [
            Route("/sessions", show),
            post("/sessions/password", change),
            post("/sessions/{id}/revoke", revoke),
        ]

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(session)

    async def change_password(self, request: Request, session: Session) -> Response:
        """Requires the current password, so that an unattended browser is not enough."""
        async with request.form(max_files=0, max_fields=10) as sent:
            old, new, again = (str(sent.get(name, "")) for name in ("old", "password", "again"))
        if new != again:
            return await self._page(session, "new password again: the two passwords differ")
        people = self._desk.store.people
        try:
            old_hash = await self._passwords.check_again(request, session, old)
            if old_hash is None:
                return await self._page(session, "current password: wrong")
            hashing = partial(people.hash_new_password, session.trader, new)
            new_hash = await self._passwords.hashing(request, session.id, hashing)
        except Crowded:
            problem = f"Too many password checks right now. Try again in {RETRY_SECONDS} seconds."
            answer = await self._page(session, problem, 429)
            answer.headers["Retry-After"] = str(RETRY_SECONDS)
            return answer
        except BrokerError as error:
            if error.code is not Code.INVALID_ARGUMENTS:
                raise
            return await self._page(session, error.message)
        ended = await people.change_password(session, old_hash, new_hash)
        if ended is None:
            return await self._page(session, "current password: it has just been changed elsewhere")
        return self._changed(session, new_hash, ended)

    def _changed(self, session: Session, new_hash: str, ended: int) -> Response:
        texts = {0: "You had no other sessions.", 1: "Your other session has ended."}
        text = texts.get(ended, f"Your {ended} other sessions have ended.")
        answer = html(
            "message.html", title="Password changed", message=f"{text} This browser stays signed in."
        )
        cookie = self._passwords.browsers.cookie(session.id, session.trader, new_hash)
        remember_browser(answer, cookie, self._desk.settings)
        return answer

    async def _page(self, session: Session, problem: str | None = None, status: int = 422) -> Response:
        people = self._desk.store.people
        return html(
            "sessions.html",
            status if problem else 200,
            frame=await self._drawing.frame(session.trader),
            this=session.id,
            sessions=await people.sessions_of(session.trader),
            traders=await asyncio.to_thread(people.traders),
            name=session.trader,
            problem=problem,
            shortest=MIN_PASSWORD,
            longest=MAX_PASSWORD,
        )

    async def revoke(self, request: Request, session: Session) -> Response:
        ended, people = request.path_params["id"], self._desk.store.people
        if not await people.end_session(ended, session.trader, standing=people.standing(session)):
            return html(
                "message.html", 404, title="No such session", message="You have no session with this id."
            )
        response = RedirectResponse("/sessions", 303)
        if ended == session.id:
            response = RedirectResponse("/signin", 303)
            delete_session_cookie(response, self._desk.settings)
        return response
