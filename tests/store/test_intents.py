"""Transitions: each happens once, in one transaction with its audit row, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from broker.errors import BrokerError, Code
from broker.events import Event
from broker.intents import TRANSITIONS, Intent, State, Suggestion
from broker.reasons import Reason, Why
from broker.store import EQUAL_WITHIN, Moved, NotDecidable, OverDailyVolume, Store, events_of, queries
from broker.store.tables import audit, intents

from ..support import AGENT, LONG_AGO, MANY_PENDING, NOON, Clock, changed, order, request, trusted

pytestmark = pytest.mark.anyio

LIMIT = Decimal(10_000)
NO_SUGGESTION = Suggestion()


async def parked(store: Store, **changes: object) -> Intent:
    return (await store.intents.park(request(**changes), max_pending=MANY_PENDING)).intent


async def approve(store: Store, intent: Intent, trader: str = "Ana") -> Intent:
    return await store.intents.approve(
        intent.id, intent.digest, trader, LIMIT, standing=trusted, confirmed=True
    )


async def reject(store: Store, intent: Intent, trader: str = "Ana", reason: str | None = None) -> Intent:
    return await store.intents.reject(
        intent.id, intent.digest, trader, reason, NO_SUGGESTION, standing=trusted
    )


async def begin(store: Store, intent: Intent) -> Intent:
    return await store.submissions.begin(
        intent,
        is_exit=intent.is_exit,
        client_order_id=f"cb-{intent.id}",
        namespace="spot",
        wire_timestamp_ms=1,
        value_usdt=None,
        approved_since=LONG_AGO,
    )


async def found(store: Store, intent: Intent) -> Intent:
    return await store.read(lambda connection: queries.find_any(connection, intent.id))


async def events(store: Store, intent: Intent) -> Sequence[Event]:
    return await store.read(lambda connection: events_of(connection, intent.id))


async def force(store: Store, intent: Intent, state: State) -> Intent:
    """Put an intent into a state, past all rules."""
    statement = update(intents).where(intents.c.id == intent.id).values(state=str(state))
    await store.database.write(lambda connection: connection.execute(statement))
    return await found(store, intent)


def settle_to(state: State) -> Callable[[Store, Intent], Awaitable[Intent]]:
    return lambda store, intent: store.submissions.settle(intent, state, actor="test")


WAYS: dict[State, Callable[[Store, Intent], Awaitable[Intent]]] = {
    State.APPROVED: approve,
    State.REJECTED: reject,
    State.WITHDRAWN: lambda store, intent: store.intents.withdraw(intent.id, AGENT),
    State.SUBMITTING: begin,
    State.PLACED: settle_to(State.PLACED),
    State.REFUSED: settle_to(State.REFUSED),
    State.NOT_SENT: settle_to(State.NOT_SENT),
    State.UNKNOWN: settle_to(State.UNKNOWN),
}


async def lose_track(store: Store, intent: Intent) -> Intent:
    why = Why(Reason.BACKUP_RESTORED, None)
    await store.database.write(lambda connection: store.submissions.lose_track(connection, why))
    return await found(store, intent)


# Transitions


async def test_what_waits_for_a_decision_is_never_settled(store: Store) -> None:
    """Only a restored backup leaves the fate of what nobody decided unknown."""
    intent = await parked(store)
    for to in State:
        with pytest.raises(ValueError, match="is not approved"):
            await store.submissions.settle(intent, to, actor="test")
    assert (await found(store, intent)).state is State.PENDING


@pytest.mark.parametrize("to", WAYS)
@pytest.mark.parametrize("before", State)
async def test_exactly_the_transitions_of_the_table_happen(store: Store, before: State, to: State) -> None:
    intent = await parked(store)
    if (before, to) == (State.APPROVED, State.SUBMITTING):  # only a recorded approval leads to a submission
        intent = await approve(store, intent)
    else:
        intent = await force(store, intent, before)
    if (before, to) in TRANSITIONS:
        restored = (before, to) == (State.PENDING, State.UNKNOWN)
        after = await (lose_track if restored else WAYS[to])(store, intent)
        assert after.state is to
        last = (await events(store, intent))[-1]
        assert (last.kind, last.data["from"]) == (f"intent:{to}", str(before))
        return
    repeats = before is to is State.WITHDRAWN
    try:
        assert (await WAYS[to](store, intent)).state is before
        assert repeats
    except (ValueError, Moved, NotDecidable, BrokerError):
        assert not repeats
    assert (await found(store, intent)).state is before
    assert [event.kind for event in await events(store, intent)] == ["intent:parked"]


@pytest.mark.parametrize("before", State)
async def test_only_a_pending_intent_expires(store: Store, clock: Clock, before: State) -> None:
    intent = await force(store, await parked(store), before)
    clock.advance(300)
    await store.intents.expire_due()
    assert (await found(store, intent)).state is (State.EXPIRED if before is State.PENDING else before)


async def test_an_intent_is_kept_whole(store: Store) -> None:
    asked = request(reason="dip", idempotency_key="a-key-of-mine", value_usdt=Decimal("900.123456"))
    intent = (await store.intents.park(asked, max_pending=MANY_PENDING)).intent
    assert intent == await found(store, intent)
    assert (intent.arguments, intent.card, intent.value_usdt) == (
        asked.arguments,
        asked.card,
        Decimal("900.123456"),
    )
    assert (intent.created_at, (intent.expires_at - NOON).total_seconds()) == (NOON, 300)


async def test_every_step_is_in_the_audit_log_with_its_actor(store: Store) -> None:
    intent = await parked(store)
    placed = await store.submissions.settle(
        await begin(store, await approve(store, intent)), State.PLACED, actor="binance", order=order()
    )
    await store.submissions.follow(placed, order(status="filled"))
    assert [(event.kind, event.actor) for event in await events(store, intent)] == [
        ("intent:parked", "agent:default"),
        ("intent:approved", "trader:Ana"),
        ("intent:submitting", "executor"),
        ("intent:placed", "binance"),
        ("order:changed", "binance"),
    ]
    assert (await events(store, intent))[1].data["digest"] == intent.digest


async def test_what_a_look_up_needs_is_kept_with_the_submission(store: Store) -> None:
    intent = await begin(store, await approve(store, await parked(store)))
    assert (intent.client_order_id, intent.namespace, intent.wire_timestamp_ms) == (
        f"cb-{intent.id}",
        "spot",
        1,
    )


async def test_a_transition_without_its_audit_row_does_not_happen(store: Store) -> None:
    intent = await parked(store)
    trigger = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    await store.database.write(lambda connection: connection.exec_driver_sql(trigger))
    with pytest.raises(Exception, match="disk full"):
        await approve(store, intent)
    assert (await found(store, intent)).state is State.PENDING


async def test_a_stale_picture_of_an_intent_moves_nothing(store: Store, neighbour: Store) -> None:
    approved = await approve(store, await parked(store))
    await begin(store, approved)
    for other in (store, neighbour):
        with pytest.raises(Moved):
            await begin(other, approved)
        with pytest.raises(Moved):
            await other.submissions.settle(approved, State.NOT_SENT, actor="test")
    assert (await found(store, approved)).state is State.SUBMITTING


async def test_only_one_of_two_executors_begins(store: Store, neighbour: Store) -> None:
    approved = await approve(store, await parked(store))
    tries = [begin(one, approved) for one in (store, neighbour) for _ in range(10)]
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(end, Intent) for end in ends) == 1
    assert sum(isinstance(end, Moved) for end in ends) == 19


# Parking what was parked before


async def test_fifty_parks_with_one_key_through_two_stores_make_one_intent(
    store: Store, neighbour: Store
) -> None:
    asked = request(idempotency_key="a-key-of-mine")
    answers = await asyncio.gather(
        *(
            (store, neighbour)[number % 2].intents.park(asked, max_pending=MANY_PENDING)
            for number in range(50)
        )
    )
    assert len({answer.intent.id for answer in answers}) == 1
    assert sum(not answer.deduplicated for answer in answers) == 1


async def test_fifty_equal_parks_without_a_key_make_one_intent(store: Store, neighbour: Store) -> None:
    answers = await asyncio.gather(
        *(
            (store, neighbour)[number % 2].intents.park(request(), max_pending=MANY_PENDING)
            for number in range(50)
        )
    )
    assert len({answer.intent.id for answer in answers}) == 1
    assert sum(not answer.deduplicated for answer in answers) == 1


async def test_a_key_with_other_arguments_is_a_conflict_that_names_the_intent(store: Store) -> None:
    first = await parked(store, idempotency_key="a-key-of-mine")
    with pytest.raises(BrokerError) as refused:
        other = {"symbol": "ETHUSDT"}
        await parked(store, idempotency_key="a-key-of-mine", asked=other, arguments=other)
    assert refused.value.code is Code.IDEMPOTENCY_CONFLICT
    assert refused.value.details["intentId"] == first.id


async def test_a_key_repeated_as_it_was_asked_is_no_conflict_though_it_rounds_otherwise_by_now(
    store: Store,
) -> None:
    """As where a position, which the broker reads, changed between two calls that came at once."""
    first = await parked(store, idempotency_key="a-key-of-mine")
    now = {"symbol": "BTCUSDT", "side": "buy", "type": "market", "amount": "0.014"}
    again = await store.intents.park(
        request(idempotency_key="a-key-of-mine", arguments=now), max_pending=MANY_PENDING
    )
    assert (again.intent, again.deduplicated) == (first, True)


async def test_a_key_answers_its_intent_whatever_became_of_it(store: Store, clock: Clock) -> None:
    first = await parked(store, idempotency_key="a-key-of-mine")
    clock.advance(300)
    again = await store.intents.park(request(idempotency_key="a-key-of-mine"), max_pending=MANY_PENDING)
    assert (again.intent.id, again.intent.state, again.deduplicated) == (first.id, State.EXPIRED, True)


async def test_keys_are_each_agents_own(store: Store) -> None:
    first = await parked(store, idempotency_key="a-key-of-mine")
    other = await parked(store, idempotency_key="a-key-of-mine", agent="another")
    assert first.id != other.id


async def test_without_a_key_a_request_attaches_only_while_the_other_waits(store: Store) -> None:
    first = await parked(store)
    again = await store.intents.park(
        request(reason="said otherwise", ttl_seconds=60), max_pending=MANY_PENDING
    )
    assert (again.intent, again.deduplicated) == (first, True)
    await reject(store, first)
    assert (await parked(store)).id != first.id


async def test_an_expired_request_attaches_nobody(store: Store, clock: Clock) -> None:
    first = await parked(store)
    clock.advance(300)
    assert (await parked(store)).id != first.id
    assert (await found(store, first)).state is State.EXPIRED


# Deciding


async def test_repeating_ones_own_decision_answers_the_first(store: Store, clock: Clock) -> None:
    intent = await parked(store)
    first = await approve(store, intent)
    clock.advance(10)
    assert await approve(store, intent) == first
    assert len(await events(store, intent)) == 2


async def test_a_repeated_rejection_keeps_the_first_reason(store: Store) -> None:
    intent = await parked(store)
    await reject(store, intent, reason="too much")
    again = await reject(store, intent, reason="on second thoughts")
    assert again.decision is not None
    assert again.decision.reason == "too much"


@pytest.mark.parametrize("second", [approve, reject])
@pytest.mark.parametrize("first", [approve, reject])
async def test_anothers_decision_comes_too_late_and_is_told_the_first(
    store: Store,
    neighbour: Store,
    first: Callable[..., Awaitable[Intent]],
    second: Callable[..., Awaitable[Intent]],
) -> None:
    intent = await parked(store)
    decided = await first(store, intent, "Ana")
    with pytest.raises(NotDecidable) as late:
        await second(neighbour, intent, "Ben")
    assert late.value.intent == decided == await found(store, intent)


async def test_nobody_turns_his_own_decision_round(store: Store) -> None:
    intent = await parked(store)
    rejected = await reject(store, intent)
    with pytest.raises(NotDecidable):
        await approve(store, intent)
    assert await found(store, intent) == rejected


async def test_two_traders_who_decide_at_once_make_one_decision(store: Store, neighbour: Store) -> None:
    for _ in range(20):
        intent = await parked(store, is_exit=True)
        ends = await asyncio.gather(
            approve(store, intent, "Ana"), reject(neighbour, intent, "Ben"), return_exceptions=True
        )
        assert sum(isinstance(end, NotDecidable) for end in ends) == 1
        assert len(await events(store, intent)) == 2


async def test_approving_after_the_expiry_records_it_and_says_so(store: Store, clock: Clock) -> None:
    intent = await parked(store)
    clock.advance(300)
    with pytest.raises(NotDecidable) as late:
        await approve(store, intent)
    assert late.value.intent.state is State.EXPIRED
    assert late.value.intent.decision is None
    assert [event.kind for event in await events(store, intent)] == ["intent:parked", "intent:expired"]


async def test_an_approval_in_the_last_moment_counts(store: Store, clock: Clock) -> None:
    intent = await parked(store)
    clock.advance(299.999)
    assert (await approve(store, intent)).state is State.APPROVED


@pytest.mark.parametrize("decide", [approve, reject])
async def test_in_its_last_half_millisecond_it_is_too_late(
    store: Store, clock: Clock, decide: Callable[[Store, Intent], Awaitable[Intent]]
) -> None:
    """Times are kept in whole milliseconds."""
    intent = await parked(store)
    clock.now = intent.expires_at - timedelta(microseconds=300)
    with pytest.raises(NotDecidable) as late:
        await decide(store, intent)
    assert late.value.intent.state is State.EXPIRED


async def test_another_digest_decides_nothing(store: Store) -> None:
    intent = await parked(store)
    for decide in (
        store.intents.approve(intent.id, "0" * 64, "Ana", LIMIT, standing=trusted, confirmed=True),
        store.intents.reject(intent.id, "0" * 64, "Ana", None, NO_SUGGESTION, standing=trusted),
    ):
        with pytest.raises(NotDecidable) as refused:
            await decide
        assert refused.value.intent == intent


async def test_an_approval_repeated_with_another_digest_is_no_repetition(store: Store) -> None:
    intent = await approve(store, await parked(store))
    with pytest.raises(NotDecidable):
        await store.intents.approve(intent.id, "0" * 64, "Ana", LIMIT, standing=trusted, confirmed=True)


async def test_a_rejection_keeps_its_words_for_the_agent(store: Store) -> None:
    intent = await parked(store)
    suggestion = Suggestion(amount=Decimal("0.010"), price=Decimal(59000))
    rejected = await store.intents.reject(
        intent.id, intent.digest, "Ana", "too much", suggestion, standing=trusted
    )
    assert rejected.decision is not None
    assert (rejected.decision.by, rejected.decision.at, rejected.decision.reason) == ("Ana", NOON, "too much")
    assert rejected.decision.suggestion == suggestion


async def test_an_intent_that_does_not_exist_cannot_be_decided(store: Store) -> None:
    with pytest.raises(BrokerError) as unknown:
        await store.intents.approve("nothing", "0" * 64, "Ana", LIMIT, standing=trusted, confirmed=True)
    assert unknown.value.code is Code.UNKNOWN_INTENT


# Withdrawing


async def test_withdrawing_twice_is_fine_and_once(store: Store) -> None:
    intent = await parked(store)
    await store.intents.withdraw(intent.id, AGENT)
    assert (await store.intents.withdraw(intent.id, AGENT)).state is State.WITHDRAWN
    assert len(await events(store, intent)) == 2


async def test_another_agents_intent_does_not_exist_for_one(store: Store) -> None:
    intent = await parked(store)
    with pytest.raises(BrokerError) as unknown:
        await store.intents.withdraw(intent.id, "another")
    assert unknown.value.code is Code.UNKNOWN_INTENT
    assert (await found(store, intent)).state is State.PENDING


async def test_what_was_decided_cannot_be_withdrawn(store: Store) -> None:
    intent = await approve(store, await parked(store))
    with pytest.raises(BrokerError) as refused:
        await store.intents.withdraw(intent.id, AGENT)
    assert refused.value.code is Code.NOT_PENDING
    assert refused.value.details["status"] == "approved"


# The day's volume


def of_value(number: int, value: int, **more: object) -> dict[str, object]:
    return {"arguments": {"amount": str(number)}, "value_usdt": Decimal(value), **more}


async def used(store: Store) -> Decimal:
    now = store.intents._clock()
    return await store.read(lambda connection: queries.daily_volume(connection, now))


async def test_a_thousand_approvals_at_once_never_pass_the_days_limit(store: Store, neighbour: Store) -> None:
    waiting = [await parked(store, **of_value(number, 30)) for number in range(1_000)]
    ends = await asyncio.gather(
        *(
            approve((store, neighbour)[number % 2], intent, f"Trader {number}")
            for number, intent in enumerate(waiting)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(end, Intent) for end in ends) == 333
    over = [end for end in ends if isinstance(end, OverDailyVolume)]
    assert len(over) == 667
    assert (over[0].used, over[0].limit) == (Decimal(9990), LIMIT)
    assert await used(store) == 9990


async def test_what_has_no_value_is_approved_on_a_day_that_is_full(store: Store) -> None:
    leaving = await parked(store, value_usdt=LIMIT + 1, is_exit=True)
    await approve(store, leaving)
    changes = {"tool": "binance_set_leverage", "arguments": {"symbol": "BTCUSDT", "leverage": 5}}
    leverage = await parked(store, **changes, value_usdt=Decimal(0))
    assert (await approve(store, leverage)).state is State.APPROVED
    entry = await parked(store, value_usdt=Decimal("0.000001"))
    with pytest.raises(OverDailyVolume):
        await approve(store, entry)


async def test_an_approval_over_the_limit_leaves_the_intent_pending(store: Store) -> None:
    await approve(store, await parked(store, **of_value(1, 9_500)))
    second = await parked(store, **of_value(2, 501))
    with pytest.raises(OverDailyVolume):
        await approve(store, second)
    assert await found(store, second) == second


async def test_the_limit_itself_is_allowed(store: Store) -> None:
    await approve(store, await parked(store, **of_value(1, 9_500)))
    assert (await approve(store, await parked(store, **of_value(2, 500)))).state is State.APPROVED


async def test_an_exit_is_never_refused_by_the_day_and_counts_in_it(store: Store) -> None:
    await approve(store, await parked(store, **of_value(1, 10_000)))
    await approve(store, await parked(store, **of_value(2, 5_000, is_exit=True)))
    await approve(store, await parked(store, arguments={"amount": "3"}, value_usdt=None, is_exit=True))
    assert await used(store) == 15_000


async def test_an_entry_of_unknown_value_is_not_approved(store: Store) -> None:
    with pytest.raises(OverDailyVolume):
        await approve(store, await parked(store, value_usdt=None))


@pytest.mark.parametrize(
    ("end", "counted"),
    [(State.PLACED, 900), (State.UNKNOWN, 900), (State.REFUSED, 0), (State.NOT_SENT, 0)],
)
async def test_only_what_may_be_at_binance_stays_in_the_days_volume(
    store: Store, clock: Clock, end: State, counted: int
) -> None:
    intent = await approve(store, await parked(store))
    assert await used(store) == 900
    begun = await store.submissions.begin(
        intent,
        is_exit=intent.is_exit,
        client_order_id="cb-1",
        namespace="spot",
        wire_timestamp_ms=round(clock.now.timestamp() * 1000),
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    assert await used(store) == 900
    await store.submissions.settle(begun, end, actor="binance")
    assert await used(store) == counted


async def test_a_new_day_starts_at_midnight_utc_and_counts_by_submission(store: Store, clock: Clock) -> None:
    clock.now = NOON.replace(hour=23, minute=59, second=50)
    sent = await approve(store, await parked(store, **of_value(1, 400)))
    await store.submissions.begin(
        sent,
        is_exit=sent.is_exit,
        client_order_id="cb-1",
        namespace="spot",
        wire_timestamp_ms=round(clock.now.timestamp() * 1000),
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    waiting = await approve(store, await parked(store, **of_value(2, 600)))
    clock.advance(15)
    assert await used(store) == 600, "what was approved yesterday will be submitted today"
    await store.submissions.begin(
        waiting,
        is_exit=waiting.is_exit,
        client_order_id="cb-2",
        namespace="spot",
        wire_timestamp_ms=round(clock.now.timestamp() * 1000),
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    assert await used(store) == 600
    clock.advance(86_400)
    assert await used(store) == 0


async def test_an_order_whose_binance_time_is_past_midnight_before_ours_counts_in_the_new_day(
    store: Store, clock: Clock
) -> None:
    clock.now = NOON.replace(hour=23, minute=59, second=58)
    intent = await approve(store, await parked(store))
    await store.submissions.begin(
        intent,
        is_exit=intent.is_exit,
        client_order_id="cb-1",
        namespace="spot",
        wire_timestamp_ms=round(clock.now.timestamp() * 1000) + 5_000,
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    clock.advance(4)
    assert await used(store) == 900


async def test_what_waits_is_shown_and_not_counted(store: Store) -> None:
    await parked(store)
    assert await used(store) == 0
    assert await store.read(queries.waiting_volume) == 900


# Reading


async def test_lists_are_in_the_order_that_people_read_them(store: Store, clock: Clock) -> None:
    made = []
    for number in range(3):
        made.append(await parked(store, **of_value(number, 10)))
        clock.advance(1)
    newest_first = await store.read(lambda connection: queries.of_agent(connection, AGENT, None, 2))
    assert [intent.id for intent in newest_first] == [made[2].id, made[1].id]
    oldest_first = await store.read(lambda connection: queries.in_states(connection, {State.PENDING}))
    assert [intent.id for intent in oldest_first] == [intent.id for intent in made]
    await reject(store, made[0])
    clock.advance(1)
    await reject(store, made[1])
    decided = await store.read(queries.decided)
    assert [intent.id for intent in decided] == [made[1].id, made[0].id]
    assert await store.read(queries.count_pending) == 1
    assert await store.read(lambda connection: queries.of_agent(connection, "another", None, 9)) == []


async def test_an_equal_order_that_may_be_at_binance_is_found(store: Store, clock: Clock) -> None:
    first = await approve(store, await parked(store))
    again = await parked(store)

    async def earlier() -> Intent | None:
        return await store.read(lambda c: queries.find_earlier_equal(c, again, clock() - EQUAL_WITHIN))

    assert await earlier() == first
    begun = await begin(store, first)
    clock.advance(EQUAL_WITHIN.total_seconds() + 1)
    unknown = await store.submissions.settle(begun, State.UNKNOWN, actor="executor")
    assert await earlier() == unknown, "nobody knows yet whether it is there"
    placed = await store.submissions.settle(unknown, State.PLACED, actor="reconciler", order=order())
    assert await earlier() is None, "it went out long ago, though it was heard of just now"
    await store.submissions.follow(placed, order(status="filled"))
    assert await earlier() is None


async def test_only_placed_orders_that_may_change_or_lack_their_fees_are_followed(store: Store) -> None:
    fee = {"cost": "0.1", "asset": "USDT"}
    states: list[dict[str, object]] = [
        {"status": "open", "fee": None},
        {"status": "partly_filled", "fee": fee},
        {"status": "filled", "fee": None},
        {"status": "filled", "fee": fee},
        {"status": "cancelled", "fee": None},
    ]
    kept = []
    for number, unsettled in enumerate(states):
        begun = await begin(store, await approve(store, await parked(store, **of_value(number, 10))))
        told = order(**unsettled)
        settled = await store.submissions.settle(begun, State.PLACED, actor="binance", order=told)
        kept.append(settled.id)
    followed = await store.read(queries.followed)
    assert [intent.id for intent in followed] == kept[:3]


async def test_a_number_of_the_log_belongs_to_one_row_for_all_writers(store: Store, neighbour: Store) -> None:
    await asyncio.gather(
        *(
            parked((store, neighbour)[number % 2], arguments={"amount": str(number)}, is_exit=True)
            for number in range(40)
        )
    )
    seqs = await store.read(lambda c: list(c.execute(select(audit.c.seq).order_by(audit.c.seq)).scalars()))
    assert seqs == list(range(1, 42))
    assert await store.read(lambda it: store.log.verify(it, None)) is None


async def test_only_the_same_agent_tool_and_market_repeat_a_request(store: Store) -> None:
    sent = await begin(store, await approve(store, await parked(store)))
    again = replace(sent, id="another", state=State.PENDING)

    async def earlier(intent: Intent) -> Intent | None:
        return await store.read(lambda it: queries.find_earlier_equal(it, intent, NOON - EQUAL_WITHIN))

    found = await earlier(again)
    assert found is not None and found.id == sent.id
    near = replace(again, equality="other", arguments=changed(sent.arguments, amount="0.0151"))
    assert await earlier(near) == found
    assert await earlier(replace(near, agent="another")) is None
    assert await earlier(replace(near, tool="binance_close_position")) is None
    assert await earlier(replace(near, market="futures")) is None
