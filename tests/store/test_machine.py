"""The promises of the store, under whatever two processes, two traders and a restart come up with."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)
from sqlalchemy import select

from broker.clock import to_ms
from broker.errors import BrokerError, Code
from broker.hub import Event
from broker.intents import COMMITTED, TRANSITIONS, Decision, Intent, State, Suggestion, client_order_id
from broker.store import Moved, NotDecidable, OverDailyVolume, Store, queries
from broker.store.audit import events_after
from broker.store.tables import intents

from ..support import Clock, Randomness, open_store, request

LIMIT = Decimal(2_000)
KEYS = st.sampled_from([None, None, "first-key", "second-key"])
AGENTS = st.sampled_from(["one", "two"])
TRADERS = st.sampled_from(["Ana", "Ben"])
PROCESSES = st.integers(0, 1)
ENDS = st.sampled_from([State.PLACED, State.REFUSED, State.NOT_SENT, State.UNKNOWN])


@cache
def empty_database() -> Path:
    """Made once: a migration for every example would take most of the time."""
    folder = Path(tempfile.mkdtemp(prefix="broker-machine-"))
    open_store(folder / "paper.db", Clock()).close()
    return folder


class Machine(RuleBasedStateMachine):
    parked = Bundle("parked")
    pictures = Bundle("pictures")

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.random = Clock(), Randomness()
        self.folder = Path(tempfile.mkdtemp(prefix="broker-machine-"))
        shutil.copytree(empty_database(), self.folder, dirs_exist_ok=True)
        self.runner = asyncio.Runner()
        self.stores = [self._open(), self._open()]
        self.decisions: dict[str, Decision] = {}

    def _open(self) -> Store:
        return open_store(self.folder / "paper.db", self.clock, self.random)

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def read(self, transaction: Any) -> Any:
        return self.stores[0].database.read_now(transaction)

    def found(self, intent_id: str) -> Intent:
        found: Intent = self.read(lambda connection: queries.find(connection, intent_id))
        return found

    def all(self) -> list[Intent]:
        ids = self.read(lambda connection: list(connection.execute(select(intents.c.id)).scalars()))
        return [self.found(intent_id) for intent_id in ids]

    def open_for(self, intent: Intent) -> bool:
        return intent.state is State.PENDING and intent.expires_at > self.clock()

    # What may happen

    @rule(
        target=parked,
        at=PROCESSES,
        agent=AGENTS,
        key=KEYS,
        amount=st.integers(1, 3),
        is_exit=st.booleans(),
        ttl=st.sampled_from([30, 300]),
    )
    def park(self, at: int, agent: str, key: str | None, amount: int, is_exit: bool, ttl: int) -> Any:
        asked = request(
            agent=agent,
            idempotency_key=key,
            arguments={"amount": str(amount), "side": "sell" if is_exit else "buy"},
            value_usdt=Decimal(amount) * 400,
            is_exit=is_exit,
            ttl_seconds=ttl,
        )
        before = self.all()
        same_key = [old for old in before if key and (old.agent, old.idempotency_key) == (agent, key)]
        mine = [old for old in before if (old.agent, old.equality) == (agent, asked.equality)]
        equal = [old for old in mine if self.open_for(old)]
        try:
            answer = self.runner.run(self.stores[at].intents.park(asked))
        except BrokerError as error:
            assert error.code is Code.IDEMPOTENCY_CONFLICT
            assert same_key[0].equality != asked.equality
            return multiple()
        repeated = same_key if key else equal
        assert answer.deduplicated is bool(repeated)
        assert (answer.intent.id in {old.id for old in repeated}) is bool(repeated)
        return multiple() if repeated else answer.intent.id

    @rule(target=pictures, intent_id=parked)
    def take_a_picture(self, intent_id: str) -> Intent:
        return self.found(intent_id)

    @rule(at=PROCESSES, intent_id=parked, trader=TRADERS)
    def approve(self, at: int, intent_id: str, trader: str) -> None:
        before = self.found(intent_id)
        work = self.stores[at].intents.approve(intent_id, before.digest, trader, LIMIT)
        self._decide(before, trader, True, work)

    @rule(at=PROCESSES, intent_id=parked, trader=TRADERS)
    def reject(self, at: int, intent_id: str, trader: str) -> None:
        before = self.found(intent_id)
        work = self.stores[at].intents.reject(intent_id, before.digest, trader, "no", Suggestion())
        self._decide(before, trader, False, work)

    def _decide(self, before: Intent, trader: str, approved: bool, work: Any) -> None:
        first = self.decisions.get(before.id)
        repeats = first is not None and (first.by, first.approved) == (trader, approved)
        used = self.used()
        try:
            after = self.runner.run(work)
        except NotDecidable as late:
            assert not self.open_for(before) and not repeats
            assert late.intent.decision == first
            return
        except OverDailyVolume:
            assert approved and not before.is_exit and before.value_usdt
            assert used + before.value_usdt > LIMIT
            return
        if repeats:
            assert after.decision == first
            return
        assert first is None and self.open_for(before)
        assert after.decision is not None
        self.decisions[before.id] = after.decision
        if approved and not before.is_exit:
            assert self.used() <= LIMIT

    def used(self) -> Decimal:
        """The day's volume, counted anew from the rows themselves."""
        midnight = self.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        return sum(
            (
                intent.value_usdt or Decimal(0)
                for intent in self.all()
                if intent.state is State.APPROVED
                or (intent.state in COMMITTED and (intent.wire_timestamp_ms or 0) >= to_ms(midnight))
                or (intent.state is State.UNKNOWN and intent.decision and intent.decision.at >= midnight)
            ),
            Decimal(0),
        )

    @rule(at=PROCESSES, intent_id=parked)
    def decide_by_another_digest(self, at: int, intent_id: str) -> None:
        with pytest.raises(NotDecidable):
            self.runner.run(self.stores[at].intents.approve(intent_id, "0" * 64, "Ana", LIMIT))

    @rule(at=PROCESSES, intent_id=parked, agent=AGENTS)
    def withdraw(self, at: int, intent_id: str, agent: str) -> None:
        before = self.found(intent_id)
        try:
            self.runner.run(self.stores[at].intents.withdraw(intent_id, agent))
        except BrokerError as error:
            mine = before.agent == agent
            assert error.code is (Code.NOT_PENDING if mine else Code.UNKNOWN_INTENT)
            assert not (mine and self.open_for(before))
            return
        assert before.agent == agent
        assert before.state is State.WITHDRAWN or self.open_for(before)

    @rule(at=PROCESSES)
    def expire(self, at: int) -> None:
        self.runner.run(self.stores[at].intents.expire_due())
        assert all(self.open_for(intent) for intent in self.all() if intent.state is State.PENDING)

    @rule(at=PROCESSES, picture=pictures)
    def begin_submission(self, at: int, picture: Intent) -> None:
        now = self.found(picture.id)
        work = self.stores[at].submissions.begin(
            picture,
            client_order_id=client_order_id(picture.id),
            namespace="spot",
            wire_timestamp_ms=to_ms(self.clock()),
        )
        self._move(picture, now, State.SUBMITTING, work)

    @rule(at=PROCESSES, picture=pictures, price=st.integers(50_000, 70_000))
    def show_anew(self, at: int, picture: Intent, price: int) -> None:
        now = self.found(picture.id)
        waiting = [old for old in self.all() if old.state is State.PENDING]
        anew = request(
            agent=now.agent,
            arguments=dict(now.arguments),
            idempotency_key=now.idempotency_key,
            reference_price=Decimal(price),
            value_usdt=now.value_usdt,
            is_exit=now.is_exit,
        )
        twin = any((old.agent, old.equality) == (now.agent, now.equality) for old in waiting)
        to = State.NOT_SENT if twin and now.idempotency_key is None else State.PENDING
        self._move(picture, now, to, self.stores[at].submissions.show_anew(picture, anew, "price moved"))
        after = self.found(picture.id)
        if now.state is State.APPROVED and after.state is State.PENDING:
            assert after.digest != now.digest
            assert after.expires_at == self.clock() + timedelta(seconds=after.ttl_seconds)
            del self.decisions[now.id]

    @rule(at=PROCESSES, picture=pictures, end=ENDS)
    def settle(self, at: int, picture: Intent, end: State) -> None:
        now = self.found(picture.id)
        work = self.stores[at].submissions.settle(picture, end, actor="test", order={"status": "open"})
        self._move(picture, now, end, work)

    def _move(self, picture: Intent, now: Intent, to: State, work: Any) -> None:
        try:
            after = self.runner.run(work)
        except ValueError:
            assert (picture.state, to) not in TRANSITIONS
        except Moved:
            assert (picture.state, picture.digest) != (now.state, now.digest)
        else:
            assert (picture.state, picture.digest) == (now.state, now.digest)
            assert after.state is to

    @rule(target=pictures, at=PROCESSES, intent_id=parked, trader=TRADERS, end=ENDS)
    def go_all_the_way(self, at: int, intent_id: str, trader: str, end: State) -> Any:
        """Random steps alone rarely get far. It leaves pictures of each stage, which are old afterwards."""
        self.approve(at, intent_id, trader)
        stages = [self.found(intent_id)]
        if stages[0].state is State.APPROVED:
            self.begin_submission(at, stages[0])
            stages.append(self.found(intent_id))
            self.settle(at, stages[1], end)
        return multiple(*stages)

    @rule(seconds=st.sampled_from([1, 29, 30, 299, 300, 43_200, 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += timedelta(seconds=seconds)

    @rule(at=PROCESSES)
    def restart(self, at: int) -> None:
        self.stores[at].close()
        self.stores[at] = self._open()

    # What always holds

    @invariant()
    def the_log_holds_and_tells_every_change_of_state_once(self) -> None:
        assert self.read(self.stores[0].log.verify) is None
        told: dict[str, State] = {}
        for event in self.events():
            assert event.intent_id is not None
            parked = event.kind == "intent:parked"
            to = State.PENDING if parked else State(event.kind.removeprefix("intent:"))
            if not parked:
                before = told[event.intent_id]
                assert event.data["from"] == before
                assert (before, to) in TRANSITIONS
            else:
                assert event.intent_id not in told
            told[event.intent_id] = to
        assert told == {intent.id: intent.state for intent in self.all()}

    @invariant()
    def nothing_is_sent_without_an_approval_of_its_digest_in_time(self) -> None:
        approved = {event.intent_id: event for event in self.events() if event.kind == "intent:approved"}
        for intent in self.all():
            if intent.state in (*COMMITTED, State.REFUSED, State.NOT_SENT):
                assert intent.decision is not None and intent.decision.approved
                assert intent.decision.at < intent.expires_at
                assert approved[intent.id].data["digest"] == intent.digest
                assert approved[intent.id].actor == f"trader:{intent.decision.by}"

    @invariant()
    def nothing_is_submitted_twice(self) -> None:
        begun = Counter(event.intent_id for event in self.events() if event.kind == "intent:submitting")
        assert all(times == 1 for times in begun.values())

    @invariant()
    def the_first_decision_stands(self) -> None:
        for intent in self.all():
            assert intent.decision == self.decisions.get(intent.id)

    def events(self) -> list[Event]:
        return list(self.read(lambda connection: events_after(connection, 1, 10_000)))


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
