"""The halt: the newest audit row about it is the current level. A changed row halts everything."""

from __future__ import annotations

from sqlalchemy import Connection

from ..events import LEVELS, EventKind
from ..halt import Halt, Level, Stale, halted
from ..intents import State
from ..reasons import Reason, Why
from .audit import Forged
from .database import Database
from .queries import in_states
from .session_guard import Standing
from .transitions import Transitions


class Halts:
    def __init__(self, database: Database, transitions: Transitions) -> None:
        self._database = database
        self._moves = transitions

    def current(self, connection: Connection) -> Halt:
        """The current halt. A row whose seal is wrong halts everything."""
        try:
            event = self._moves.log.newest(connection, LEVELS.keys())
        except Forged as forged:
            reason = "the record of who halted trading was changed"
            return Halt(level=Level.HALTED, seq=forged.seq, reason=reason)
        if event is None:
            return Halt()
        level = LEVELS[event.kind]
        by = event.actor.removeprefix("trader:")
        return Halt(level=level, seq=event.seq, by=by, at=event.at, reason=event.data.get("reason"))

    def require_open(self, connection: Connection, *, is_exit: bool, what_happened: str) -> None:
        """Raises TRADING_HALTED if the halt stops the request. `what_happened` ends the message."""
        halt = self.current(connection)
        if halt.stops(is_exit=is_exit):
            raise halted(halt, what_happened)

    async def set(
        self,
        level: Level,
        trader: str,
        reason: str | None,
        *,
        shown: int,
        standing: Standing,
    ) -> Halt:
        """A trader changes the level on the page; this may also resume trading.

        `shown` is the `seq` of the halt that the page showed. Raises Stale if the halt has changed since and
        the new level would loosen it; NotSignedIn.
        """

        def transaction(connection: Connection) -> Halt:
            standing(connection)
            now = self.current(connection)
            if now.seq != shown and not now.looser_than(level):
                raise Stale(now)
            return self.put(connection, level, f"trader:{trader}", reason)

        return await self._database.write(transaction)

    def tighten(self, level: Level, actor: str, reason: str | None) -> Halt:
        """Tighten the halt from the command line; a stricter one stays. Returns the current halt."""

        def transaction(connection: Connection) -> Halt:
            now = self.current(connection)
            return self.put(connection, level, actor, reason) if now.looser_than(level) else now

        return self._database.write_now(transaction)

    def put(self, connection: Connection, level: Level, actor: str, reason: str | None) -> Halt:
        """Set the level inside the caller's transaction. Approved requests that it stops become not sent."""
        now, kind = self._moves.clock(), EventKind.of(level)
        self._moves.log.append(connection, at=now, kind=kind, actor=actor, data={"reason": reason})
        halt = self.current(connection)
        for intent in in_states(connection, {State.APPROVED}, limit=None):
            if halt.stops(is_exit=intent.is_exit):
                self._moves.put_away(connection, intent, Why(Reason.TRADING_HALTED, str(halt)), actor)
        return halt
