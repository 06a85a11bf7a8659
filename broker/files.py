"""The data folder with its secrets, closed to other users; and the limit on open files."""

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
"""Each waiting agent needs one. Many systems start a process with 1,024, and allow it to raise that."""


@dataclass(frozen=True)
class AuditFiles:
    """The audit log's files outside its database: the key of its seals, and its head (the newest row)."""

    key: Path
    head: Path

    @classmethod
    def of(cls, database: Path, folder: Path) -> AuditFiles:
        """The pair of files for `database`, in the data folder even if the database is elsewhere."""
        name = database.name
        if folder.absolute() != database.parent.absolute():
            name += f"-{sha256(str(database.absolute()).encode()).hexdigest()[:8]}"
        return cls(folder / f"{name}.audit-key", folder / f"{name}.audit-head")


def prepare_folder(folder: Path) -> None:
    """Creates the folder if it is missing. Raises StartError if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise StartError(f"The data folder {folder} cannot be written: {error.strerror}") from None


def secure_folder(settings: Settings) -> None:
    """Closes the data folder and the broker's files to other users, also existing ones.

    The mode of a folder that may be shared never changes: a home folder, one with the sticky bit (/tmp), and
    the folder that DATABASE_URL names. Raises StartError if other users may replace files in a folder.
    """
    folder, database = settings.folder, settings.database
    _require_safe(folder)
    if folder.resolve() != database.parent.resolve():
        _require_safe(database.parent)
    status = folder.stat()
    if status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX and not _is_home(folder):
        _close_to_others(folder, 0o700)
    for path in _broker_files(folder, database):
        _require_owner(path)
        _close_to_others(path, 0o600)


def _broker_files(folder: Path, database: Path) -> Iterator[Path]:
    """The existing files that the broker has made."""
    files = AuditFiles.of(database, folder)
    known = [folder / API_KEY, folder / STATE_KEY, files.key, files.head]
    known += [database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))]
    known += [beside(database.resolve(), "lock"), beside(database.resolve(), "held")]
    known += database.parent.glob(f"{escape(database.name)}.replaced-*")
    return (path for path in known if path.is_file())


def _require_safe(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        raise StartError(
            f"The folder {folder} belongs to another user (uid {status.st_uid}), who could replace the "
            "broker's files. Use a folder of the broker's own user, or change its owner"
        )
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise StartError(
            f"Every user may replace files in the folder {folder}. Remove that permission (chmod o-w), or "
            "use another folder"
        )


def _require_owner(path: Path) -> None:
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
            f"Other users may read or write {path}, and its mode cannot be changed: {error.strerror}"
        ) from None


def _is_home(folder: Path) -> bool:
    try:
        return folder.resolve() == Path.home().resolve()
    except RuntimeError:  # the user has no home folder
        return False


def clean_up(folder: Path) -> None:
    """Removes temporary files of secrets and heads that a killed process left. Files younger than a minute
    stay: a command may be writing them.
    """
    for name in (API_KEY, STATE_KEY, "*.audit-key", "*.audit-head"):
        for temporary in folder.glob(f".{name}.????????"):
            with suppress(OSError):
                if time.time() - temporary.stat().st_mtime > STALE_SECONDS:
                    temporary.unlink()


def allow_many_files() -> None:
    """Raises this process's limit on open files, to at most MOST_FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def secret_file(path: Path, make: bytes, *, may_make: bool = True) -> bytes:
    """The file's content. A missing file is created with the content `make` and mode 0600, if `may_make`.

    Raises StartError.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if not may_make:
            raise StartError(f"{path} is missing; without it the audit log cannot be continued") from None
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from None
    return _make(path, make)


def as_owner(path: str, flags: int) -> int:
    """An opener for `open`: new files get mode 0600. A file that root makes belongs to the folder's owner."""
    descriptor = os.open(path, flags, 0o600)
    _give_to_owner(descriptor, Path(path).parent)
    return descriptor


def _give_to_owner(descriptor: int, folder: Path) -> None:
    """For commands that root runs: the broker, which runs as another user, must be able to read the files."""
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync_file(path: Path) -> None:
    """Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes new or renamed files in the folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def state_key(settings: Settings, random: Randomness) -> bytes:
    """The key that seals the request state of MCP clients. It is kept, so that they can continue after a
    restart.
    """
    return secret_file(settings.folder / STATE_KEY, random(32))


def known_api_key(settings: Settings) -> str | None:
    """MCP_API_KEY, or the key in the data folder; None if there is neither. Creates no key."""
    if settings.mcp_api_key is not None:
        return settings.mcp_api_key.get_secret_value()
    path = settings.folder / API_KEY
    return secret_file(path, b"", may_make=False).decode().strip() if path.exists() else None


def api_key(settings: Settings, random: Randomness) -> str:
    """MCP_API_KEY, or the key in the data folder, which the first start creates. Raises StartError."""
    if settings.mcp_api_key is not None:
        return settings.mcp_api_key.get_secret_value()
    prepare_folder(settings.folder)
    return secret_file(settings.folder / API_KEY, new_key(random).encode()).decode().strip()


def keep_api_key(settings: Settings, key: str) -> bool:
    """Saves a new key of the agent `default` in the data folder. Returns False, and saves nothing, if
    MCP_API_KEY is set, which takes precedence. Raises OSError.
    """
    if settings.mcp_api_key is None:
        replace_file(settings.folder / API_KEY, key.encode())
        sync_folder(settings.folder)
    return settings.mcp_api_key is None


def beside(database: Path, what: str) -> Path:
    return database.with_name(f"{database.name}.{what}")


def replace_file(path: Path, content: bytes) -> None:
    """Replaces the file atomically; mode 0600. Raises OSError."""
    with _temporary_file(path, content) as temporary:
        os.replace(temporary, path)


def _make(path: Path, content: bytes) -> bytes:
    """Creates the file atomically. If another process created it first, returns that content."""
    try:
        with _temporary_file(path, content) as temporary:
            os.link(temporary, path)
            sync_folder(path.parent)
    except FileExistsError:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from None
    return content


@contextmanager
def _temporary_file(path: Path, content: bytes) -> Iterator[str]:
    """A temporary file with that content in the same folder, flushed to disk."""
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
