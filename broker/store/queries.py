"""Reading intents: plain functions of a connection, used alone and within transactions."""

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
"""Neither of the first two is known of what a restored backup had still waiting."""

DOUBTED = and_(intents.c.word_by.is_not(None), intents.c.word_holds.is_not(True))
"""Settled by a trader's word that Binance has not borne out: it counts like one that is unknown."""

OF_AGENT_IN = select(intents).where(
    intents.c.agent == bindparam("agent"), intents.c.state.in_(bindparam("states", expanding=True))
)
_TURN = func.row_number().over(partition_by=intents.c.agent, order_by=intents.c.id)
_TURNS = select(intents.c.id, _TURN.label("turn")).where(intents.c.state == State.PENDING).subquery()
PENDING_BY_TURNS = (
    select(intents)
    .join(_TURNS, _TURNS.c.id == intents.c.id)
    .order_by(_TURNS.c.turn, intents.c.id)
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
WHO_WAITS = select(intents.c.agent).where(intents.c.state == State.PENDING)
VOLUME = select(func.coalesce(func.sum(intents.c.value_micros), 0))
WAITING_VOLUME = VOLUME.where(intents.c.state == State.PENDING)
DAILY_VOLUME = VOLUME.where(
    or_(intents.c.state.in_(COMMITTED), DOUBTED),
    intents.c.updated_at >= bindparam("day_before"),  # implied by the next line, and indexed
    or_(
        SENT_AT >= bindparam("midnight"),
        intents.c.state == State.APPROVED,  # yesterday's, to be submitted today
    ),
    intents.c.id != bindparam("itself"),
)
DAILY_VOLUME_OF = DAILY_VOLUME.where(intents.c.agent == bindparam("agent"))
# One by one: together, or in order, they would walk the whole table. What a history has many of is never
# looked for by its state alone.
UNCLEAR = select(intents).where(intents.c.state.in_((State.SUBMITTING, State.UNKNOWN)))
WORDS = select(intents).where(intents.c.word_by.is_not(None), intents.c.word_holds.is_not(True))
UNCHECKED_WORDS = select(intents).where(intents.c.word_by.is_not(None), intents.c.word_holds.is_(None))
SENT_SINCE = select(intents).where(intents.c.wire_timestamp_ms >= bindparam("since"))
FOLLOWED = select(intents).where(intents.c.followed)


# What a request may repeat: only what tells whether it does, since a busy account has many of them. The agent
# is compared later: SQLite would walk all that the agent ever asked for.
_COMPARED = (intents.c.id, intents.c.agent, intents.c.state, DOUBTED.label("doubted"), intents.c.arguments)
_OF_A_KIND = (
    intents.c.tool == bindparam("tool"),
    intents.c.market == bindparam("market"),
    intents.c.arguments["symbol"].as_string() == bindparam("symbol"),
)
OPEN_OF_A_KIND = select(*_COMPARED).where(intents.c.state.in_(COMMITTED - {State.PLACED}), *_OF_A_KIND)
WORDS_OF_A_KIND = select(*_COMPARED).where(
    intents.c.word_by.is_not(None), intents.c.word_holds.is_not(True), *_OF_A_KIND
)
SENT_OF_A_KIND = select(*_COMPARED).where(intents.c.wire_timestamp_ms >= bindparam("since"), *_OF_A_KIND)


def find_any(connection: Connection, intent_id: str) -> Intent:
    """Whichever agent asked for it: for traders, and for the broker itself. Raises UNKNOWN_INTENT, and
    INTERNAL for one that cannot be read.
    """
    found = _first(connection, BY_ID, intent_id=intent_id)
    if found is None:
        raise _unknown(intent_id)
    return found


def find_own(connection: Connection, intent_id: str, agent: str) -> Intent:
    """Only that agent's: another's answers like one that does not exist. Raises as above."""
    found = _first(connection, BY_OWN_ID, intent_id=intent_id, agent=agent)
    if found is None:
        raise _unknown(intent_id)
    return found


def find_by_key(connection: Connection, agent: str, tool: str, key: str) -> Intent | None:
    return _first(connection, BY_KEY, agent=agent, tool=tool, key=key)


def find_equal_pending(connection: Connection, agent: str, equality: str) -> Intent | None:
    return _first(connection, EQUAL_PENDING, agent=agent, equality=equality)


def find_earlier_equal(connection: Connection, intent: Intent, since: datetime) -> Intent | None:
    """The newest equal request of the same agent that went to Binance since then, or whose end is open;
    also one that is nearly equal.
    """
    given = {"agent": intent.agent, "equality": intent.equality, "itself": intent.id, "since": to_ms(since)}
    kind = {"tool": intent.tool, "market": intent.market, "symbol": intent.arguments.symbol}
    kept = (
        *connection.execute(OPEN_OF_A_KIND, kind),
        *connection.execute(WORDS_OF_A_KIND, kind),
        *connection.execute(SENT_OF_A_KIND, {**kind, "since": to_ms(since)}),
    )
    near = readable(kept, lambda row: row.id if _nearly_equal(intent, row) else intent.id, UNREADABLE)
    equal = [one.id for one in _all(connection, EARLIER_EQUAL, **given)]
    for newest in sorted({*equal, *near} - {intent.id}, reverse=True):
        if found := _all(connection, BY_ID, intent_id=newest):
            return found[0]
    return None


def due(connection: Connection, now: datetime) -> Sequence[Intent]:
    """Pending intents whose time is up."""
    return _all(connection, DUE, now=to_ms(now))


def in_states(
    connection: Connection, states: Collection[State], limit: int | None = 1000
) -> Sequence[Intent]:
    """Oldest first; all of them where `limit` is None."""
    query = select(intents).where(intents.c.state.in_(states)).order_by(intents.c.id)
    return _all(connection, query.limit(limit))


def pending(connection: Connection, most: int) -> Sequence[Intent]:
    """Oldest first; of more than `most` each agent's oldest, so that none keeps another's out of sight."""
    return sorted(_all(connection, PENDING_BY_TURNS, most=most), key=by_id)


def followed(connection: Connection) -> Sequence[Intent]:
    """Intents whose order at the exchange may still change, or whose fees are not known yet."""
    found = _all(connection, FOLLOWED)
    return sorted((intent for intent in found if intent.state is State.PLACED or intent.doubted), key=by_id)


def recorded(connection: Connection) -> Sequence[Intent]:
    """Settled by a trader's word that Binance has neither borne out nor contradicted yet."""
    return sorted(_all(connection, UNCHECKED_WORDS), key=by_id)


def decided(connection: Connection, limit: int = 50) -> Sequence[Intent]:
    """What is no longer pending, the latest change first."""
    query = select(intents).where(intents.c.state != State.PENDING)
    return _all(connection, query.order_by(intents.c.updated_at.desc(), intents.c.id.desc()).limit(limit))


def of_agent(connection: Connection, agent: str, state: State | None, limit: int) -> Sequence[Intent]:
    """An agent's own, newest first."""
    query = select(intents).where(intents.c.agent == agent)
    if state is not None:
        query = query.where(intents.c.state == state)
    return _all(connection, query.order_by(intents.c.id.desc()).limit(limit))


def of_agent_in(connection: Connection, agent: str, states: Collection[State]) -> Sequence[Intent]:
    """All of an agent's own in these states, oldest first."""
    return sorted(_all(connection, OF_AGENT_IN, agent=agent, states=list(states)), key=by_id)


def count_pending_of(connection: Connection, agent: str) -> int:
    """Counted here: asked for an agent's own, SQLite would walk all that he ever asked for."""
    return list(connection.execute(WHO_WAITS).scalars()).count(agent)


def count_pending(connection: Connection) -> int:
    return connection.execute(COUNT_PENDING).scalar_one()


def daily_volume(
    connection: Connection, now: datetime, *, without: str = "", agent: str | None = None
) -> Decimal:
    """USDT committed in the UTC day of `now`: approved, submitting, unknown and placed, by submission.

    `without` names an intent that is left out; with `agent`, only that agent's count.
    """
    midnight = to_ms(now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
    given: dict[str, Any] = {"midnight": midnight, "day_before": midnight - DAY_MS, "itself": without}
    query, of = (DAILY_VOLUME, {}) if agent is None else (DAILY_VOLUME_OF, {"agent": agent})
    return from_micros(int(connection.execute(query, {**given, **of}).scalar_one()))


def perhaps_not_shown(connection: Connection, market: str, since_ms: int) -> Sequence[Intent]:
    """Own requests that the exchange's figures may not show: being sent, unknown, or sent since then."""
    sent = _all(connection, SENT_SINCE, since=since_ms)
    found = {intent.id: intent for intent in (*_all(connection, UNCLEAR), *_all(connection, WORDS), *sent)}
    perhaps = [intent for intent in found.values() if intent.market == market and _unseen(intent, since_ms)]
    return sorted(perhaps, key=by_id)


def waiting_volume(connection: Connection) -> Decimal:
    """USDT of what is still pending: shown, not counted."""
    return from_micros(int(connection.execute(WAITING_VOLUME).scalar_one()))


def by_id(intent: Intent) -> str:
    """Oldest first."""
    return intent.id


def _unseen(intent: Intent, since_ms: int) -> bool:
    if intent.state is State.PLACED:
        return (intent.wire_timestamp_ms or 0) >= since_ms
    return intent.state in (State.SUBMITTING, State.UNKNOWN) or intent.doubted


def _nearly_equal(intent: Intent, row: Row[Any]) -> bool:
    if row.agent != intent.agent or not (row.state in COMMITTED or row.doubted):
        return False
    return alike(intent.arguments, read_arguments(intent.tool, row.arguments))


def _unknown(intent_id: str) -> BrokerError:
    return BrokerError(
        Code.UNKNOWN_INTENT, "No intent of yours has that id.", details={"intentId": intent_id[:64]}
    )


def _unreadable(intent_id: str) -> BrokerError:
    return BrokerError(
        Code.INTERNAL,
        "This release cannot read that request. It may be live: do not repeat it. Tell the user.",
        details={"intentId": intent_id},
    )


def _all(connection: Connection, query: Select[tuple[object, ...]], **values: object) -> Sequence[Intent]:
    """Without those that cannot be read: none of them keeps another from being shown, sent or settled."""
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
