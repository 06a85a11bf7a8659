"""A full disk, a power cut, a damaged file: what was told stays, what was not told did not happen."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.errors import BrokerError, Code, StartError
from broker.intents import Intent, State
from broker.store import Store, queries

from ..support import LONG_AGO, MANY_PENDING, Clock, open_store, order, request, trusted

pytestmark = pytest.mark.anyio

LIMIT = Decimal(100_000)
STEPS = (State.PENDING, State.APPROVED, State.SUBMITTING, State.PLACED)


def step(store: Store, reached: Intent | None) -> Coroutine[Any, Any, Intent]:
    """The next step of an intent's life, from none to placed."""
    if reached is None:
        return _parked(store)
    match reached.state:
        case State.PENDING:
            return store.intents.approve(
                reached.id, reached.digest, "Ana", LIMIT, standing=trusted, confirmed=True
            )
        case State.APPROVED:
            order_id = f"cb-{reached.id}"
            return store.submissions.begin(
                reached,
                is_exit=reached.is_exit,
                client_order_id=order_id,
                namespace="spot",
                wire_timestamp_ms=1,
                value_usdt=None,
                approved_since=LONG_AGO,
            )
        case _:
            return store.submissions.settle(reached, State.PLACED, actor="binance", order=order())


async def _parked(store: Store) -> Intent:
    return (await store.intents.park(request(), max_pending=MANY_PENDING)).intent


async def live(store: Store) -> Intent:
    reached: Intent | None = None
    for _ in STEPS:
        reached = await step(store, reached)
    assert reached is not None
    return reached


def on_the_writer(store: Store, pragma: str) -> int:
    with closing(store.database._writer.raw_connection()) as connection:
        return int(connection.cursor().execute(f"PRAGMA {pragma}").fetchone()[0])


async def stored(store: Store) -> list[Intent]:
    return await store.read(lambda connection: list(queries.in_states(connection, set(State))))


async def test_at_whatever_step_the_disk_is_full_nothing_is_lost_and_nothing_half_done(store: Store) -> None:
    """Each page more lets it come further; then there is room again, and the same step succeeds."""
    met: set[State] = set()
    for room in range(12):
        pages = on_the_writer(store, "page_count")
        on_the_writer(store, f"max_page_count = {pages + room % 4}")
        reached: Intent | None = None
        for to in STEPS:
            before = await stored(store)
            try:
                reached = await step(store, reached)
            except BrokerError as error:
                assert error.code is Code.STORE_UNAVAILABLE and "full" in error.message
                assert await stored(store) == before
                assert store.database.problem
                met.add(to)
                on_the_writer(store, "max_page_count = 1000000")
                reached = await step(store, reached)
                assert store.database.problem is None
            assert reached.state is to
        on_the_writer(store, "max_page_count = 1000000")
        assert await store.read(lambda it: store.log.verify(it, None)) is None
    assert State.PENDING in met
    assert len(await stored(store)) == 12


async def test_what_had_nothing_to_write_does_not_say_that_the_disk_has_room_again(store: Store) -> None:
    first = (await store.intents.park(request(), max_pending=MANY_PENDING)).intent
    on_the_writer(store, f"max_page_count = {on_the_writer(store, 'page_count')}")
    with pytest.raises(BrokerError, match="full"):
        for number in range(20):
            await store.intents.park(
                request(arguments={"symbol": "BTCUSDT", "amount": str(number)}), max_pending=MANY_PENDING
            )
    repeated = await store.intents.park(request(), max_pending=MANY_PENDING)
    assert (repeated.intent.id, repeated.deduplicated) == (first.id, True)
    assert store.database.problem
    on_the_writer(store, "max_page_count = 1000000")
    await store.recover()
    assert store.database.problem is None


@pytest.mark.parametrize("damage", ["cut", "zeroed", "garbled"])
async def test_a_power_cut_during_a_commit_takes_that_commit_whole_or_not_at_all(
    store: Store, path: Path, tmp_path: Path, damage: str
) -> None:
    """Only what was written since the last fsync can be torn: the tail of the WAL beyond the told commit."""
    wal = path.with_name("paper.db-wal")
    told = await live(store)
    synced = wal.stat().st_size
    head = path.with_name("paper.db.audit-head").read_bytes()
    await step(store, None)
    whole = wal.read_bytes()
    assert len(whole) > synced, "the commit went into the WAL's tail"
    for number, cut in enumerate(range(synced, len(whole), 509)):
        folder = tmp_path / f"{damage}-{number}"
        torn = {
            "cut": whole[:cut],
            "zeroed": whole[:cut] + bytes(len(whole) - cut),
            "garbled": whole[:cut] + bytes(byte ^ 0x5A for byte in whole[cut:]),
        }[damage]
        with closing(after_power_loss(path, folder, torn, head)) as again:
            assert again.verify() is None
            found = await stored(again)
            assert found[0] == told
            assert len(found) == 1, "the torn commit never happened"


def after_power_loss(path: Path, folder: Path, wal: bytes, head: bytes) -> Store:
    folder.mkdir()
    copy = folder / path.name
    shutil.copy(path, copy)
    shutil.copy(path.with_name("paper.db.audit-key"), folder)
    (folder / "paper.db-wal").write_bytes(wal)
    (folder / "paper.db.audit-head").write_bytes(head)
    store = open_store(copy, Clock())
    store.database.examine()
    return store


def _overwrite(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\x5a" * 3000)


@pytest.mark.parametrize("at", [4_096, 40_960])
async def test_a_damaged_database_is_not_served(store: Store, path: Path, at: int) -> None:
    for _ in range(20):
        await live(store)
    store.close()
    _overwrite(path, at)

    def serve() -> None:
        with closing(open_store(path, Clock())) as again:
            again.database.examine()

    with pytest.raises(StartError, match=r"damaged|cannot be (used|read)"):
        await asyncio.to_thread(serve)


async def test_a_database_that_cannot_be_written_is_not_served(store: Store) -> None:
    """BEGIN IMMEDIATE succeeds there, as on a file without the right to write it."""
    await store.database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))
    with pytest.raises(StartError, match=r"cannot be written: .*readonly database"):
        store.database.examine()


async def test_what_another_has_locked_waits_and_then_says_so(store: Store, path: Path) -> None:
    await store.database.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 1"))
    waiting = await step(store, None)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BrokerError) as refused:
            await step(store, waiting)
        assert refused.value.code is Code.STORE_UNAVAILABLE
        assert [intent.state for intent in await stored(store)] == [State.PENDING], "reading goes on"
    assert (await step(store, waiting)).state is State.APPROVED
