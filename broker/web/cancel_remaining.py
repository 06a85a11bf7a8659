"""A trader cancels the unfilled rest of a placed order."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ..errors import BrokerError, Code
from ..intents import Intent
from ..outcomes import rests
from ..store import Session, queries
from .auth import after_commit, for_traders, wants_fragment
from .deps import Desk
from .pages import Pages
from .posts import post
from .wording import outcome


class CancelRemaining:
    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        endpoint = for_traders(self._desk, self.cancel)
        return [post("/intents/{id}/cancel", endpoint)]

    async def cancel(self, request: Request, session: Session) -> Response:
        """409 with the current request and the error if the cancel failed or was not confirmed."""
        intent_id = request.path_params["id"]
        intent = await self._find(intent_id)
        try:
            standing = self._desk.store.people.standing(session)
            await self._desk.cancel_rest(intent, session.trader, standing)
        except BrokerError as error:
            if error.code is Code.STORE_UNAVAILABLE:
                raise
            with after_commit(f"Cancel not confirmed: {error.message}"):
                problem = await self._problem(intent_id, error)
                return await self._pages.one(request, session, intent_id, 409, problem=problem)
        if wants_fragment(request):
            with after_commit("Cancelled."):
                return await self._pages.one(request, session, intent_id, cancelled=True)
        return RedirectResponse(f"/intents/{intent_id}", 303)

    async def _problem(self, intent_id: str, error: BrokerError) -> str:
        intent = await self._find(intent_id)
        if error.code is not Code.NOTHING_TO_CANCEL:
            return f"Cancel not confirmed: {error.message}"
        if rests(intent):
            return "Nothing was left to cancel. Asking Binance for the order's state."
        return f"Nothing was left to cancel: {outcome(intent, self._desk.clock()).text}."

    async def _find(self, intent_id: str) -> Intent:
        return await self._desk.store.read(lambda connection: queries.find_any(connection, intent_id))
