"""Agents are remembered by key, until something is committed."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from broker.api.auth import Agents
from broker.store import Store
from tests.support import Clock, give_key, open_store

pytestmark = pytest.mark.anyio

KEY, NEW = "k" * 32, "n" * 32


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = open_store(tmp_path / "paper.db", Clock())
    yield store
    store.close()


async def name(agents: Agents, key: str) -> str | None:
    found = await agents.find(key)
    return None if found is None else found.name


@pytest.mark.parametrize("elsewhere", [False, True], ids=["this process", "another"])
async def test_a_key_ends_with_the_commit_that_replaces_it(tmp_path: Path, elsewhere: bool) -> None:
    """No feed runs here: what is remembered may not wait for news."""
    path = tmp_path / "paper.db"
    with closing(open_store(path, Clock())) as store, closing(open_store(path, Clock())) as neighbour:
        agents = Agents(store, Clock())
        give_key(store, "bot", KEY)
        assert await name(agents, KEY) == "bot"
        give_key(neighbour if elsewhere else store, "bot", NEW)
        assert await name(agents, KEY) is None
        assert await name(agents, NEW) == "bot"


async def test_a_known_key_is_looked_up_once_while_nothing_is_committed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    by_key = store.agents.by_key

    def counted(connection: Connection, key: str) -> Any:
        looked.append(key)
        return by_key(connection, key)

    monkeypatch.setattr(store.agents, "by_key", counted)
    agents = Agents(store, Clock())
    give_key(store, "bot", KEY)
    for _ in range(3):
        assert await name(agents, KEY) == "bot"
    assert looked == [KEY]


async def test_what_was_read_before_a_commit_is_not_kept_after_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call reads; while it does, the key is replaced, and another call has seen that."""
    agents = Agents(store, Clock())
    give_key(store, "bot", KEY)
    read = store.read

    async def late(transaction: Any) -> Any:
        found = await read(transaction)
        monkeypatch.undo()
        give_key(store, "bot", NEW)
        assert await name(agents, KEY) is None
        return found

    monkeypatch.setattr(store, "read", late)
    assert await name(agents, KEY) == "bot"
    assert await name(agents, KEY) is None


async def test_a_known_key_ends_with_its_overlap(tmp_path: Path) -> None:
    clock = Clock()
    with closing(open_store(tmp_path / "other.db", clock)) as store:
        agents = Agents(store, clock)
        give_key(store, "bot", KEY)
        store.database.write_now(
            lambda connection: store.agents.rotate(connection, "bot", timedelta(hours=1), actor="test")
        )
        clock.advance(3599)
        assert await name(agents, KEY) == "bot"
        clock.advance(1)
        assert await name(agents, KEY) is None
