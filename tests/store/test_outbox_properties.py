"""Whatever happens in whatever order: all that is still true arrives, once, in order for each intent."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from broker.clock import to_ms
from broker.notifications import LEASE, LONGEST_ASKED_PAUSE, Attempt, Delivery, Progress, Topic
from broker.store import Store
from broker.store.tables import channels

from ..support import NOON, Clock, Randomness, open_store, request

ATTEMPTS = {
    "accept": Attempt(),
    "fail": Attempt(problem="answered 500"),
    "refuse": Attempt(problem="answered 410", final=True),
}
EVENTS = ("intent:parked", "intent:not_sent", "intent:unknown", "intent:refused")
INTENTS = 3

steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, INTENTS - 1), st.sampled_from(EVENTS)),
        st.tuples(st.just("look"), st.sampled_from([*ATTEMPTS, "die", "hang"]), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from([1, 10, 60]), st.just("")),
    ),
    max_size=40,
)


class Model:
    """One channel, an endpoint that does as told, and a worker that may die."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.told: list[int] = []
        self.arrived: list[Delivery] = []
        self.given_up: set[str] = set()
        self.intents = [self._park(number) for number in range(INTENTS)]
        self.store.database.write_now(self._add_channel)

    def do(self, step: tuple[str, Any, str]) -> None:
        match step:
            case ("event", int(number), kind):
                self.store.database.write_now(lambda c: self._happen(c, number, kind))
            case ("wait", int(seconds), _):
                self.clock.advance(seconds)
            case ("look", str(how), _):
                self.look(how)

    def look(self, how: str) -> Sequence[Delivery]:
        claimed = self.store.database.write_now(self._claim)
        if how == "die":
            self.store.database.write_now(lambda c: self.store.outbox.release(c, self.clock()))
        if how in ATTEMPTS:
            for delivery in claimed:
                self._record(delivery, ATTEMPTS[how])
        return claimed

    def heal(self) -> None:
        """The endpoint answers again, and time passes."""
        for _ in range(40):
            self.clock.advance(max(LONGEST_ASKED_PAUSE, LEASE).total_seconds() / 6)
            if not self.look("accept") and not self.store.database.read_now(self.store.outbox.count_open):
                return
        raise AssertionError("something still waits")

    def _park(self, number: int) -> str:
        wanted = request(idempotency_key=f"request-{number}", ttl_seconds=86400)
        return asyncio.run(self.store.intents.park(wanted)).intent.id

    def _add_channel(self, connection: Connection) -> None:
        row = {
            "id": "c" * 26,
            "trader": "Ana",
            "kind": "webhook",
            "name": "desk",
            "address": "x",
            "sealed": "x",
            "topics": sorted(map(str, Topic)),
            "created_at": to_ms(NOON),
        }
        connection.execute(insert(channels), row)

    def _happen(self, connection: Connection, number: int, kind: str) -> None:
        at, intent_id = self.clock(), self.intents[number]
        told = self.store.log.append(connection, at=at, kind=kind, actor="binance", intent_id=intent_id)
        self.told.append(told)

    def _claim(self, connection: Connection) -> Sequence[Delivery]:
        due = self.store.outbox.due(connection, self.clock(), {})
        return [delivery for delivery, _ in self.store.outbox.claim(connection, due, self.clock())]

    def _record(self, delivery: Delivery, attempt: Attempt) -> None:
        now, outbox = self.clock(), self.store.outbox
        self.store.database.write_now(lambda c: outbox.record(c, delivery, attempt, now))
        if attempt.problem is None:
            self.arrived.append(delivery)
        elif attempt.final:
            self.given_up.add(delivery.id)


@given(steps=steps)
@settings(max_examples=40)
def test_all_of_it_arrives_once_and_in_order(steps: list[tuple[str, Any, str]]) -> None:
    with TemporaryDirectory() as folder:
        clock = Clock()
        with closing(open_store(Path(folder) / "paper.db", clock, Randomness())) as store:
            model = Model(store, clock)
            for step in steps:
                model.do(step)
            model.heal()
            kept = store.database.read_now(lambda c: store.outbox.of_trader(c, "Ana", 1000))
    assert sorted(one.event.seq for one in kept) == model.told
    assert {one.progress for one in kept} <= {Progress.ACCEPTED, Progress.FAILED}
    arrived = [one.id for one in model.arrived]
    assert len(arrived) == len(set(arrived))
    assert set(arrived) == {one.id for one in kept} - model.given_up
    by_intent: defaultdict[str | None, list[int]] = defaultdict(list)
    for one in model.arrived:
        by_intent[one.event.intent_id].append(one.event.seq)
    for order in by_intent.values():
        assert order == sorted(order)
