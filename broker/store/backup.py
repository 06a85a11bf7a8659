"""Copies of the database: made while it is served, and put back so that nothing of them is ever sent."""

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
"""What a database is made of beside its file, which goes last: without it the others mean nothing."""


def back_up(database: Path, target: Path) -> str:
    """A copy of the database as it is at one moment, also while it is served. Answers its mode.

    `target` is there once the copy is whole and on disk, not before. Raises StartError.
    """
    if not database.exists():
        raise StartError(f"There is no database {database}")
    taken = StartError(f"{target} exists, and a backup takes no other file's place")
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
    """Whole, and over no other file. Raises FileExistsError and other OSErrors."""
    try:
        os.link(copy, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
        os.replace(copy, target)


def _mode(database: Path) -> str:
    """Raises StartError for a file that is no database of the broker."""
    with closing(sqlite3.connect(database)) as connection:
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'mode'").fetchone()
        except sqlite3.Error:
            row = None
    if row is None:
        raise StartError("It is no database of the broker, and was not copied")
    return str(row[0])


def restore(backup: Path, database: Path, open_copy: Callable[[Path], Store], now: datetime) -> Path | None:
    """Put a copy in the database's place, while nobody serves it. Answers where the old one lies then.

    What was pending, approved or being sent is unknown from now on, and is settled by asking Binance. All
    sessions end and trading is halted, since what happened after the copy was made is not on record.
    `open_copy` opens it without asking whether it is the newest. Raises StartError; unless it says otherwise,
    the database is then as it was.
    """
    if not backup.is_file():
        raise StartError(f"There is no file {backup}")
    try:
        with _copied(backup, database) as copy:
            with closing(open_copy(copy)) as store:
                mark = _make_safe(store, backup.name)
            _fold(copy)
            old = _set_aside(database, now)
            os.replace(copy, database)
            sync_folder(database.parent)
            try:
                store.upkeep.head.keep(mark)
            except OSError as error:
                raise StartError(
                    f"Restored, but {error.strerror} for the audit log's head: make room and restore again. "
                    f"What was replaced lies in {old}"
                ) from None
    except (OSError, sqlite3.Error) as error:
        raise StartError(f"{backup} cannot be restored: {error}") from None
    return old


def _make_safe(store: Store, name: str) -> Mark:
    """Nothing of it is sent, and nobody is signed in. Answers the log's newest row then."""
    try:
        replaced = store.upkeep.head.read()
    except StartError:
        replaced = None  # it does not hold, which is one reason to restore

    def transaction(connection: Connection) -> Mark:
        broken, copied = store.log.verify(connection, None), store.log.mark(connection)
        if broken is not None or copied is None:
            raise StartError(f"The audit log of {name} does not hold: {broken and broken.problem}")
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
    """The database `source` as one whole file beside `target`, until it is put in its place.

    Raises StartError for one that is damaged.
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
        _fold(copy)
        sync_file(copy)
        yield copy


@contextmanager
def _partial_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target` for what is not whole yet, closed to other users. Those that a killed process
    left are removed: the lock on a folder ends with its process.
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
    """Raises BlockingIOError while another process works in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _fold(database: Path) -> None:
    """All of it into the one file."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Nothing is thrown away. Where the new one stands, no companion of the old one may be left."""
    old = database.with_name(f"{database.name}.replaced-{now:%Y%m%dT%H%M%S.%fZ}")
    for companion in COMPANIONS:
        with suppress(FileNotFoundError):
            os.rename(f"{database}{companion}", f"{old}{companion}")
    return old if old.exists() else None
