"""A request with an unknown outcome: a trader has Binance asked now, or resolves it manually."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ..errors import BrokerError, Code
from ..intents import RECORDABLE, Intent, State
from ..store import Moved, Session, Uncertain, queries
from .auth import after_commit, for_traders, wants_fragment
from .deps import Desk
from .pages import Pages
from .posts import post
from .wording import as_quoted, outcome

MAX_NOTE: Final = 300


class SettleUnknown:
    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        check, record = for_traders(self._desk, self.check), for_traders(self._desk, self.record)
        return [
            post("/intents/{id}/check", check),
            post("/intents/{id}/word", record),
        ]

    async def check(self, request: Request, session: Session) -> Response:
        """Ask Binance, then show the current request; 409 with the error if Binance could not be asked."""
        intent_id = request.path_params["id"]
        intent = await self._desk.store.read(lambda connection: queries.find_any(connection, intent_id))
        if intent.state is State.UNKNOWN:
            try:
                with suppress(Moved):  # another check settled it at the same time
                    await self._desk.check(intent)
            except BrokerError as error:
                if error.code is Code.STORE_UNAVAILABLE:
                    raise
                return await self._answer(
                    request, session, 409, f"Binance could not be asked: {error.message}"
                )
        with after_commit("Binance was asked."):
            return await self._answer(request, session)

    async def record(self, request: Request, session: Session) -> Response:
        async with request.form(max_files=0, max_fields=10) as sent:
            found, note = str(sent.get("found", "")), as_quoted(str(sent.get("words", "")))
        if found not in RECORDABLE:
            return await self._answer(request, session, 422, "Not recorded: select the outcome at Binance.")
        if len(note) > MAX_NOTE:
            problem = f"Not recorded: how you know must have at most {MAX_NOTE} characters, not {len(note)}."
            return await self._answer(request, session, 422, problem)
        try:
            await self._record(request.path_params["id"], State(found), session, note or None)
        except Uncertain as error:
            return await self._answer(request, session, 409, self._why_not(error.intent))
        with after_commit("The outcome is recorded."):
            return await self._answer(request, session)

    async def _record(self, intent_id: str, found: State, session: Session, note: str | None) -> None:
        store = self._desk.store
        intent = await store.read(lambda connection: queries.find_any(connection, intent_id))
        offset_ms = self._desk.offset_ms(intent.market)
        await store.submissions.record_word(
            intent_id,
            found,
            session.trader,
            note,
            offset_ms=offset_ms,
            standing=store.people.standing(session),
        )

    async def _answer(
        self, request: Request, session: Session, status: int = 200, problem: str | None = None
    ) -> Response:
        intent_id = request.path_params["id"]
        if problem is None and not wants_fragment(request):
            return RedirectResponse(f"/intents/{intent_id}", 303)
        return await self._pages.one(request, session, intent_id, status, problem=problem)

    def _why_not(self, intent: Intent) -> str:
        if intent.state is State.UNKNOWN:
            return "Not recorded: the order may still arrive at Binance, so its outcome is not final yet."
        return f"Not recorded, already settled: {outcome(intent, self._desk.clock()).text}."
