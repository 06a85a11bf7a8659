"""Builds the templates' views from the database and the exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..clock import to_ms
from ..intents import past_horizon
from . import page_queries
from .deps import Desk
from .live import Live
from .page_figures import PageFigures
from .page_queries import RequestContext
from .views import CardView, FrameView, InboxView, RequestView, card_view


class Drawing:
    def __init__(self, desk: Desk, live: Live) -> None:
        self._desk = desk
        self._live = live
        self._figures = PageFigures(desk)

    async def frame(self, trader: str) -> FrameView:
        now = self._desk.clock()
        halts = self._desk.store.halts
        stored, halt = await self._desk.store.read(
            lambda connection: (page_queries.frame(connection, now), halts.current(connection))
        )
        return FrameView(
            mode=str(self._desk.settings.mode),
            trader=trader,
            tally=stored.tally,
            limit=self._desk.settings.max_daily_volume_usdt,
            equity=await self._figures.equity(),
            problem=self._desk.exchange_problem(),
            notices=stored.notices,
            halt=halt,
            now=now,
        )

    async def inbox(self, trader: str) -> InboxView:
        now = self._desk.clock()
        inbox = await self._desk.store.read(lambda connection: page_queries.inbox(connection, now))
        frame = await self.frame(trader)
        full = len(inbox.waiting) == page_queries.MOST_WAITING
        return InboxView(
            frame=frame,
            cards=await self._with_figures(inbox.waiting),
            decided=[self.card(RequestContext(intent=intent)) for intent in inbox.decided],
            more=max(0, frame.tally.count - page_queries.MOST_WAITING) if full else 0,
            seen=inbox.seen,
        )

    async def request(self, trader: str, intent_id: str) -> RequestView:
        """Raises UNKNOWN_INTENT."""
        now = self._desk.clock()
        record = await self._desk.store.read(
            lambda connection: page_queries.record(connection, intent_id, now)
        )
        [card] = await self._with_figures([record.context])
        return RequestView(frame=await self.frame(trader), card=card, events=record.events, seen=record.seen)

    def card(self, context: RequestContext) -> CardView:
        """The card without current figures."""
        now, intent = self._desk.clock(), context.intent
        view = card_view(context, self._desk.settings, now)
        if view.unknown:
            offset_ms = self._desk.offset_ms(intent.market)
            return replace(view, recordable=past_horizon(intent, to_ms(now), offset_ms))
        return replace(view, price=self._live.price(intent)) if view.priced else view

    async def _with_figures(self, contexts: Sequence[RequestContext]) -> list[CardView]:
        """The cards; those that wait have current figures."""
        views = [self.card(context) for context in contexts]
        figures = await self._figures.figures([view.intent for view in views if view.waiting])
        return [replace(view, asks_now=view.waiting, now=figures.get(view.intent.id)) for view in views]
