"""The head and the key of the audit log, outside its database: kept in place while the broker serves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from errno import EACCES
from typing import Any, Final

from sqlalchemy import Connection

from ..errors import BrokerError, StartError
from ..files import AuditFiles, secret_file
from ..logs import get_logger
from .audit import BEGUN, AuditLog, Mark
from .database import Database
from .audit_head import Head

SECONDS: Final = 0.5
"""How far the head outside the database may trail the log, and how soon a lost file is noticed."""

log = get_logger(__name__)


class Upkeep:
    def __init__(self, database: Database, audit_log: AuditLog, files: AuditFiles, key: bytes) -> None:
        self.head = Head(files.head, key)
        self.trouble: str | None = None
        """Why something outside the database cannot be kept, so that the audit log is at risk."""
        self._database = database
        self._log = audit_log
        self._file = files.key
        self._key = key
        self._kept: Mark | None = None

    def meet_head(self, connection: Connection) -> bool:
        """From here on the head is kept. Whether its file was missing though the log had grown.

        Raises StartError for a database that is older than its head.
        """
        mark = self.head.read()
        if mark is not None and not self._log.holds_mark(connection, mark):
            raise StartError(
                f"The database {self._database.path} is older than its audit log's head (row {mark.seq}), or "
                "was cut: what happened since is not in it. `broker audit verify` looks closer, and "
                "`broker db restore` goes on from a copy"
            )
        newest = self._log.mark(connection)
        self._kept = mark or BEGUN
        return mark is None and newest is not None and newest.seq > 1

    def keep_head(self) -> bool:
        """Whether its file was missing. Raises OSError."""
        if self._kept is None:  # opened to be verified: it may not hold
            return False
        kept = self._kept
        mark, holds = self._database.read_now(
            lambda connection: (
                self._log.mark(connection),
                self._log.holds_mark(connection, kept),
            )
        )
        if not holds:  # cut while it was served: the head goes on telling, and nothing covers it up
            self._database.seal(f"The audit log lacks row {kept.seq}, which it had")
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
        record: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        """Look after it until cancelled. That the database or its folder does not work is logged once, with
        its first problem, and so is the end of it. `recover` and `record` may raise BrokerError.
        """
        told = False
        while True:
            await asyncio.sleep(SECONDS)
            missing = await asyncio.to_thread(self.look_after)
            with suppress(BrokerError):
                for kind in missing:
                    await record(kind)
                await recover()
            now = problem()
            if now is not None and not told:
                log.error("the database or its folder does not work", problem=now)
            elif now is None and told:
                log.info("the database and its folder work again")
            told = now is not None

    def look_after(self) -> Sequence[str]:
        """Once; what cannot be kept is `trouble` then. Answers which files were missing and were written
        again, as kinds of the audit log's rows.
        """
        missing = []
        try:
            if self._database.lost is None:
                if self._keep_key():
                    missing.append("audit:key-missing")
                if self.keep_head():
                    missing.append("audit:head-missing")
                self._require_writable()
            self.trouble = None
        except OSError as error:
            self.trouble = (
                f"The data folder {self.head.path.parent} cannot be written ({error.strerror}), so that "
                "nothing would show if the audit log were cut. Make it writable; the broker then continues "
                "by itself."
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
            log.error("the audit log's head is not kept", error=str(error))

    def _require_writable(self) -> None:
        """Before something has to be written there. Raises OSError."""
        folder = self.head.path.parent
        if not os.access(folder, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES), str(folder))

    def _keep_key(self) -> bool:
        """Whether its file was missing. It is written again: without it the log cannot go on after a stop.

        Raises StartError where it is another one now.
        """
        missing = not self._file.exists()
        if secret_file(self._file, self._key) != self._key:
            raise StartError(f"{self._file} was replaced: put this database's own audit key back")
        return missing
