"""Sends the deliveries in the outbox, in a background task.

A delivery is claimed in one transaction, sent, and its result is recorded in another. If the broker stops in
between, the delivery is sent again with the same id once its lease has ended.
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
from ..errors import BrokerError
from ..events import Event, EventKind
from ..hub import Hub
from ..intents import Intent
from ..logs import get_logger
from ..notifications import CLOSING, REACHING, Attempt, Channel, Delivery, Kind
from ..store import Gathered, Store, gather
from . import ntfy, telegram, webhook
from .links import Links
from .message import About, Message, Obsolete
from .sender import NoReply, Reply, Sender

LOOK_SECONDS: Final = 0.5
MOMENT_SECONDS: Final = 0.02
"""The delay after a wake-up: requests and decisions are answered first, and a burst takes one read."""

RETRY_SECONDS: Final = 0.5
GRACE_SECONDS: Final = 1.0
"""How long a stopping broker waits for answers. Unanswered deliveries are sent again after the restart."""

AT_ONCE: Final = 256
"""Maximum deliveries in progress, over all channels."""

CLOCK_STEP: Final = timedelta(seconds=10)
"""A clock set back by less than this is ignored: pauses only last that much longer."""

FORGET_EVERY: Final = timedelta(minutes=1)
FORGOTTEN_AT_ONCE: Final = 200
"""Old deliveries deleted in one transaction: small batches, because others wait to write."""

FINAL: Final = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431})
"""HTTP statuses after which a delivery is not tried again."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A claimed delivery with everything needed to send it."""

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
        self._forgot_at: datetime | None = None
        self._checked_at: datetime | None = None
        self.healthy = False
        """Whether the last read of the outbox succeeded."""

    async def run(self) -> None:
        """Until cancelled."""
        with self._hub.rung() as self._bell:
            try:
                await self._guarded(self._release())
                while True:
                    self._bell.clear()
                    await self._guarded(self._check())
                    await self._pause()
            finally:
                await self._finish()

    async def _release(self) -> None:
        now = self._clock()
        await self._store.database.write(lambda connection: self._store.outbox.release(connection, now))

    async def _check(self) -> None:
        await self._handle_clock_step()
        await self._start_due()
        await self._forget_old()

    async def _handle_clock_step(self) -> None:
        """If the clock was set back, end the pauses: they would last that much longer."""
        now, outbox = self._clock(), self._store.outbox
        if self._checked_at is not None and now < self._checked_at - CLOCK_STEP:
            await self._store.database.write(lambda connection: outbox.end_pauses(connection, now))
            self._forgot_at = None
        self._checked_at = now

    async def _start_due(self) -> None:
        """Start the deliveries that are due. Reads first, and writes only if something is due."""
        free = AT_ONCE - len(self._under_way)
        if free <= 0:
            return
        now, busy = self._clock(), Counter(parcel.channel.id for parcel in self._under_way.values())
        found = await self._store.read(lambda connection: self._store.outbox.due(connection, now, busy))
        in_progress = {parcel.delivery.id for parcel in self._under_way.values()}
        if due := [
            delivery_id for delivery_id in found if delivery_id not in in_progress
        ]:  # a lease may end before the result is recorded
            parcels = await self._store.database.write(lambda c: self._take(c, due[:free]))
            for parcel in parcels:
                self._start(parcel)
            if len(parcels) < len(due):  # no room left, or dropped ones made some
                self._bell.set()

    async def _forget_old(self) -> None:
        """Delete old finished deliveries. Reads first, and writes only if there are any."""
        now = self._clock()
        if self._forgot_at is not None and now - self._forgot_at < FORGET_EVERY:
            return
        self._forgot_at = now
        outbox = self._store.outbox
        if old := await self._store.read(lambda connection: outbox.old(connection, now, FORGOTTEN_AT_ONCE)):
            await self._store.database.write(lambda connection: outbox.forget(connection, old))

    def _take(self, connection: Connection, due: Sequence[str]) -> Sequence[Parcel]:
        """In one transaction: claim the deliveries and write their messages, or drop them as obsolete."""
        outbox, now, parcels = self._store.outbox, self._clock(), []
        for delivery in outbox.claim(connection, due, now):
            try:
                intent = outbox.subject(connection, delivery)
                parcels.append(self._parcel(connection, delivery, intent, now))
            except Obsolete as error:
                outbox.drop(connection, delivery, str(error), now)
            except Exception:  # must not hold up the others
                log.exception("notify: no message could be written", delivery=delivery.id)
                outbox.drop(connection, delivery, "internal error; see the broker's log", now)
        return parcels

    def _parcel(
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
            expiry_sent=intent is not None
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
        """Why an alert no longer applies; None while it does."""
        if event.kind is EventKind.CHANNEL_FAILING:
            channel = self._store.channels.find(connection, event.data["channel"])
            if channel is None or not channel.alerted or channel.paused_at is not None:
                return "the channel works again, or is no longer in use"
        if event.kind is EventKind.EXCHANGE_UNREACHABLE:
            newest = self._store.log.newest(connection, REACHING)
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
            attempt = _attempt_of(await self._send(parcel), parcel.channel.kind)
        except NoReply as error:
            attempt = Attempt(problem=str(error))
        except Exception:
            log.exception("notify: failed", delivery=parcel.delivery.id)
            attempt = Attempt(problem="internal error; see the broker's log")
        if attempt.problem is not None:
            log.warning(
                "notify: not delivered",
                channel=parcel.channel.name,
                address=parcel.channel.address,
                problem=attempt.problem,
            )
        await self._record(parcel, attempt)

    async def _send(self, parcel: Parcel) -> Reply:
        sender, config, message, delivery_id = self._sender, parcel.config, parcel.message, parcel.delivery.id
        match parcel.channel.kind:
            case Kind.WEBHOOK:
                return await webhook.send(sender, config, message, delivery_id, self._clock())
            case Kind.NTFY:
                return await ntfy.send(sender, config, message, delivery_id)
            case Kind.TELEGRAM:
                return await telegram.send(sender, config, message, parcel.handles)

    async def _record(self, parcel: Parcel, attempt: Attempt) -> None:
        """Retry until the database is available: a delivery that arrived must not be sent again."""
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
                    log.error("notify: waiting for the database to record a result", error=error.message)
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


def _attempt_of(reply: Reply, kind: Kind) -> Attempt:
    """The result of a reply. The endpoint's text is left out: it may contain anything."""
    if 200 <= reply.status < 300:
        return Attempt(handle=telegram.handle_of(reply) if kind is Kind.TELEGRAM else None)
    redirect = ", and redirects are not followed" if 300 <= reply.status < 400 else ""
    return Attempt(
        problem=f"answered {reply.status}{redirect}",
        retry_after=reply.retry_after,
        final=reply.status in FINAL,
    )
