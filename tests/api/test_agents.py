"""Agents are remembered by key, and forgotten as soon as the audit log tells of a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.api.auth import Agents
from broker.hub import Hub
from broker.store import Feed, Store
from tests.support import Clock, open_store, running

pytestmark = pytest.mark.anyio

KEY, NEW = "k" * 32, "n" * 32


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = open_store(tmp_path / "paper.db", Clock())
    yield store
    store.close()


async def test_a_replaced_key_is_refused_once_the_log_tells_of_it(store: Store) -> None:
    hub = Hub()
    agents = Agents(store, hub)
    store.people.set_agent("bot", KEY)
    assert await agents.name(KEY) == "bot"
    with hub.subscribed() as events:
        async with running(Feed(store.database, hub).run()):
            store.people.set_agent("bot", NEW)
            while (event := await events.get()) and event.kind != "agent:key-set":
                pass
    assert await agents.name(KEY) is None
    assert await agents.name(NEW) == "bot"


async def test_a_known_key_is_answered_without_the_database(store: Store) -> None:
    agents = Agents(store, Hub())
    store.people.set_agent("bot", KEY)
    assert await agents.name(KEY) == "bot"
    store.people.set_agent("bot", NEW)  # nobody tells the hub
    assert await agents.name(KEY) == "bot"


async def test_what_was_read_while_an_agent_changed_is_not_kept(store: Store) -> None:
    class Late(Hub):
        asked = 0

        def newest(self, subject: str) -> int:
            self.asked += 1
            return self.asked // 2  # changes between the first look and the second

    agents = Agents(store, Late())
    store.people.set_agent("bot", KEY)
    assert await agents.name(KEY) == "bot"
    store.people.set_agent("bot", NEW)
    assert await agents.name(KEY) is None
