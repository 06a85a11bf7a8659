"""Whether the open database is the one at its path, at each write and for connections that come later."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from broker.errors import BrokerError, Code, StartError
from broker.halt import Level
from broker.store import Store

from ..support import MANY_PENDING, Clock, open_store, request
from .test_survival import STEPS, step, stored

pytestmark = pytest.mark.anyio

FILES = ("paper.db", "paper.db-wal", "paper.db-shm")


@pytest.mark.parametrize("name", FILES)
async def test_at_whatever_step_a_file_is_lost_nothing_of_it_is_recorded_and_it_is_gone_on_with(
    store: Store, path: Path, name: str
) -> None:
    """Moved away and back: the same file."""
    file, away = path.with_name(name), path.with_name("away")
    reached = None
    for to in STEPS:
        before = await stored(store)
        file.rename(away)
        with pytest.raises(BrokerError, match=f"{name} was deleted, moved or replaced") as refused:
            await step(store, reached)
        assert refused.value.code is Code.STORE_UNAVAILABLE
        assert refused.value.body()["next"]["say"].startswith("Nothing was sent.")
        assert store.problem
        assert not file.exists(), "nothing is made in its place"
        away.rename(file)
        assert await stored(store) == before
        reached = await step(store, reached)
        assert reached.state is to
        assert store.problem is None
    assert store.verify() is None


def test_a_halt_is_not_said_to_be_recorded_in_a_file_that_nobody_finds(store: Store, path: Path) -> None:
    path.unlink()
    with pytest.raises(BrokerError, match="was deleted"):
        store.halts.tighten(Level.HALTED, "command line", None)
    assert store.database.read_now(store.halts.current).level is Level.OPEN


async def test_a_replaced_database_is_not_read_by_connections_that_come_later(
    store: Store, path: Path
) -> None:
    """The one that tells of commits is opened at its first use."""
    await store.intents.park(request(), max_pending=MANY_PENDING)
    other = path.with_name("other") / path.name
    open_store(other, Clock()).close()
    os.replace(other, path)
    with pytest.raises(BrokerError, match="deleted, moved or replaced"):
        store.database.version()


def test_a_deleted_database_is_not_made_again_by_connections_that_come_later(
    store: Store, path: Path
) -> None:
    for name in FILES:
        path.with_name(name).unlink()
    with pytest.raises(BrokerError):
        store.database.version()
    assert not path.exists()


def test_what_may_not_make_a_database_makes_neither_file_nor_folder(path: Path) -> None:
    for missing in (path, path.parent / "folder" / "paper.db"):
        with pytest.raises(StartError, match="There is no database"):
            open_store(missing, Clock(), may_make=False)
    assert list(path.parent.iterdir()) == []
    path.touch()
    with pytest.raises(StartError, match="There is no database in the file"):
        open_store(path, Clock(), may_make=False)
    assert [(file.name, file.stat().st_size) for file in path.parent.iterdir() if file == path] == [
        ("paper.db", 0)
    ]


def test_a_new_database_is_its_owners_alone(path: Path) -> None:
    with closing(open_store(path, Clock())):
        assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
            name: 0o600 for name in (*FILES, "paper.db.audit-key", "paper.db.audit-head")
        }
