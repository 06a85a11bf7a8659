"""Detects that a file which SQLite has open was deleted, moved or replaced.

SQLite keeps reading and writing such a file, and no other process sees what it writes
(https://www.sqlite.org/howtocorrupt.html, 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..brokers import FileId, file_id

COMPANIONS: Final = ("-wal", "-shm")


class OpenFiles:
    """The database, its -wal and its -shm. Remembers which files were open when it was created."""

    def __init__(self, database: Path) -> None:
        real = database.resolve()
        # The path as given, not resolved: a link that was redirected also counts as lost.
        self.paths: Sequence[Path] = (database, *(Path(f"{real}{end}") for end in COMPANIONS))
        self.ids: Sequence[FileId | None] = [file_id(path) for path in self.paths]

    def lost(self) -> Path | None:
        """The first path that no longer has the open file; None if all do. Calls `stat` for each."""
        for path, opened in zip(self.paths, self.ids, strict=True):
            if file_id(path) != opened:
                return path
        return None


def lost_message(path: Path) -> str:
    """The message about a lost file, with what the operator can do."""
    what_to_do = (
        "Stop the broker and start it again"
        if path.name.endswith(COMPANIONS)
        else "Put the same file back (not a copy), and the broker continues; or stop the broker, restore a "
        "backup with `broker db restore`, and start it again"
    )
    return (
        f"{path} was deleted, moved or replaced while the broker had it open. Nothing is sent to Binance and "
        f"nothing is recorded. {what_to_do}."
    )
