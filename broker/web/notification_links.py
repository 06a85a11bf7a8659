"""The links in notifications: one opens the page, after sign-in; the other leads to a reject button.

A reject link needs no sign-in, so that a trader can reject quickly on a phone. Opening it changes nothing,
because link previews open it too. It is valid once, for its recipient and the figures in the notification,
until the request is decided or expires. Refused links are recorded.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..errors import BrokerError
from ..intents import Intent
from ..logs import get_logger
from ..notifications import Delivery, Progress
from ..notify import Refused
from ..outcomes import waits
from ..store import NotDecidable, Session
from .assets import html
from .auth import for_traders, with_errors
from .deps import Desk
from .page_queries import RequestContext
from .posts import post
from .views import card_view
from .wording import as_quoted, outcome

log = get_logger(__name__)


class NotificationLinks:
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
        """Redirect to the notification's subject. Marks it as seen if its own trader opens it."""
        delivery_id = request.path_params["id"]
        delivery = await self._store.read(lambda c: self._store.outbox.find(c, delivery_id))
        if delivery is None:
            return RedirectResponse("/", 303)
        try:
            await self._store.database.write(lambda c: self._record_opened(c, delivery, session.trader))
        except BrokerError as error:  # redirect anyway
            log.warning("could not record that a notification link was opened", error=error.message)
        return RedirectResponse(_target(delivery), 303)

    def _record_opened(self, connection: Connection, delivery: Delivery, trader: str) -> None:
        now = self._desk.clock()
        channel = self._store.channels.find(connection, delivery.channel)
        if channel is not None and channel.trader == trader:
            self._store.outbox.progress(connection, delivery, Progress.SEEN, now)
            self._store.channels.prove(connection, channel.id, now)
        if delivery.intent_id is not None:
            self._store.sightings.mark(connection, [delivery.intent_id], now)

    async def ask(self, request: Request) -> Response:
        """The page with the reject button. Changes nothing."""
        try:
            held = await self._rejections.held(request.path_params["id"], request.path_params["token"])
        except Refused as error:
            return await self._refuse(request, str(error))
        if not waits(held.intent, self._desk.clock()):
            return self._too_late(held.intent)
        view = card_view(RequestContext(intent=held.intent), self._desk.settings, self._desk.clock())
        return html("reject.html", card=view, trader=held.channel.trader)

    async def reject(self, request: Request) -> Response:
        try:
            held = await self._rejections.held(request.path_params["id"], request.path_params["token"])
            intent = await self._rejections.reject(held)
        except Refused as error:
            return await self._refuse(request, str(error))
        except NotDecidable as error:
            return self._too_late(error.intent)
        act = as_quoted(intent.card.act)
        message = f"{act}: rejected by {held.channel.trader}. Nothing was sent. The agent sees the rejection."
        return html("message.html", title="Rejected", message=message)

    def _too_late(self, intent: Intent) -> Response:
        text = outcome(intent, self._desk.clock()).text
        act = as_quoted(intent.card.act)
        return html("message.html", 409, title="Too late to reject", message=f"{act}: {text}.")

    async def _refuse(self, request: Request, why: str) -> Response:
        if not await self._rejections.refuse(request.path_params["id"], why):
            return html("message.html", 429, title="Too many requests", message="Try again in a minute.")
        message = "It was used before, its request has changed, or it is wrong. Sign in to see what waits."
        return html("message.html", 410, title="This link is not valid", message=message)


def _target(delivery: Delivery) -> str:
    if delivery.intent_id is not None:
        return f"/intents/{delivery.intent_id}"
    return "/channels" if "channel" in delivery.event.data else "/"
