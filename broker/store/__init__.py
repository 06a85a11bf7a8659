"""The only SQL: tables, migrations, transitions, the audit chain, people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DatabaseError

from ..clock import Clock, Randomness
from ..errors import BrokerError, StartError
from ..files import beside, prepare_folder, secret_file
from . import queries
from .audit import AuditLog, Broken, events_of, recent_events
from .database import Database, Transaction
from .feed import Feed
from .intents import (
    EQUAL_WITHIN,
    Intents,
    NeedsSecondTap,
    NotDecidable,
    OverDailyVolume,
    Parked,
    idempotency_conflict,
)
from .migrate import has_tables, upgrade
from .people import People, Session, Trader
from .submissions import NotApproved, Submissions
from .tables import meta
from .transitions import Moved, Transitions


class Store:
    """One database of one mode and one account."""

    def __init__(self, database: Database, key: bytes, clock: Clock, random: Randomness) -> None:
        self.database = database
        self.log = AuditLog(key)
        transitions = Transitions(self.log, clock)
        self.intents = Intents(database, transitions, random)
        self.submissions = Submissions(database, transitions)
        self.people = People(database, self.log, clock, random)
        self._clock = clock

    @classmethod
    def open(cls, path: Path, *, mode: str, account: str, clock: Clock, random: Randomness) -> Store:
        """Make or migrate the database. Raises StartError."""
        prepare_folder(path.parent)
        database = Database(path)
        key_file = beside(path, "audit-key")

        def prepare(connection: Connection) -> Store:
            """One transaction, so that two first starts at once come one after the other."""
            fresh = not has_tables(connection)
            if fresh and key_file.exists():
                raise StartError(
                    f"{path} is missing or empty, but {key_file.name} beside it says that there was "
                    "a database. Put it back, or move the key away to begin anew"
                )
            upgrade(connection)
            store = cls(database, secret_file(key_file, random(32), may_make=fresh), clock, random)
            store._belongs_to(connection, mode, account)
            return store

        try:
            return database.write_now(prepare)
        except (BrokerError, DatabaseError) as error:
            database.close()
            raise StartError(f"The database {path} cannot be used: {_reason(error)}") from None
        except StartError:
            database.close()
            raise

    async def read(self, transaction: Transaction[Any]) -> Any:
        return await self.database.read(transaction)

    async def audit(self, kind: str, actor: str, *, intent_id: str | None = None, **data: Any) -> None:
        """Record something that is no transition: a cancel that passed through, a start."""
        await self.database.write(
            lambda connection: self.log.append(
                connection, at=self._clock(), kind=kind, actor=actor, intent_id=intent_id, data=data
            )
        )

    async def recover(self) -> None:
        """Try to write again after a failure; nothing else may write for long. Raises STORE_UNAVAILABLE."""
        if self.database.problem is not None:
            await self.audit("database:recovered", "broker")

    def close(self) -> None:
        self.database.close()

    def _belongs_to(self, connection: Connection, mode: str, account: str) -> None:
        """A database belongs to the mode and the account that it was made for."""
        owner = {row.name: row.value for row in connection.execute(select(meta))}
        mine = {"mode": mode, "account": account}
        if not owner:
            connection.execute(insert(meta), [{"name": name, "value": value} for name, value in mine.items()])
            # The log is never empty, so that emptying it shows.
            self.log.append(connection, at=self._clock(), kind="database:made", actor="broker", data=mine)
            return
        for name, value in mine.items():
            if owner.get(name) != value:
                raise StartError(f"The database belongs to {name} {owner.get(name)}, not to {value}")


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, BrokerError) else error
    return str(getattr(cause, "orig", None) or cause or error)


__all__ = [
    "EQUAL_WITHIN",
    "Broken",
    "Database",
    "Feed",
    "Intents",
    "Moved",
    "NeedsSecondTap",
    "NotApproved",
    "NotDecidable",
    "OverDailyVolume",
    "Parked",
    "People",
    "Session",
    "Store",
    "Submissions",
    "Trader",
    "events_of",
    "idempotency_conflict",
    "queries",
    "recent_events",
]
