"""The data folder: locks, and secrets that only their owner can read; and how many files may be open."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile, mkstemp
from typing import IO, Final

from .clock import Randomness
from .credentials import new_key
from .errors import StartError
from .settings import Settings

API_KEY = "mcp-api-key"
STATE_KEY = "mcp-state-key"

MOST_FILES: Final = 65_536
"""Each agent that waits is one; many systems start a process with 1,024, and allow it far more."""


@dataclass(frozen=True)
class AuditFiles:
    """What the audit log has outside its database: the key of its seals, and its newest row."""

    key: Path
    head: Path

    @classmethod
    def of(cls, database: Path, folder: Path) -> AuditFiles:
        """One pair for each database, in the data folder, wherever the database lies."""
        name = database.name
        if folder.absolute() != database.parent.absolute():
            name += f"-{sha256(str(database.absolute()).encode()).hexdigest()[:8]}"
        return cls(folder / f"{name}.audit-key", folder / f"{name}.audit-head")


def prepare_folder(folder: Path) -> None:
    """Raises StartError when nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise StartError(f"The data folder {folder} cannot be written: {error.strerror}") from None


def allow_many_files() -> None:
    """As many open files as the system lets this process have: without one, nothing is read or sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def take_lock(database: Path) -> IO[str]:
    """One serving process per database. The kernel lets go of it when the process dies.

    Raises StartError, which says so where it is a restore that has it.
    """
    taken = f"Another broker serves the database {database} already"
    try:
        return _locked(beside(database, "lock"), fcntl.LOCK_EX, taken)
    except StartError:
        hold(database).close()
        raise


def hold(database: Path) -> IO[str]:
    """Nothing takes the database's place while anybody holds it. Raises StartError."""
    taken = f"The database {database} is being replaced by a copy: try again once that is done"
    return _locked(beside(database, "held"), fcntl.LOCK_SH, taken)


def hold_alone(database: Path) -> IO[str]:
    """To put something in its place. Raises StartError while a command has it open."""
    taken = f"A command still has the database {database} open: try again once it has ended"
    return _locked(beside(database, "held"), fcntl.LOCK_EX, taken)


def _locked(path: Path, how: int, taken: str) -> IO[str]:
    """Held as long as the file is open, and no longer than the process lives."""
    try:
        file = open(path, "a")
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StartError(taken) from None
    return file


def secret_file(path: Path, make: bytes, *, may_make: bool = True) -> bytes:
    """The file's content; made with mode 0600 when there is none. Raises StartError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if not may_make:
            raise StartError(f"{path} is missing, and without it the audit log cannot go on") from None
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from None
    return _make(path, make)


def state_key(settings: Settings, random: Randomness) -> bytes:
    """It seals what MCP clients carry for the broker; kept, so that they can go on after a restart."""
    return secret_file(settings.folder / STATE_KEY, random(32))


def api_key(settings: Settings, random: Randomness) -> str:
    """MCP_API_KEY, or the one that was made at the first start and kept in the data folder."""
    if settings.mcp_api_key is not None:
        return settings.mcp_api_key.get_secret_value()
    prepare_folder(settings.folder)
    return secret_file(settings.folder / API_KEY, new_key(random).encode()).decode().strip()


def keep_api_key(settings: Settings, key: str) -> bool:
    """A new key of the agent default, where commands and the next start find it. False where MCP_API_KEY is
    set, which goes first. Raises OSError.
    """
    if settings.mcp_api_key is None:
        replace_file(settings.folder / API_KEY, key.encode())
    return settings.mcp_api_key is None


def beside(database: Path, what: str) -> Path:
    return database.with_name(f"{database.name}.{what}")


def replace_file(path: Path, content: bytes) -> None:
    """Whole or not at all, with mode 0600. Raises OSError."""
    with _written_beside(path, content) as temporary:
        os.replace(temporary, path)


def _make(path: Path, content: bytes) -> bytes:
    """Whole or not at all, and never over another's: two processes may start at once."""
    try:
        with _written_beside(path, content) as temporary:
            os.link(temporary, path)
    except FileExistsError:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from None
    return content


@contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[str]:
    """A file of that content in the same folder, on disk, until it is put in its place."""
    descriptor, temporary = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
