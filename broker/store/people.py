"""Traders and their sessions. Passwords and tokens are stored only as hashes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ..clock import Clock, Randomness, from_ms, to_ms
from ..credentials import MAX_NAME, MAX_PASSWORD, hash_key, hash_password, new_token, verify_password
from ..errors import invalid
from ..events import EventKind
from ..intents import new_id
from ..names import check_name, require_distinct
from ..passwords import check_password, is_text
from .audit import AuditLog
from .database import Database
from .session_guard import NotSignedIn, Standing
from .tables import agents, invitations, sessions, traders

SESSION_DAYS = 7
INVITATION_HOURS = 24


@dataclass(frozen=True, kw_only=True)
class Session:
    """A trader's sign-in in one browser. The id is not secret; the token is known only to the browser."""

    id: str
    trader: str
    created_at: datetime
    expires_at: datetime
    user_agent: str


@dataclass(frozen=True, kw_only=True)
class Trader:
    name: str
    created_at: datetime


class People:
    """Methods that are not async block. Methods with a connection run in its transaction."""

    def __init__(self, database: Database, log: AuditLog, clock: Clock, random: Randomness) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._random = random

    # -- traders

    def add_trader(self, name: str, password: str, *, actor: str) -> None:
        """Raises INVALID_ARGUMENTS for a name that is taken or invalid, or a weak password."""
        self._database.write_now(self._adding(name, password, actor))

    def remove_trader(self, name: str, *, actor: str) -> None:
        """Also ends the trader's sessions. Raises INVALID_ARGUMENTS for an unknown name."""

        def transaction(connection: Connection) -> None:
            if connection.execute(delete(traders).where(traders.c.name == name)).rowcount != 1:
                raise invalid("name", f"there is no trader {name[:MAX_NAME]!r}")
            connection.execute(delete(sessions).where(sessions.c.trader == name))
            self._audit(connection, EventKind.TRADER_REMOVED, actor, name=name)

        self._database.write_now(transaction)

    def traders(self) -> Sequence[Trader]:
        query = select(traders.c.name, traders.c.created_at).order_by(traders.c.name)
        return self._database.read_now(
            lambda connection: [
                Trader(name=row.name, created_at=from_ms(row.created_at)) for row in connection.execute(query)
            ]
        )

    def right_password(self, name: str, password: str) -> str | None:
        """The stored hash if the password is right, else None.

        Slow on purpose, also for an unknown name: call it off the event loop.
        """
        if not (is_text(name) and is_text(password)):
            return None
        hashed = self._database.read_now(lambda connection: _hash_of(connection, name))
        return hashed if verify_password(hashed, password[: MAX_PASSWORD + 1]) else None

    async def hash_of(self, name: str) -> str | None:
        """The hash of a trader's password; None if there is no such trader."""
        if not is_text(name):
            return None
        return await self._database.read(lambda connection: _hash_of(connection, name))

    def hash_new_password(self, trader: str, password: str) -> str:
        """Slow on purpose: call it off the event loop. Raises INVALID_ARGUMENTS for a weak password."""
        check_password(password, trader)
        return hash_password(password)

    async def change_password(self, session: Session, old_hash: str, new_hash: str) -> int | None:
        """Change the password and end the trader's other sessions. Returns how many ended.

        None if `old_hash` is no longer the current password. Raises NotSignedIn.
        """
        standing = self.standing(session)

        def transaction(connection: Connection) -> int | None:
            standing(connection)
            if _hash_of(connection, session.trader) != old_hash:
                return None
            own_row = traders.c.name == session.trader
            connection.execute(update(traders).where(own_row).values(password_hash=new_hash))
            actor = f"trader:{session.trader}"
            self._audit(
                connection, EventKind.TRADER_PASSWORD_CHANGED, actor, name=session.trader, session=session.id
            )
            others = (sessions.c.trader == session.trader) & (sessions.c.id != session.id)
            ended = connection.execute(select(sessions.c.id).where(others)).scalars().all()
            connection.execute(delete(sessions).where(others))
            for session_id in ended:  # open pages react to their own session's event
                self._audit(connection, EventKind.SESSION_ENDED, actor, session=session_id)
            return len(ended)

        return await self._database.write(transaction)

    # -- the first trader

    def invite(self) -> str | None:
        """A one-time token to create the first trader; None if there is a trader. Replaces earlier tokens."""
        token = new_token(self._random)

        def transaction(connection: Connection) -> str | None:
            if _count_traders(connection):
                return None
            connection.execute(delete(invitations))
            connection.execute(
                insert(invitations).values(token_hash=hash_key(token), created_at=to_ms(self._clock()))
            )
            return token

        return self._database.write_now(transaction)

    async def invitation_holds(self, token: str) -> bool:
        return await self._database.read(lambda connection: self._invitation_valid(connection, token))

    async def accept_invitation(self, token: str, name: str, password: str) -> str | None:
        """Create the first trader and return the password's hash; None if the link has expired or was used.

        Raises INVALID_ARGUMENTS.
        """
        adding = await asyncio.to_thread(self._adding, name, password, "first-run link")

        def transaction(connection: Connection) -> str | None:
            if not self._invitation_valid(connection, token):
                return None
            adding(connection)
            return adding.hashed

        return await self._database.write(transaction)

    # -- sessions

    async def open_session(self, trader: str, hashed: str, user_agent: str) -> tuple[Session, str] | None:
        """Open a session and return it with its token, which is not stored.

        None if `hashed` is no longer the trader's password: the trader may have been removed, or the password
        changed, while the password was being checked.
        """
        token, now = new_token(self._random), self._clock()
        session = Session(
            id=new_id(now, self._random(10)),
            trader=trader,
            created_at=now,
            expires_at=now + timedelta(days=SESSION_DAYS),
            user_agent=user_agent[:200],
        )

        def transaction(connection: Connection) -> bool:
            if _hash_of(connection, trader) != hashed:
                return False
            connection.execute(
                insert(sessions).values(
                    token_hash=hash_key(token),
                    id=session.id,
                    trader=trader,
                    created_at=to_ms(now),
                    expires_at=to_ms(session.expires_at),
                    user_agent=session.user_agent,
                )
            )
            self._audit(connection, EventKind.SESSION_OPENED, f"trader:{trader}", session=session.id)
            return True

        return (session, token) if await self._database.write(transaction) else None

    async def session(self, token: str) -> Session | None:
        """The session of that token; None if it ended or its trader was removed."""
        query = (
            select(sessions)
            .join(traders, traders.c.name == sessions.c.trader)
            .where(sessions.c.token_hash == hash_key(token), sessions.c.expires_at > to_ms(self._clock()))
        )
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _session(row) if row else None

    def standing(self, session: Session) -> Standing:
        """A check for a transaction: it raises NotSignedIn if the session ended or its trader is gone."""
        valid_session = (
            select(func.count())
            .select_from(sessions)
            .join(traders, traders.c.name == sessions.c.trader)
            .where(sessions.c.id == session.id, sessions.c.trader == session.trader)
        )

        def require(connection: Connection) -> None:
            now = to_ms(self._clock())
            if not connection.execute(valid_session.where(sessions.c.expires_at > now)).scalar_one():
                raise NotSignedIn(session.id)

        return require

    async def sessions_of(self, trader: str) -> Sequence[Session]:
        """Newest first."""
        query = select(sessions).where(
            sessions.c.trader == trader, sessions.c.expires_at > to_ms(self._clock())
        )
        ordered = query.order_by(sessions.c.created_at.desc())
        rows = await self._database.read(lambda connection: connection.execute(ordered).all())
        return [_session(row) for row in rows]

    async def end_session(self, session_id: str, trader: str, *, standing: Standing) -> bool:
        """End one of the trader's sessions. False if there is none with that id. Raises NotSignedIn."""

        def transaction(connection: Connection) -> bool:
            standing(connection)
            own_row = delete(sessions).where(sessions.c.id == session_id, sessions.c.trader == trader)
            if connection.execute(own_row).rowcount != 1:
                return False
            self._audit(connection, EventKind.SESSION_ENDED, f"trader:{trader}", session=session_id)
            return True

        return await self._database.write(transaction)

    # -- within one transaction

    def _adding(self, name: str, password: str, actor: str) -> _Adding:
        check_name(name)
        return _Adding(self, name, self.hash_new_password(name, password), actor)

    def add_hashed(self, connection: Connection, name: str, hashed: str, actor: str) -> None:
        """Add a trader. Deletes the first-run link, so that it stays invalid when all traders are removed."""
        require_distinct(name, connection.execute(select(traders.c.name)).scalars(), "trader")
        require_distinct(name, connection.execute(select(agents.c.name)).scalars(), "agent")
        connection.execute(
            insert(traders).values(name=name, password_hash=hashed, created_at=to_ms(self._clock()))
        )
        connection.execute(delete(invitations))
        self._audit(connection, EventKind.TRADER_ADDED, actor, name=name)

    def _invitation_valid(self, connection: Connection, token: str) -> bool:
        if not is_text(token):
            return False
        not_before = self._clock() - timedelta(hours=INVITATION_HOURS)
        query = select(func.count()).where(
            invitations.c.token_hash == hash_key(token), invitations.c.created_at > to_ms(not_before)
        )
        return bool(connection.execute(query).scalar_one()) and not _count_traders(connection)

    def _audit(self, connection: Connection, kind: EventKind, actor: str, **data: str) -> None:
        self._log.append(connection, at=self._clock(), kind=kind, actor=actor, data=data)


@dataclass(frozen=True)
class _Adding:
    """A transaction that adds a trader. The password was hashed before, outside the transaction."""

    people: People
    name: str
    hashed: str
    actor: str

    def __call__(self, connection: Connection) -> None:
        self.people.add_hashed(connection, self.name, self.hashed, self.actor)


def _hash_of(connection: Connection, trader: str) -> str | None:
    return connection.execute(select(traders.c.password_hash).where(traders.c.name == trader)).scalar()


def _count_traders(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(traders)).scalar_one()


def _session(row: Row[tuple[object, ...]]) -> Session:
    return Session(
        id=row.id,
        trader=row.trader,
        created_at=from_ms(row.created_at),
        expires_at=from_ms(row.expires_at),
        user_agent=row.user_agent,
    )
