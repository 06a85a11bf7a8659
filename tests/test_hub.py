"""Wake-ups: nobody sleeps through a change, and nobody sees events with a gap between."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from broker.events import Event, EventKind
from broker.hub import Hub

from .support import NOON

pytestmark = pytest.mark.anyio


def event(seq: int, intent_id: str | None = "one") -> Event:
    return Event(
        seq=seq, at=NOON, kind=EventKind.INTENT_PARKED, actor="agent:a", intent_id=intent_id, data={}
    )


async def test_who_waits_for_an_intent_is_woken_by_its_event_only() -> None:
    hub = Hub()
    with (
        hub.waiting("one", agent="a") as one,
        hub.waiting("one", agent="a") as also,
        hub.waiting("two", agent="a") as two,
    ):
        hub.publish(event(1))
        assert (one.is_set(), also.is_set(), two.is_set()) == (True, True, False)


async def test_who_waits_for_an_intent_is_woken_when_its_agent_changes() -> None:
    hub = Hub()
    with hub.waiting("one", agent="a") as mine, hub.waiting("one", agent="b") as anothers:
        hub.publish(replace(event(1, None), kind=EventKind.AGENT_REVOKED, data={"name": "a"}))
        assert (mine.is_set(), anothers.is_set()) == (True, False)
    assert hub._waiters == {}


async def test_an_event_of_no_intent_wakes_nobody_but_listeners() -> None:
    hub = Hub()
    with hub.waiting("one", agent="a") as waiter, hub.subscribed() as listener:
        hub.publish(event(1, None))
        assert not waiter.is_set()
        assert await listener.get() == event(1, None)


async def test_listeners_get_every_event_in_order() -> None:
    hub = Hub()
    with hub.subscribed() as one, hub.subscribed() as other:
        for seq in (1, 2, 3):
            hub.publish(event(seq))
        for listener in (one, other):
            assert [await listener.get() for _ in range(3)] == [event(1), event(2), event(3)]


async def test_a_slow_listener_is_told_and_sees_nothing_after_the_gap() -> None:
    hub = Hub()
    with hub.subscribed(size=2) as listener:
        for seq in (1, 2, 3):
            hub.publish(event(seq))
        assert await listener.get() == event(1)
        hub.publish(event(4))
        assert [await listener.get(), await listener.get()] == [event(2), None]
        hub.publish(event(5))
        assert await listener.get() is None


async def test_closing_lets_go_of_everybody() -> None:
    hub = Hub()
    with hub.waiting("one", agent="a") as waiter, hub.subscribed() as listener:
        waiting = asyncio.create_task(listener.get())
        await asyncio.sleep(0)
        hub.close()
        assert await asyncio.wait_for(waiting, 5) is None
        assert waiter.is_set()


async def test_who_comes_after_the_close_does_not_wait() -> None:
    hub = Hub()
    hub.close()
    with hub.waiting("one", agent="a") as waiter, hub.subscribed() as listener:
        assert waiter.is_set()
        assert await listener.get() is None


async def test_who_left_is_forgotten() -> None:
    hub = Hub()
    with hub.waiting("one", agent="a") as waiter, hub.subscribed(size=1) as listener:
        pass
    hub.publish(event(1))
    hub.publish(event(2))
    assert not waiter.is_set()
    assert not listener.overflowed
