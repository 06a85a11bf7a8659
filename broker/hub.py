"""Wake-ups for whoever waits in this process: committed audit rows, fanned out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from .events import AGENT, Event


class Subscription:
    """Events for one listener. One that is too slow is told so and starts afresh from the database."""

    def __init__(self, size: int) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(size)
        self.overflowed = False

    def push(self, event: Event | None) -> None:
        self.overflowed = self.overflowed or self._queue.full()
        if not self.overflowed:  # nothing follows a gap
            self._queue.put_nowait(event)

    async def get(self) -> Event | None:
        """The next event; None when the hub closes or events were lost."""
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
        """The number of the last event about that subject ("intent", "order"); 0 before the first."""
        return self._newest.get(subject, 0)

    @contextmanager
    def waiting(self, intent_id: str, *, agent: str) -> Iterator[asyncio.Event]:
        """An asyncio.Event that is set at each change of the intent, or of the agent that waits for it, and
        when the hub closes.

        Enter it before reading the intent, so that no change falls between.
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
        """How often that agent waits now."""
        return len(self._waiters.get(f"{AGENT}{agent}", ()))

    @contextmanager
    def rung(self) -> Iterator[asyncio.Event]:
        """An asyncio.Event that is set after each event, for who then looks for himself."""
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
        """Let go of everybody who waits: the broker is stopping."""
        self.closed = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.set()
        for subscription in self._subscriptions:
            subscription.push(None)


def _agent(event: Event) -> str | None:
    """Whom it is about, where it is about an agent."""
    return f"{AGENT}{event.data['name']}" if event.subject == "agent" else None
