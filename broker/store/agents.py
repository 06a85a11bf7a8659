"""Agents and their API keys. Keys are stored only as hashes. All methods run in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update

from ..agents import Agent
from ..clock import Randomness, from_ms, to_ms
from ..credentials import hash_key, new_key
from ..errors import BrokerError, Code, StartError, invalid
from ..events import EventKind
from ..intents import Intent, State
from ..names import require_distinct
from ..reasons import Reason, Why
from .queries import of_agent_in
from .tables import agent_keys, agents, intents, traders
from .transitions import Transitions

MOST_OVERLAP: Final = timedelta(days=30)

# Built once: building a statement takes longer than running it.
BY_NAME = select(agents).where(agents.c.name == bindparam("name"))
BY_KEY = (
    select(agents, agent_keys.c.ends_at)
    .join(agent_keys, agent_keys.c.agent == agents.c.name)
    .where(
        agent_keys.c.key_hash == bindparam("hashed"),
        agents.c.revoked_at.is_(None),
        or_(agent_keys.c.ends_at.is_(None), agent_keys.c.ends_at > bindparam("now")),
    )
)


@dataclass(frozen=True, kw_only=True)
class Key:
    """An API key of an agent. `ends_at` is None if it does not expire."""

    created_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Known:
    """An agent as operators see it. `keys`: the valid ones, newest first; `pending`: requests that wait."""

    agent: Agent
    created_at: datetime
    revoked_at: datetime | None
    keys: Sequence[Key]
    pending: int


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """The agent that a key belongs to, and when the key expires (None: never)."""

    agent: Agent
    ends_at: datetime | None


class Agents:
    def __init__(self, transitions: Transitions, random: Randomness) -> None:
        self._moves = transitions
        self._clock = transitions.clock
        self._random = random

    # -- reading

    def by_key(self, connection: Connection, key: str) -> Admitted | None:
        parameters = {"hashed": hash_key(key), "now": to_ms(self._clock())}
        row = connection.execute(BY_KEY, parameters).one_or_none()
        if row is None:
            return None
        ends_at = None if row.ends_at is None else from_ms(row.ends_at)
        return Admitted(agent=_agent(row, alone=_count(connection) == 1), ends_at=ends_at)

    def named(self, connection: Connection, name: str) -> Agent:
        """The agent with its current rights. Raises UNAUTHORIZED if it was revoked.

        An unknown name returns an agent without limits; it has no key, so it cannot call.
        """
        row = connection.execute(BY_NAME, {"name": name}).one_or_none()
        if row is None:
            return Agent(name=name)
        if row.revoked_at is not None:
            raise BrokerError(Code.UNAUTHORIZED, f"Agent {name} was revoked. Nothing was done.")
        return _agent(row)

    def entry(self, connection: Connection, name: str) -> Agent:
        """The stored agent, revoked or not. Raises INVALID_ARGUMENTS for an unknown name."""
        return _agent(self._row(connection, name))

    def all(self, connection: Connection) -> Sequence[Known]:
        """All agents, sorted by name; revoked ones last."""
        query = select(agents).order_by(agents.c.revoked_at.is_not(None), func.lower(agents.c.name))
        waiting = select(intents.c.agent, func.count()).where(intents.c.state == State.PENDING)
        pending: dict[str, int] = {
            name: count for name, count in connection.execute(waiting.group_by(intents.c.agent))
        }
        return [
            Known(
                agent=_agent(row),
                created_at=from_ms(row.created_at),
                revoked_at=None if row.revoked_at is None else from_ms(row.revoked_at),
                keys=self._keys(connection, row.name),
                pending=pending.get(row.name, 0),
            )
            for row in connection.execute(query)
        ]

    # -- changing

    def add(self, connection: Connection, agent: Agent, *, actor: str) -> str:
        """Add an agent and return its key, which is not stored.

        Raises INVALID_ARGUMENTS for a name that is taken or looks like one that is.
        """
        same_name = select(agents).where(func.lower(agents.c.name) == agent.name.lower())
        if (row := connection.execute(same_name).one_or_none()) is not None:
            how = ", and was revoked: give it a new key instead" if row.revoked_at is not None else ""
            raise invalid("name", f"{row.name} is taken by another agent{how}")
        require_distinct(agent.name, connection.execute(select(agents.c.name)).scalars(), "agent")
        require_distinct(agent.name, connection.execute(select(traders.c.name)).scalars(), "trader")
        self._insert(connection, agent)
        self._audit(connection, EventKind.AGENT_ADDED, actor, name=agent.name, rights=agent.rights())
        return self._new_key(connection, agent.name)

    def rotate(self, connection: Connection, name: str, overlap: timedelta, *, actor: str) -> str:
        """Return a new key. The old keys expire after `overlap` (0 to 30 days). Reactivates a revoked agent.

        Raises INVALID_ARGUMENTS.
        """
        if not timedelta(0) <= overlap <= MOST_OVERLAP:
            raise invalid("overlap", f"must be 0 to {MOST_OVERLAP.days * 24} hours")
        row = self._row(connection, name)
        ends_at = to_ms(self._clock() + overlap)
        outlives_overlap = or_(agent_keys.c.ends_at.is_(None), agent_keys.c.ends_at > ends_at)
        connection.execute(
            update(agent_keys).where(agent_keys.c.agent == name, outlives_overlap).values(ends_at=ends_at)
        )
        self._forget_ended(connection)
        connection.execute(update(agents).where(agents.c.name == name).values(revoked_at=None))
        data: dict[str, Any] = {"name": name, "overlapHours": overlap.total_seconds() / 3600}
        if row.revoked_at is not None:
            data["wasRevoked"] = True
        self._audit(connection, EventKind.AGENT_KEY_ROTATED, actor, **data)
        return self._new_key(connection, name)

    def limit(self, connection: Connection, agent: Agent, *, actor: str) -> None:
        """Replace the agent's rights and limits. Raises INVALID_ARGUMENTS for an unknown name."""
        self._row(connection, agent.name)
        rights = agent.rights()
        connection.execute(update(agents).where(agents.c.name == agent.name).values(rights=rights))
        self._audit(connection, EventKind.AGENT_LIMITS_SET, actor, name=agent.name, rights=rights)

    def revoke(self, connection: Connection, name: str, *, actor: str) -> int:
        """Delete the agent's keys, withdraw its pending requests, and stop its approved, unsent ones.

        All in one commit. Returns how many requests were stopped. Raises INVALID_ARGUMENTS.
        """
        if self._row(connection, name).revoked_at is not None:
            raise invalid("name", f"{name} is already revoked")
        connection.execute(delete(agent_keys).where(agent_keys.c.agent == name))
        revoked = update(agents).where(agents.c.name == name).values(revoked_at=to_ms(self._clock()))
        connection.execute(revoked)
        open_intents = of_agent_in(connection, name, {State.PENDING, State.APPROVED})
        self._audit(connection, EventKind.AGENT_REVOKED, actor, name=name, requests=len(open_intents))
        for intent in open_intents:
            self._stop(connection, intent, actor)
        return len(open_intents)

    def give(self, connection: Connection, name: str, key: str) -> bool:
        """At start: store the key from the settings. Adds the agent if it does not exist.

        A key that differs from last time's replaces all keys of the agent at once. The same key changes
        nothing: a revoked agent stays revoked, and a rotated key stays expired. Returns whether the agent may
        call. Raises StartError if the key belongs to another agent.
        """
        hashed = hash_key(key)
        owner = connection.execute(select(agent_keys).where(agent_keys.c.key_hash == hashed)).one_or_none()
        if owner is not None and owner.agent != name:
            raise StartError(
                f"MCP_API_KEY is already the key of agent {owner.agent}; set another key for {name}"
            )
        row = connection.execute(BY_NAME, {"name": name}).one_or_none()
        if row is None:
            self._insert(connection, Agent(name=name))
        elif row.given_key_hash == hashed:
            return row.revoked_at is None
        connection.execute(update(agents).where(agents.c.name == name).values(given_key_hash=hashed))
        if row is not None and row.revoked_at is not None:
            return False
        if owner is None:
            connection.execute(delete(agent_keys).where(agent_keys.c.agent == name))
            self._keep(connection, name, hashed)
            self._audit(connection, EventKind.AGENT_KEY_SET, "broker", name=name)
        return True

    # -- within one transaction

    def _stop(self, connection: Connection, intent: Intent, actor: str) -> None:
        why = Why(Reason.AGENT_REVOKED, f"its agent was revoked by {actor.removeprefix('trader:')}")
        to = State.NOT_SENT if intent.state is State.APPROVED else State.WITHDRAWN
        self._moves.move(connection, intent, to, actor, why)

    def _row(self, connection: Connection, name: str) -> Row[Any]:
        row = connection.execute(BY_NAME, {"name": name}).one_or_none()
        if row is None:
            raise invalid("name", f"there is no agent {name[:40]!r}")
        return row

    def _insert(self, connection: Connection, agent: Agent) -> None:
        row_values = {"name": agent.name, "rights": agent.rights(), "created_at": to_ms(self._clock())}
        connection.execute(insert(agents), row_values)

    def _new_key(self, connection: Connection, name: str) -> str:
        key = new_key(self._random)
        self._keep(connection, name, hash_key(key))
        return key

    def _keep(self, connection: Connection, name: str, hashed: str) -> None:
        row_values = {"key_hash": hashed, "agent": name, "created_at": to_ms(self._clock())}
        connection.execute(insert(agent_keys), row_values)

    def _keys(self, connection: Connection, name: str) -> Sequence[Key]:
        now = to_ms(self._clock())
        not_expired = or_(agent_keys.c.ends_at.is_(None), agent_keys.c.ends_at > now)
        query = select(agent_keys).where(agent_keys.c.agent == name, not_expired)
        ordered = query.order_by(agent_keys.c.ends_at.is_not(None), agent_keys.c.created_at.desc())
        return [
            Key(
                created_at=from_ms(row.created_at),
                ends_at=None if row.ends_at is None else from_ms(row.ends_at),
            )
            for row in connection.execute(ordered)
        ]

    def _forget_ended(self, connection: Connection) -> None:
        connection.execute(delete(agent_keys).where(agent_keys.c.ends_at <= to_ms(self._clock())))

    def _audit(self, connection: Connection, kind: EventKind, actor: str, **data: Any) -> None:
        self._moves.log.append(connection, at=self._clock(), kind=kind, actor=actor, data=data)


def _count(connection: Connection) -> int:
    query = select(func.count()).select_from(agents).where(agents.c.revoked_at.is_(None))
    return connection.execute(query).scalar_one()


def _agent(row: Row[Any], *, alone: bool = False) -> Agent:
    return Agent.of(row.name, row.rights, alone=alone)
