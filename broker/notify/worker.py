"""The outbox, emptied: one task of the broker, which nobody waits for.

A delivery is claimed in one transaction, sent, and what came of it is recorded in another. Whatever dies in
between, it is sent again with the same id once its lease ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from sqlalchemy import Connection

from ..clock import Clock
from ..notifications import CLOSING, FAILING, REACHABLE, UNREACHABLE, Attempt, Channel, Delivery, Kind
from ..errors import BrokerError
from ..hub import Event, Hub
from ..intents import Intent
from ..logs import get_logger
from ..store import Gathered, Store, gather
from . import ntfy, telegram, webhook
from .links import Links
from .message import About, Message, Obsolete
from .sender import NoReply, Reply, Sender

LOOK_SECONDS: Final = 0.5
MOMENT_SECONDS: Final = 0.02
"""After news: whoever asked or decided is answered first, and a burst is one look."""

RETRY_SECONDS: Final = 0.5
GRACE_SECONDS: Final = 1.0
"""How long a stopping broker waits for answers; what is still on the way is sent again at the next start."""

AT_ONCE: Final = 256
"""Deliveries on the way, to all channels together."""

CLOCK_STEP: Final = timedelta(seconds=10)
"""A clock that is set back by less only makes a pause so much longer."""

TIDY_EVERY: Final = timedelta(minutes=1)
FORGOTTEN_AT_ONCE: Final = 200
"""Old deliveries: in bites, since others wait to write."""

FINAL: Final = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431})
"""Answers that no repetition changes."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A claimed delivery, with all that sending it takes."""

    delivery: Delivery
    channel: Channel
    config: Mapping[str, Any]
    message: Message
    handles: Sequence[str]
    gathered: Gathered | None


class Worker:
    def __init__(
        self, *, store: Store, hub: Hub, clock: Clock, links: Links, mode: str, sender: Sender
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._links = links
        self._mode = mode
        self._sender = sender
        self._under_way: dict[asyncio.Task[None], Parcel] = {}
        self._bell = asyncio.Event()
        self._tidied_at: datetime | None = None
        self._looked_at: datetime | None = None
        self.healthy = False
        """Whether the last look at the outbox went through."""

    async def run(self) -> None:
        """Until cancelled."""
        with self._hub.rung() as self._bell:
            try:
                await self._guarded(self._release())
                while True:
                    self._bell.clear()
                    await self._guarded(self._look())
                    await self._pause()
            finally:
                await self._finish()

    async def _release(self) -> None:
        now = self._clock()
        await self._store.database.write(lambda connection: self._store.outbox.release(connection, now))

    async def _look(self) -> None:
        await self._follow_the_clock()
        await self._round()
        await self._tidy()

    async def _follow_the_clock(self) -> None:
        """Where it was set back, what is due later would wait as much longer. A small step is none."""
        now, outbox = self._clock(), self._store.outbox
        if self._looked_at is not None and now < self._looked_at - CLOCK_STEP:
            await self._store.database.write(lambda connection: outbox.end_pauses(connection, now))
            self._tidied_at = None
        self._looked_at = now

    async def _round(self) -> None:
        """It looks with a reader, and writes only when something is due."""
        free = AT_ONCE - len(self._under_way)
        if free <= 0:
            return
        now, busy = self._clock(), Counter(parcel.channel.id for parcel in self._under_way.values())
        found = await self._store.read(lambda connection: self._store.outbox.due(connection, now, busy))
        carried = {parcel.delivery.id for parcel in self._under_way.values()}
        if due := [one for one in found if one not in carried]:  # its lease may end before it is recorded
            parcels = await self._store.database.write(lambda c: self._take(c, due[:free]))
            for parcel in parcels:
                self._start(parcel)
            if len(parcels) < len(due):  # there was no room, or what was put away made some
                self._bell.set()

    async def _tidy(self) -> None:
        """What was settled long ago is forgotten. It writes only when there is some."""
        now = self._clock()
        if self._tidied_at is not None and now - self._tidied_at < TIDY_EVERY:
            return
        self._tidied_at = now
        outbox = self._store.outbox
        if old := await self._store.read(lambda connection: outbox.old(connection, now, FORGOTTEN_AT_ONCE)):
            await self._store.database.write(lambda connection: outbox.forget(connection, old))

    def _take(self, connection: Connection, due: Sequence[str]) -> Sequence[Parcel]:
        """Within one transaction: claimed and drawn, or put away as no longer true."""
        outbox, now, parcels = self._store.outbox, self._clock(), []
        for delivery, intent in outbox.claim(connection, due, now):
            try:
                parcels.append(self._packed(connection, delivery, intent, now))
            except Obsolete as why:
                outbox.drop(connection, delivery, str(why), now)
            except Exception:  # it keeps no other waiting
                log.exception("notify: cannot be said", delivery=delivery.id)
                outbox.drop(connection, delivery, "an error of the broker's own, now in its log", now)
        return parcels

    def _packed(
        self, connection: Connection, delivery: Delivery, intent: Intent | None, now: datetime
    ) -> Parcel:
        """Raises Obsolete."""
        channel, config = self._store.channels.with_config(connection, delivery.channel)
        closes = delivery.event.kind in CLOSING
        gathered = gather(connection, delivery, channel, intent, now)
        about = About(
            delivery=delivery,
            channel=channel,
            intent=intent,
            gathered=gathered,
            over=self._over(connection, delivery.event),
            handles=self._store.outbox.handles(connection, delivery) if closes else (),
            said=intent is not None
            and self._store.outbox.arrived(connection, delivery, since=intent.expires_at),
            mode=self._mode,
            link=self._links.page(delivery),
            reject=self._links.reject(delivery, channel.trader),
            now=now,
        )
        return Parcel(
            delivery=delivery,
            channel=channel,
            config=config,
            message=about.message(),
            handles=about.handles,
            gathered=gathered,
        )

    def _over(self, connection: Connection, event: Event) -> str | None:
        """Why an alert is over, if it is."""
        if event.kind == FAILING:
            channel = self._store.channels.find(connection, event.data["channel"])
            if channel is None or not channel.alerted or channel.paused_at is not None:
                return "the channel works again, or is in use no more"
        if event.kind == UNREACHABLE:
            newest = self._store.log.newest(connection, (UNREACHABLE, REACHABLE))
            if newest is None or newest.seq != event.seq:
                return "Binance answers again"
        return None

    def _start(self, parcel: Parcel) -> None:
        task = asyncio.create_task(self._deliver(parcel))
        self._under_way[task] = parcel

        def ended(_: asyncio.Task[None]) -> None:
            self._under_way.pop(task)
            self._bell.set()

        task.add_done_callback(ended)

    async def _deliver(self, parcel: Parcel) -> None:
        try:
            attempt = _judged(await self._send(parcel), parcel.channel.kind)
        except NoReply as why:
            attempt = Attempt(problem=str(why))
        except Exception:
            log.exception("notify: failed", delivery=parcel.delivery.id)
            attempt = Attempt(problem="an error of the broker's own, now in its log")
        if attempt.problem is not None:
            log.warning(
                "notify: not delivered",
                channel=parcel.channel.name,
                address=parcel.channel.address,
                problem=attempt.problem,
            )
        await self._record(parcel, attempt)

    async def _send(self, parcel: Parcel) -> Reply:
        sender, config, message, sent_as = self._sender, parcel.config, parcel.message, parcel.delivery.id
        match parcel.channel.kind:
            case Kind.WEBHOOK:
                return await webhook.send(sender, config, message, sent_as, self._clock())
            case Kind.NTFY:
                return await ntfy.send(sender, config, message, sent_as)
            case Kind.TELEGRAM:
                return await telegram.send(sender, config, message, parcel.handles)

    async def _record(self, parcel: Parcel, attempt: Attempt) -> None:
        """A database in trouble is waited for: what arrived must not be sent again."""
        delivery, gathered, outbox = parcel.delivery, parcel.gathered, self._store.outbox
        for attempts in count():
            now = self._clock()
            try:
                await self._store.database.write(
                    lambda c: outbox.record(c, delivery, attempt, now, gathered)  # noqa: B023
                )
                return
            except BrokerError as error:
                if not attempts:
                    log.error("notify: an answer waits for the database", error=error.message)
                await asyncio.sleep(RETRY_SECONDS)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._bell.wait()
                await asyncio.sleep(MOMENT_SECONDS)

    async def _guarded(self, work: Any) -> None:
        healthy = False
        try:
            await work
            healthy = True
        except BrokerError as error:  # the store logs it, once
            log.debug("notify: the database is not available", error=error.message)
        except Exception:
            log.exception("notify: failed")
        self.healthy = healthy

    async def _finish(self) -> None:
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _judged(reply: Reply, kind: Kind) -> Attempt:
    """What the endpoint wrote is not repeated: it may hold anything."""
    if 200 <= reply.status < 300:
        return Attempt(handle=telegram.handle_of(reply) if kind is Kind.TELEGRAM else None)
    more = ", and redirects are not followed" if 300 <= reply.status < 400 else ""
    return Attempt(
        problem=f"answered {reply.status}{more}",
        retry_after=reply.retry_after,
        final=reply.status in FINAL,
    )
