"""A copy of the database, and what it may do once it stands in its place again: nothing but be settled."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.errors import BrokerError, Code, StartError
from broker.events import EventKind
from broker.files import AuditFiles
from broker.halt import Level
from broker.intents import Intent, State
from broker.store import Moved, NotDecidable, Store, queries, recent_events
from broker.store.backup import back_up, restore

from ..support import LONG_AGO, MANY_PENDING, NOON, Clock, Randomness, open_store, order, request, trusted

pytestmark = pytest.mark.anyio

LIMIT = Decimal(100_000)


async def parked(store: Store, number: int) -> Intent:
    arguments = {"symbol": "BTCUSDT", "side": "buy", "amount": str(number)}
    return (await store.intents.park(request(arguments=arguments), max_pending=MANY_PENDING)).intent


async def approved(store: Store, number: int) -> Intent:
    intent = await parked(store, number)
    return await store.intents.approve(
        intent.id, intent.digest, "Ana", LIMIT, standing=trusted, confirmed=True
    )


async def submitting(store: Store, number: int) -> Intent:
    intent = await approved(store, number)
    return await store.submissions.begin(
        intent,
        is_exit=intent.is_exit,
        client_order_id=f"cb-{intent.id}",
        namespace="spot",
        wire_timestamp_ms=1,
        value_usdt=None,
        approved_since=LONG_AGO,
    )


async def placed(store: Store, number: int) -> Intent:
    told = order(status="filled", amount=str(number))
    return await store.submissions.settle(
        await submitting(store, number), State.PLACED, actor="binance", order=told
    )


def put_back(backup: Path, path: Path, **more: Any) -> Path | None:
    files = AuditFiles.of(path, path.parent)

    def open_copy(copy: Path) -> Store:
        return open_store(copy, Clock(), files=files, to_verify=True)

    return restore(backup, path, open_copy, NOON)


async def states(store: Store) -> dict[str, State]:
    found = await store.read(lambda connection: queries.in_states(connection, set(State)))
    return {intent.id: intent.state for intent in found}


async def test_nothing_of_a_restored_backup_is_open_and_none_of_it_can_be_sent(
    store: Store, path: Path, tmp_path: Path
) -> None:
    before = [
        await make(store, number) for number, make in enumerate((parked, approved, submitting, placed), 1)
    ]
    back_up(path, tmp_path / "copy.db")
    since = await parked(store, 9)
    store.close()
    old = put_back(tmp_path / "copy.db", path)
    with closing(open_store(path, Clock())) as again:
        assert again.verify() is None
        assert await states(again) == {
            **{intent.id: State.UNKNOWN for intent in before[:3]},
            before[3].id: State.PLACED,
        }
        waiting, agreed, begun = before[:3]
        with pytest.raises(NotDecidable):
            await again.intents.approve(
                waiting.id, waiting.digest, "Ana", LIMIT, standing=trusted, confirmed=True
            )
        with pytest.raises(Moved):
            await again.submissions.begin(
                agreed,
                is_exit=agreed.is_exit,
                client_order_id="x",
                namespace="spot",
                wire_timestamp_ms=2,
                value_usdt=None,
                approved_since=LONG_AGO,
            )
        with pytest.raises(Moved):
            await again.submissions.settle(begun, State.NOT_SENT, actor="executor")
        with pytest.raises(BrokerError) as halted:
            await parked(again, 10)
        assert halted.value.code is Code.TRADING_HALTED
    assert old is not None
    with closing(sqlite3.connect(old)) as replaced:
        assert replaced.execute("SELECT count(*) FROM intents WHERE id = ?", (since.id,)).fetchone() == (1,)


async def test_the_log_names_the_head_that_was_replaced_and_halts(store: Store, path: Path) -> None:
    await placed(store, 1)
    copy = path.with_name("copy.db")
    back_up(path, copy)
    copied = store.database.read_now(store.log.mark)
    await placed(store, 2)
    replaced = store.database.read_now(store.log.mark)
    store.close()
    put_back(copy, path)
    with closing(open_store(path, Clock())) as again:
        [event] = again.database.read_now(
            lambda connection: recent_events(connection, [EventKind.DATABASE_RESTORED], NOON)
        )
        assert copied is not None and replaced is not None
        assert event.data == {
            "file": "copy.db",
            "head": [copied.seq, copied.mac],
            "replaced": [replaced.seq, replaced.mac],
        }
        assert again.database.read_now(again.halts.current).level is Level.HALTED


async def test_whoever_was_signed_in_is_not_any_more(store: Store, path: Path) -> None:
    store.people.add_trader("Ana", "correct horse battery", actor="test")
    hashed = store.people.right_password("Ana", "correct horse battery")
    assert hashed is not None
    opened = await store.people.open_session("Ana", hashed, "Firefox")
    assert opened is not None
    back_up(path, path.with_name("copy.db"))
    store.close()
    put_back(path.with_name("copy.db"), path)
    with closing(open_store(path, Clock())) as again:
        assert await again.people.session(opened[1]) is None
        assert again.people.right_password("Ana", "correct horse battery") is not None


async def test_a_backup_is_one_file_of_the_owner_alone_and_takes_no_others_place(
    store: Store, path: Path
) -> None:
    await parked(store, 1)
    copy = path.with_name("copy.db")
    back_up(path, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not list(path.parent.glob("copy.db-*")) and not list(path.parent.glob(".copy*"))
    content = copy.read_bytes()
    with pytest.raises(StartError, match="already exists; a backup does not overwrite files"):
        back_up(path, copy)
    assert copy.read_bytes() == content
    with pytest.raises(StartError, match="There is no database"):
        back_up(path.with_name("other.db"), path.with_name("second.db"))
    with pytest.raises(StartError, match="cannot be written"):
        back_up(path, path.parent / "missing" / "copy.db")


async def test_what_is_no_whole_backup_of_this_database_changes_nothing(store: Store, path: Path) -> None:
    intent = await parked(store, 1)
    good = path.with_name("copy.db")
    back_up(path, good)
    torn, edited, foreign = (path.with_name(name) for name in ("torn.db", "edited.db", "foreign.db"))
    torn.write_bytes(good.read_bytes()[:8192] + b"\x5a" * 8192)
    edited.write_bytes(good.read_bytes())
    with closing(sqlite3.connect(edited)) as database:
        database.execute("DROP TRIGGER audit_no_update")
        database.execute("UPDATE audit SET actor = 'agent:other' WHERE kind = 'intent:parked'")
        database.commit()
    elsewhere, another_key = path.parent / "elsewhere" / "paper.db", Randomness()
    another_key(1)
    with closing(open_store(elsewhere, Clock(), another_key)):
        back_up(elsewhere, foreign)
    store.close()
    for bad in (torn, edited, foreign, path.with_name("no.db"), path.parent):
        with pytest.raises(StartError):
            put_back(bad, path)
        with closing(open_store(path, Clock())) as again:
            assert await states(again) == {intent.id: State.PENDING}
            assert again.verify() is None
    assert not list(path.parent.glob(".paper*"))


async def test_after_a_restore_that_broke_off_it_does_not_start_and_can_be_restored_again(
    store: Store, path: Path
) -> None:
    """Killed before the head outside was set anew: the database is then older than that head."""
    await parked(store, 1)
    copy, head = path.with_name("copy.db"), path.with_name("paper.db.audit-head")
    back_up(path, copy)
    await parked(store, 2)
    store.close()
    newest = head.read_bytes()
    put_back(copy, path)
    head.write_bytes(newest)
    with pytest.raises(StartError, match="older than its audit head"):
        open_store(path, Clock())
    put_back(copy, path)
    with closing(open_store(path, Clock())) as again:
        assert set((await states(again)).values()) == {State.UNKNOWN}


async def test_a_database_that_is_lost_altogether_is_replaced(store: Store, path: Path) -> None:
    await parked(store, 1)
    back_up(path, path.with_name("copy.db"))
    store.close()
    for left in path.parent.glob("paper.db*"):
        if "audit" not in left.name:
            left.unlink()
    assert put_back(path.with_name("copy.db"), path) is None
    open_store(path, Clock()).close()
