"""Rejecting from a notification: once, for its recipient, and exactly what he was told. The rest is refused,
and recorded.
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
from ..notifications import Channel, Delivery, Progress
from ..intents import Intent, State, Suggestion
from ..store import NotDecidable, Store, queries
from .links import Links

REFUSALS: Final = RateLimitItemPerMinute(60)
"""Beyond these nothing is looked at any more. How many are recorded: `store/refusals.py`."""

ID: Final = re.compile(r"[0-9a-z]{26}", re.ASCII)


@dataclass(frozen=True)
class Held:
    """A link that holds, and the request as it is now."""

    delivery: Delivery
    channel: Channel
    intent: Intent


class Refused(Exception):
    """Of a link that does not hold; its text says why, for the record alone."""


class Rejections:
    def __init__(self, store: Store, links: Links, clock: Clock) -> None:
        self._store = store
        self._links = links
        self._clock = clock
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def held(self, delivery_id: str, token: str, *, letters: int | None = None) -> Held:
        """What a link stands for; where it carries only so many letters of its token, `letters`.

        Raises Refused.
        """
        if not ID.fullmatch(delivery_id):
            raise Refused("no delivery has such an id")
        found: Held = await self._store.read(
            lambda connection: self._find(connection, delivery_id, token, letters)
        )
        return found

    async def reject(self, held: Held) -> Intent:
        """In the recipient's name. Raises Refused where another tap was quicker, or his channel is gone, and
        NotDecidable where that comes too late, which is recorded as a refusal is.
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
        """Record it; False where there are too many. Links that hold, and come too late, have rows of their
        own for each request; all others share theirs.
        """
        if not self._limiter.hit(REFUSALS, "links"):
            return False
        known = delivery_id if ID.fullmatch(delivery_id) else ""
        await self._store.refusals.record(
            "link:refused", "link", intent_id or "", intent_id=intent_id, delivery=known, why=why
        )
        return True

    def _find(self, connection: Connection, delivery_id: str, token: str, letters: int | None) -> Held:
        delivery = self._store.outbox.find(connection, delivery_id)
        channel = None if delivery is None else self._store.channels.find(connection, delivery.channel)
        if delivery is None or channel is None:
            raise Refused("there is no such delivery")
        if not self._links.holds(delivery, channel.trader, token, letters):
            raise Refused("it was not made by the broker for this delivery")
        if delivery.intent_id is None or delivery.digest is None:
            raise Refused("it is about no request")
        if delivery.progress is Progress.ACTED:
            raise Refused("it was used before")
        intent = queries.find(connection, delivery.intent_id)
        if intent.digest != delivery.digest:
            raise Refused("the request was shown anew, with other figures")
        return Held(delivery, channel, intent)

    def _use(self, connection: Connection, held: Held) -> None:
        """In the transaction that rejects: it counts once, and for one who is still told on that channel."""
        delivery = self._store.outbox.find(connection, held.delivery.id)
        if delivery is None or delivery.progress is Progress.ACTED:
            raise Refused("it was used before")
        if queries.find(connection, held.intent.id).state is not State.PENDING:
            return  # he rejected it elsewhere, and hears so; or it comes too late
        self._store.outbox.progress(connection, delivery, Progress.ACTED, self._clock())
        self._store.record(
            connection,
            "link:rejected",
            f"trader:{held.channel.trader}",
            intent_id=held.intent.id,
            delivery=held.delivery.id,
        )
