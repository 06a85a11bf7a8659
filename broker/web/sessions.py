"""A trader's own sessions, and who else may decide."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..store import Session
from .assets import html
from .desk import Desk
from .drawing import Drawing
from .visitor import for_traders, let_out

MAX_BODY: Final = 16 * 1024


class Sessions:
    def __init__(self, desk: Desk, drawing: Drawing) -> None:
        self._desk = desk
        self._drawing = drawing

    def routes(self) -> list[BaseRoute]:
        show, revoke = for_traders(self._desk, self.show), for_traders(self._desk, self.revoke)
        return [
            Route("/sessions", show),
            Route("/sessions/{id}/revoke", revoke, methods=["POST"], max_body_size=MAX_BODY),
        ]

    async def show(self, request: Request, session: Session) -> Response:
        people = self._desk.store.people
        return html(
            "sessions.html",
            frame=await self._drawing.frame(session.trader),
            this=session.id,
            sessions=await people.sessions_of(session.trader),
            traders=await asyncio.to_thread(people.traders),
        )

    async def revoke(self, request: Request, session: Session) -> Response:
        ended, people = request.path_params["id"], self._desk.store.people
        if not await people.end_session(ended, session.trader, standing=people.standing(session)):
            return html(
                "message.html", 404, title="No such session", message="You have no session of that id."
            )
        response = RedirectResponse("/sessions", 303)
        if ended == session.id:
            response = RedirectResponse("/signin", 303)
            let_out(response, self._desk.settings)
        return response
