"""The audit log: append-only, gapless, and sealed so that whoever changes it is found out."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from broker.errors import BrokerError, StartError
from broker.events import EventKind
from broker.files import AuditFiles
from broker.store import Broken, Store, recent_events
from broker.store.audit import events_after

from ..support import MANY_PENDING, Clock, eventually, open_store, request, running

ROW = EventKind.EXCHANGE_REACHABLE
ROWS = 6
LAST = ROWS + 2
"""The log begins with the making of the database and ends with a parked intent."""
COLUMNS = ("seq", "at", "kind", "actor", "intent_id", "data", "mac")


async def fill(store: Store) -> None:
    for number in range(ROWS):
        await store.audit(ROW, "agent:a", number=number, text="Überweisung")


def verify(store: Store) -> Broken | None:
    return store.verify()


def tamper(path: Path, statement: str, *values: Any) -> None:
    """As somebody with the database file in his hands."""
    with closing(sqlite3.connect(path)) as connection:
        for act in ("update", "delete", "replace"):
            connection.execute(f"DROP TRIGGER IF EXISTS audit_no_{act}")
        connection.execute(statement, values)
        connection.commit()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database with a few rows in its log."""
    path = tmp_path_factory.mktemp("filled") / "paper.db"
    with closing(open_store(path, Clock())) as store:
        asyncio.run(fill(store))
        asyncio.run(park(store))
    return path


async def park(store: Store) -> None:
    await store.intents.park(request(), max_pending=MANY_PENDING)


@pytest.fixture
def copy(filled: Path, tmp_path: Path) -> Iterator[Store]:
    with closing(_copied(filled, tmp_path)) as store:
        yield store


def _copied(filled: Path, folder: Path) -> Store:
    shutil.copytree(filled.parent, folder, dirs_exist_ok=True)
    return open_store(folder / filled.name, Clock())


def test_an_untouched_log_holds(copy: Store) -> None:
    assert verify(copy) is None


def test_a_new_log_says_what_it_was_made_for(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "paper.db", Clock())) as store:
        assert verify(store) is None
        (made,) = store.database.read_now(lambda connection: events_after(connection, 0))
    assert (made.kind, made.data) == ("database:made", {"mode": "paper", "account": "paper"})


@given(
    row=st.integers(1, LAST), column=st.sampled_from(COLUMNS), at=st.integers(0), other=st.integers(1, 255)
)
@example(row=LAST, column="mac", at=0, other=128)
def test_any_changed_byte_of_any_row_is_found(
    filled: Path, tmp_path_factory: pytest.TempPathFactory, row: int, column: str, at: int, other: int
) -> None:
    """Also one that makes it no text, or a number that is none of ours."""
    path = tmp_path_factory.mktemp("changed") / "paper.db"
    shutil.copytree(filled.parent, path.parent, dirs_exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        (value,) = connection.execute(f"SELECT {column} FROM audit WHERE seq = ?", (row,)).fetchone()
    changed = _changed(value, at, other)
    assume(column != "seq" or changed not in range(1, LAST + 1))  # where another row stands, it cannot be
    as_it_is = "?" if isinstance(changed, int) else "CAST(? AS TEXT)"
    tamper(path, f"UPDATE audit SET {column} = {as_it_is} WHERE seq = ?", changed, row)
    with closing(open_store(path, Clock(), to_verify=True)) as store:
        broken = verify(store)
    assert broken is not None
    assert broken.seq in ({1, row} if column == "seq" else {row})


def _changed(value: object, at: int, other: int) -> bytes | int:
    """One of its bytes made another one; of nothing, something is made."""
    if isinstance(value, int):
        number = bytearray(value.to_bytes(8, "big", signed=True))
        number[at % 8] ^= other
        return int.from_bytes(number, "big", signed=True)
    text = bytearray(str(value or "x").encode())
    text[at % len(text)] ^= other
    return bytes(text)


@pytest.mark.parametrize(
    "change",
    ["data = CAST(data AS BLOB)", "mac = CAST(mac AS BLOB)", "at = at + 0.5", "at = 'noon'", "intent_id = 1"],
)
def test_a_value_of_another_kind_is_found(copy: Store, change: str) -> None:
    tamper(copy.database.path, f"UPDATE audit SET {change} WHERE seq = 3")
    assert verify(copy) == Broken(3, "row 3 was changed, or rows were reordered")


@pytest.mark.parametrize("seal", ["'é'", "x'ff'"])
def test_a_seal_of_its_end_that_is_none_is_found(copy: Store, seal: str) -> None:
    tamper(copy.database.path, f"UPDATE meta SET value = {seal} WHERE name = 'audit_head'")
    assert verify(copy) == Broken(LAST + 1, f"rows after {LAST} are missing")


@pytest.mark.parametrize("row", range(1, LAST + 1))
def test_any_deleted_row_is_found_the_newest_too(copy: Store, row: int) -> None:
    tamper(copy.database.path, "DELETE FROM audit WHERE seq = ?", row)
    broken = verify(copy)
    assert broken is not None
    assert broken.seq == row


def test_a_deleted_tail_is_found(copy: Store) -> None:
    tamper(copy.database.path, "DELETE FROM audit WHERE seq > 2")
    assert verify(copy) == Broken(3, "rows after 2 are missing")


def test_an_emptied_log_is_found_with_or_without_the_seal_of_its_end(copy: Store) -> None:
    tamper(copy.database.path, "DELETE FROM audit")
    assert verify(copy) == Broken(1, "rows after 0 are missing")
    tamper(copy.database.path, "DELETE FROM meta WHERE name = 'audit_head'")
    assert verify(copy) == Broken(1, "rows after 0 are missing")


def test_rows_that_changed_places_are_found(copy: Store) -> None:
    tamper(
        copy.database.path,
        "UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE seq IN (2, 3)",
    )
    tamper(copy.database.path, "UPDATE audit SET seq = -seq WHERE seq < 0")
    assert verify(copy) == Broken(2, "row 2 was changed, or rows were reordered")


def test_a_row_appended_without_the_key_is_found(copy: Store) -> None:
    tamper(
        copy.database.path,
        "INSERT INTO audit SELECT ?, at, kind, actor, intent_id, data, mac FROM audit WHERE seq = 1",
        LAST + 1,
    )
    assert verify(copy) is not None


def test_with_another_key_nothing_holds(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled.parent, tmp_path, dirs_exist_ok=True)
    key = tmp_path / "paper.db.audit-key"
    key.write_bytes(bytes(32))
    with closing(open_store(tmp_path / "paper.db", Clock(), to_verify=True)) as store:
        broken = verify(store)
        assert broken is not None and "belongs to another audit key" in broken.problem
        (tmp_path / "paper.db.audit-head").unlink()
        assert verify(store) == Broken(1, "row 1 was changed, or rows were reordered")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'x' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 1",
        "INSERT OR REPLACE INTO audit SELECT seq, at, 'x', actor, intent_id, data, mac FROM audit",
    ],
)
def test_the_database_itself_refuses_to_change_the_log(copy: Store, statement: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"):
        copy.database.write_now(lambda connection: connection.exec_driver_sql(statement))
    assert verify(copy) is None


def test_events_are_read_from_where_one_was_and_newest_first_by_kind(copy: Store) -> None:
    later = copy.database.read_now(lambda connection: events_after(connection, LAST - 2))
    assert [event.seq for event in later] == [LAST - 1, LAST]
    recent = copy.database.read_now(lambda connection: recent_events(connection, [ROW], Clock()()))
    assert [event.seq for event in recent] == list(range(LAST - 1, 1, -1))
    assert recent[0].data == {"number": ROWS - 1, "text": "Überweisung"}


def test_an_older_copy_of_the_whole_database_is_found_and_not_served(filled: Path, tmp_path: Path) -> None:
    """Its chain and the seal of its end hold: only what lies outside it tells."""
    shutil.copytree(filled.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / filled.name
    with closing(open_store(path, Clock())) as store:
        asyncio.run(store.audit(ROW, "agent:a"))
    shutil.copy(filled, path)
    with pytest.raises(StartError, match="older than its audit head"):
        open_store(path, Clock())
    with closing(open_store(path, Clock(), to_verify=True)) as store:
        assert verify(store) == Broken(LAST + 1, f"rows after {LAST} are missing")


def test_an_older_copy_whose_head_was_taken_away_is_not_said_to_hold(filled: Path, tmp_path: Path) -> None:
    """Whoever can put a copy in the database's place can take away the file beside it."""
    shutil.copytree(filled.parent, tmp_path, dirs_exist_ok=True)
    head = tmp_path / "paper.db.audit-head"
    head.unlink()
    with closing(open_store(tmp_path / filled.name, Clock(), to_verify=True)) as store:
        problem = f"{head} is missing, so rows after {LAST} may be missing too"
        assert verify(store) == Broken(LAST + 1, problem)


def test_a_log_that_went_another_way_is_found(filled: Path, tmp_path: Path) -> None:
    """An older copy that was gone on with holds in itself, and has as many rows."""
    shutil.copytree(filled.parent, tmp_path, dirs_exist_ok=True)
    path, head = tmp_path / filled.name, tmp_path / "paper.db.audit-head"
    with closing(open_store(path, Clock())) as store:
        asyncio.run(store.audit(ROW, "agent:a"))
    newest = head.read_bytes()
    shutil.copy(filled, path)
    shutil.copy(filled.with_name(head.name), head)
    with closing(open_store(path, Clock())) as store:
        asyncio.run(store.audit(ROW, "agent:b"))
    head.write_bytes(newest)
    with closing(open_store(path, Clock(), to_verify=True)) as store:
        assert verify(store) == Broken(LAST + 1, f"row {LAST + 1} was replaced")


def test_a_head_that_was_taken_away_is_recorded_and_a_forged_one_refused(copy: Store) -> None:
    path = copy.database.path
    head = path.with_name("paper.db.audit-head")
    copy.close()
    told = json.loads(head.read_text())
    head.write_text(json.dumps({**told, "seq": told["seq"] - 1}))
    with pytest.raises(StartError, match="was changed"):
        open_store(path, Clock())
    head.unlink()
    with closing(open_store(path, Clock())) as store:
        assert verify(store) is None
        [missed] = store.database.read_now(
            lambda connection: recent_events(connection, [EventKind.AUDIT_HEAD_MISSING], Clock()())
        )
    assert (missed.seq, json.loads(head.read_text())["seq"]) == (LAST + 1, LAST + 1)


@pytest.mark.anyio
async def test_the_head_trails_the_log(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with closing(open_store(path, Clock())) as store:
        async with running(store.trail()):
            await store.audit(ROW, "agent:a")
            head = path.with_name("paper.db.audit-head")
            await eventually(lambda: asyncio.to_thread(lambda: json.loads(head.read_text())["seq"] == 2))


def test_the_pair_of_a_database_elsewhere_lies_in_the_data_folder(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    first, second = (elsewhere / name / "paper.db" for name in "ab")
    for path in (first, second):
        open_store(path, Clock(), files=AuditFiles.of(path, data)).close()
        assert [file.name for file in path.parent.iterdir()] == ["paper.db"]
    assert len(list(data.iterdir())) == 4


def test_a_log_that_is_cut_while_it_is_served_is_not_covered_up(copy: Store) -> None:
    path = copy.database.path
    asyncio.run(copy.audit(ROW, "agent:a"))
    copy.upkeep.keep_head()
    tamper(path, "DELETE FROM audit WHERE seq > 3")
    asyncio.run(copy.audit(ROW, "agent:a"))
    copy.upkeep.keep_head()
    assert verify(copy) == Broken(5, "rows after 4 are missing")
    with pytest.raises(BrokerError, match="has lost row 9"):
        asyncio.run(copy.audit(ROW, "agent:a"))
    assert copy.database.problem
