"""Live prices on the cards of open pages: at most once a second, rendered once for all tabs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from sse_starlette import ServerSentEvent

from ..cards import Figure
from ..clock import to_ms
from ..errors import BrokerError
from ..intents import Intent
from ..logs import get_logger
from . import page_queries
from .assets import render
from .deps import Desk
from .open_tabs import Place, Tab
from .page_queries import place_of
from .price import price_now

EVERY_SECONDS = 1.0
"""Interval of price updates, and the longest delay until a stale price is marked as stale."""

log = get_logger(__name__)


class Live:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tabs: set[Tab] = set()
        self._priced: Mapping[str, Intent] = {}
        self._places: Mapping[str, frozenset[Place]] = {}
        self._as_of: tuple[int, ...] = ()
        self._arrivals = 0
        self._sent: dict[str, Figure | None] = {}
        self._running: asyncio.Task[None] | None = None

    def price(self, intent: Intent) -> Figure:
        """The price for a card rendered now. If other tabs show another price, all get the next one."""
        figure = self._figure(intent)
        if self._running and self._sent.setdefault(intent.id, figure) != figure:
            self._sent[intent.id] = None
        return figure

    @contextmanager
    def following(self, tab: Tab) -> Iterator[None]:
        """Send the tab the prices of its cards, while the context lasts."""
        self._tabs.add(tab)
        self._arrivals += 1
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._tabs.discard(tab)
            self._desk.prices.want(tab, ())
            if not self._tabs:
                self._running.cancel()
                self._running = None

    async def _run(self) -> None:
        with self._desk.prices.subscribed() as woken:
            while True:
                woken.clear()
                try:
                    await self._update()
                    self._send()
                except BrokerError as error:  # the store logs it, once
                    log.debug("prices: the database cannot be read", error=error.message)
                except Exception:
                    log.exception("prices: not sent to open tabs")
                await asyncio.sleep(EVERY_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_SECONDS):
                        await woken.wait()

    async def _update(self) -> None:
        """Read again which requests each page shows, if a request, an order or the set of tabs changed."""
        as_of = (self._desk.hub.newest("intent"), self._desk.hub.newest("order"), self._arrivals)
        if as_of == self._as_of:
            return
        subjects, now = {tab.subject for tab in self._tabs}, self._desk.clock()
        priced = await self._desk.store.read(
            lambda connection: page_queries.priced(connection, subjects, now)
        )
        self._as_of = as_of
        self._priced = {intent.id: intent for intents in priced.values() for intent in intents}
        self._places = {subject: frozenset(map(place_of, intents)) for subject, intents in priced.items()}
        for tab in self._tabs:
            self._desk.prices.want(tab, self._places.get(tab.subject, ()))

    def _send(self) -> None:
        for place, message in self._messages().items():
            for tab in self._tabs:
                if place in self._places.get(tab.subject, ()):
                    tab.push_price(place, message)

    def _messages(self) -> dict[Place, bytes]:
        """By market and symbol, a message for the cards whose price has changed."""
        changed: defaultdict[Place, list[tuple[Intent, Figure]]] = defaultdict(list)
        figures = {intent.id: self._figure(intent) for intent in self._priced.values()}
        for intent in self._priced.values():
            if self._sent.get(intent.id) != figures[intent.id]:
                changed[place_of(intent)].append((intent, figures[intent.id]))
        self._sent = {**figures}
        return {place: _message(prices) for place, prices in changed.items()}

    def _figure(self, intent: Intent) -> Figure:
        reference = intent.terms.reference_price
        return price_now(
            self._desk.prices.last(*place_of(intent)),
            reference,
            to_ms(self._desk.clock()),
        )


def _message(prices: Sequence[tuple[Intent, Figure]]) -> bytes:
    """Has no event id: it is no row of the audit log and is never sent again."""
    return ServerSentEvent(render("stream/prices.html", prices=prices), sep="\n").encode()
