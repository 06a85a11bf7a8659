"""All SQL is here: tables, migrations, transitions, audit log, traders, agents, channels, outbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DatabaseError

from ..clock import Clock, Randomness
from ..credentials import Vault
from ..errors import BrokerError, Code, StartError
from ..events import EventKind
from ..files import AuditFiles, prepare_folder, secret_file
from . import queries
from .agents import Admitted, Agents, Key, Known
from .audit import BEGUN, AuditLog, Broken, events_of, recent_events
from .audit_feed import Feed
from .audit_head import Head
from .bundles import Gathered, gather
from .channels import Channels
from .database import Database, Transaction
from .halt import Halts
from .intents import (
    EQUAL_WITHIN,
    NOT_PARKED,
    Intents,
    NeedsSecondTap,
    NotDecidable,
    OverDailyVolume,
    Parked,
    idempotency_conflict,
)
from .migrate import has_tables, upgrade
from .outbox import Outbox
from .people import People, Session, Trader
from .refusals import Refusals
from .seen import Sightings
from .session_guard import NotSignedIn, Standing, standing_first
from .submissions import NotApproved, Submissions, Uncertain
from .tables import meta
from .transitions import Moved, Transitions
from .upkeep import Upkeep

T = TypeVar("T")


class Store:
    """The database of one mode (live, testnet, paper) and one account."""

    def __init__(
        self, database: Database, key: bytes, files: AuditFiles, clock: Clock, random: Randomness
    ) -> None:
        self.database = database
        self.log = AuditLog(key)
        transitions = Transitions(self.log, clock)
        self.halts = Halts(database, transitions)
        self.agents = Agents(transitions, random)
        self.intents = Intents(database, transitions, self.halts, self.agents, random)
        self.submissions = Submissions(database, transitions, self.halts)
        self.people = People(database, self.log, clock, random)
        self.refusals = Refusals(database, self.log, clock)
        self.vault = Vault(key)
        self.channels = Channels(database, self.log, self.vault, clock, random)
        self.outbox = Outbox(self.log, random)
        self.sightings = Sightings(self.log)
        self.upkeep = Upkeep(database, self.log, files, key)
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        mode: str,
        account: str,
        clock: Clock,
        random: Randomness,
        may_make: bool,
        files: AuditFiles | None = None,
        to_verify: bool = False,
        of_any_mode: bool = False,
    ) -> Store:
        """Open the database; create it (with `may_make`) or migrate it if needed.

        `of_any_mode` skips the check of mode and account: commands run without the broker's settings.
        `files` (audit key and audit head) default to the database's folder.
        `to_verify` also opens a database whose audit log is older than its audit head, which otherwise fails.

        Raises StartError, also when there is no database and `may_make` is false.
        """
        if may_make:
            prepare_folder(path.parent)
        files = files or AuditFiles.of(path, path.parent)
        database = Database(path, may_make=may_make)

        def prepare(connection: Connection) -> Store:
            """Runs in one transaction, so that two simultaneous first starts run one after the other."""
            fresh = not has_tables(connection)
            if fresh and not may_make:
                raise StartError(f"There is no database in the file {path}")
            key = _begin(path, files, random(32)) if fresh else secret_file(files.key, b"", may_make=False)
            upgrade(connection)
            store = cls(database, key, files, clock, random)
            if fresh or not of_any_mode:
                store._belongs_to(connection, mode, account)
            if not to_verify and store.upkeep.meet_head(connection):
                store.record(connection, EventKind.AUDIT_HEAD_MISSING, "broker")
            return store

        try:
            store = database.write_now(prepare)
            database.watch_files()
            store.upkeep.keep_head()
            return store
        except (BrokerError, DatabaseError) as error:
            database.close()
            raise StartError(f"The database {path} cannot be used: {_reason(error)}") from None
        except OSError as error:
            database.close()
            raise StartError(f"{files.head} cannot be written: {error.strerror}") from None
        except StartError:
            database.close()
            raise

    async def read(self, transaction: Transaction[T]) -> T:
        return await self.database.read(transaction)

    async def audit(self, kind: EventKind, actor: str, *, intent_id: str | None = None, **data: Any) -> None:
        """Record an event that is not a state transition, such as a start or a cancel."""
        await self.database.write(
            lambda connection: self.record(connection, kind, actor, intent_id=intent_id, **data)
        )

    def record(
        self,
        connection: Connection,
        kind: EventKind,
        actor: str,
        *,
        intent_id: str | None = None,
        **data: Any,
    ) -> None:
        """Like `audit`, inside the caller's transaction."""
        self.log.append(connection, at=self._clock(), kind=kind, actor=actor, intent_id=intent_id, data=data)

    @property
    def problem(self) -> str | None:
        """Why the database or its audit files do not work; None if they work."""
        return self.database.lost or self.database.problem or self.upkeep.trouble

    def mode(self) -> str:
        """The mode that the database was created for."""
        query = select(meta.c.value).where(meta.c.name == "mode")
        return str(self.database.read_now(lambda connection: connection.execute(query).scalar()))

    async def recover(self) -> None:
        """Retry a write after a failure: no other write may happen for a long time.

        Raises STORE_UNAVAILABLE while the problem lasts.
        """
        self.database.require_files()
        if self.database.problem is not None:
            await self.audit(EventKind.DATABASE_RECOVERED, "broker")
        if self.upkeep.trouble is not None:
            raise BrokerError(Code.STORE_UNAVAILABLE, self.upkeep.trouble)

    def verify(self) -> Broken | None:
        """Check every row of the audit log and the audit head. Returns the first fault, None if none."""
        try:
            mark = self.upkeep.head.read()
        except StartError as error:
            return Broken(0, str(error))

        def walk(connection: Connection) -> Broken | None:
            broken = self.log.verify(connection, mark)
            if broken is not None or mark is not None:
                return broken
            newest = self.log.mark(connection)
            if newest is None or newest.seq == 1:
                return None
            problem = f"{self.upkeep.head.path} is missing, so rows after {newest.seq} may be missing too"
            return Broken(newest.seq + 1, problem)

        return self.database.read_now(walk)

    async def trail(self) -> None:
        """Until cancelled: keep the audit head up to date, and check that all files are in place."""
        await self.upkeep.run(lambda: self.problem, self.recover, lambda kind: self.audit(kind, "broker"))

    def close(self) -> None:
        self.upkeep.close()
        self.database.close()

    def _belongs_to(self, connection: Connection, mode: str, account: str) -> None:
        """Mark a new database with its mode and account; raise StartError if it belongs to others."""
        owner = {row.name: row.value for row in connection.execute(select(meta))}
        expected = {"mode": mode, "account": account}
        if not owner:
            connection.execute(
                insert(meta), [{"name": name, "value": value} for name, value in expected.items()]
            )
            # The log is never empty, so an emptied log is detected.
            self.record(connection, EventKind.DATABASE_MADE, "broker", **expected)
            return
        for name, value in expected.items():
            if owner.get(name) != value:
                raise StartError(f"The database belongs to {name} {owner.get(name)}, not to {value}")


def _begin(path: Path, files: AuditFiles, key: bytes) -> bytes:
    """Create and return the audit key of a new database.

    The head is written before the key. So an existing key with the initial head means that a first start was
    killed before its commit; an existing key with another head means that a database was lost.

    Raises StartError if a database was lost; OSError.
    """
    if not files.key.exists():
        Head(files.head, key).keep(BEGUN)
        return secret_file(files.key, key)
    made = secret_file(files.key, key)
    if Head(files.head, made).read() == BEGUN:
        return made
    raise StartError(
        f"{path} is missing or empty, but the audit key {files.key} shows that there was a database. "
        "Put the database back, or move the key away to start with a new one"
    )


def _reason(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, BrokerError) else error
    return str(getattr(cause, "orig", None) or cause or error)


__all__ = [
    "EQUAL_WITHIN",
    "NOT_PARKED",
    "Admitted",
    "Agents",
    "Broken",
    "Channels",
    "Database",
    "Feed",
    "Gathered",
    "Halts",
    "Intents",
    "Key",
    "Known",
    "Moved",
    "NeedsSecondTap",
    "NotApproved",
    "NotDecidable",
    "NotSignedIn",
    "Outbox",
    "OverDailyVolume",
    "Parked",
    "People",
    "Refusals",
    "Session",
    "Sightings",
    "Standing",
    "Store",
    "Submissions",
    "Trader",
    "Transaction",
    "Uncertain",
    "events_of",
    "gather",
    "idempotency_conflict",
    "queries",
    "recent_events",
    "standing_first",
]
