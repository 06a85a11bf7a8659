"""Queries of intents: plain functions of a connection, for use in any transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, or_, select

from ..arguments import read_arguments
from ..clock import to_ms
from ..errors import BrokerError, Code
from ..intents import COMMITTED, Intent, State
from ..money import from_micros
from ..repeats import alike
from .readable import complain, readable
from .rows import UNREADABLE, to_intent
from .tables import intents

DAY_MS = 86_400_000

# Built once: building a statement takes longer than running it.
BY_ID = select(intents).where(intents.c.id == bindparam("intent_id"))
BY_OWN_ID = BY_ID.where(intents.c.agent == bindparam("agent"))
BY_KEY = select(intents).where(
    intents.c.agent == bindparam("agent"),
    intents.c.tool == bindparam("tool"),
    intents.c.idempotency_key == bindparam("key"),
)
SENT_AT = func.coalesce(intents.c.wire_timestamp_ms, intents.c.decided_at, intents.c.updated_at)
"""Requests that a restored backup had as pending have neither of the first two."""

DOUBTED = and_(intents.c.word_by.is_not(None), intents.c.word_holds.is_not(True))
"""A manual resolution that Binance has not confirmed. Counts like an unknown outcome."""

OF_AGENT_IN = select(intents).where(
    intents.c.agent == bindparam("agent"), intents.c.state.in_(bindparam("states", expanding=True))
)
_POSITION = func.row_number().over(partition_by=intents.c.agent, order_by=intents.c.id)
_POSITIONS = select(intents.c.id, _POSITION.label("turn")).where(intents.c.state == State.PENDING).subquery()
PENDING_BY_AGENT = (
    select(intents)
    .join(_POSITIONS, _POSITIONS.c.id == intents.c.id)
    .order_by(_POSITIONS.c.turn, intents.c.id)
    .limit(bindparam("most"))
)
EQUAL = select(intents).where(
    intents.c.agent == bindparam("agent"), intents.c.equality == bindparam("equality")
)
EQUAL_PENDING = EQUAL.where(intents.c.state == State.PENDING)
EARLIER_EQUAL = EQUAL.where(
    intents.c.id != bindparam("itself"),
    or_(
        intents.c.state.in_(COMMITTED - {State.PLACED}),
        DOUBTED,
        and_(intents.c.state == State.PLACED, SENT_AT >= bindparam("since")),
    ),
)
DUE = select(intents).where(intents.c.state == State.PENDING, intents.c.expires_at <= bindparam("now"))
COUNT_PENDING = select(func.count()).select_from(intents).where(intents.c.state == State.PENDING)
PENDING_AGENTS = select(intents.c.agent).where(intents.c.state == State.PENDING)
VOLUME = select(func.coalesce(func.sum(intents.c.value_micros), 0))
WAITING_VOLUME = VOLUME.where(intents.c.state == State.PENDING)
DAILY_VOLUME = VOLUME.where(
    or_(intents.c.state.in_(COMMITTED), DOUBTED),
    intents.c.updated_at >= bindparam("day_before"),  # implied by the next condition; uses an index
    or_(
        SENT_AT >= bindparam("midnight"),
        intents.c.state == State.APPROVED,  # approved yesterday, submitted today
    ),
    intents.c.id != bindparam("itself"),
)
DAILY_VOLUME_OF = DAILY_VOLUME.where(intents.c.agent == bindparam("agent"))
# Separate queries: one combined or ordered query would scan the whole table. States that are frequent in a
# long history are never searched by the state alone.
UNCLEAR = select(intents).where(intents.c.state.in_((State.SUBMITTING, State.UNKNOWN)))
MANUAL_RESOLUTIONS = select(intents).where(intents.c.word_by.is_not(None), intents.c.word_holds.is_not(True))
UNCHECKED_RESOLUTIONS = select(intents).where(intents.c.word_by.is_not(None), intents.c.word_holds.is_(None))
SENT_SINCE = select(intents).where(intents.c.wire_timestamp_ms >= bindparam("since"))
FOLLOWED = select(intents).where(intents.c.followed)


# Candidates that a request may repeat, without the columns that are not compared. The agent is compared in
# Python: with it, SQLite would scan all of the agent's requests.
_COMPARED = (intents.c.id, intents.c.agent, intents.c.state, DOUBTED.label("doubted"), intents.c.arguments)
_OF_A_KIND = (
    intents.c.tool == bindparam("tool"),
    intents.c.market == bindparam("market"),
    intents.c.arguments["symbol"].as_string() == bindparam("symbol"),
)
OPEN_OF_A_KIND = select(*_COMPARED).where(intents.c.state.in_(COMMITTED - {State.PLACED}), *_OF_A_KIND)
RESOLUTIONS_OF_A_KIND = select(*_COMPARED).where(
    intents.c.word_by.is_not(None), intents.c.word_holds.is_not(True), *_OF_A_KIND
)
SENT_OF_A_KIND = select(*_COMPARED).where(intents.c.wire_timestamp_ms >= bindparam("since"), *_OF_A_KIND)


def find_any(connection: Connection, intent_id: str) -> Intent:
    """The intent, whatever its agent. For traders and the broker itself.

    Raises UNKNOWN_INTENT, and INTERNAL if it cannot be read.
    """
    found = _first(connection, BY_ID, intent_id=intent_id)
    if found is None:
        raise _unknown(intent_id)
    return found


def find_own(connection: Connection, intent_id: str, agent: str) -> Intent:
    """The agent's own intent. Another agent's raises UNKNOWN_INTENT too, and as `find_any`."""
    found = _first(connection, BY_OWN_ID, intent_id=intent_id, agent=agent)
    if found is None:
        raise _unknown(intent_id)
    return found


def find_by_key(connection: Connection, agent: str, tool: str, key: str) -> Intent | None:
    return _first(connection, BY_KEY, agent=agent, tool=tool, key=key)


def find_equal_pending(connection: Connection, agent: str, equality: str) -> Intent | None:
    return _first(connection, EQUAL_PENDING, agent=agent, equality=equality)


def find_earlier_equal(connection: Connection, intent: Intent, since: datetime) -> Intent | None:
    """The newest equal or similar request of the agent that was sent after `since`, or is not settled."""
    parameters = {
        "agent": intent.agent,
        "equality": intent.equality,
        "itself": intent.id,
        "since": to_ms(since),
    }
    kind = {"tool": intent.tool, "market": intent.market, "symbol": intent.arguments.symbol}
    candidates = (
        *connection.execute(OPEN_OF_A_KIND, kind),
        *connection.execute(RESOLUTIONS_OF_A_KIND, kind),
        *connection.execute(SENT_OF_A_KIND, {**kind, "since": to_ms(since)}),
    )
    similar = readable(
        candidates, lambda row: row.id if _nearly_equal(intent, row) else intent.id, UNREADABLE
    )
    equal = [one.id for one in _all(connection, EARLIER_EQUAL, **parameters)]
    for newest in sorted({*equal, *similar} - {intent.id}, reverse=True):
        if found := _all(connection, BY_ID, intent_id=newest):
            return found[0]
    return None


def due(connection: Connection, now: datetime) -> Sequence[Intent]:
    """Pending intents that have expired."""
    return _all(connection, DUE, now=to_ms(now))


def in_states(
    connection: Connection, states: Collection[State], limit: int | None = 1000
) -> Sequence[Intent]:
    """Intents in these states, oldest first. `limit` None: all of them."""
    query = select(intents).where(intents.c.state.in_(states)).order_by(intents.c.id)
    return _all(connection, query.limit(limit))


def pending(connection: Connection, most: int) -> Sequence[Intent]:
    """Up to `most` pending intents, oldest first. Takes turns between agents, so none hides another's."""
    return sorted(_all(connection, PENDING_BY_AGENT, most=most), key=by_id)


def followed(connection: Connection) -> Sequence[Intent]:
    """Intents whose order may still change or whose fees are not known yet, oldest first."""
    found = _all(connection, FOLLOWED)
    return sorted((intent for intent in found if intent.state is State.PLACED or intent.doubted), key=by_id)


def recorded(connection: Connection) -> Sequence[Intent]:
    """Manual resolutions that Binance has neither confirmed nor contradicted yet, oldest first."""
    return sorted(_all(connection, UNCHECKED_RESOLUTIONS), key=by_id)


def decided(connection: Connection, limit: int = 50) -> Sequence[Intent]:
    """Intents that are no longer pending, latest change first."""
    query = select(intents).where(intents.c.state != State.PENDING)
    return _all(connection, query.order_by(intents.c.updated_at.desc(), intents.c.id.desc()).limit(limit))


def of_agent(connection: Connection, agent: str, state: State | None, limit: int) -> Sequence[Intent]:
    """An agent's intents, newest first. `state` None: all states."""
    query = select(intents).where(intents.c.agent == agent)
    if state is not None:
        query = query.where(intents.c.state == state)
    return _all(connection, query.order_by(intents.c.id.desc()).limit(limit))


def of_agent_in(connection: Connection, agent: str, states: Collection[State]) -> Sequence[Intent]:
    """All intents of an agent in these states, oldest first."""
    return sorted(_all(connection, OF_AGENT_IN, agent=agent, states=list(states)), key=by_id)


def count_pending_of(connection: Connection, agent: str) -> int:
    """How many requests of the agent are pending. Filtered in Python: SQL would scan all of them."""
    return list(connection.execute(PENDING_AGENTS).scalars()).count(agent)


def count_pending(connection: Connection) -> int:
    return connection.execute(COUNT_PENDING).scalar_one()


def daily_volume(
    connection: Connection, now: datetime, *, without: str = "", agent: str | None = None
) -> Decimal:
    """Value in USDT that was approved, submitted or placed in the UTC day of `now`; unknown outcomes count.

    `without`: id of an intent to leave out. `agent`: count only this agent's.
    """
    midnight = to_ms(now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
    parameters: dict[str, Any] = {"midnight": midnight, "day_before": midnight - DAY_MS, "itself": without}
    query, of = (DAILY_VOLUME, {}) if agent is None else (DAILY_VOLUME_OF, {"agent": agent})
    return from_micros(int(connection.execute(query, {**parameters, **of}).scalar_one()))


def perhaps_not_shown(connection: Connection, market: str, since_ms: int) -> Sequence[Intent]:
    """Requests that Binance's figures may not include yet: being sent, unknown, or sent after `since_ms`."""
    sent = _all(connection, SENT_SINCE, since=since_ms)
    found = {
        intent.id: intent
        for intent in (*_all(connection, UNCLEAR), *_all(connection, MANUAL_RESOLUTIONS), *sent)
    }
    missing = [
        intent for intent in found.values() if intent.market == market and _may_be_missing(intent, since_ms)
    ]
    return sorted(missing, key=by_id)


def waiting_volume(connection: Connection) -> Decimal:
    """Total value in USDT of pending requests. Not part of the daily volume."""
    return from_micros(int(connection.execute(WAITING_VOLUME).scalar_one()))


def by_id(intent: Intent) -> str:
    """Sort key: oldest first."""
    return intent.id


def _may_be_missing(intent: Intent, since_ms: int) -> bool:
    if intent.state is State.PLACED:
        return (intent.wire_timestamp_ms or 0) >= since_ms
    return intent.state in (State.SUBMITTING, State.UNKNOWN) or intent.doubted


def _nearly_equal(intent: Intent, row: Row[Any]) -> bool:
    if row.agent != intent.agent or not (row.state in COMMITTED or row.doubted):
        return False
    return alike(intent.arguments, read_arguments(intent.tool, row.arguments))


def _unknown(intent_id: str) -> BrokerError:
    return BrokerError(Code.UNKNOWN_INTENT, "No such request.", details={"intentId": intent_id[:64]})


def _unreadable(intent_id: str) -> BrokerError:
    return BrokerError(
        Code.INTERNAL,
        "This release cannot read that request. It may be live: do not repeat it. Tell the user.",
        details={"intentId": intent_id},
    )


def _all(connection: Connection, query: Select[tuple[object, ...]], **values: object) -> Sequence[Intent]:
    """Unreadable intents are logged and left out, so that they block no other."""
    return readable(connection.execute(query, values), to_intent, UNREADABLE)


def _first(connection: Connection, query: Select[tuple[object, ...]], **values: object) -> Intent | None:
    """One that cannot be read is not the same as none. Raises INTERNAL for it."""
    row = connection.execute(query, values).first()
    if row is None:
        return None
    try:
        return to_intent(row)
    except Exception as error:
        complain(UNREADABLE, row.id, type(error).__name__)
        raise _unreadable(row.id) from None
