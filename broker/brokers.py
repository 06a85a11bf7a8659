"""Finds the brokers that run on this machine for this user, whatever environment the caller has.

A serving broker writes a note about itself into its lock file, and keeps that file open. Brokers are found by
the open files of the user's processes. So a shell and a service need no shared setting, and a killed broker
leaves no stale entry. On Linux, /proc also shows open files that were deleted or are in another mount
namespace. Elsewhere psutil finds open files by path.
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
"""Read limit, larger than any note. Another program's file with that suffix may be huge."""

FileId = tuple[int, int]
"""Device and inode: the same for every path to the file."""


def file_id(path: Path) -> FileId | None:
    """None if the file does not exist or cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@dataclass(frozen=True)
class Serving:
    """A serving broker, as its lock file describes it. `files`: the database, its -wal and its -shm."""

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
        """The command line for this broker's database, to run in a shell whose settings select `mode`. With
        None, the settings may name any database.
        """
        usual = Path(self.folder) / f"{mode}.db" == Path(self.database)
        setting = "" if usual else f"DATABASE_URL={shlex.quote(f'sqlite:///{self.database}')} "
        return f"{setting}broker {command} --data-dir {shlex.quote(self.folder)}"


SERVICE: Final = "confirmation-broker"


def serving_brokers() -> Sequence[Serving]:
    """Every serving broker that this user may see, sorted by process id. Takes some milliseconds."""
    notes = _notes_by_proc() if sys.platform == "linux" else _notes_by_psutil()
    by_process = {note.process: note for note in notes}
    return [by_process[process] for process in sorted(by_process)]


def server_of(database: Path) -> Serving | None:
    """The broker that has this file open, whatever path it used; None if there is none."""
    wanted = file_id(database)
    return next(
        (one for one in serving_brokers() if wanted is not None and one.files[:1] == (wanted,)),
        None,
    )


def _notes_by_proc() -> Iterator[Serving]:
    for process in os.listdir("/proc"):
        if not process.isdecimal() or not _is_own(process):
            continue
        with suppress(OSError):  # another user's process, or it has ended
            for number in os.listdir(f"/proc/{process}/fd"):
                link = f"/proc/{process}/fd/{number}"
                with suppress(OSError):
                    if os.readlink(link).removesuffix(" (deleted)").endswith(LOCK):
                        yield from _note_in(int(process), link)


def _is_own(process: str) -> bool:
    """Whether the process is this user's; for root, any process."""
    with suppress(OSError):
        return os.geteuid() in (0, os.stat(f"/proc/{process}").st_uid)
    return False


def _notes_by_psutil() -> Iterator[Serving]:
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            for file in process.open_files():
                if file.path.endswith(LOCK):
                    yield from _note_in(process.pid, file.path)


def _note_in(process: int, path: str) -> Iterator[Serving]:
    """Only the note of this process counts: a command may have another broker's lock file open."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        return
    with open(path, "rb") as file:
        note = _parse(file.read(MOST_BYTES))
    if note is not None and note.process == process:
        yield note


def _parse(text: bytes) -> Serving | None:
    """None if no broker wrote it, or if it cannot be printed safely."""
    try:
        note: Any = json.loads(text)
        if note.pop("service") != SERVICE:
            return None
        files = tuple((int(device), int(inode)) for device, inode in note.pop("files"))
        texts = {name: str(note[name]) for name in ("mode", "database", "folder", "url")}
        process = int(note["process"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not all(text.isprintable() for text in texts.values()):
        return None
    return Serving(process=process, files=files, **texts)
