"""One SQLite file: a writer thread with BEGIN IMMEDIATE, reader threads, commits that survive power loss.

A transaction is a plain function of a connection. It runs completely in one thread: cancelling the caller
never leaves half a transaction, and commands can run the same function without an event loop.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import QueuePool

from ..brokers import FileId
from ..errors import BrokerError, Code, StartError
from ..files import as_owner
from .open_files import COMPANIONS, OpenFiles, lost_message

T = TypeVar("T")
Transaction = Callable[[Connection], T]

READERS = 2
BUSY_TIMEOUT_MS = 5000
LOST_HINT: Final = (
    "Nothing was sent. Tell the user that the broker lost its database, and that the operator has to put it "
    "back or restart the broker. Do not try again until they confirm that it works."
)
QUICK_CHECK = "PRAGMA quick_check(1)"
TOUCH = "PRAGMA user_version = 0"
"""Rewrites the header unchanged. BEGIN IMMEDIATE alone also succeeds on a read-only file."""


class Database:
    def __init__(self, path: Path, *, may_make: bool) -> None:
        """Raises StartError if there is no such file and `may_make` is false."""
        if may_make:
            _make(path.resolve())
        elif not path.exists():
            raise StartError(f"There is no database {path}")
        elif path.stat().st_size == 0:
            raise StartError(f"There is no database in the file {path}")
        self.path = path
        self.on_commit: Callable[[], None] = lambda: None
        self.problem: str | None = None
        """Why the last write failed; None after a successful write."""
        self.sealed: str | None = None
        """Why all further writes are refused, permanently; None if they are not."""
        self._open: OpenFiles | None = None
        """Set by `watch_files`."""
        self._writer = _engine(self._connect, "BEGIN IMMEDIATE", 1)
        self._reader = _engine(self._connect, "BEGIN", READERS)
        self._version_connection: sqlite3.Connection | None = None
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")

    async def write(self, transaction: Transaction[T]) -> T:
        """Run in one transaction: commit, or roll back on any exception. Raises STORE_UNAVAILABLE."""
        loop = asyncio.get_running_loop()
        work = self._writing.submit(self.write_now, transaction)
        result = asyncio.wrap_future(work)
        work.add_done_callback(lambda _: self._notify(loop))  # the caller continues first
        return await result

    async def read(self, transaction: Transaction[T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self.read_now, transaction)

    def write_now(self, transaction: Transaction[T]) -> T:
        """Like `write`, for commands, which have no event loop."""
        try:
            if self.sealed is not None:
                raise BrokerError(Code.STORE_UNAVAILABLE, f"{self.sealed}; this call changed nothing.")
            result, written = _run(self._writer, self._checking_files(_reporting_changes(transaction)))
        except BrokerError as error:
            if error.code is Code.STORE_UNAVAILABLE:
                self.problem = error.message
            raise
        if written:  # without changes, a commit also succeeds on a full disk
            self.problem = None
        return result

    def read_now(self, transaction: Transaction[T]) -> T:
        return _run(self._reader, transaction)

    def version(self) -> int:
        """A number that changes with each commit of any process, so cached reads can be checked.

        Takes microseconds and never waits. Raises STORE_UNAVAILABLE.
        """
        try:
            if self._version_connection is None:
                self._version_connection = self._connect()
                self._version_connection.isolation_level = None
            (version,) = self._version_connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        return int(version)

    def watch_files(self) -> None:
        """From now on, check before each commit that the open files are still the ones at their paths."""
        self._open = OpenFiles(self.path)

    @property
    def files(self) -> Sequence[FileId]:
        """Ids of the open database, -wal and -shm. Raises ValueError if one of them was missing."""
        files = [] if self._open is None else [found for found in self._open.ids if found is not None]
        if len(files) != len(COMPANIONS) + 1:
            raise ValueError("the database is not open")
        return files

    def seal(self, why: str) -> None:
        """Refuse all further writes, permanently."""
        self.sealed = self.problem = why

    @property
    def lost(self) -> str | None:
        """Message if the open database is no longer the file at its path, else None."""
        path = None if self._open is None else self._open.lost()
        return None if path is None else lost_message(path)

    def require_files(self) -> None:
        """Raises STORE_UNAVAILABLE if the open database is no longer the file at its path."""
        if (lost := self.lost) is not None:
            raise BrokerError(Code.STORE_UNAVAILABLE, lost, next_step={"say": LOST_HINT})

    def _checking_files(self, transaction: Transaction[T]) -> Transaction[T]:
        """Checks the files last, right before the commit, so the commit goes to the file at the path."""

        def checking_files(connection: Connection) -> T:
            result = transaction(connection)
            self.require_files()
            return result

        return checking_files

    def _connect(self) -> sqlite3.Connection:
        """Never creates a file: an empty database must not replace a deleted one."""
        connection = sqlite3.connect(
            f"file:{quote(str(self.path.absolute()))}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT_MS / 1000,
            check_same_thread=False,
        )
        if self.lost is not None:
            connection.close()
            raise sqlite3.OperationalError("the database was deleted, moved or replaced")
        return connection

    def examine(self) -> None:
        """Check the file at start. Raises StartError if it is damaged or cannot be written."""
        try:
            found = self.read_now(lambda connection: connection.exec_driver_sql(QUICK_CHECK).scalar())
        except BrokerError as error:
            raise StartError(f"The database {self.path} cannot be read: {error.message}") from None
        if found != "ok":
            raise StartError(
                f"The database {self.path} is damaged: {found}. Restore a backup with `broker db restore`"
            )
        try:
            self.write_now(lambda connection: connection.exec_driver_sql(TOUCH))
        except BrokerError as error:
            raise StartError(f"The database {self.path} cannot be written: {error.message}") from None

    def _notify(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self.on_commit)

    def close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._writer.dispose()
        self._reader.dispose()
        if self._version_connection is not None:
            self._version_connection.close()


def _run(engine: Engine, transaction: Transaction[T]) -> T:
    try:
        with engine.begin() as connection:
            return transaction(connection)
    except IntegrityError:
        raise
    except DatabaseError as error:
        raise _unavailable(error.orig or error) from error


def _unavailable(error: BaseException) -> BrokerError:
    reason = str(error) if isinstance(error, sqlite3.Error) else type(error).__name__
    return BrokerError(
        Code.STORE_UNAVAILABLE,
        f"The broker's database is not available ({reason}); this call changed nothing.",
    )


def _reporting_changes(transaction: Transaction[T]) -> Transaction[tuple[T, bool]]:
    """The transaction's result, and whether it changed a row."""

    def reporting_changes(connection: Connection) -> tuple[T, bool]:
        driver: Any = connection.connection.driver_connection
        before = driver.total_changes
        return transaction(connection), driver.total_changes != before

    return reporting_changes


def _use_wal(connection: sqlite3.Connection) -> None:
    """Retries: this statement ignores the busy timeout when another process starts at the same time."""
    give_up = monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > give_up:
                raise
            sleep(0.02)


def _make(path: Path) -> None:
    """Create the file, readable by its owner only; SQLite gives -wal and -shm the same permissions.

    An existing file is not opened: closing it would release the locks of this process's other connections
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        with suppress(FileExistsError):
            os.close(as_owner(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL))
    except OSError as error:
        raise StartError(f"The database {path} cannot be created: {error.strerror}") from None


def _engine(connect: Callable[[], sqlite3.Connection], begin: str, connections: int) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,  # every transaction ends before its connection returns to the pool
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions
        _use_wal(connection)
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
