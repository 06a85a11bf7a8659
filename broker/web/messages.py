"""Messages of the event stream: page fragments, rendered once for all tabs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection
from sse_starlette import ServerSentEvent

from ..clock import to_ms
from ..events import LEVELS, Event, EventKind
from ..intents import Intent
from ..notifications import CLOSING
from ..store import queries
from ..tools.cancel_events import CANCELS
from ..untrusted import one_line
from . import page_queries
from .assets import render
from .deps import Desk
from .notices import ANNOUNCED
from .page_queries import INBOX
from .shared import Shared
from .view_builder import Drawing

DECIDABLE: Final = CLOSING | {EventKind.INTENT_PARKED, EventKind.INTENT_PENDING}
"""Kinds after which the set of waiting requests may differ."""

RECORDED: Final = frozenset(
    {EventKind.ORDER_CANCEL_ASKED, EventKind.ORDER_CANCEL_FAILED, EventKind.ORDER_CANCEL_UNCLEAR}
)
"""Kinds of a trader's cancel. The response to its form already renders the card again."""


@dataclass(frozen=True)
class Snapshot:
    """A whole page. `seen`: the number of the last audit row that it includes."""

    message: bytes
    seen: int


class Messages:
    def __init__(self, desk: Desk, drawing: Drawing) -> None:
        self._desk = desk
        self._drawing = drawing
        self._changes: Shared[int, bytes | None] = Shared(keep=256)

    async def snapshot(self, trader: str, subject: str) -> Snapshot:
        """The inbox (INBOX), the request with that id, or the frame of any other page (empty).

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
        """The fragments that the event changes; None if it changes nothing."""
        return await self._changes.get(event.seq, lambda: self._change(event))

    def heartbeat(self) -> ServerSentEvent:
        """Server time and Binance's state. A page without heartbeats knows that it is disconnected."""
        problem = self._desk.exchange_problem()
        data = {"now": to_ms(self._desk.clock()), "problem": None if problem is None else one_line(problem)}
        return ServerSentEvent(json.dumps(data), event="heartbeat", sep="\n")

    async def _change(self, event: Event) -> bytes | None:
        if event.intent_id is not None:
            return await self._intent_change(event, event.intent_id)
        if event.kind in ANNOUNCED | CANCELS:
            return await self._news(event)
        return None

    async def _intent_change(self, event: Event, intent_id: str) -> bytes:
        if event.kind in RECORDED:
            return _message(event.seq, "stream/recorded.html", event=event, intent_id=intent_id)
        now = self._desk.clock()

        def read(
            connection: Connection,
        ) -> tuple[
            page_queries.RequestContext,
            Sequence[page_queries.RequestContext],
            page_queries.Tally,
            Sequence[Event],
        ]:
            intent: Intent = queries.find_any(connection, intent_id)
            pending = page_queries.waiting(connection, now) if event.kind in DECIDABLE else []
            others = page_queries.colliding(intent, pending, now)
            news = page_queries.notices(connection, now) if event.kind in ANNOUNCED else []
            context = page_queries.context_of(connection, intent, pending, now)
            return context, others, page_queries.tally(connection, now), news

        context, others, tally, news = await self._desk.store.read(read)
        return _message(
            event.seq,
            "stream/change.html",
            card=replace(self._drawing.card(context), cancelled=event.kind is EventKind.ORDER_CANCELLED),
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
        changed_halt = halt if event.kind in LEVELS else None
        return _message(event.seq, "stream/news.html", events=events, halt=changed_halt)


SUPERSEDED: Final = ServerSentEvent("", event="superseded", sep="\n").encode()


def _message(seq: int, template: str, **context: object) -> bytes:
    return ServerSentEvent(render(template, **context), id=str(seq), sep="\n").encode()
