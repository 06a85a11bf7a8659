"""A trader cancels what is left of an order that was placed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ..errors import BrokerError, Code
from ..intents import Intent
from ..store import Session, queries
from .deps import Desk
from .pages import Pages
from .posts import post
from .auth import for_traders, telling, wants_fragment
from .wording import outcome, rests


class Cancels:
    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        endpoint = for_traders(self._desk, self.cancel)
        return [post("/intents/{id}/cancel", endpoint)]

    async def cancel(self, request: Request, session: Session) -> Response:
        """409 with the request as it is and what went wrong; also when nobody knows whether it did."""
        intent_id = request.path_params["id"]
        intent = await self._find(intent_id)
        try:
            standing = self._desk.store.people.standing(session)
            await self._desk.cancel_rest(intent, session.trader, standing)
        except BrokerError as error:
            if error.code is Code.STORE_UNAVAILABLE:
                raise
            with telling(f"Not confirmed that it is cancelled: {error.message}"):
                problem = await self._problem(intent_id, error)
                return await self._pages.one(request, session, intent_id, 409, problem=problem)
        if wants_fragment(request):
            with telling("What was left is cancelled."):
                return await self._pages.one(request, session, intent_id, cancelled=True)
        return RedirectResponse(f"/intents/{intent_id}", 303)

    async def _problem(self, intent_id: str, error: BrokerError) -> str:
        intent = await self._find(intent_id)
        if error.code is not Code.NOTHING_TO_CANCEL:
            return f"Not confirmed that it is cancelled: {error.message}"
        if rests(intent):
            return "Nothing was left to cancel. Binance is being asked what became of it."
        return f"Nothing was left to cancel: {outcome(intent, self._desk.clock()).text}."

    async def _find(self, intent_id: str) -> Intent:
        found: Intent = await self._desk.store.read(lambda connection: queries.find(connection, intent_id))
        return found
