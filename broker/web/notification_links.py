"""Where the links of notifications lead: to the page, behind the sign-in; and to a button that only rejects.

A reject link needs no sign-in, so that a phone can reject at once. Opening it does nothing, since whatever
previews links opens them too. It counts once, until the request is decided or expires, for its recipient and
for exactly what he was told. What is refused is recorded.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..notifications import Delivery, Progress
from ..errors import BrokerError
from ..intents import Intent
from ..logs import get_logger
from ..notify import Refused
from ..store import NotDecidable, Session
from .assets import html
from .deps import Desk
from .page_queries import Asked
from .posts import post
from .views import card_view
from .auth import for_traders, with_errors
from .wording import as_quoted, outcome, waits

log = get_logger(__name__)


class Told:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store
        self._rejections = desk.rejections

    def routes(self) -> list[BaseRoute]:
        reject = "/reject/{id}/{token}"
        return [
            Route("/told/{id}", for_traders(self._desk, self.open)),
            Route(reject, with_errors(self.ask)),
            post(reject, with_errors(self.reject)),
        ]

    async def open(self, request: Request, session: Session) -> Response:
        """To what the notification is about. That it was seen is recorded of its own trader alone."""
        delivery_id = request.path_params["id"]
        delivery = await self._store.read(lambda c: self._store.outbox.find(c, delivery_id))
        if delivery is None:
            return RedirectResponse("/", 303)
        try:
            await self._store.database.write(lambda c: self._opened(c, delivery, session.trader))
        except BrokerError as error:  # it leads there all the same
            log.warning("not noted that a link was opened", error=error.message)
        return RedirectResponse(_leads_to(delivery), 303)

    def _opened(self, connection: Connection, delivery: Delivery, trader: str) -> None:
        now = self._desk.clock()
        channel = self._store.channels.find(connection, delivery.channel)
        if channel is not None and channel.trader == trader:
            self._store.outbox.progress(connection, delivery, Progress.SEEN, now)
            self._store.channels.prove(connection, channel.id, now)
        if delivery.intent_id is not None:
            self._store.sightings.mark(connection, [delivery.intent_id], now)

    async def ask(self, request: Request) -> Response:
        """A page with a button; nothing else happens."""
        try:
            held = await self._rejections.held(request.path_params["id"], request.path_params["token"])
        except Refused as why:
            return await self._refuse(request, str(why))
        if not waits(held.intent, self._desk.clock()):
            return self._late(held.intent)
        view = card_view(Asked(intent=held.intent), self._desk.settings, self._desk.clock())
        return html("reject.html", card=view, trader=held.channel.trader)

    async def reject(self, request: Request) -> Response:
        try:
            held = await self._rejections.held(request.path_params["id"], request.path_params["token"])
            intent = await self._rejections.reject(held)
        except Refused as why:
            return await self._refuse(request, str(why))
        except NotDecidable as late:
            return self._late(late.intent)
        act = as_quoted(intent.card["act"])
        said = f"{act}: rejected by {held.channel.trader}. Nothing is sent, and the agent is told."
        return html("message.html", title="Rejected", message=said)

    def _late(self, intent: Intent) -> Response:
        """What happened instead."""
        happened = outcome(intent, self._desk.clock()).text
        act = as_quoted(intent.card["act"])
        return html("message.html", 409, title="Too late to reject", message=f"{act}: {happened}.")

    async def _refuse(self, request: Request, why: str) -> Response:
        if not await self._rejections.refuse(request.path_params["id"], why):
            return html("message.html", 429, title="Too many", message="Try again in a minute.")
        message = "It was used, its request has changed, or it never was one. Sign in to see what waits."
        return html("message.html", 410, title="This link does not hold", message=message)


def _leads_to(delivery: Delivery) -> str:
    if delivery.intent_id is not None:
        return f"/intents/{delivery.intent_id}"
    return "/channels" if "channel" in delivery.event.data else "/"
