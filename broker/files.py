"""The data folder, closed to other users, and the secrets in it; and how many files may be open."""

from __future__ import annotations

import os
import resource
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile, mkstemp
from typing import Final

from .clock import Randomness
from .credentials import new_key
from .errors import StartError
from .settings import Settings

API_KEY = "mcp-api-key"
STATE_KEY = "mcp-state-key"

STALE_SECONDS: Final = 60

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


def secure_folder(settings: Settings) -> None:
    """The data folder and the broker's files, closed to other users, also where they were there before.

    A folder that may be others' too is never changed: a home folder, one with the sticky bit (/tmp), and the
    one that DATABASE_URL puts the database into. It is refused where anybody may replace files in it. Raises
    StartError.
    """
    folder, database = settings.folder, settings.database
    _require_safe(folder)
    if folder.resolve() != database.parent.resolve():
        _require_safe(database.parent)
    found = folder.stat()
    if found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX and not _is_home(folder):
        _close_to_others(folder, 0o700)
    for path in _own_files(folder, database):
        _require_ours(path)
        _close_to_others(path, 0o600)


def _own_files(folder: Path, database: Path) -> Iterator[Path]:
    """What the broker itself puts there, so far as it is there."""
    files = AuditFiles.of(database, folder)
    known = [folder / API_KEY, folder / STATE_KEY, files.key, files.head]
    known += [database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))]
    known += [beside(database.resolve(), "lock"), beside(database.resolve(), "held")]
    known += database.parent.glob(f"{escape(database.name)}.replaced-*")
    return (path for path in known if path.is_file())


def _require_safe(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        raise StartError(
            f"The folder {folder} belongs to another user (uid {found.st_uid}), who could replace the "
            "broker's files. Use a folder of the broker's own user, or change its owner"
        )
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise StartError(
            f"Every user may replace files in the folder {folder}. Take that right away (chmod o-w), or use "
            "another folder"
        )


def _require_ours(path: Path) -> None:
    owner = path.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise StartError(
            f"{path} belongs to another user (uid {owner}). Run the broker as that user, or change the owner"
        )


def _close_to_others(path: Path, mode: int) -> None:
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(mode)
    except OSError as error:
        raise StartError(
            f"Other users may read or write {path}, and that cannot be changed: {error.strerror}"
        ) from None


def _is_home(folder: Path) -> bool:
    try:
        return folder.resolve() == Path.home().resolve()
    except RuntimeError:  # a user without one
        return False


def clean_up(folder: Path) -> None:
    """Remove half-written secrets and heads that a killed process left. What is younger than a minute stays:
    a command may be writing it.
    """
    for name in (API_KEY, STATE_KEY, "*.audit-key", "*.audit-head"):
        for left in folder.glob(f".{name}.????????"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE_SECONDS:
                    left.unlink()


def allow_many_files() -> None:
    """As many open files as the system lets this process have: without one, nothing is read or sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


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


def as_owner(path: str, flags: int) -> int:
    """An opener for `open`. A new file is its owner's alone; one that root makes is the folder owner's."""
    descriptor = os.open(path, flags, 0o600)
    _give_to_owner(descriptor, Path(path).parent)
    return descriptor


def _give_to_owner(descriptor: int, folder: Path) -> None:
    """A command that root runs beside a broker of another user must not leave files that lock it out."""
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync_file(path: Path) -> None:
    """Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """A new name lasts once its folder is on disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def state_key(settings: Settings, random: Randomness) -> bytes:
    """It seals what MCP clients carry for the broker; kept, so that they can go on after a restart."""
    return secret_file(settings.folder / STATE_KEY, random(32))


def known_api_key(settings: Settings) -> str | None:
    """MCP_API_KEY, or the one in the data folder; None where there is neither. Nothing is made."""
    if settings.mcp_api_key is not None:
        return settings.mcp_api_key.get_secret_value()
    path = settings.folder / API_KEY
    return secret_file(path, b"", may_make=False).decode().strip() if path.exists() else None


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
        sync_folder(settings.folder)
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
            sync_folder(path.parent)
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
            _give_to_owner(descriptor, path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
