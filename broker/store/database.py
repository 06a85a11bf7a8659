"""One SQLite file: a writer thread with BEGIN IMMEDIATE, a few reader threads, power-loss safe commits.

A transaction is a plain function of a connection. It runs whole in one thread, so that a caller that is
cancelled never leaves half of it, and a command can run the same function without an event loop.
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
from .open_files import COMPANIONS, OpenFiles, told_lost

T = TypeVar("T")
Transaction = Callable[[Connection], T]

READERS = 2
BUSY_TIMEOUT_MS = 5000
LOST_HINT: Final = (
    "Nothing was sent. Tell the user that the broker lost its database, and that the operator has to put it "
    "back or restart the broker. Do not try again before they say that it works."
)
QUICK_CHECK = "PRAGMA quick_check(1)"
TOUCH = "PRAGMA user_version = 0"
"""Writes the header as it is: BEGIN IMMEDIATE alone succeeds on a file that cannot be written."""


class Database:
    def __init__(self, path: Path, *, may_make: bool) -> None:
        """Raises StartError where there is no such file and none may be made."""
        if may_make:
            _make(path.resolve())
        elif not path.exists():
            raise StartError(f"There is no database {path}")
        elif path.stat().st_size == 0:
            raise StartError(f"There is no database in the file {path}")
        self.path = path
        self.on_commit: Callable[[], None] = lambda: None
        self.problem: str | None = None
        """Why the last write failed; None once something was written again."""
        self.sealed: str | None = None
        """Why nothing is written any more, for good."""
        self._open: OpenFiles | None = None
        """None until the database was opened and is known to be one."""
        self._writer = _engine(self._connect, "BEGIN IMMEDIATE", 1)
        self._reader = _engine(self._connect, "BEGIN", READERS)
        self._looking: sqlite3.Connection | None = None
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")

    async def write(self, transaction: Transaction[T]) -> T:
        """Run in one transaction that is committed, or rolled back whole. Raises STORE_UNAVAILABLE."""
        loop = asyncio.get_running_loop()
        work = self._writing.submit(self.write_now, transaction)
        result = asyncio.wrap_future(work)
        work.add_done_callback(lambda _: self._tell(loop))  # after the caller, who goes on first
        return await result

    async def read(self, transaction: Transaction[T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reading, self.read_now, transaction)

    def write_now(self, transaction: Transaction[T]) -> T:
        """For commands, which have no event loop."""
        try:
            if self.sealed is not None:
                raise BrokerError(Code.STORE_UNAVAILABLE, f"{self.sealed}; this call changed nothing.")
            result, written = _run(self._writer, self._in_place(_watched(transaction)))
        except BrokerError as error:
            if error.code is Code.STORE_UNAVAILABLE:
                self.problem = error.message
            raise
        if written:  # what found nothing to write also succeeds on a full disk
            self.problem = None
        return result

    def read_now(self, transaction: Transaction[T]) -> T:
        return _run(self._reader, transaction)

    def version(self) -> int:
        """Another one after each commit, of whatever process: what was read under this one still stands.

        Takes microseconds and waits for nobody. Raises STORE_UNAVAILABLE.
        """
        try:
            if self._looking is None:
                self._looking = self._connect()
                self._looking.isolation_level = None
            (version,) = self._looking.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        return int(version)

    def watch_files(self) -> None:
        """From now on nothing is committed unless the open files are the ones at their paths."""
        self._open = OpenFiles(self.path)

    @property
    def files(self) -> Sequence[FileId]:
        """The database, its -wal and its -shm, as they are open. Raises ValueError where one is not there."""
        files = [] if self._open is None else [found for found in self._open.ids if found is not None]
        if len(files) != len(COMPANIONS) + 1:
            raise ValueError("the database is not open")
        return files

    def seal(self, why: str) -> None:
        """Nothing is written any more, for good."""
        self.sealed = self.problem = why

    @property
    def lost(self) -> str | None:
        """Why the open database is not the one at its path, if it is not."""
        path = None if self._open is None else self._open.lost()
        return None if path is None else told_lost(path)

    def require_files(self) -> None:
        """Raises STORE_UNAVAILABLE when the open database is not the one at its path."""
        if (lost := self.lost) is not None:
            raise BrokerError(Code.STORE_UNAVAILABLE, lost, next_step={"say": LOST_HINT})

    def _in_place(self, transaction: Transaction[T]) -> Transaction[T]:
        """Asks last of all: what is committed after that is in the file that everybody else reads."""

        def transaction_in_place(connection: Connection) -> T:
            result = transaction(connection)
            self.require_files()
            return result

        return transaction_in_place

    def _connect(self) -> sqlite3.Connection:
        """Never makes a file: where the database was deleted, an empty one must not take its place."""
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
        """Before it is relied on. Raises StartError for a file that is torn, or cannot be written."""
        try:
            found = self.read_now(lambda connection: connection.exec_driver_sql(QUICK_CHECK).scalar())
        except BrokerError as error:
            raise StartError(f"The database {self.path} cannot be read: {error.message}") from None
        if found != "ok":
            raise StartError(
                f"The database {self.path} is damaged: {found}. `broker db restore` takes a copy"
            )
        try:
            self.write_now(lambda connection: connection.exec_driver_sql(TOUCH))
        except BrokerError as error:
            raise StartError(f"The database {self.path} cannot be written: {error.message}") from None

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self.on_commit)

    def close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._writer.dispose()
        self._reader.dispose()
        if self._looking is not None:
            self._looking.close()


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


def _watched(transaction: Transaction[T]) -> Transaction[tuple[T, bool]]:
    """Also tells whether it changed a row."""

    def watched(connection: Connection) -> tuple[T, bool]:
        driver: Any = connection.connection.driver_connection
        before = driver.total_changes
        return transaction(connection), driver.total_changes != before

    return watched


def _use_wal(connection: sqlite3.Connection) -> None:
    """The switch is the one statement that does not wait for another's lock, as at two first starts."""
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
    """Its owner's alone, as SQLite then makes -wal and -shm too. What is there is not even opened: closing it
    would end the locks of this process's own connections (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        with suppress(FileExistsError):
            os.close(as_owner(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL))
    except OSError as error:
        raise StartError(f"The database {path} cannot be made: {error.strerror}") from None


def _engine(connect: Callable[[], sqlite3.Connection], begin: str, connections: int) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,  # every transaction ends before its connection goes back
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        _use_wal(connection)
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
