"""The minimum that makes a row survive power loss: one INSERT and one commit by sqlite3 alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

ROW = "x" * 4096
"""About the size of a parked intent and its audit row."""


class Commits:
    """A database with the broker's pragmas."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE IF NOT EXISTS rows (text TEXT)")

    def one(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("INSERT INTO rows VALUES (?)", [ROW])
        self._database.execute("COMMIT")

    def close(self) -> None:
        self._database.close()
