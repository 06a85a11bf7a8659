"""What happens, as it happens, to every open page.

Each connection first gets everything, drawn from the database, and then what changes: so a page never has to
trust that it missed nothing.
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
from ..hub import Event
from ..logs import get_logger
from ..store import Session
from .deps import Desk
from .open_tabs import PRICES, Follower
from .live import Live
from .messages import SUPERSEDED, Messages
from .auth import cookie_name, session_of, with_errors

HEARTBEAT_SECONDS = 4
SEND_TIMEOUT_SECONDS = 10
MOST_PER_SESSION = 3
"""A browser has six connections to a site over HTTP/1.1, and deciding needs one."""

log = get_logger(__name__)


class Stream:
    def __init__(self, desk: Desk, messages: Messages, live: Live) -> None:
        self._desk = desk
        self._messages = messages
        self._live = live
        self._followers: defaultdict[str, list[Follower]] = defaultdict(list)

    def routes(self) -> list[BaseRoute]:
        return [Route("/events", with_errors(self.follow))]

    async def follow(self, request: Request) -> Response:
        """401 without a session, never a redirect: the page would take the sign-in form for a stream."""
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
        with self._following(session, subject) as follower:
            try:
                # Again, now that no event can be missed: the session may have ended in between.
                if await self._desk.store.people.session(token):
                    async with aclosing(self._messages_for(follower, session)) as messages:
                        async for message in messages:
                            yield message
            except BrokerError as error:
                log.warning("stream ended", error=error.message)
            if follower.superseded:
                yield SUPERSEDED

    async def _messages_for(self, follower: Follower, session: Session) -> AsyncGenerator[bytes]:
        snapshot = await self._messages.snapshot(session.trader, follower.subject)
        yield snapshot.message
        yield self._messages.heartbeat().encode()
        while (event := await follower.subscription.get()) and not self._ends(session, event):
            if event is PRICES:
                yield follower.take()
            elif event.seq > snapshot.seen and (message := await self._messages.change(event)):
                yield message

    def _ends(self, session: Session, event: Event) -> bool:
        if session.expires_at <= self._desk.clock():
            return True
        if event.kind == "trader:removed":
            return bool(event.data.get("name") == session.trader)
        return event.kind == "session:ended" and event.data.get("session") == session.id

    @contextmanager
    def _following(self, session: Session, subject: str) -> Iterator[Follower]:
        with self._desk.hub.subscribed() as subscription:
            followers = self._followers[session.id]
            follower = Follower(subscription, subject)
            followers.append(follower)
            for old in followers[:-MOST_PER_SESSION]:
                old.give_way()
            try:
                with self._live.following(follower):
                    yield follower
            finally:
                followers.remove(follower)
                if not followers:
                    self._followers.pop(session.id, None)


class _Response(EventSourceResponse):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("a page that read nothing was let go")
