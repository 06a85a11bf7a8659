"""Where the links of notifications lead: to the page, behind the sign-in; and to a button that only rejects.

A reject link needs no sign-in, so that a phone can reject at once. Opening it does nothing, since whatever
previews links opens them too. It counts once, until the request is decided or expires, for its recipient and
for exactly what he was told. What is refused is recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..deliveries import Channel, Delivery, Progress
from ..intents import Intent, Suggestion
from ..notify import Links
from ..store import NotDecidable, Session, queries
from .assets import html
from .desk import Desk
from .lists import Asked
from .views import card_view
from .visitor import for_traders, with_errors
from .words import as_quoted, outcome, waits

REFUSALS: Final = RateLimitItemPerMinute(60)
"""Beyond these nothing is recorded any more, or whoever guesses could fill the disk."""

MAX_BODY: Final = 1024
ID: Final = re.compile(r"[0-9a-z]{26}", re.ASCII)


@dataclass(frozen=True)
class Held:
    """A link that holds, and the request as it is now."""

    delivery: Delivery
    channel: Channel
    intent: Intent


class _Refused(Exception):
    """Of a link that does not hold; its text says why, for the record alone."""


class Told:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store
        self._links = Links(desk.settings.url, desk.store.vault)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def routes(self) -> list[BaseRoute]:
        reject = "/reject/{id}/{token}"
        return [
            Route("/told/{id}", for_traders(self._desk, self.open)),
            Route(reject, with_errors(self.ask)),
            Route(reject, with_errors(self.reject), methods=["POST"], max_body_size=MAX_BODY),
        ]

    async def open(self, request: Request, session: Session) -> Response:
        """To what the notification is about. That it was seen is recorded of its own trader alone."""
        delivery_id, now = request.path_params["id"], self._desk.clock()

        def transaction(connection: Connection) -> str | None:
            delivery = self._store.outbox.find(connection, delivery_id)
            if delivery is None:
                return None
            channel = self._store.channels.find(connection, delivery.channel)
            if channel is not None and channel.trader == session.trader:
                self._store.outbox.progress(connection, delivery, Progress.SEEN, now)
                self._store.channels.prove(connection, channel.id, now)
            about = delivery.event.intent_id
            return (
                f"/intents/{about}" if about else "/channels" if delivery.event.data.get("channel") else "/"
            )

        leads_to = await self._store.database.write(transaction)
        return RedirectResponse(leads_to or "/", 303)

    async def ask(self, request: Request) -> Response:
        """A page with a button; nothing else happens."""
        try:
            held = await self._held(request)
        except _Refused as why:
            return await self._refuse(request, str(why))
        if not waits(held.intent, self._desk.clock()):
            return self._late(held.intent)
        view = card_view(Asked(intent=held.intent), self._desk.settings, self._desk.clock())
        return html("reject.html", card=view, trader=held.channel.trader)

    async def reject(self, request: Request) -> Response:
        try:
            held = await self._held(request)
        except _Refused as why:
            return await self._refuse(request, str(why))
        trader, digest = held.channel.trader, held.delivery.digest or ""
        try:
            await self._store.intents.reject(held.intent.id, digest, trader, None, Suggestion())
        except NotDecidable as late:
            await self._record("refused", held.delivery.id, held.intent.id, why="the request no longer waits")
            return self._late(late.intent)
        await self._store.database.write(lambda connection: self._use(connection, held))
        said = f"{held.intent.card['act']}: rejected by {trader}. Nothing is sent, and the agent is told."
        return html("message.html", title="Rejected", message=said)

    async def _held(self, request: Request) -> Held:
        """Raises _Refused."""
        delivery_id, token = request.path_params["id"], request.path_params["token"]
        if not ID.fullmatch(delivery_id):
            raise _Refused("no delivery has such an id")
        held: Held = await self._store.read(lambda connection: self._find(connection, delivery_id, token))
        return held

    def _find(self, connection: Connection, delivery_id: str, token: str) -> Held:
        delivery = self._store.outbox.find(connection, delivery_id)
        channel = None if delivery is None else self._store.channels.find(connection, delivery.channel)
        if delivery is None or channel is None:
            raise _Refused("there is no such delivery")
        if not self._links.holds(delivery, channel.trader, token):
            raise _Refused("it was not made by the broker for this delivery")
        if delivery.event.intent_id is None or delivery.digest is None:
            raise _Refused("it is about no request")
        if delivery.progress is Progress.ACTED:
            raise _Refused("it was used before")
        intent = queries.find(connection, delivery.event.intent_id)
        if intent.digest != delivery.digest:
            raise _Refused("the request was shown anew, with other figures")
        return Held(delivery, channel, intent)

    def _use(self, connection: Connection, held: Held) -> None:
        self._store.outbox.progress(connection, held.delivery, Progress.ACTED, self._desk.clock())
        actor = f"trader:{held.channel.trader}"
        self._store.record(
            connection, "link:rejected", actor, intent_id=held.intent.id, delivery=held.delivery.id
        )

    def _late(self, intent: Intent) -> Response:
        """What happened instead."""
        happened = outcome(intent, self._desk.clock()).text
        act = as_quoted(intent.card["act"])
        return html("message.html", 409, title="Too late to reject", message=f"{act}: {happened}.")

    async def _refuse(self, request: Request, why: str) -> Response:
        if not self._limiter.hit(REFUSALS, "links"):
            return html("message.html", 429, title="Too many", message="Try again in a minute.")
        delivery_id = request.path_params["id"]
        await self._record("refused", delivery_id if ID.fullmatch(delivery_id) else "", None, why=why)
        message = "It was used, its request has changed, or it never was one. Sign in to see what waits."
        return html("message.html", 410, title="This link does not hold", message=message)

    async def _record(self, what: str, delivery_id: str, intent_id: str | None, *, why: str) -> None:
        await self._store.audit(f"link:{what}", "link", intent_id=intent_id, delivery=delivery_id, why=why)


def _leads_to(delivery: Delivery) -> str:
    if delivery.event.intent_id is not None:
        return f"/intents/{delivery.event.intent_id}"
    return "/channels" if "channel" in delivery.event.data else "/"
