"""The audit head: a file outside the database with the number and seal of a recent audit row.

It reveals a database that was cut or replaced by an older one. The file trails the log by a moment: the row
that it names must be in the log, and the log may have newer rows.
"""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

from ..errors import StartError
from ..files import replace_file
from .audit import Mark


class Head:
    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key

    def read(self) -> Mark | None:
        """The stored mark; None if there is no file. Raises StartError for a file that was changed."""
        try:
            stored: Any = json.loads(self.path.read_bytes())
            mark = Mark(int(stored["seq"]), str(stored["mac"]))
            holds = hmac.compare_digest(self._seal(mark), str(stored["seal"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StartError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            holds = False
        if not holds:
            raise StartError(f"{self.path} was changed, or belongs to another audit key")
        return mark

    def keep(self, mark: Mark) -> None:
        """Write the file atomically. Raises OSError."""
        stored = {"seq": mark.seq, "mac": mark.mac, "seal": self._seal(mark)}
        replace_file(self.path, json.dumps(stored).encode())

    def _seal(self, mark: Mark) -> str:
        return hmac.new(self._key, f"mark {mark.seq} {mark.mac}".encode(), "sha256").hexdigest()
