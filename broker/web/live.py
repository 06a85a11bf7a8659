"""The price now, on every card that is open on some page: at most once a second, drawn once for all tabs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal

from sse_starlette import ServerSentEvent

from ..cards import Figure
from ..clock import to_ms
from ..errors import BrokerError
from ..intents import Intent
from ..logs import get_logger
from . import page_queries
from .assets import render
from .deps import Desk
from .open_tabs import Follower, Place
from .page_queries import place_of
from .price import price_now

EVERY_SECONDS = 1.0
"""Between two looks at the prices; also how soon a price that no longer comes is seen to be old."""

log = get_logger(__name__)


class Live:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._followers: set[Follower] = set()
        self._shown: Mapping[str, Intent] = {}
        self._keys: Mapping[str, frozenset[Place]] = {}
        self._as_of: tuple[int, ...] = ()
        self._arrivals = 0
        self._told: dict[str, Figure | None] = {}
        self._running: asyncio.Task[None] | None = None

    def price(self, intent: Intent) -> Figure:
        """For a card that is drawn now. If others show another price, all pages are told the next one."""
        figure = self._figure(intent)
        if self._running and self._told.setdefault(intent.id, figure) != figure:
            self._told[intent.id] = None
        return figure

    @contextmanager
    def following(self, follower: Follower) -> Iterator[None]:
        """Prices reach the follower, of what it shows, until it leaves."""
        self._followers.add(follower)
        self._arrivals += 1
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._followers.discard(follower)
            self._desk.prices.want(follower, ())
            if not self._followers:
                self._running.cancel()
                self._running = None

    async def _run(self) -> None:
        with self._desk.prices.subscribed() as woken:
            while True:
                woken.clear()
                try:
                    await self._look()
                    self._tell()
                except BrokerError as error:  # the store logs it, once
                    log.debug("prices: the database cannot be read", error=error.message)
                except Exception:
                    log.exception("prices: not told")
                await asyncio.sleep(EVERY_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_SECONDS):
                        await woken.wait()

    async def _look(self) -> None:
        """What each page shows, read again once something happened to a request or an order."""
        as_of = (self._desk.hub.newest("intent"), self._desk.hub.newest("order"), self._arrivals)
        if as_of == self._as_of:
            return
        subjects, now = {follower.subject for follower in self._followers}, self._desk.clock()
        shown: Mapping[str, Sequence[Intent]] = await self._desk.store.read(
            lambda connection: page_queries.priced(connection, subjects, now)
        )
        self._as_of = as_of
        self._shown = {intent.id: intent for intents in shown.values() for intent in intents}
        self._keys = {subject: frozenset(map(place_of, intents)) for subject, intents in shown.items()}
        for follower in self._followers:
            self._desk.prices.want(follower, self._keys.get(follower.subject, ()))

    def _tell(self) -> None:
        for key, message in self._messages().items():
            for follower in self._followers:
                if key in self._keys.get(follower.subject, ()):
                    follower.tell(key, message)

    def _messages(self) -> dict[Place, bytes]:
        """By symbol, of the cards whose price has changed."""
        changed: defaultdict[Place, list[tuple[Intent, Figure]]] = defaultdict(list)
        figures = {intent.id: self._figure(intent) for intent in self._shown.values()}
        for intent in self._shown.values():
            if self._told.get(intent.id) != figures[intent.id]:
                changed[place_of(intent)].append((intent, figures[intent.id]))
        self._told = {**figures}
        return {key: _message(prices) for key, prices in changed.items()}

    def _figure(self, intent: Intent) -> Figure:
        reference = intent.terms["referencePrice"]
        return price_now(
            self._desk.prices.last(*place_of(intent)),
            None if reference is None else Decimal(reference),
            to_ms(self._desk.clock()),
        )


def _message(prices: Sequence[tuple[Intent, Figure]]) -> bytes:
    """Without a number: it is no row of the audit log, and is never sent again."""
    return ServerSentEvent(render("stream/prices.html", prices=prices), sep="\n").encode()
