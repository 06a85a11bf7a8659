"""Backup and restore. Nothing in a restored database is ever sent to Binance."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, delete

from ..errors import StartError
from ..events import COMMAND_LINE, EventKind
from ..files import sync_file, sync_folder
from ..halt import Level
from ..reasons import Reason, Why
from . import Store
from .audit import Mark
from .database import QUICK_CHECK
from .tables import invitations, sessions

NOTE: Final = "a backup was restored"
HALTED: Final = "a backup was restored: look at what Binance has, then resume"
COMPANIONS: Final = ("-wal", "-shm", "")
"""Suffixes of a database's files. The main file is moved last."""


def back_up(database: Path, target: Path) -> str:
    """Copy the database to `target`, also while a broker uses it. Returns the database's mode.

    `target` appears only when the copy is complete and on disk. Raises StartError.
    """
    if not database.exists():
        raise StartError(f"There is no database {database}")
    taken = StartError(f"{target} already exists; a backup does not overwrite files")
    if target.exists():
        raise taken
    try:
        with _copied(database, target) as copy:
            mode = _mode(copy)
            _put(copy, target)
            sync_folder(target.parent)
    except FileExistsError:
        raise taken from None
    except (OSError, sqlite3.Error) as error:
        raise StartError(f"{target} cannot be written: {error}") from None
    return mode


def _put(copy: Path, target: Path) -> None:
    """Move the copy to `target` atomically, never over a file. Raises FileExistsError, OSError."""
    try:
        os.link(copy, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
        os.replace(copy, target)


def _mode(database: Path) -> str:
    """Raises StartError if the file is not a database of the broker."""
    with closing(sqlite3.connect(database)) as connection:
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'mode'").fetchone()
        except sqlite3.Error:
            row = None
    if row is None:
        raise StartError("This is not a database of the broker; it was not copied")
    return str(row[0])


def restore(backup: Path, database: Path, open_copy: Callable[[Path], Store], now: datetime) -> Path | None:
    """Replace the database with a backup while no broker runs. Returns the new path of the old one, if any.

    Requests that were pending, approved or being sent become unknown; the reconciler asks Binance about them.
    All sessions end and trading is halted, because the backup does not know what happened later.
    `open_copy` opens a copy without comparing it with the audit head. Raises StartError; the database is then
    unchanged, unless the message says otherwise.
    """
    if not backup.is_file():
        raise StartError(f"There is no file {backup}")
    try:
        with _copied(backup, database) as copy:
            with closing(open_copy(copy)) as store:
                mark = _make_safe(store, backup.name)
            _merge_wal(copy)
            old = _set_aside(database, now)
            os.replace(copy, database)
            sync_folder(database.parent)
            try:
                store.upkeep.head.keep(mark)
            except OSError as error:
                raise StartError(
                    f"Restored, but the audit head cannot be written ({error.strerror}). Free disk space and "
                    f"restore again. The replaced database is {old}"
                ) from None
    except (OSError, sqlite3.Error) as error:
        raise StartError(f"{backup} cannot be restored: {error}") from None
    return old


def _make_safe(store: Store, name: str) -> Mark:
    """Make requests unknown, halt trading and end all sessions. Returns the mark of the newest audit row."""
    try:
        replaced = store.upkeep.head.read()
    except StartError:
        replaced = None  # an invalid head is one reason to restore

    def transaction(connection: Connection) -> Mark:
        broken, copied = store.log.verify(connection, None), store.log.mark(connection)
        if broken is not None or copied is None:
            raise StartError(f"The audit log of {name} is broken: {broken and broken.problem}")
        store.record(
            connection,
            EventKind.DATABASE_RESTORED,
            COMMAND_LINE,
            file=name,
            head=[copied.seq, copied.mac],
            replaced=None if replaced is None else [replaced.seq, replaced.mac],
        )
        store.submissions.lose_track(connection, Why(Reason.BACKUP_RESTORED, NOTE))
        store.halts.put(connection, Level.HALTED, COMMAND_LINE, HALTED)
        for table in (sessions, invitations):
            connection.execute(delete(table))
        return store.log.mark(connection) or copied

    return store.database.write_now(transaction)


@contextmanager
def _copied(source: Path, target: Path) -> Iterator[Path]:
    """A copy of `source` as a single file in a temporary folder next to `target`.

    Raises StartError if `source` is damaged.
    """
    with _partial_folder(target) as folder:
        copy = folder / target.name
        copy.touch(mode=0o600)
        with (
            closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
            found = new.execute(QUICK_CHECK).fetchone()[0]
        if found != "ok":
            raise StartError(f"{source} is damaged: {found}")
        _merge_wal(copy)
        sync_file(copy)
        yield copy


@contextmanager
def _partial_folder(target: Path) -> Iterator[Path]:
    """A temporary folder next to `target`, closed to other users.

    First removes folders that killed processes left behind: their locks ended with the process.
    """
    prefix = f".{target.name}.partial-"
    for left in [path for path in target.parent.iterdir() if path.name.startswith(prefix)]:
        with suppress(OSError), _locked_folder(left):
            shutil.rmtree(left)
    folder = Path(mkdtemp(dir=target.parent, prefix=prefix))  # mode 0700
    with _locked_folder(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Raises BlockingIOError while another process uses the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _merge_wal(database: Path) -> None:
    """Merge the write-ahead log into the database file."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Rename the old database and its -wal and -shm; delete nothing. Returns its new path, if any."""
    old = database.with_name(f"{database.name}.replaced-{now:%Y%m%dT%H%M%S.%fZ}")
    for suffix in COMPANIONS:
        with suppress(FileNotFoundError):
            os.rename(f"{database}{suffix}", f"{old}{suffix}")
    return old if old.exists() else None
