"""Locks on a database: only one broker serves it, and no restore replaces it while it is open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import IO, Final, Self

from .brokers import Serving, file_id, server_of
from .errors import StartError
from .files import as_owner, beside

PATIENCE_SECONDS: Final = 0.5
"""How long to wait for a lock: a command that checks whether a broker runs holds it for a moment."""


class Lock:
    """A file lock, held until `close`. The kernel releases it if the process dies."""

    def __init__(self, path: Path, how: int, taken: str) -> None:
        """`how` is a flag of `flock`; `taken` the message if another process has the lock. Raises
        StartError.
        """
        self.path = path
        self._how = how
        self._taken = taken
        try:
            self._file = _locked(path, how, taken)
        except OSError as error:
            raise StartError(f"{path} cannot be written: {error.strerror}") from None
        self._note = ""

    def tell(self, serving: Serving) -> None:
        """Writes the note by which commands find this broker. Raises OSError."""
        self._note = serving.note()
        self._write()

    def clear(self) -> None:
        """Removes the note that a killed broker left. Raises OSError."""
        self._write()

    def keep(self) -> bool:
        """Restores the lock file if it was deleted. Returns whether it was.

        Raises OSError, and StartError if another process has taken the lock.
        """
        held = os.fstat(self._file.fileno())
        if file_id(self.path) == (held.st_dev, held.st_ino):
            return False
        new = _locked(self.path, self._how, self._taken)
        self._file.close()
        self._file = new
        self._write()
        return True

    def _write(self) -> None:
        self._file.truncate(0)
        self._file.write(self._note)
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def take_lock(database: Path) -> Lock:
    """The lock of the serving process: one per database, whatever its path, even if the lock file was
    deleted.

    Raises StartError; its message says whether a broker or a restore has the lock.
    """
    taken = f"Another broker already serves the database {database}"
    try:
        lock = Lock(_beside(database, "lock"), fcntl.LOCK_EX, taken)
    except StartError:
        hold(database).close()
        raise
    lock.clear()
    other = server_of(database)
    if other is not None:
        lock.close()
        raise StartError(f"{taken}: process {other.process}, page {other.url}")
    return lock


def hold(database: Path) -> Lock:
    """A shared lock: while it is held, no restore replaces the database. Raises StartError."""
    taken = f"The database {database} is being replaced by a copy. Try again after that"
    return Lock(_beside(database, "held"), fcntl.LOCK_SH, taken)


def hold_alone(database: Path) -> Lock:
    """The exclusive lock of a restore. Raises StartError while a command has the database open."""
    taken = f"A command still has the database {database} open. Try again after it has ended"
    return Lock(_beside(database, "held"), fcntl.LOCK_EX, taken)


def is_locked(database: Path) -> bool:
    """Whether any process, also another user's, holds the lock of a serving broker."""
    try:
        file = open(_beside(database, "lock"))
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _beside(database: Path, what: str) -> Path:
    """Follows symbolic links, so that all paths to the database share one lock."""
    return beside(database.resolve(), what)


def _locked(path: Path, how: int, taken: str) -> IO[str]:
    """Raises OSError when the file cannot be written, and StartError when another process has it."""
    file = open(path, "a", opener=as_owner)
    give_up = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return file
        except OSError:
            if monotonic() > give_up:
                file.close()
                raise StartError(taken) from None
        sleep(0.02)
