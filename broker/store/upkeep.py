"""Maintains the audit head and the audit key, files outside the database, while the broker runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from errno import EACCES
from typing import Any, Final

from sqlalchemy import Connection

from ..errors import BrokerError, StartError
from ..events import EventKind
from ..files import AuditFiles, secret_file
from ..logs import get_logger
from .audit import BEGUN, AuditLog, Mark
from .audit_head import Head
from .database import Database

SECONDS: Final = 0.5
"""How often the head is updated and the files are checked."""

log = get_logger(__name__)


class Upkeep:
    def __init__(self, database: Database, audit_log: AuditLog, files: AuditFiles, key: bytes) -> None:
        self.head = Head(files.head, key)
        self.trouble: str | None = None
        """Why the audit files cannot be maintained; None if they can."""
        self._database = database
        self._log = audit_log
        self._file = files.key
        self._key = key
        self._kept: Mark | None = None

    def meet_head(self, connection: Connection) -> bool:
        """Check the head at start. Returns whether its file is missing although the log has rows.

        Raises StartError if the database is older than its head.
        """
        mark = self.head.read()
        if mark is not None and not self._log.holds_mark(connection, mark):
            raise StartError(
                f"The database {self._database.path} is older than its audit head (row {mark.seq}), or was "
                "cut: later events are missing. `broker audit verify` shows details; restore a backup with "
                "`broker db restore`"
            )
        newest = self._log.mark(connection)
        self._kept = mark or BEGUN
        return mark is None and newest is not None and newest.seq > 1

    def keep_head(self) -> bool:
        """Write the head if it has changed. Returns whether its file was missing. Raises OSError."""
        if self._kept is None:  # opened only to be verified
            return False
        kept = self._kept
        mark, holds = self._database.read_now(
            lambda connection: (
                self._log.mark(connection),
                self._log.holds_mark(connection, kept),
            )
        )
        if not holds:  # cut while it was in use: keep the old head as evidence
            self._database.seal(f"The audit log has lost row {kept.seq}")
            return False
        missing = not self.head.path.exists()
        if mark is not None and (missing or mark != kept):
            self.head.keep(mark)
            self._kept = mark
        return missing

    async def run(
        self,
        problem: Callable[[], str | None],
        recover: Callable[[], Coroutine[Any, Any, None]],
        record: Callable[[EventKind], Coroutine[Any, Any, None]],
    ) -> None:
        """Check the files twice a second, until cancelled. Logs start and end of a problem, once each.

        `problem` returns the current problem. `recover` retries a failed write, `record` writes an audit
        row; both may raise BrokerError.
        """
        problem_logged = False
        while True:
            await asyncio.sleep(SECONDS)
            missing = await asyncio.to_thread(self.look_after)
            with suppress(BrokerError):
                for kind in missing:
                    await record(kind)
                await recover()
            current = problem()
            if current is not None and not problem_logged:
                log.error("the database or its folder does not work", problem=current)
            elif current is None and problem_logged:
                log.info("the database and its folder work again")
            problem_logged = current is not None

    def look_after(self) -> Sequence[EventKind]:
        """Check once and set `trouble`. Returns an event kind for each file that was missing."""
        missing = list[EventKind]()
        try:
            if self._database.lost is None:
                if self._keep_key():
                    missing.append(EventKind.AUDIT_KEY_MISSING)
                if self.keep_head():
                    missing.append(EventKind.AUDIT_HEAD_MISSING)
                self._require_writable()
            self.trouble = None
        except OSError as error:
            self.trouble = (
                f"The data folder {self.head.path.parent} cannot be written ({error.strerror}), so a cut "
                "audit log would not be detected. Make the folder writable; then the broker continues by "
                "itself."
            )
        except BrokerError as error:
            self.trouble = error.message
        except StartError as error:
            self.trouble = f"{error}."
        return missing

    def close(self) -> None:
        try:
            if self._database.lost is None:
                self.keep_head()
        except (OSError, BrokerError) as error:
            log.error("the audit head cannot be written", error=str(error))

    def _require_writable(self) -> None:
        """Raises OSError if the folder is not writable."""
        folder = self.head.path.parent
        if not os.access(folder, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES), str(folder))

    def _keep_key(self) -> bool:
        """Write the key file again if it is missing: a restart needs it. Returns whether it was missing.

        Raises StartError if the file has another key.
        """
        missing = not self._file.exists()
        if secret_file(self._file, self._key) != self._key:
            raise StartError(f"{self._file} was replaced: put the audit key of this database back")
        return missing
