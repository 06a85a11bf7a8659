"""Pieces of pages as the stream carries them: what changed, drawn once for all tabs that look on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection
from sse_starlette import ServerSentEvent

from ..clock import to_ms
from ..hub import Event
from ..intents import Intent
from ..store import queries
from ..tools.cancel_events import CANCELS
from ..untrusted import one_line
from . import page_queries
from .assets import render
from .deps import Desk
from .view_builder import Drawing
from .page_queries import INBOX
from .notices import ANNOUNCED, HALTS
from .shared import Shared

DECIDABLE: Final = frozenset(
    f"intent:{what}" for what in ("parked", "pending", "approved", "rejected", "expired", "withdrawn")
)
"""After these another set of requests waits than before."""

RECORDED: Final = frozenset({"order:cancel-asked", "order:cancel-failed", "order:cancel-unclear"})
"""Of a trader's own act, whose answer redraws the card that he acted on."""


@dataclass(frozen=True)
class Snapshot:
    """Everything on a page. `seen` is the number of the last audit row that it holds."""

    message: bytes
    seen: int


class Messages:
    def __init__(self, desk: Desk, drawing: Drawing) -> None:
        self._desk = desk
        self._drawing = drawing
        self._changes: Shared[int, bytes | None] = Shared(keep=256)

    async def snapshot(self, trader: str, subject: str) -> Snapshot:
        """Of the inbox, of the request with that id, or of what stands on every page.

        Raises UNKNOWN_INTENT.
        """
        if subject == INBOX:
            inbox = await self._drawing.inbox(trader)
            return Snapshot(_message(inbox.seen, "stream/inbox.html", page=inbox), inbox.seen)
        if subject:
            request = await self._drawing.request(trader, subject)
            return Snapshot(_message(request.seen, "stream/request.html", page=request), request.seen)
        frame = await self._drawing.frame(trader)
        return Snapshot(_message(0, "stream/frame.html", frame=frame), 0)

    async def change(self, event: Event) -> bytes | None:
        """What the event changes on the pages; None when that is nothing."""
        return await self._changes.get(event.seq, lambda: self._change(event))

    def heartbeat(self) -> ServerSentEvent:
        """Server time and Binance's state: a page that hears nothing knows that it is alone."""
        problem = self._desk.exchange_problem()
        data = {"now": to_ms(self._desk.clock()), "problem": None if problem is None else one_line(problem)}
        return ServerSentEvent(json.dumps(data), event="heartbeat", sep="\n")

    async def _change(self, event: Event) -> bytes | None:
        if event.intent_id is not None:
            return await self._intent_change(event, event.intent_id)
        if event.kind in (*ANNOUNCED, *CANCELS):
            return await self._news(event)
        return None

    async def _intent_change(self, event: Event, intent_id: str) -> bytes:
        if event.kind in RECORDED:
            return _message(event.seq, "stream/recorded.html", event=event, intent_id=intent_id)
        now = self._desk.clock()

        def read(
            connection: Connection,
        ) -> tuple[page_queries.Asked, Sequence[page_queries.Asked], page_queries.Tally, Sequence[Event]]:
            intent: Intent = queries.find(connection, intent_id)
            pending = page_queries.waiting(connection, now) if event.kind in DECIDABLE else []
            others = page_queries.beside(intent, pending, now)
            news = page_queries.notices(connection, now) if event.kind in ANNOUNCED else []
            asked = page_queries.asked(connection, intent, pending, now)
            return asked, others, page_queries.tally(connection, now), news

        asked, others, tally, news = await self._desk.store.read(read)
        return _message(
            event.seq,
            "stream/change.html",
            card=replace(self._drawing.card(asked), cancelled=event.kind == "order:cancelled"),
            others=others,
            tally=tally,
            limit=self._desk.settings.max_daily_volume_usdt,
            event=event,
            news=news,
        )

    async def _news(self, event: Event) -> bytes:
        now, halts = self._desk.clock(), self._desk.store.halts
        events, halt = await self._desk.store.read(
            lambda connection: (page_queries.notices(connection, now), halts.current(connection))
        )
        halt = halt if event.kind in HALTS else None
        return _message(event.seq, "stream/news.html", events=events, halt=halt)


SUPERSEDED: Final = ServerSentEvent("", event="superseded", sep="\n").encode()


def _message(seq: int, template: str, **context: object) -> bytes:
    return ServerSentEvent(render(template, **context), id=str(seq), sep="\n").encode()
