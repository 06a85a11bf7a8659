"""What the broker wrote down, read from its database's file: not by its code, and without asking it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

UNSETTLED: Final = frozenset({"approved", "submitting", "unknown"})
DECISIONS: Final = {"intent:approved": True, "intent:rejected": False}
FINAL: Final = frozenset({"placed", "refused", "not_sent"})
"""What an approved request has to end as."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """An intent."""

    id: str
    agent: str
    tool: str
    key: str | None
    state: str
    digest: str
    terms: Mapping[str, Any]
    wire_timestamp_ms: int | None
    note: str | None

    @property
    def arguments(self) -> Mapping[str, Any]:
        arguments: Mapping[str, Any] = self.terms["arguments"]
        return arguments


@dataclass(frozen=True, kw_only=True)
class Event:
    """A row of the audit log; its time in milliseconds."""

    at: int
    kind: str
    intent_id: str
    digest: str | None


@dataclass(frozen=True, kw_only=True)
class Record:
    rows: Mapping[str, Row]
    events: Sequence[Event]

    @cached_property
    def by_intent(self) -> Mapping[str, Sequence[Event]]:
        found: dict[str, list[Event]] = {intent_id: [] for intent_id in self.rows}
        for event in self.events:
            found.setdefault(event.intent_id, []).append(event)
        return found

    def decided(self, intent_id: str, digest: str, approved: bool) -> bool:
        """Whether this very decision is in the audit log."""
        return any(
            DECISIONS.get(event.kind) is approved and event.digest == digest
            for event in self.by_intent.get(intent_id, ())
        )

    def approval_stands(self, intent_id: str) -> bool:
        """Approved, and not brought back with new figures since."""
        kinds = [event.kind for event in self.by_intent.get(intent_id, ())]
        last = {kind: number for number, kind in enumerate(kinds)}
        return last.get("intent:approved", -1) > last.get("intent:pending", -1)

    def seconds_unknown(self) -> list[float]:
        """How long each request was unknown before its outcome was recorded."""
        found = []
        for events in self.by_intent.values():
            since: int | None = None
            for event in events:
                if event.kind == "intent:unknown":
                    since = event.at
                elif since is not None and event.kind.removeprefix("intent:") in FINAL:
                    found.append((event.at - since) / 1000)
                    since = None
        return found


class Database:
    """Of a broker that runs, or of one that was killed."""

    def __init__(self, path: Path) -> None:
        self._address = f"file:{path}?mode=ro"

    def states(self) -> Counter[str]:
        rows = self._all("SELECT state, count(*) AS number FROM intents GROUP BY state")
        return Counter({row["state"]: row["number"] for row in rows})

    def state(self, intent_id: str) -> str | None:
        rows = self._all("SELECT state FROM intents WHERE id = ?", intent_id)
        return rows[0]["state"] if rows else None

    def ids_in(self, *states: str) -> set[str]:
        marks = ", ".join("?" for _ in states)
        return {row["id"] for row in self._all(f"SELECT id FROM intents WHERE state IN ({marks})", *states)}

    def busy_leverages(self) -> set[str]:
        """Symbols whose leverage may still change."""
        states = "('pending', 'approved', 'submitting', 'unknown')"
        query = f"SELECT arguments FROM intents WHERE tool = 'binance_set_leverage' AND state IN {states}"
        return {json.loads(row["arguments"])["symbol"] for row in self._all(query)}

    def sent(self, tool: str) -> set[str]:
        """Intents of a tool that got as far as the commit before their POST."""
        query = "SELECT id FROM intents WHERE tool = ? AND wire_timestamp_ms IS NOT NULL"
        return {row["id"] for row in self._all(query, tool)}

    def read(self) -> Record:
        rows = self._all("SELECT * FROM intents")
        events = self._all("SELECT * FROM audit WHERE intent_id IS NOT NULL ORDER BY seq")
        return Record(
            rows={row["id"]: _row(row) for row in rows},
            events=[
                Event(
                    at=event["at"],
                    kind=event["kind"],
                    intent_id=event["intent_id"],
                    digest=json.loads(event["data"]).get("digest"),
                )
                for event in events
            ],
        )

    def _all(self, query: str, *values: str) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(self._address, uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()


def _row(row: sqlite3.Row) -> Row:
    return Row(
        id=row["id"],
        agent=row["agent"],
        tool=row["tool"],
        key=row["idempotency_key"],
        state=row["state"],
        digest=row["digest"],
        terms=json.loads(row["canonical"]),
        wire_timestamp_ms=row["wire_timestamp_ms"],
        note=row["note"],
    )
