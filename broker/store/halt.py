"""Where trading stands: the newest row of the audit log about it, which nobody can rewrite unnoticed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from ..halt import Halt, Level, Stale, halted
from ..intents import State
from ..reasons import Reason, Why
from .audit import Forged
from .database import Database
from .queries import in_states
from .session_guard import Standing, trusted
from .transitions import Transitions

KINDS: Final = tuple(f"trading:{level}" for level in Level)


class Halts:
    def __init__(self, database: Database, transitions: Transitions) -> None:
        self._database = database
        self._moves = transitions

    def current(self, connection: Connection) -> Halt:
        """A record that does not hold halts everything."""
        try:
            event = self._moves.log.newest(connection, KINDS)
        except Forged as forged:
            reason = "the record of who halted trading was changed"
            return Halt(level=Level.HALTED, seq=forged.seq, reason=reason)
        if event is None:
            return Halt()
        level = Level(event.kind.removeprefix("trading:"))
        by = event.actor.removeprefix("trader:")
        return Halt(level=level, seq=event.seq, by=by, at=event.at, reason=event.data.get("reason"))

    def require_open(self, connection: Connection, *, is_exit: bool, what_happened: str) -> None:
        """Raises TRADING_HALTED."""
        halt = self.current(connection)
        if halt.stops(is_exit=is_exit):
            raise halted(halt, what_happened)

    async def set(
        self,
        level: Level,
        trader: str,
        reason: str | None,
        *,
        shown: int | None = None,
        standing: Standing = trusted,
    ) -> Halt:
        """A trader's act on the page, which may also resume. `shown` is the number of the halt that the page
        showed: no other one is loosened.

        Raises NotSignedIn, Stale.
        """

        def transaction(connection: Connection) -> Halt:
            standing(connection)
            now = self.current(connection)
            if shown is not None and now.seq != shown and not now.looser_than(level):
                raise Stale(now)
            return self.put(connection, level, f"trader:{trader}", reason)

        return await self._database.write(transaction)

    def tighten(self, level: Level, actor: str, reason: str | None) -> Halt:
        """A command's act: it never loosens what stands. Answers what stands then."""

        def transaction(connection: Connection) -> Halt:
            now = self.current(connection)
            return self.put(connection, level, actor, reason) if now.looser_than(level) else now

        return self._database.write_now(transaction)

    def put(self, connection: Connection, level: Level, actor: str, reason: str | None) -> Halt:
        """Within a transaction. What was approved and is stopped by it is not sent, in the same commit."""
        now, kind = self._moves.clock(), f"trading:{level}"
        self._moves.log.append(connection, at=now, kind=kind, actor=actor, data={"reason": reason})
        halt = self.current(connection)
        for intent in in_states(connection, {State.APPROVED}, limit=None):
            if halt.stops(is_exit=intent.is_exit):
                self._moves.put_away(connection, intent, Why(Reason.TRADING_HALTED, str(halt)), actor)
        return halt
