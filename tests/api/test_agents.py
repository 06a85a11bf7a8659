"""Agents are remembered by key, and forgotten as soon as the audit log tells of a change."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.api.auth import Agents
from broker.hub import Hub
from broker.store import Feed, Store
from tests.support import Clock, give_key, open_store, running

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


async def test_a_replaced_key_is_refused_once_the_log_tells_of_it(store: Store) -> None:
    hub = Hub()
    agents = Agents(store, hub, Clock())
    give_key(store, "bot", KEY)
    assert await name(agents, KEY) == "bot"
    with hub.subscribed() as events:
        async with running(Feed(store.database, hub).run()):
            give_key(store, "bot", NEW)
            while (event := await events.get()) and event.kind != "agent:key-set":
                pass
    assert await name(agents, KEY) is None
    assert await name(agents, NEW) == "bot"


async def test_a_known_key_is_answered_without_the_database(store: Store) -> None:
    agents = Agents(store, Hub(), Clock())
    give_key(store, "bot", KEY)
    assert await name(agents, KEY) == "bot"
    give_key(store, "bot", NEW)  # nobody tells the hub
    assert await name(agents, KEY) == "bot"


async def test_what_was_read_while_an_agent_changed_is_not_kept(store: Store) -> None:
    class Late(Hub):
        asked = 0

        def newest(self, subject: str) -> int:
            self.asked += 1
            return self.asked // 2  # changes between the first look and the second

    agents = Agents(store, Late(), Clock())
    give_key(store, "bot", KEY)
    assert await name(agents, KEY) == "bot"
    give_key(store, "bot", NEW)
    assert await name(agents, KEY) is None


async def test_a_known_key_ends_with_its_overlap_though_nobody_tells(tmp_path: Path) -> None:
    clock = Clock()
    with closing(open_store(tmp_path / "other.db", clock)) as store:
        agents = Agents(store, Hub(), clock)
        give_key(store, "bot", KEY)
        store.database.write_now(
            lambda connection: store.agents.rotate(connection, "bot", timedelta(hours=1), actor="test")
        )
        clock.advance(3599)
        assert await name(agents, KEY) == "bot"
        clock.advance(1)
        assert await name(agents, KEY) is None
