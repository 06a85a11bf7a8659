"""Delivers committed audit rows to the pages and agents that wait in this process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from .events import AGENT, Event


class Subscription:
    """A bounded queue of events for one listener. After an overflow, the listener must read the database
    again.
    """

    def __init__(self, size: int) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(size)
        self.overflowed = False

    def push(self, event: Event | None) -> None:
        self.overflowed = self.overflowed or self._queue.full()
        if not self.overflowed:  # queue nothing after a gap
            self._queue.put_nowait(event)

    async def get(self) -> Event | None:
        """The next event; None if the hub was closed or events were lost."""
        if self.overflowed and self._queue.empty():
            return None
        return await self._queue.get()


class Hub:
    def __init__(self) -> None:
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._subscriptions: set[Subscription] = set()
        self._bells: set[asyncio.Event] = set()
        self._newest: dict[str, int] = {}
        self.closed = False

    def publish(self, event: Event) -> None:
        self._newest[event.subject] = event.seq
        for about in (event.intent_id, _agent(event)):
            for waiter in self._waiters.get(about or "", ()):
                waiter.set()
        for subscription in self._subscriptions:
            subscription.push(event)
        for bell in self._bells:
            bell.set()

    def newest(self, subject: str) -> int:
        """The `seq` of the newest event about that subject ("intent", "order"); 0 if there was none."""
        return self._newest.get(subject, 0)

    @contextmanager
    def waiting(self, intent_id: str, *, agent: str) -> Iterator[asyncio.Event]:
        """An asyncio.Event that is set when the intent or its agent changes, and when the hub closes.

        Enter it before you read the intent, so that no change is missed.
        """
        waiter = asyncio.Event()
        if self.closed:
            waiter.set()
        subjects = (intent_id, f"{AGENT}{agent}")
        for about in subjects:
            self._waiters[about].add(waiter)
        try:
            yield waiter
        finally:
            for about in subjects:
                self._waiters[about].discard(waiter)
                if not self._waiters[about]:
                    del self._waiters[about]

    def waits_of(self, agent: str) -> int:
        """How many calls of that agent wait now."""
        return len(self._waiters.get(f"{AGENT}{agent}", ()))

    @contextmanager
    def rung(self) -> Iterator[asyncio.Event]:
        """An asyncio.Event that is set after each event, for listeners that then read the database."""
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    @contextmanager
    def subscribed(self, size: int = 1000) -> Iterator[Subscription]:
        subscription = Subscription(size)
        if self.closed:
            subscription.push(None)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """Wakes all waiters and ends all subscriptions: the broker is stopping."""
        self.closed = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.set()
        for subscription in self._subscriptions:
            subscription.push(None)


def _agent(event: Event) -> str | None:
    """The agent that the event is about, as an actor; None for other events."""
    return f"{AGENT}{event.data['name']}" if event.subject == "agent" else None
