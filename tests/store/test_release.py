"""A database that release 0.1.0 made, in every state there was, opens, migrates and verifies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, select

from broker.events import EventKind
from broker.intents import State, digest_of
from broker.reasons import Reason
from broker.store import Store, events_of, queries
from broker.store.export import lines
from broker.store.tables import intents
from broker.web.notices import notice
from broker.web.wording import happened

from ..support import BTC, NOON, Clock, open_store, wired

pytestmark = pytest.mark.anyio

DUMP = Path(__file__).with_name("release_0_1_0.sql")
KEY = bytes(31) + b"\x01"
"""The audit key of that database."""

HEAD = (
    '{"seq": 59, "mac": "fdb78cd1a522e552c37946ae1725b5c35343a3bc045cee84beefb48a1a0fb1a1", '
    '"seal": "4359174b78fa4cd65c8b927963389a752e5cf18b488d73e4f6461150d6d7b1a4"}'
)

REASONS = {
    (State.PENDING, None),
    (State.PENDING, Reason.PRICE_MOVED),
    (State.SUBMITTING, None),
    (State.PLACED, None),
    (State.PLACED, Reason.RECORDED_BY_TRADER),
    (State.REFUSED, Reason.BINANCE_REFUSED),
    (State.NOT_SENT, Reason.NOT_SENT),
    (State.NOT_SENT, Reason.APPROVAL_TOO_OLD),
    (State.NOT_SENT, Reason.UNCERTAIN),
    (State.NOT_SENT, Reason.AGENT_REVOKED),
    (State.NOT_SENT, Reason.TRADING_HALTED),
    (State.UNKNOWN, Reason.NO_ANSWER),
    (State.REJECTED, Reason.REJECTED_BY_TRADER),
    (State.EXPIRED, Reason.NO_DECISION),
    (State.WITHDRAWN, Reason.WITHDRAWN_BY_AGENT),
    (State.WITHDRAWN, Reason.AGENT_REVOKED),
}


def lay_down(folder: Path) -> Path:
    path = folder / "paper.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(DUMP.read_text())
    for name, content in (("audit-key", KEY), ("audit-head", HEAD.encode())):
        kept = path.with_name(f"{path.name}.{name}")
        kept.write_bytes(content)
        kept.chmod(0o600)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    path = lay_down(tmp_path)
    with closing(open_store(path, Clock())) as opened:
        yield opened


def test_its_audit_log_verifies(store: Store) -> None:
    assert store.verify() is None


def test_its_requests_get_the_codes_that_their_notes_tell(store: Store) -> None:
    found = store.database.read_now(lambda c: queries.in_states(c, set(State), limit=None))
    assert len(found) == 17
    assert {(intent.state, intent.reason_code) for intent in found} == REASONS


def test_what_its_requests_hold_is_written_back_as_it_was(store: Store) -> None:
    found = store.database.read_now(lambda c: queries.in_states(c, set(State), limit=None))
    rows = store.database.read_now(lambda c: c.execute(select(intents).order_by(intents.c.id)).all())
    assert sum(row.order is not None for row in rows) == 1
    for intent, row in zip(found, rows, strict=True):
        assert digest_of(intent.canonical) == intent.digest
        approved = json.loads(intent.canonical)["arguments"]
        for arguments in (intent.arguments, intent.terms.arguments):
            assert _with_as_many_digits(arguments.stored(), approved) == row.arguments == approved
        assert intent.order is None or json.dumps(intent.order.stored()) == json.dumps(row.order)


def _with_as_many_digits(written: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Amounts of that database end in zeros, which no tool ever wrote."""
    assert Decimal(written["amount"]) == Decimal(stored["amount"])
    return {**written, "amount": stored["amount"]}


async def test_what_it_parked_is_approved_and_sent(tmp_path: Path) -> None:
    lay_down(tmp_path)
    limits: dict[str, Any] = {
        "max_order_value_usdt": "100000",
        "max_daily_volume_usdt": "1000000",
        "max_position_size_pct": "100",
    }
    async with wired(tmp_path, clock=Clock(NOON + timedelta(seconds=2)), **limits) as broker:
        [waiting, *_] = await broker.store.read(lambda c: queries.pending(c, 1))
        sent = await broker.submitted(await broker.approve(waiting))
        assert (sent.state, sent.canonical, sent.digest) == (State.PLACED, waiting.canonical, waiting.digest)
        [post] = await broker.control.requests()
        assert (post["params"]["symbol"], post["params"]["quantity"]) == (BTC, "0.101")
        assert await broker.audit_holds()


def test_a_row_of_a_release_to_come_verifies_shows_and_is_exported(store: Store) -> None:
    def write(connection: Connection) -> str:
        [intent, *_] = queries.pending(connection, 1)
        foreign = cast(EventKind, "oracle:spoke")
        store.record(connection, foreign, "oracle", intent_id=intent.id, said="buy")
        return intent.id

    intent_id = store.database.write_now(write)
    assert store.verify() is None
    *_, row = store.database.read_now(lambda connection: events_of(connection, intent_id))
    assert (row.kind, row.kind_name, row.subject) == (EventKind.OTHER, "oracle:spoke", "oracle")
    assert happened(row) == notice(row) == "oracle:spoke"
    told = store.database.read_now(lambda connection: list(lines(connection)))
    [line] = [line for line in told if line.get("intentId") == intent_id]
    assert line["state"] == "pending"
    last = line["events"][-1]
    assert (last["kind"], last["data"]) == ("oracle:spoke", {"said": "buy"})
