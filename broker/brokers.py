"""The brokers that run on this machine for this user, whatever environment the caller has.

A serving broker writes who it is into its lock file, and keeps that file open. So a broker is found by the
open files of the user's processes, not by a setting or a list: a shell and a service need not share either,
and a broker that was killed leaves nothing behind. On Linux /proc also shows open files that were deleted or
lie in another mount namespace; elsewhere psutil finds files by their path.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

LOCK: Final = ".lock"
MOST_BYTES: Final = 8192
"""More than a note needs: another program's file of that ending may be of any size."""

FileId = tuple[int, int]
"""Device and inode: the file itself, whatever path leads to it."""


def file_id(path: Path) -> FileId | None:
    """None where there is no such file. Raises no error."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass(frozen=True)
class Serving:
    """A serving broker, as its lock file tells. `files`: the database, its -wal and its -shm."""

    process: int
    mode: str
    database: str
    folder: str
    url: str
    files: tuple[FileId, ...]

    def note(self) -> str:
        return json.dumps({"service": SERVICE, **asdict(self)})

    @property
    def line(self) -> str:
        return f"{self.mode.upper()} mode, database {self.database}, process {self.process}, page {self.url}"

    def naming(self, command: str, mode: str | None = None) -> str:
        """The command line that names this broker's database, in a shell whose settings come to `mode`; None
        where they may name any database.
        """
        usual = Path(self.folder) / f"{mode}.db" == Path(self.database)
        setting = "" if usual else f"DATABASE_URL={shlex.quote(f'sqlite:///{self.database}')} "
        return f"{setting}broker {command} --data-dir {shlex.quote(self.folder)}"


SERVICE: Final = "confirmation-broker"


def serving_brokers() -> Sequence[Serving]:
    """Every broker that serves now, as far as this user may look. Takes some milliseconds."""
    notes = _notes_by_proc() if sys.platform == "linux" else _notes_by_psutil()
    found = {note.process: note for note in notes}
    return [found[process] for process in sorted(found)]


def server_of(database: Path) -> Serving | None:
    """The broker that has this very file open, by whatever path."""
    wanted = file_id(database)
    return next(
        (one for one in serving_brokers() if wanted is not None and one.files[:1] == (wanted,)),
        None,
    )


def _notes_by_proc() -> Iterator[Serving]:
    for process in os.listdir("/proc"):
        if not process.isdecimal() or not _trusted(process):
            continue
        with suppress(OSError):  # another user's, or ended meanwhile
            for number in os.listdir(f"/proc/{process}/fd"):
                link = f"/proc/{process}/fd/{number}"
                with suppress(OSError):
                    if os.readlink(link).removesuffix(" (deleted)").endswith(LOCK):
                        yield from _noted(int(process), link)


def _trusted(process: str) -> bool:
    """Root sees everybody's; nobody else is shown what another user wrote."""
    with suppress(OSError):
        return os.geteuid() in (0, os.stat(f"/proc/{process}").st_uid)
    return False


def _notes_by_psutil() -> Iterator[Serving]:
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            for file in process.open_files():
                if file.path.endswith(LOCK):
                    yield from _noted(process.pid, file.path)


def _noted(process: int, path: str) -> Iterator[Serving]:
    """A note counts only in the process that wrote it: a command may be looking at the same file."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        return
    with open(path, "rb") as file:
        note = _read(file.read(MOST_BYTES))
    if note is not None and note.process == process:
        yield note


def _read(text: bytes) -> Serving | None:
    """None for what no broker wrote; what cannot be printed safely is none of ours either."""
    try:
        told: Any = json.loads(text)
        if told.pop("service") != SERVICE:
            return None
        files = tuple((int(device), int(inode)) for device, inode in told.pop("files"))
        words = {name: str(told[name]) for name in ("mode", "database", "folder", "url")}
        process = int(told["process"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not all(word.isprintable() for word in words.values()):
        return None
    return Serving(process=process, files=files, **words)
