"""The inbox, and one request on its own page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from ..store import Session
from .assets import html
from .auth import for_traders, wants_fragment
from .deps import Desk
from .seen import note_seen
from .view_builder import Drawing


class Pages:
    def __init__(self, desk: Desk, drawing: Drawing) -> None:
        self._desk = desk
        self._drawing = drawing

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", for_traders(self._desk, self.inbox)),
            Route("/intents/{id}", for_traders(self._desk, self.request)),
        ]

    async def inbox(self, request: Request, session: Session) -> Response:
        page = await self._drawing.inbox(session.trader)
        await note_seen(self._desk, [card.intent.id for card in page.cards if card.unseen])
        return html("inbox.html", page=page)

    async def request(self, request: Request, session: Session) -> Response:
        return await self.one(request, session, request.path_params["id"])

    async def one(
        self,
        request: Request,
        session: Session,
        intent_id: str,
        status: int = 200,
        *,
        problem: str | None = None,
        confirming: bool = False,
        cancelled: bool = False,
        typed: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """The current request: only its card for htmx, else the whole page."""
        page = await self._drawing.request(session.trader, intent_id)
        if page.card.unseen:
            await note_seen(self._desk, [intent_id])
        card = replace(
            page.card,
            problem=problem,
            confirming=confirming and page.card.waiting,
            cancelled=cancelled,
            typed=typed or {},
        )
        if wants_fragment(request):
            return html("card.html", status, card=card)
        return html("request.html", status, page=replace(page, card=card))
