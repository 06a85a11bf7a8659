"""The audit log's head, outside the database: a database that was cut or put back shows by it.

It trails the log by a moment, so what it names must be in the log, and the log may have more.
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
        """None when there is no such file. Raises StartError for one that does not hold."""
        try:
            kept: Any = json.loads(self.path.read_bytes())
            mark = Mark(int(kept["seq"]), str(kept["mac"]))
            holds = hmac.compare_digest(self._seal(mark), str(kept["seal"]))
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
        """Whole or not at all. Raises OSError."""
        kept = {"seq": mark.seq, "mac": mark.mac, "seal": self._seal(mark)}
        replace_file(self.path, json.dumps(kept).encode())

    def _seal(self, mark: Mark) -> str:
        return hmac.new(self._key, f"mark {mark.seq} {mark.mac}".encode(), "sha256").hexdigest()
