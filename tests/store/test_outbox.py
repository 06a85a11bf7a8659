"""What is to be told: written with what happened, in order, once, and through whatever comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text, update

from broker.clock import to_ms
from broker.notifications import ALERT_AFTER, AT_ONCE, GIVE_UP, KEPT, LEASE, LONGEST_ASKED_PAUSE, LONGEST_PAUSE, TRIPS_AT, Attempt, Channel, Delivery, Kind, Progress, Topic, pause
from broker.errors import BrokerError, Code
from broker.halt import Level
from broker.intents import Intent, State, Suggestion
from broker.store import Store, queries, recent_events
from broker.store.channels import MOST
from broker.store.tables import channels, deliveries, traders

from ..support import NOON, TOO_LATE, Clock, let_write, open_store, order, request

pytestmark = pytest.mark.anyio

LIMIT = Decimal(100_000)
URL = "https://user:pass@hooks.example/x?token=t0p"
REFUSED = Attempt(problem="answered 500")
STOP = {"symbol": "BTCUSDT", "side": "sell", "type": "stop_loss", "amount": "0.015", "stopPrice": "58000"}


async def listening(
    store: Store,
    trader: str = "Ana",
    topics: Collection[Topic] = frozenset(Topic),
    least: Decimal | None = None,
) -> Channel:
    config = {"url": URL, "secret": "whsec_c2VjcmV0"}
    return await store.channels.add(
        trader, Kind.WEBHOOK, "desk", "https://hooks.example/x", config, topics, least
    )


async def parked(store: Store, **changes: Any) -> Intent:
    return (await store.intents.park(request(**changes))).intent


async def claim(
    store: Store, clock: Clock, busy: Mapping[str, int] | None = None
) -> Sequence[tuple[Delivery, Intent | None]]:
    def transaction(connection: Connection) -> Sequence[tuple[Delivery, Intent | None]]:
        due = store.outbox.due(connection, clock(), busy or {})
        return store.outbox.claim(connection, due, clock())

    return await store.database.write(transaction)


async def record(store: Store, delivery: Delivery, clock: Clock, attempt: Attempt) -> None:
    await store.database.write(lambda c: store.outbox.record(c, delivery, attempt, clock()))


async def fail(store: Store, clock: Clock) -> Delivery:
    """The next delivery, which does not arrive."""
    [(delivery, _)] = await claim(store, clock)
    await record(store, delivery, clock, REFUSED)
    return delivery


async def arrive(store: Store, clock: Clock) -> list[Delivery]:
    claimed = [delivery for delivery, _ in await claim(store, clock)]
    for delivery in claimed:
        await record(store, delivery, clock, Attempt())
    return claimed


async def kinds(store: Store, trader: str = "Ana") -> list[str]:
    """Of all that is told to the trader, oldest first."""
    found = await store.read(lambda c: store.outbox.of_trader(c, trader, 100))
    return [delivery.event.kind for delivery in reversed(found)]


async def everything(store: Store, trader: str) -> Sequence[Delivery]:
    found: Sequence[Delivery] = await store.read(lambda c: store.outbox.of_trader(c, trader, 99))
    return found


async def now(store: Store, delivery: Delivery) -> Delivery:
    found = await store.read(lambda c: store.outbox.find(c, delivery.id))
    assert isinstance(found, Delivery)
    return found


async def test_a_request_is_queued_for_each_channel_in_the_commit_that_parks_it(
    store: Store, clock: Clock
) -> None:
    first, second = await listening(store), await listening(store, "Ben")
    intent = await parked(store)
    claimed = await claim(store, clock)
    assert {delivery.channel for delivery, _ in claimed} == {first.id, second.id}
    for delivery, about in claimed:
        assert (delivery.event.kind, delivery.digest, about) == ("intent:parked", intent.digest, intent)
    assert await claim(store, clock) == []


async def test_what_could_not_be_committed_is_not_told(store: Store, clock: Clock) -> None:
    await listening(store)
    await let_write(store, False)
    with pytest.raises(BrokerError) as caught:
        await parked(store)
    assert caught.value.code is Code.STORE_UNAVAILABLE
    await let_write(store, True)
    assert await claim(store, clock) == []


async def test_a_transaction_that_breaks_off_after_its_event_takes_the_delivery_along(
    store: Store, clock: Clock
) -> None:
    await listening(store)

    def broken(connection: Connection) -> None:
        store.record(connection, "database:restored", "command line")
        raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError):
        await store.database.write(broken)
    assert await claim(store, clock) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "pager"},
        {"topics": ["weather"]},
        {"topics": text("'{'")},
        {"min_value_micros": "x"},
    ],
    ids=["kind", "topic", "no JSON", "minimum"],
)
async def test_a_channel_that_cannot_be_read_stops_nothing_and_the_others_are_told(
    store: Store, clock: Clock, broken: Mapping[str, Any]
) -> None:
    first, other = await listening(store), await listening(store, "Ben")
    stop = await parked(store)
    approved = await store.intents.approve(stop.id, stop.digest, "Eve", LIMIT)
    await arrive(store, clock)
    this = update(channels).where(channels.c.id == first.id).values(**broken)
    await store.database.write(lambda c: c.execute(this))
    await store.halts.set(Level.HALTED, "Eve", None)
    assert (await store.read(store.halts.current)).level is Level.HALTED
    put_away = await store.read(lambda c: queries.find(c, approved.id))
    assert put_away.state is State.NOT_SENT
    assert (await kinds(store, "Ben"))[-1] == "intent:not_sent"
    assert other.id in {delivery.channel for delivery, _ in await claim(store, clock)}


async def test_what_cannot_be_told_is_told_to_nobody_and_stops_nothing(store: Store) -> None:
    await listening(store), await listening(store, "Ben")
    await store.audit("channel:failing", "broker")  # of which channel, nobody knows
    assert await store.read(store.outbox.count_open) == 0
    assert await failing(store) == [{}]
    assert await store.read(store.log.verify) is None
    await parked(store)
    assert (await kinds(store), await kinds(store, "Ben")) == (["intent:parked"], ["intent:parked"])


async def test_a_database_that_cannot_take_the_telling_takes_nothing(store: Store) -> None:
    """As a full disk does: it fails where the delivery is written, and what happened goes with it."""
    await listening(store)
    full = (
        "CREATE TRIGGER full BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'full') FROM nowhere; END"
    )
    await store.database.write(lambda c: c.exec_driver_sql(full))
    with pytest.raises(BrokerError) as caught:
        await parked(store)
    assert caught.value.code is Code.STORE_UNAVAILABLE
    await store.database.write(lambda c: c.exec_driver_sql("DROP TRIGGER full"))
    assert await kinds(store) == []
    assert await store.read(lambda c: queries.in_states(c, {State.PENDING})) == []


async def test_without_channels_nothing_is_written(store: Store) -> None:
    await parked(store)
    assert await store.read(store.outbox.count_open) == 0


@pytest.mark.parametrize(
    ("least", "value", "told"),
    [(None, 1, True), (900, 900, True), (901, 900, False), (901, None, True), (901, 0, True)],
)
async def test_a_channel_has_a_minimum_value(
    store: Store, least: int | None, value: int | None, told: bool
) -> None:
    await listening(store, least=None if least is None else Decimal(least))
    await parked(store, value_usdt=None if value is None else Decimal(value))
    assert (await kinds(store) == ["intent:parked"]) is told


@pytest.mark.parametrize("topic", Topic)
async def test_a_channel_hears_of_what_it_was_added_for(store: Store, topic: Topic) -> None:
    await listening(store, topics={topic})
    await parked(store)
    await store.audit("orders:cancelled", "agent:default", orders=["1"], protective=True)
    await store.audit("orders:cancelled", "agent:default", orders=["2"])
    await store.audit("database:restored", "command line")
    intent = await parked(store, idempotency_key="another-one")
    approved = await store.intents.approve(intent.id, intent.digest, "Ana", LIMIT)
    await store.submissions.settle(approved, State.NOT_SENT, actor="executor", why=TOO_LATE)
    told = {
        Topic.REQUESTS: ["intent:parked", "intent:parked"],
        Topic.CANCELS: ["orders:cancelled"],
        Topic.ALERTS: ["database:restored"],
        Topic.OUTCOMES: ["intent:not_sent"],
    }
    assert await kinds(store) == told[topic]


async def test_decisions_are_not_told_nor_what_a_trader_did_himself(store: Store) -> None:
    await listening(store)
    await listening(store, "Ben")
    intent = await parked(store)
    await store.intents.reject(intent.id, intent.digest, "Ana", None, Suggestion())
    await store.audit("word:contradicted", "trader:Ana")
    assert await kinds(store) == ["intent:parked"]
    assert await kinds(store, "Ben") == ["intent:parked", "word:contradicted"]


async def test_a_stop_that_filled_is_told_once_however_often_its_order_changes(store: Store) -> None:
    await listening(store, topics={Topic.OUTCOMES})
    for arguments, filled in ((STOP, ["order:changed"]), (request().arguments, ["order:changed"])):
        intent = await parked(store, arguments=arguments, value_usdt=Decimal(900))
        approved = await store.intents.approve(intent.id, intent.digest, "Ana", LIMIT)
        begun = await store.submissions.begin(
            approved,
            client_order_id=f"cb-{intent.id}",
            namespace="spot",
            wire_timestamp_ms=1,
            is_exit=True,
        )
        placed = await store.submissions.settle(
            begun, State.PLACED, actor="binance", order=order(side="sell")
        )
        for status, fee in (("partly_filled", None), ("filled", None), ("filled", {"cost": "1"})):
            told = order(status=status, fee=fee, side="sell", filled="0.015", average="60000")
            placed = await store.submissions.follow(placed, told)
        assert await kinds(store) == filled


async def test_of_one_intent_the_next_goes_out_once_the_one_before_arrived(
    store: Store, clock: Clock
) -> None:
    await listening(store)
    intent, other = await parked(store), await parked(store, idempotency_key="another-one")
    approved = await store.intents.approve(intent.id, intent.digest, "Ana", LIMIT)
    await store.submissions.settle(approved, State.NOT_SENT, actor="executor", why=TOO_LATE)
    first = [(d.event.kind, d.event.intent_id) for d in await arrive(store, clock)]
    assert first == [("intent:parked", intent.id), ("intent:parked", other.id)]
    assert [d.event.kind for d in await arrive(store, clock)] == ["intent:not_sent"]


@pytest.mark.parametrize("attempt", [Attempt(), REFUSED, Attempt(problem="answered 410", final=True)])
@pytest.mark.parametrize("answer", [Progress.SEEN, Progress.ACTED])
async def test_a_tap_that_is_quicker_than_the_endpoints_answer_stays_on_record(
    store: Store, clock: Clock, attempt: Attempt, answer: Progress
) -> None:
    await listening(store)
    await parked(store)
    [(delivery, _)] = await claim(store, clock)
    await store.database.write(lambda c: store.outbox.progress(c, delivery, answer, clock()))
    await record(store, delivery, clock, attempt)
    assert (await now(store, delivery)).progress is answer
    clock.advance(LEASE.total_seconds())
    assert await claim(store, clock) == []


async def test_what_was_sent_and_not_answered_goes_out_again_with_its_id_when_its_lease_ends(
    store: Store, clock: Clock
) -> None:
    await listening(store)
    await parked(store)
    [(sent, _)] = await claim(store, clock)
    clock.advance(LEASE.total_seconds() - 1)
    assert await claim(store, clock) == []
    clock.advance(1)
    [(again, _)] = await claim(store, clock)
    assert (again.id, again.attempts) == (sent.id, 2)
    await record(store, again, clock, Attempt())
    clock.advance(LEASE.total_seconds() * 100)
    assert await claim(store, clock) == []


async def test_a_restart_lets_go_of_what_the_dead_process_had_on_the_way(
    store: Store, path: Path, clock: Clock
) -> None:
    await listening(store)
    await parked(store)
    [(sent, _)] = await claim(store, clock)
    store.close()
    with closing(open_store(path, clock)) as again:
        await again.database.write(lambda c: again.outbox.release(c, clock()))
        [(found, _)] = await claim(again, clock)
        assert found.id == sent.id


async def test_a_channel_that_fails_is_tried_ever_more_rarely_and_one_at_a_time(
    store: Store, clock: Clock
) -> None:
    channel = await listening(store)
    for number in range(AT_ONCE + 2):
        await parked(store, idempotency_key=f"request-{number}")
    taken = await claim(store, clock)
    assert len(taken) == AT_ONCE
    assert await claim(store, clock, {channel.id: AT_ONCE}) == []
    for delivery, _ in taken:
        await record(store, delivery, clock, REFUSED)
    assert await claim(store, clock) == []  # it rests, though others have never been tried
    clock.advance(LONGEST_PAUSE.total_seconds())
    [(probe, _)] = await claim(store, clock)
    await record(store, probe, clock, Attempt())
    assert len(await claim(store, clock)) == AT_ONCE


async def test_one_failure_keeps_nothing_else_waiting(store: Store, clock: Clock) -> None:
    await listening(store)
    await parked(store)
    failed = await fail(store, clock)
    assert (await now(store, failed)).note == "answered 500"
    await parked(store, idempotency_key="another-one")
    [(other, _)] = await claim(store, clock)
    assert other.id != failed.id


async def test_retry_after_is_kept_up_to_an_hour(store: Store, clock: Clock) -> None:
    await listening(store)
    await parked(store)
    [(delivery, _)] = await claim(store, clock)
    asked = Attempt(problem="answered 429", retry_after=timedelta(minutes=10))
    await record(store, delivery, clock, asked)
    await parked(store, idempotency_key="another-one")
    clock.advance(599)
    assert await claim(store, clock) == []
    clock.advance(1)
    assert len(await claim(store, clock)) == 2
    [later] = [
        d for d in await store.read(lambda c: store.outbox.of_trader(c, "Ana", 9)) if d.id == delivery.id
    ]
    await record(store, later, clock, Attempt(problem="x", retry_after=timedelta(days=30)))
    clock.advance(LONGEST_ASKED_PAUSE.total_seconds())
    assert delivery.id in [d.id for d, _ in await claim(store, clock)]


async def test_after_a_day_or_a_final_answer_it_is_given_up(store: Store, clock: Clock) -> None:
    await listening(store)
    await parked(store)
    [(delivery, _)] = await claim(store, clock)
    await record(store, delivery, clock, Attempt(problem="answered 410", final=True))
    assert (await now(store, delivery)).progress is Progress.FAILED
    await parked(store, idempotency_key="another-one")
    late = await fail(store, clock)
    clock.advance(GIVE_UP.total_seconds())
    assert (await fail(store, clock)).id == late.id
    assert (await now(store, late)).progress is Progress.FAILED
    clock.advance(GIVE_UP.total_seconds())
    assert await claim(store, clock) == []


async def test_a_channel_that_fails_for_long_is_told_on_the_others_and_so_is_nobody_twice(
    store: Store, clock: Clock
) -> None:
    broken = await listening(store)
    await parked(store)
    while clock() < NOON + 2 * ALERT_AFTER:
        if await store.read(lambda c: store.outbox.due(c, clock(), {})):
            await fail(store, clock)
            if clock() < NOON + ALERT_AFTER / 2:
                assert await failing(store) == []
        clock.advance(30)
    await listening(store, "Ben")
    clock.advance(30)
    [alert] = await failing(store)
    assert (alert["channel"], alert["trader"], alert["note"]) == (broken.id, "Ana", "answered 500")
    assert "channel:failing" not in await kinds(store)
    [recovered] = await arrive(store, clock)
    assert recovered.channel == broken.id
    events = await store.read(lambda c: recent_events(c, ("channel:recovered",), NOON))
    assert [event.data["channel"] for event in events] == [broken.id]


async def failing(store: Store) -> list[Mapping[str, Any]]:
    events = await store.read(lambda c: recent_events(c, ("channel:failing",), NOON))
    return [event.data for event in events]


async def test_another_channel_hears_of_the_failing_one(store: Store, clock: Clock) -> None:
    await listening(store)
    other = await listening(store, topics={Topic.ALERTS})
    await parked(store)
    await fail(store, clock)
    clock.advance(ALERT_AFTER.total_seconds())
    await fail(store, clock)
    [(alert, _)] = await claim(store, clock)
    assert (alert.channel, alert.event.kind) == (other.id, "channel:failing")


async def test_a_paused_channel_hears_nothing_and_goes_on_with_what_waited(
    store: Store, clock: Clock
) -> None:
    channel = await listening(store)
    await parked(store)
    assert not await store.channels.pause(channel.id, "Ben", True)
    assert await store.channels.pause(channel.id, "Ana", True)
    await parked(store, idempotency_key="meanwhile")
    assert await claim(store, clock) == []
    assert not await store.channels.test(channel.id, "Ana")
    await store.channels.pause(channel.id, "Ana", False)
    assert len(await claim(store, clock)) == 1


async def test_a_test_goes_to_its_own_channel_alone_and_at_once(store: Store, clock: Clock) -> None:
    channel = await listening(store)
    await listening(store)
    for number in range(TRIPS_AT):
        await parked(store, idempotency_key=f"request-{number}")
    for delivery, _ in await claim(store, clock):
        await record(store, delivery, clock, REFUSED)
    assert await claim(store, clock) == []
    assert not await store.channels.test(channel.id, "Ben")
    assert await store.channels.test(channel.id, "Ana")
    [(delivery, _)] = await claim(store, clock)
    assert (delivery.channel, delivery.event.kind) == (channel.id, "channel:test")


async def forget(store: Store, clock: Clock, most: int = 9) -> int:
    old = await store.read(lambda c: store.outbox.old(c, clock(), most))
    await store.database.write(lambda c: store.outbox.forget(c, old))
    return len(old)


async def test_what_was_settled_long_ago_is_forgotten_in_bites_and_nothing_else(
    store: Store, clock: Clock
) -> None:
    await listening(store), await listening(store, "Ben")
    for number in range(3):
        await parked(store, idempotency_key=f"request-{number}")
    settled = await arrive(store, clock)
    while more := await arrive(store, clock):
        settled += more
    seen, *others = settled
    clock.advance(KEPT.total_seconds())
    assert await forget(store, clock) == 0  # not yet
    await store.database.write(lambda c: store.outbox.progress(c, seen, Progress.SEEN, clock()))
    await parked(store, idempotency_key="waits")
    clock.advance(1)
    assert [await forget(store, clock, 3) for _ in range(3)] == [3, len(others) - 3, 0]
    left = {delivery.id for who in ("Ana", "Ben") for delivery in await everything(store, who)}
    assert left.isdisjoint({other.id for other in others}) and seen.id in left
    assert await store.read(store.outbox.count_open) == 2
    clock.advance(KEPT.total_seconds())
    assert await forget(store, clock) == 1  # seen, by now long ago; what waits does so for ever
    assert await store.read(store.outbox.count_open) == 2
    assert await store.read(store.log.verify) is None


async def test_a_removed_channel_takes_its_deliveries_along(store: Store, clock: Clock) -> None:
    channel = await listening(store)
    await parked(store)
    [(delivery, _)] = await claim(store, clock)
    assert not await store.channels.remove(channel.id, "Ben")
    assert await store.channels.remove(channel.id, "Ana")
    await record(store, delivery, clock, Attempt())
    assert await store.read(lambda c: c.execute(select(deliveries)).all()) == []


async def test_a_removed_traders_channels_do_not_wait_for_the_next_of_that_name(store: Store) -> None:
    await listening(store)
    row = {"name": "Ana", "password_hash": "none", "created_at": to_ms(NOON)}
    await store.database.write(lambda c: c.execute(insert(traders), row))
    store.people.remove_trader("Ana", actor="command line")
    assert await store.read(lambda c: store.channels.of_trader(c, "Ana")) == []


async def test_a_trader_has_so_many_channels_at_most(store: Store) -> None:
    for _ in range(MOST):
        await listening(store)
    with pytest.raises(BrokerError, match="at most 20"):
        await listening(store)
    await listening(store, "Ben")


async def test_where_a_channel_leads_and_its_secrets_stand_nowhere_in_the_clear(
    store: Store, path: Path
) -> None:
    channel = await listening(store)
    _, config = await store.read(lambda c: store.channels.with_config(c, channel.id))
    assert config == {"url": URL, "secret": "whsec_c2VjcmV0"}
    renewed = {"url": URL, "secret": "whsec_bmV3"}
    for trader, kind in (("Ben", Kind.WEBHOOK), ("Ana", Kind.NTFY)):
        assert await store.channels.reconfigure(channel.id, trader, kind, lambda _: renewed) is None
    assert await store.channels.reconfigure(channel.id, "Ana", Kind.WEBHOOK, lambda _: renewed)
    rows = await store.read(lambda c: [str(row) for row in c.execute(select(channels))])
    audited = await store.read(
        lambda c: str(recent_events(c, ("channel:added", "channel:secret-changed"), NOON))
    )
    for secret in ("whsec_", "t0p", "pass@"):
        assert secret not in str(rows) and secret not in audited
    store.close()
    for file in path.parent.glob("paper.db*"):
        if file.suffix not in (".audit-key", ".audit-head"):
            assert b"c2VjcmV0" not in file.read_bytes()


@given(failures=st.integers(1, 10_000), random=st.binary(min_size=2, max_size=2))
def test_pauses_grow_never_past_the_longest_and_never_to_nothing(failures: int, random: bytes) -> None:
    rest = pause(failures, random)
    assert timedelta(milliseconds=500) <= rest <= LONGEST_PAUSE
    assert pause(failures + 1, random) >= rest
    assert pause(failures, b"\xff\xff") <= rest <= pause(failures, b"\0\0")
