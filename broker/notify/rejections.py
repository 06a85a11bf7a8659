"""Rejecting from a notification: once, by its recipient, and only the figures in the notification.

Everything else is refused and recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy import Connection

from ..clock import Clock
from ..events import EventKind
from ..intents import Intent, State, Suggestion
from ..notifications import Channel, Delivery, Progress
from ..store import NotDecidable, Store, queries
from .links import Links

REFUSALS: Final = RateLimitItemPerMinute(60)
"""Refused links above this rate are not recorded. Those below it: `store/refusals.py`."""

ID: Final = re.compile(r"[0-9a-z]{26}", re.ASCII)


@dataclass(frozen=True)
class Held:
    """A valid link, with the current state of its request."""

    delivery: Delivery
    channel: Channel
    intent: Intent


class Refused(Exception):
    """The link is not valid. The text says why; it goes to the audit log only."""


class Rejections:
    def __init__(self, store: Store, links: Links, clock: Clock) -> None:
        self._store = store
        self._links = links
        self._clock = clock
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def held(self, delivery_id: str, token: str, *, letters: int | None = None) -> Held:
        """The delivery and request of a link. `letters`: only this many characters of the token are given.

        Raises Refused.
        """
        if not ID.fullmatch(delivery_id):
            raise Refused("there is no delivery with this id")
        return await self._store.read(lambda connection: self._find(connection, delivery_id, token, letters))

    async def reject(self, held: Held) -> Intent:
        """Reject the request in the recipient's name.

        Raises Refused if the link was used in the meantime or the channel was removed. Raises NotDecidable if
        the request no longer waits; that is recorded like a refusal.
        """
        trader, digest = held.channel.trader, held.delivery.digest or ""
        try:
            return await self._store.intents.reject(
                held.intent.id, digest, trader, None, Suggestion(), standing=partial(self._use, held=held)
            )
        except NotDecidable:
            await self.refuse(held.delivery.id, "the request no longer waits", held.intent.id)
            raise

    async def refuse(self, delivery_id: str, why: str, intent_id: str | None = None) -> bool:
        """Record a refused link. False if there are too many to record.

        A valid link that came too late is recorded for its request; all other refusals share one record.
        """
        if not self._limiter.hit(REFUSALS, "links"):
            return False
        known_id = delivery_id if ID.fullmatch(delivery_id) else ""
        await self._store.refusals.record(
            EventKind.LINK_REFUSED, "link", intent_id or "", intent_id=intent_id, delivery=known_id, why=why
        )
        return True

    def _find(self, connection: Connection, delivery_id: str, token: str, letters: int | None) -> Held:
        delivery = self._store.outbox.find(connection, delivery_id)
        channel = None if delivery is None else self._store.channels.find(connection, delivery.channel)
        if delivery is None or channel is None:
            raise Refused("the delivery or its channel does not exist")
        if not self._links.is_valid(delivery, channel.trader, token, letters):
            raise Refused("the link was not made by the broker for this delivery")
        if delivery.intent_id is None or delivery.digest is None:
            raise Refused("the notification is not about a request")
        if delivery.progress is Progress.ACTED:
            raise Refused("the link was used before")
        intent = queries.find_any(connection, delivery.intent_id)
        if intent.digest != delivery.digest:
            raise Refused("the request has new figures")
        return Held(delivery, channel, intent)

    def _use(self, connection: Connection, held: Held) -> None:
        """Mark the link as used, in the rejecting transaction. Raises Refused if it was used or removed."""
        delivery = self._store.outbox.find(connection, held.delivery.id)
        if delivery is None or delivery.progress is Progress.ACTED:
            raise Refused("the link was used before")
        if queries.find_any(connection, held.intent.id).state is not State.PENDING:
            return  # the recipient rejected it elsewhere and is told so, or it is too late
        self._store.outbox.progress(connection, delivery, Progress.ACTED, self._clock())
        self._store.record(
            connection,
            EventKind.LINK_REJECTED,
            f"trader:{held.channel.trader}",
            intent_id=held.intent.id,
            delivery=held.delivery.id,
        )
