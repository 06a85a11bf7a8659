"""Notification channels of traders. Their configuration and secrets are stored encrypted."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Text, bindparam, cast, delete, func, insert, select, update

from ..clock import Clock, Randomness, from_ms, to_ms
from ..credentials import MAX_NAME, Vault
from ..errors import invalid
from ..events import EventKind, Topic
from ..intents import new_id
from ..money import from_micros, to_micros
from ..notifications import WELL, Channel, Kind
from ..untrusted import is_blank, one_line
from .audit import AuditLog
from .database import Database
from .readable import readable
from .session_guard import Standing, standing_first
from .tables import channels

MOST: Final = 20
"""Maximum number of channels of one trader."""

SHOWN: Final = [
    # Topics as text: `_channel` parses them, so that one bad row cannot make the whole query fail.
    cast(column, Text).label("topics") if column is channels.c.topics else column
    for column in channels.c
    if column is not channels.c.sealed
]

# Built once: building a statement takes longer than running it.
ALL: Final = select(*SHOWN).order_by(channels.c.id)
BY_ID: Final = select(*SHOWN).where(channels.c.id == bindparam("id"))
WITH_SEALED: Final = select(*SHOWN, channels.c.sealed).where(channels.c.id == bindparam("id"))
ALL_OF_KIND: Final = select(*SHOWN, channels.c.sealed).where(channels.c.kind == bindparam("kind"))

UNREADABLE: Final = "channels: one cannot be read, nobody is told on it"


class Channels:
    """Traders manage their own channels. With `standing`, methods raise NotSignedIn if the session ended."""

    def __init__(
        self, database: Database, log: AuditLog, vault: Vault, clock: Clock, random: Randomness
    ) -> None:
        self._database = database
        self._log = log
        self._vault = vault
        self._clock = clock
        self.random = random

    async def add(
        self,
        trader: str,
        kind: Kind,
        name: str,
        address: str,
        config: Mapping[str, Any],
        topics: Collection[Topic],
        min_value_usdt: Decimal | None,
        *,
        standing: Standing,
    ) -> Channel:
        """Add a channel. `address` is shown, `config` is secret. Raises INVALID_ARGUMENTS, NotSignedIn."""
        if not 1 <= len(name) <= MAX_NAME or is_blank(name) or name != one_line(name):
            raise invalid(
                "name", f"must have 1 to {MAX_NAME} visible characters, without spaces before or after"
            )
        if not topics:
            raise invalid("events", "choose at least one", allowed=list(Topic))
        now = self._clock()
        channel_id = new_id(now, self.random(10))
        row = {
            "id": channel_id,
            "trader": trader,
            "kind": str(kind),
            "name": name,
            "address": address,
            "sealed": self._vault.seal(json.dumps(dict(config))),
            "topics": sorted(map(str, topics)),
            "min_value_micros": None if min_value_usdt is None else to_micros(min_value_usdt),
            "created_at": to_ms(now),
        }

        def transaction(connection: Connection) -> Channel:
            of_this_trader = select(func.count()).select_from(channels).where(channels.c.trader == trader)
            if connection.execute(of_this_trader).scalar_one() >= MOST:
                raise invalid("name", f"a trader can have at most {MOST} channels; remove one first")
            connection.execute(insert(channels), row)
            [added] = [channel for channel in all_channels(connection) if channel.id == channel_id]
            self._audit(connection, EventKind.CHANNEL_ADDED, added)
            return added

        return await self._database.write(standing_first(standing, transaction))

    async def remove(self, channel_id: str, trader: str, *, standing: Standing) -> bool:
        """Remove a channel with its deliveries. False if the trader has no channel with that id."""

        def transaction(connection: Connection) -> bool:
            channel = _own(connection, channel_id, trader)
            if channel is not None:
                connection.execute(delete(channels).where(channels.c.id == channel_id))
                self._audit(connection, EventKind.CHANNEL_REMOVED, channel)
            return channel is not None

        return await self._database.write(standing_first(standing, transaction))

    async def pause(self, channel_id: str, trader: str, paused: bool, *, standing: Standing) -> bool:
        """Pause or resume. False if the trader has no channel with that id.

        New events are not sent to a paused channel; deliveries that are already queued wait until it resumes.
        """

        def transaction(connection: Connection) -> bool:
            channel = _own(connection, channel_id, trader)
            if channel is not None and (channel.paused_at is not None) is not paused:
                at = to_ms(self._clock()) if paused else None
                self._change(connection, channel_id, paused_at=at, **breaker_columns(WELL))
                self._audit(
                    connection, EventKind.CHANNEL_PAUSED if paused else EventKind.CHANNEL_RESUMED, channel
                )
            return channel is not None

        return await self._database.write(standing_first(standing, transaction))

    async def test(self, channel_id: str, trader: str, *, standing: Standing) -> bool:
        """Queue a test message and end the back-off. Opening the message's link proves the channel.

        False if the trader has no channel with that id, or it is paused.
        """

        def transaction(connection: Connection) -> bool:
            channel = _own(connection, channel_id, trader)
            if channel is None or channel.paused_at is not None:
                return False
            self._change(connection, channel_id, open_until=0)
            self._audit(connection, EventKind.CHANNEL_TEST, channel)
            return True

        return await self._database.write(standing_first(standing, transaction))

    async def reconfigure(
        self,
        channel_id: str,
        trader: str,
        kind: Kind,
        change: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        *,
        standing: Standing,
    ) -> Channel | None:
        """Change the secrets of a channel. None if the trader has no channel with that id and kind."""

        def transaction(connection: Connection) -> Channel | None:
            channel = _own(connection, channel_id, trader)
            if channel is None or channel.kind is not kind:
                return None
            _, config = self.with_config(connection, channel_id)
            self._change(connection, channel_id, sealed=self._vault.seal(json.dumps(dict(change(config)))))
            self._audit(connection, EventKind.CHANNEL_SECRET_CHANGED, channel)
            return channel

        return await self._database.write(standing_first(standing, transaction))

    def prove(self, connection: Connection, channel_id: str, now: datetime) -> None:
        """Record that someone opened a link that was sent to the channel."""
        unproven = update(channels).where(channels.c.id == channel_id, channels.c.proven_at.is_(None))
        connection.execute(unproven.values(proven_at=to_ms(now)))

    def find(self, connection: Connection, channel_id: str) -> Channel | None:
        return find_channel(connection, channel_id)

    def with_config(self, connection: Connection, channel_id: str) -> tuple[Channel, Mapping[str, Any]]:
        """A channel and its decrypted configuration. Raises NoResultFound if it does not exist."""
        row = connection.execute(WITH_SEALED, {"id": channel_id}).one()
        return self._decrypted(row)

    def with_configs(self, connection: Connection, kind: Kind) -> Sequence[tuple[Channel, Mapping[str, Any]]]:
        """All readable channels of that kind, with their decrypted configuration."""
        return readable(connection.execute(ALL_OF_KIND, {"kind": str(kind)}), self._decrypted, UNREADABLE)

    def of_trader(self, connection: Connection, trader: str) -> Sequence[Channel]:
        """Oldest first."""
        return [channel for channel in all_channels(connection) if channel.trader == trader]

    def _decrypted(self, row: Any) -> tuple[Channel, Mapping[str, Any]]:
        return _channel(row), json.loads(self._vault.open(row.sealed))

    def _change(self, connection: Connection, channel_id: str, **changed: Any) -> None:
        connection.execute(update(channels).where(channels.c.id == channel_id), changed)

    def _audit(self, connection: Connection, kind: EventKind, channel: Channel) -> None:
        data = {
            "channel": channel.id,
            "name": channel.name,
            "trader": channel.trader,
            "kind": str(channel.kind),
            "address": channel.address,
        }
        actor = f"trader:{channel.trader}"
        self._log.append(connection, at=self._clock(), kind=kind, actor=actor, data=data)


def all_channels(connection: Connection) -> Sequence[Channel]:
    """All channels, oldest first. Unreadable ones are logged and left out."""
    return readable(connection.execute(ALL), _channel, UNREADABLE)


def find_channel(connection: Connection, channel_id: str) -> Channel | None:
    """None if there is no such channel, or it cannot be read."""
    found = readable(connection.execute(BY_ID, {"id": channel_id}), _channel, UNREADABLE)
    return found[0] if found else None


def _own(connection: Connection, channel_id: str, trader: str) -> Channel | None:
    channel = find_channel(connection, channel_id)
    return channel if channel is not None and channel.trader == trader else None


def _channel(row: Any) -> Channel:
    return Channel(
        id=row.id,
        trader=row.trader,
        kind=Kind(row.kind),
        name=row.name,
        address=row.address,
        topics=frozenset(Topic(topic) for topic in json.loads(row.topics)),
        min_value_usdt=None if row.min_value_micros is None else from_micros(row.min_value_micros),
        created_at=from_ms(row.created_at),
        paused_at=_optional_time(row.paused_at),
        proven_at=_optional_time(row.proven_at),
        failures=row.failures,
        failing_since=_optional_time(row.failing_since),
        open_until=from_ms(row.open_until),
        alerted=row.alerted,
    )


def breaker_columns(state: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `notifications.breaker` as column values."""
    return {name: to_ms(value) if isinstance(value, datetime) else value for name, value in state.items()}


def _optional_time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
