"""The locks on a database: one broker serves it, and nothing takes its place while somebody has it open."""

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
"""A command that looks whether the database is served holds the lock for a moment."""


class Lock:
    """Held as long as it is open, and no longer than the process lives: the kernel lets go of it."""

    def __init__(self, path: Path, how: int, taken: str) -> None:
        """Raises StartError."""
        self.path = path
        self._how = how
        self._taken = taken
        try:
            self._file = _locked(path, how, taken)
        except OSError as error:
            raise StartError(f"{path} cannot be written: {error.strerror}") from None
        self._note = ""

    def tell(self, serving: Serving) -> None:
        """Who serves, so that commands find this process. Raises OSError."""
        self._note = serving.note()
        self._write()

    def clear(self) -> None:
        """Nobody serves yet, whatever a broker that was killed left there. Raises OSError."""
        self._write()

    def keep(self) -> bool:
        """Put the lock file back where it was removed; whether it had to be.

        Raises OSError, and StartError when another process took it meanwhile.
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
    """One serving process per database, whatever path leads to it, and also where the lock file was deleted.

    Raises StartError, which says so where it is a restore that has it.
    """
    taken = f"Another broker serves the database {database} already"
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
    """Nothing takes the database's place while anybody holds it. Raises StartError."""
    taken = f"The database {database} is being replaced by a copy: try again once that is done"
    return Lock(_beside(database, "held"), fcntl.LOCK_SH, taken)


def hold_alone(database: Path) -> Lock:
    """To put something in its place. Raises StartError while a command has it open."""
    taken = f"A command still has the database {database} open: try again once it has ended"
    return Lock(_beside(database, "held"), fcntl.LOCK_EX, taken)


def is_locked(database: Path) -> bool:
    """Whether any process holds the lock of serving it, also one that this user cannot look into."""
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
    """A link to the database has the same lock as the database."""
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
