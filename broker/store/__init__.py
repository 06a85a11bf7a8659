"""The only SQL: tables, migrations, transitions, the audit chain, people, channels and the outbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DatabaseError

from ..clock import Clock, Randomness
from ..credentials import Vault
from ..errors import BrokerError, Code, StartError
from ..files import AuditFiles, prepare_folder, secret_file
from . import queries
from .agents import Admitted, Agents, Key, Known
from .audit import BEGUN, AuditLog, Broken, events_of, recent_events
from .bundles import Gathered, gather
from .channels import Channels
from .database import Database, Transaction
from .audit_feed import Feed
from .halt import Halts
from .audit_head import Head
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
from .session_guard import NotSignedIn, Standing, standing_first, trusted
from .submissions import NotApproved, Submissions, Uncertain
from .tables import meta
from .transitions import Moved, Transitions
from .upkeep import Upkeep


class Store:
    """One database of one mode and one account."""

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
        files: AuditFiles | None = None,
        to_verify: bool = False,
        may_make: bool = True,
        of_any_mode: bool = False,
    ) -> Store:
        """Make or migrate the database. Raises StartError, also where there is none and none may be made.

        `of_any_mode` opens also another mode's or account's, as commands do beside a broker whose settings
        they do not have. `files` lie beside the database unless they are named. Only `to_verify` opens a
        database whose audit log is older than its head outside says: it is not the one that was served last.
        """
        if may_make:
            prepare_folder(path.parent)
        files = files or AuditFiles.of(path, path.parent)
        database = Database(path, may_make=may_make)

        def prepare(connection: Connection) -> Store:
            """One transaction, so that two first starts at once come one after the other."""
            fresh = not has_tables(connection)
            if fresh and not may_make:
                raise StartError(f"There is no database in the file {path}")
            key = _begin(path, files, random(32)) if fresh else secret_file(files.key, b"", may_make=False)
            upgrade(connection)
            store = cls(database, key, files, clock, random)
            if fresh or not of_any_mode:
                store._belongs_to(connection, mode, account)
            if not to_verify and store.upkeep.meet_head(connection):
                store.record(connection, "audit:head-missing", "broker")
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

    async def read(self, transaction: Transaction[Any]) -> Any:
        return await self.database.read(transaction)

    async def audit(self, kind: str, actor: str, *, intent_id: str | None = None, **data: Any) -> None:
        """Record something that is no transition: a cancel that passed through, a start."""
        await self.database.write(
            lambda connection: self.record(connection, kind, actor, intent_id=intent_id, **data)
        )

    def record(
        self, connection: Connection, kind: str, actor: str, *, intent_id: str | None = None, **data: Any
    ) -> None:
        """The same, within a transaction."""
        self.log.append(connection, at=self._clock(), kind=kind, actor=actor, intent_id=intent_id, data=data)

    @property
    def problem(self) -> str | None:
        """Why the database, or what lies beside it, does not work; None when all is well."""
        return self.database.lost or self.database.problem or self.upkeep.trouble

    def mode(self) -> str:
        """The mode that the database belongs to."""
        query = select(meta.c.value).where(meta.c.name == "mode")
        return str(self.database.read_now(lambda connection: connection.execute(query).scalar()))

    async def recover(self) -> None:
        """Try to write again after a failure; nothing else may write for long. Raises STORE_UNAVAILABLE while
        there is a problem.
        """
        self.database.require_files()
        if self.database.problem is not None:
            await self.audit("database:recovered", "broker")
        if self.upkeep.trouble is not None:
            raise BrokerError(Code.STORE_UNAVAILABLE, self.upkeep.trouble)

    def verify(self) -> Broken | None:
        """Walk the audit log's chain, and hold it against its head outside; None when all holds."""
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
            problem = f"{self.upkeep.head.path} is missing, so that rows after {newest.seq} may be"
            return Broken(newest.seq + 1, problem)

        return self.database.read_now(walk)

    async def trail(self) -> None:
        """Keep what lies outside the database as new as its log, and look whether all is in its place, until
        cancelled.
        """
        await self.upkeep.run(lambda: self.problem, self.recover, lambda kind: self.audit(kind, "broker"))

    def close(self) -> None:
        self.upkeep.close()
        self.database.close()

    def _belongs_to(self, connection: Connection, mode: str, account: str) -> None:
        """A database belongs to the mode and the account that it was made for."""
        owner = {row.name: row.value for row in connection.execute(select(meta))}
        mine = {"mode": mode, "account": account}
        if not owner:
            connection.execute(insert(meta), [{"name": name, "value": value} for name, value in mine.items()])
            # The log is never empty, so that emptying it shows.
            self.record(connection, "database:made", "broker", **mine)
            return
        for name, value in mine.items():
            if owner.get(name) != value:
                raise StartError(f"The database belongs to {name} {owner.get(name)}, not to {value}")


def _begin(path: Path, files: AuditFiles, key: bytes) -> bytes:
    """The key of a database that is not there yet. Raises StartError, as where there was one; OSError.

    The head stands before the key: a first start that is killed before its commit is told by it from a
    database that was lost.
    """
    if not files.key.exists():
        Head(files.head, key).keep(BEGUN)
        return secret_file(files.key, key)
    made = secret_file(files.key, key)
    if Head(files.head, made).read() == BEGUN:
        return made
    raise StartError(
        f"{path} is missing or empty, but {files.key} says that there was a database. "
        "Put it back, or move the key away to begin anew"
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
    "trusted",
]
