"""Whether the files that SQLite has open are still the ones at their paths.

SQLite goes on reading and writing a file that was deleted, moved or replaced, and nobody else sees what it
writes there (https://www.sqlite.org/howtocorrupt.html, 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..brokers import FileId, file_id

COMPANIONS: Final = ("-wal", "-shm")


class OpenFiles:
    """The database, its -wal and its -shm, as they were once the database was open."""

    def __init__(self, database: Path) -> None:
        real = database.resolve()
        # The path as it was named comes first: a link that leads elsewhere now has lost the database too.
        self.paths: Sequence[Path] = (database, *(Path(f"{real}{end}") for end in COMPANIONS))
        self.ids: Sequence[FileId | None] = [file_id(path) for path in self.paths]

    def lost(self) -> Path | None:
        """The first that is not in its place any more; None while all are. Costs a `stat` each."""
        for path, opened in zip(self.paths, self.ids, strict=True):
            if file_id(path) != opened:
                return path
        return None


def told_lost(path: Path) -> str:
    """What a person reads about it, with what they can do."""
    then = (
        "Stop the broker and start it again"
        if path.name.endswith(COMPANIONS)
        else "Put the same file back, not a copy, and the broker continues; or stop it, restore a backup "
        "with `broker db restore`, and start it again"
    )
    return (
        f"{path} was deleted, moved or replaced while the broker had it open. Nothing is sent to Binance and "
        f"nothing is recorded. {then}."
    )
