"""Refused attempts are recorded, and fill no log."""

from __future__ import annotations

import pytest

from broker.events import EventKind
from broker.store import Store
from broker.store.audit import events_after
from broker.store.refusals import ONE_BY_ONE

from ..support import Clock

pytestmark = pytest.mark.anyio


def rows(store: Store) -> list[dict[str, object]]:
    return [dict(event.data) for event in store.database.read_now(lambda c: events_after(c, 1))]


async def refuse(store: Store, about: str, times: int) -> None:
    for number in range(times):
        await store.refusals.record(
            EventKind.SESSION_REFUSED, "browser", about, name=f"{about}{number}", why="wrong"
        )


async def test_the_first_of_an_hour_have_a_row_each_and_the_others_one_together(
    store: Store, clock: Clock
) -> None:
    await refuse(store, "Ana", ONE_BY_ONE + 990)
    written = rows(store)
    assert len(written) == ONE_BY_ONE
    assert [row["name"] for row in written] == [f"Ana{number}" for number in range(ONE_BY_ONE)]
    assert "laterOnes" in written[-1] and "laterOnes" not in written[-2]
    await store.refusals.settle()
    assert len(rows(store)) == ONE_BY_ONE, "the hour is not over"
    clock.advance(3600)
    await store.refusals.settle()
    await store.refusals.settle()
    *_, last = rows(store)
    assert (last["about"], last["count"]) == ("Ana", 990)
    assert len(rows(store)) == ONE_BY_ONE + 1
    assert store.verify() is None


async def test_a_new_hour_has_rows_of_its_own_after_the_sum_of_the_last(store: Store, clock: Clock) -> None:
    await refuse(store, "Ana", ONE_BY_ONE + 1)
    clock.advance(3600)
    await refuse(store, "Ana", 1)
    assert [row.get("count") for row in rows(store)[ONE_BY_ONE:]] == [1, None]


async def test_subjects_do_not_hide_each_other(store: Store) -> None:
    await refuse(store, "", ONE_BY_ONE * 5)
    await refuse(store, "Ana", 1)
    assert rows(store)[-1]["name"] == "Ana0"


async def test_few_attempts_have_no_sum(store: Store, clock: Clock) -> None:
    await refuse(store, "Ana", ONE_BY_ONE)
    clock.advance(3600)
    await store.refusals.settle()
    assert len(rows(store)) == ONE_BY_ONE


async def test_what_was_counted_is_recorded_before_the_broker_stops(store: Store) -> None:
    await refuse(store, "Ana", ONE_BY_ONE + 5)
    await store.refusals.close()
    assert rows(store)[-1]["count"] == 5
