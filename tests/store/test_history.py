"""What is read all the time takes as long after years as on the first day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from broker.clock import to_ms
from broker.intents import Intent, State
from broker.store import EQUAL_WITHIN, Store, queries
from broker.store.rows import order_columns, to_row
from broker.store.tables import intents

from ..support import AGENT, MANY_PENDING, NOON, order, request

pytestmark = pytest.mark.anyio

FEW, MANY = 100, 2_000
ALLOWED = 1.5
"""A deeper tree costs a few steps; reading all would cost twenty times as many."""

READS: dict[str, Callable[[Connection, Intent], Any]] = {
    "orders to follow": lambda c, _: queries.followed(c),
    "words to check": lambda c, _: queries.recorded(c),
    "not shown by the exchange yet": lambda c, _: queries.perhaps_not_shown(c, "spot", to_ms(NOON) - 10_000),
    "an equal one that waits": lambda c, it: queries.find_equal_pending(c, AGENT, it.equality),
    "an equal one that went out": lambda c, it: queries.find_earlier_equal(c, it, NOON - EQUAL_WITHIN),
    "approved": lambda c, _: queries.in_states(c, {State.APPROVED}),
    "unknown": lambda c, _: queries.in_states(c, {State.UNKNOWN}),
    "waiting": lambda c, _: queries.in_states(c, {State.PENDING}, 100),
    "how many of an agent's wait": lambda c, _: queries.count_pending_of(c, AGENT),
    "the inbox": lambda c, _: queries.pending(c, 100),
    "due": lambda c, _: queries.due(c, NOON),
    "what was decided last": lambda c, _: queries.decided(c),
    "the day's volume": lambda c, _: queries.daily_volume(c, NOON),
    "the volume that waits": lambda c, _: queries.waiting_volume(c),
    "an agent's newest": lambda c, _: queries.of_agent(c, AGENT, None, 50),
}


async def test_no_read_grows_with_the_history(store: Store, subtests: pytest.Subtests) -> None:
    waiting = (await store.intents.park(request(), max_pending=MANY_PENDING)).intent
    grown: dict[str, list[int]] = {name: [] for name in READS}
    for first, last in ((0, FEW), (FEW, MANY)):
        store.database.write_now(partial(_live, waiting, first, last))
        for name, read in READS.items():
            grown[name].append(store.database.read_now(partial(_steps, read, waiting)))
    for name, (few, many) in grown.items():
        with subtests.test(name):
            assert many <= max(few, 100) * ALLOWED, f"{few} steps became {many}"


def _live(like: Intent, first: int, last: int, connection: Connection) -> None:
    """Orders that were placed and filled, the newest of them two days ago."""
    for number in range(first, last):
        at = to_ms(NOON - timedelta(days=2, minutes=number))
        placed = {
            **to_row(like),
            **order_columns(order(status="filled", fee={"cost": "0.1", "asset": "USDT"})),
            "id": f"{number:026}",
            "state": "placed",
            "equality": f"{number:064}",
            "client_order_id": f"cb-{number}",
            "namespace": "spot",
            **dict.fromkeys(("created_at", "updated_at", "decided_at", "wire_timestamp_ms"), at),
        }
        connection.execute(insert(intents), placed)


def _steps(read: Callable[[Connection, Intent], Any], waiting: Intent, connection: Connection) -> int:
    """What SQLite's machine does for it, in its own instructions."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(count, 1)
    try:
        read(connection, waiting)
    finally:
        driver.set_progress_handler(None, 1)
    return taken
