"""The promises of the store, under whatever two processes, two traders and a restart come up with."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache, wraps
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
from broker.events import Event
from broker.files import AuditFiles
from broker.halt import Halt, Level
from broker.intents import (
    COMMITTED,
    OPEN,
    RECORDABLE,
    TRANSITIONS,
    Decision,
    Intent,
    State,
    Suggestion,
    client_order_id,
    past_horizon,
)
from broker.order_record import OrderRecord
from broker.store import Moved, NotDecidable, OverDailyVolume, Store, Uncertain, queries
from broker.store.audit import events_after
from broker.store.backup import back_up, restore
from broker.store.tables import intents

from ..support import (
    BTC,
    LONG_AGO,
    MANY_PENDING,
    MOVED,
    Clock,
    Randomness,
    open_store,
    order,
    request,
    trusted,
)

LIMIT = Decimal(2_000)
KEYS = st.sampled_from([None, None, "first-key", "second-key"])
AGENTS = st.sampled_from(["one", "two"])
TRADERS = st.sampled_from(["Ana", "Ben"])
PROCESSES = st.integers(0, 1)
ENDS = st.sampled_from([State.PLACED, State.REFUSED, State.NOT_SENT, State.UNKNOWN])


def placed(end: State) -> OrderRecord | None:
    return order() if end is State.PLACED else None


@cache
def empty_database() -> Path:
    """Made once: a migration for every example would take most of the time."""
    folder = Path(tempfile.mkdtemp(prefix="broker-machine-"))
    open_store(folder / "paper.db", Clock()).close()
    return folder


@dataclass(frozen=True)
class Backup:
    """A copy, and what was decided by then."""

    path: Path
    decisions: dict[str, Decision]


def of_what_is_there(step: Callable[..., Any]) -> Callable[..., Any]:
    """Of what was parked after a backup nothing is left once that is restored."""

    @wraps(step)
    def guarded(self: Machine, **given: Any) -> Any:
        picture = given.get("picture")
        intent_id = picture.id if picture is not None else given["intent_id"]
        if intent_id in self.ids():
            return step(self, **given)
        return multiple() if step.__name__ in ("take_a_picture", "go_all_the_way") else None

    return guarded


class Machine(RuleBasedStateMachine):
    parked = Bundle("parked")
    pictures = Bundle("pictures")
    backups = Bundle("backups")

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.random = Clock(), Randomness()
        self.folder = Path(tempfile.mkdtemp(prefix="broker-machine-"))
        shutil.copytree(empty_database(), self.folder, dirs_exist_ok=True)
        self.runner = asyncio.Runner()
        self.stores = [self._open(), self._open()]
        self.decisions: dict[str, Decision] = {}
        self.submitted: Counter[str] = Counter()
        self.lost: set[str] = set()
        """What a restored backup held as open."""

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
        found: Intent = self.read(lambda connection: queries.find_any(connection, intent_id))
        return found

    def ids(self) -> list[str]:
        found: list[str] = self.read(
            lambda connection: list(connection.execute(select(intents.c.id)).scalars())
        )
        return found

    def all(self) -> list[Intent]:
        return [self.found(intent_id) for intent_id in self.ids()]

    def halt(self) -> Halt:
        now: Halt = self.read(self.stores[0].halts.current)
        return now

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
            arguments={"symbol": BTC, "amount": str(amount), "side": "sell" if is_exit else "buy"},
            value_usdt=Decimal(amount) * 400,
            is_exit=is_exit,
            ttl_seconds=ttl,
        )
        before = self.all()
        same_key = [old for old in before if key and (old.agent, old.idempotency_key) == (agent, key)]
        mine = [old for old in before if (old.agent, old.equality) == (agent, asked.equality)]
        equal = [old for old in mine if self.open_for(old)]
        try:
            answer = self.runner.run(self.stores[at].intents.park(asked, max_pending=MANY_PENDING))
        except BrokerError as error:
            if error.code is Code.TRADING_HALTED:
                assert self.halt().stops(is_exit=is_exit)
                assert not (same_key if key else equal)
                return multiple()
            assert error.code is Code.IDEMPOTENCY_CONFLICT
            assert same_key[0].equality != asked.equality
            return multiple()
        repeated = same_key if key else equal
        assert repeated or not self.halt().stops(is_exit=is_exit)
        assert answer.deduplicated is bool(repeated)
        assert (answer.intent.id in {old.id for old in repeated}) is bool(repeated)
        return multiple() if repeated else answer.intent.id

    @rule(target=pictures, intent_id=parked)
    @of_what_is_there
    def take_a_picture(self, intent_id: str) -> Intent:
        return self.found(intent_id)

    @rule(at=PROCESSES, intent_id=parked, trader=TRADERS)
    @of_what_is_there
    def approve(self, at: int, intent_id: str, trader: str) -> None:
        before = self.found(intent_id)
        work = self.stores[at].intents.approve(
            intent_id, before.digest, trader, LIMIT, standing=trusted, confirmed=True
        )
        self._decide(before, trader, True, work)

    @rule(at=PROCESSES, intent_id=parked, trader=TRADERS)
    @of_what_is_there
    def reject(self, at: int, intent_id: str, trader: str) -> None:
        before = self.found(intent_id)
        work = self.stores[at].intents.reject(
            intent_id, before.digest, trader, "no", Suggestion(), standing=trusted
        )
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
        except BrokerError as error:
            assert error.code is Code.TRADING_HALTED
            assert approved and not repeats and self.halt().stops(is_exit=before.is_exit)
            return
        if repeats:
            assert after.decision == first
            return
        assert not (approved and self.halt().stops(is_exit=before.is_exit))
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
                or (intent.state is State.UNKNOWN and self.since(intent) >= to_ms(midnight))
                or (intent.doubted and self.since(intent) >= to_ms(midnight))
            ),
            Decimal(0),
        )

    def since(self, intent: Intent) -> int:
        if intent.wire_timestamp_ms is not None:
            return intent.wire_timestamp_ms
        return to_ms(intent.decision.at if intent.decision else intent.updated_at)

    @rule(at=PROCESSES, intent_id=parked)
    @of_what_is_there
    def decide_by_another_digest(self, at: int, intent_id: str) -> None:
        with pytest.raises(NotDecidable):
            self.runner.run(
                self.stores[at].intents.approve(
                    intent_id, "0" * 64, "Ana", LIMIT, standing=trusted, confirmed=True
                )
            )

    @rule(at=PROCESSES, intent_id=parked, agent=AGENTS)
    @of_what_is_there
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
    @of_what_is_there
    def begin_submission(self, at: int, picture: Intent) -> None:
        now = self.found(picture.id)
        work = self.stores[at].submissions.begin(
            picture,
            is_exit=picture.is_exit,
            client_order_id=client_order_id(picture.id),
            namespace="spot",
            wire_timestamp_ms=to_ms(self.clock()),
            value_usdt=None,
            approved_since=LONG_AGO,
        )
        if self._move(picture, now, State.SUBMITTING, work):
            assert not self.halt().stops(is_exit=now.is_exit)
            self.submitted[picture.id] += 1

    @rule(at=PROCESSES, picture=pictures, price=st.integers(50_000, 70_000))
    @of_what_is_there
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
        self._move(picture, now, to, self.stores[at].submissions.show_anew(picture, anew, MOVED))
        after = self.found(picture.id)
        if now.state is State.APPROVED and after.state is State.PENDING:
            assert after.digest != now.digest
            assert after.expires_at == self.clock() + timedelta(seconds=after.ttl_seconds)
            del self.decisions[now.id]

    @rule(at=PROCESSES, picture=pictures, end=ENDS)
    @of_what_is_there
    def settle(self, at: int, picture: Intent, end: State) -> None:
        now = self.found(picture.id)
        work = self.stores[at].submissions.settle(picture, end, actor="test", order=placed(end))
        self._move(picture, now, end, work)

    def _move(self, picture: Intent, now: Intent, to: State, work: Any) -> bool:
        try:
            after = self.runner.run(work)
        except ValueError:
            nobody_decided = (picture.state, to) == (State.PENDING, State.UNKNOWN)  # only a restored backup
            assert nobody_decided or (picture.state, to) not in TRANSITIONS
        except Moved:
            assert (picture.state, picture.digest) != (now.state, now.digest)
        else:
            assert (picture.state, picture.digest) == (now.state, now.digest)
            assert after.state is to
            return True
        return False

    @rule(at=PROCESSES, intent_id=parked, found=st.sampled_from(sorted(RECORDABLE)), trader=TRADERS)
    @of_what_is_there
    def record_word(self, at: int, intent_id: str, found: State, trader: str) -> None:
        before = self.found(intent_id)
        certain = past_horizon(before, to_ms(self.clock()), 0)
        try:
            after = self.runner.run(
                self.stores[at].submissions.record_word(
                    intent_id, found, trader, "I looked", standing=trusted, offset_ms=0
                )
            )
        except Uncertain:
            assert not (before.state is State.UNKNOWN and certain)
        else:
            assert before.state is State.UNKNOWN and certain
            assert (after.state, after.word_by, after.word_holds) == (found, trader, None)

    @rule(at=PROCESSES, truth=st.sampled_from(sorted(RECORDABLE)))
    def binance_answers_about_words(self, at: int, truth: State) -> None:
        for word in self.read(queries.recorded):
            after = self.runner.run(self.stores[at].submissions.check_word(word, truth, None, placed(truth)))
            assert after.state is word.state
            assert after.word_holds is ((word.state is State.PLACED) is (truth is State.PLACED))
            assert after.word_holds or after.diverged

    @rule(at=PROCESSES, level=st.sampled_from(Level), by_command=st.booleans())
    def halt_or_resume(self, at: int, level: Level, by_command: bool) -> None:
        before = self.halt()
        if by_command:
            after = self.stores[at].halts.tighten(level, "command line", None)
            assert after.level is (level if before.looser_than(level) else before.level)
        else:
            work = self.stores[at].halts.set(level, "Ana", None, standing=trusted, shown=before.seq)
            after = self.runner.run(work)
            assert after.level is level

    @rule(target=backups)
    def make_a_backup(self) -> Backup:
        path = self.folder / f"backup-{len(list(self.folder.iterdir()))}.db"
        back_up(self.folder / "paper.db", path)
        return Backup(path, dict(self.decisions))

    @rule(backup=backups)
    def restore_a_backup(self, backup: Backup) -> None:
        for store in self.stores:
            store.close()
        files = AuditFiles.of(self.folder / "paper.db", self.folder)

        def open_copy(copy: Path) -> Store:
            return open_store(copy, self.clock, self.random, files=files, to_verify=True)

        restore(backup.path, self.folder / "paper.db", open_copy, self.clock())
        self.stores = [self._open(), self._open()]
        self.decisions = dict(backup.decisions)
        unsettled = {intent.id for intent in self.all() if intent.state is State.UNKNOWN}
        self.lost = (self.lost & set(self.ids())) | unsettled
        assert self.halt().level is Level.HALTED

    @rule(target=pictures, at=PROCESSES, intent_id=parked, trader=TRADERS, end=ENDS)
    @of_what_is_there
    def go_all_the_way(self, at: int, intent_id: str, trader: str, end: State) -> Any:
        """Random steps alone rarely get far. It leaves pictures of each stage, which are old afterwards."""
        self.approve(at=at, intent_id=intent_id, trader=trader)
        stages = [self.found(intent_id)]
        if stages[0].state is State.APPROVED:
            self.begin_submission(at=at, picture=stages[0])
            stages.append(self.found(intent_id))
            self.settle(at=at, picture=stages[1], end=end)
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
    def nothing_of_a_restored_backup_is_open_again(self) -> None:
        for intent in self.all():
            assert intent.id not in self.lost or intent.state not in OPEN - {State.UNKNOWN}

    @invariant()
    def what_is_halted_is_not_under_way(self) -> None:
        halt = self.halt()
        for intent in self.all():
            assert not (intent.state is State.APPROVED and halt.stops(is_exit=intent.is_exit))

    @invariant()
    def the_log_holds_and_tells_every_change_of_state_once(self) -> None:
        assert self.read(lambda it: self.stores[0].log.verify(it, None)) is None
        told: dict[str, State] = {}
        for event in self.events():
            if event.intent_id is None or not event.kind.startswith("intent:"):
                continue
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
            if intent.id in self.lost:
                continue
            if intent.state in (*COMMITTED, State.REFUSED, State.NOT_SENT):
                assert intent.decision is not None and intent.decision.approved
                assert intent.decision.at < intent.expires_at
                assert approved[intent.id].data["digest"] == intent.digest
                assert approved[intent.id].actor == f"trader:{intent.decision.by}"

    @invariant()
    def nothing_is_submitted_twice(self) -> None:
        begun = Counter(event.intent_id for event in self.events() if event.kind == "intent:submitting")
        assert all(times == 1 for times in begun.values())
        assert all(times == 1 for times in self.submitted.values())

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
