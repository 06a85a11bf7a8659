"""Copies of the database: made while it is served, and put back so that nothing of them is ever sent."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, delete

from ..errors import StartError
from ..halt import Level
from ..hub import COMMAND_LINE
from . import Store
from .audit import Mark
from .database import QUICK_CHECK
from .tables import invitations, sessions

NOTE: Final = "a backup was restored"
HALTED: Final = "a backup was restored: look at what Binance has, then resume"
COMPANIONS: Final = ("-wal", "-shm", "")
"""What a database is made of beside its file, which goes last: without it the others mean nothing."""


def back_up(database: Path, target: Path) -> None:
    """A copy of the database as it is at one moment, also while it is served. Raises StartError."""
    if not database.exists():
        raise StartError(f"There is no database {database}")
    try:
        target.touch(mode=0o600, exist_ok=False)
        try:
            with _copied(database, target) as copy:
                os.replace(copy, target)
        except BaseException:
            target.unlink()
            raise
    except FileExistsError:
        raise StartError(f"{target} exists, and a backup takes no other file's place") from None
    except (OSError, sqlite3.Error) as error:
        raise StartError(f"{target} cannot be written: {error}") from None


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
            _sync(database.parent)
            try:
                store.head.keep(mark)
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
        replaced = store.head.read()
    except StartError:
        replaced = None  # it does not hold, which is one reason to restore

    def transaction(connection: Connection) -> Mark:
        broken, copied = store.log.verify(connection), store.log.mark(connection)
        if broken is not None or copied is None:
            raise StartError(f"The audit log of {name} does not hold: {broken and broken.problem}")
        store.record(
            connection,
            "database:restored",
            COMMAND_LINE,
            file=name,
            head=[copied.seq, copied.mac],
            replaced=None if replaced is None else [replaced.seq, replaced.mac],
        )
        store.submissions.lose_track(connection, NOTE)
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
    descriptor, name = mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600
    os.close(descriptor)
    copy = Path(name)
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
            found = new.execute(QUICK_CHECK).fetchone()[0]
        if found != "ok":
            raise StartError(f"{source} is damaged: {found}")
        _fold(copy)
        yield copy
    finally:
        for companion in COMPANIONS:
            with suppress(FileNotFoundError):
                os.unlink(f"{copy}{companion}")


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


def _sync(folder: Path) -> None:
    """A rename lasts once the folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
