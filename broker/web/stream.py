"""Server-sent events for every open page.

A connection first sends a snapshot of the page from the database, then every change. So a page that was
disconnected misses nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ..errors import BrokerError
from ..events import Event, EventKind
from ..logs import get_logger
from ..store import Session
from .auth import cookie_name, session_of, with_errors
from .deps import Desk
from .live import Live
from .messages import SUPERSEDED, Messages
from .open_tabs import PRICES, Tab

HEARTBEAT_SECONDS = 4
SEND_TIMEOUT_SECONDS = 10
MOST_PER_SESSION = 3
"""Browsers open six connections to a site over HTTP/1.1, and a decision needs one."""

log = get_logger(__name__)


class Stream:
    def __init__(self, desk: Desk, messages: Messages, live: Live) -> None:
        self._desk = desk
        self._messages = messages
        self._live = live
        self._tabs: defaultdict[str, list[Tab]] = defaultdict(list)

    def routes(self) -> list[BaseRoute]:
        return [Route("/events", with_errors(self.follow))]

    async def follow(self, request: Request) -> Response:
        """401 without a session, not a redirect: htmx would read the sign-in page as a stream."""
        session = await session_of(request, self._desk)
        if session is None:
            return Response(status_code=401)
        token = request.cookies[cookie_name(self._desk.settings)]
        return _Response(
            self._events(session, token, request.query_params.get("for", "")),
            ping=HEARTBEAT_SECONDS,
            ping_message_factory=self._messages.heartbeat,
            send_timeout=SEND_TIMEOUT_SECONDS,
            sep="\n",
        )

    async def _events(self, session: Session, token: str, subject: str) -> AsyncGenerator[bytes]:
        with self._following(session, subject) as tab:
            try:
                # Checked again after subscribing: the session may have ended in between.
                if await self._desk.store.people.session(token):
                    async with aclosing(self._messages_for(tab, session)) as messages:
                        async for message in messages:
                            yield message
            except BrokerError as error:
                log.warning("stream ended", error=error.message)
            if tab.superseded:
                yield SUPERSEDED

    async def _messages_for(self, tab: Tab, session: Session) -> AsyncGenerator[bytes]:
        snapshot = await self._messages.snapshot(session.trader, tab.subject)
        yield snapshot.message
        yield self._messages.heartbeat().encode()
        while (event := await tab.subscription.get()) and not self._ends(session, event):
            if event is PRICES:
                yield tab.take_prices()
            elif event.seq > snapshot.seen and (message := await self._messages.change(event)):
                yield message

    def _ends(self, session: Session, event: Event) -> bool:
        """Whether the session has expired, or the event ends it."""
        if session.expires_at <= self._desk.clock():
            return True
        if event.kind is EventKind.TRADER_REMOVED:
            return bool(event.data.get("name") == session.trader)
        return event.kind is EventKind.SESSION_ENDED and event.data.get("session") == session.id

    @contextmanager
    def _following(self, session: Session, subject: str) -> Iterator[Tab]:
        with self._desk.hub.subscribed() as subscription:
            tabs = self._tabs[session.id]
            tab = Tab(subscription, subject)
            tabs.append(tab)
            for old in tabs[:-MOST_PER_SESSION]:
                old.close()
            try:
                with self._live.following(tab):
                    yield tab
            finally:
                tabs.remove(tab)
                if not tabs:
                    self._tabs.pop(session.id, None)


class _Response(EventSourceResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("a page stopped reading its stream and was disconnected")
