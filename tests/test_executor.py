"""Approved → the one POST: whatever breaks, there is never a second order, and never a false verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from broker.clock import to_ms
from broker.executor import Executor
from broker.intents import Intent, State, digest_of
from broker.store import NotDecidable, events_of
from broker.store.tables import intents

from .support import BUY, NOON, ORDER, REST, TRADER, Wired, eventually, let_write, running, wired

pytestmark = pytest.mark.anyio

VERDICTS = [State.PLACED, State.REFUSED, State.NOT_SENT, State.UNKNOWN]
LOST: list[dict[str, Any]] = [
    {"when": "received", "do": "drop"},
    {"when": "received", "do": "reset"},
    {"when": "received", "do": "html", "http": 502},
    {"when": "received", "do": "code", "code": -1007, "http": 504},
    {"when": "executed", "do": "drop"},
    {"when": "executed", "do": "reset"},
    {"when": "executed", "do": "cut"},
    {"when": "executed", "do": "empty"},
    {"when": "executed", "do": "html", "http": 200},
    {"when": "executed", "do": "html", "http": 502},
    {"when": "executed", "do": "status", "http": 503, "msg": "Service Unavailable"},
    {"when": "executed", "do": "code", "code": -1000, "http": 400},
    {"when": "answered", "do": "cut"},
]


def another(broker: Wired) -> Executor:
    """As after a restart: it knows only what is in the database."""
    return Executor(
        settings=broker.settings, store=broker.store, exchange=broker.exchange, clock=broker.clock
    )


async def rewrite(broker: Wired, intent: Intent, **values: Any) -> Intent:
    """As somebody with the database in his hands."""
    statement = update(intents).where(intents.c.id == intent.id).values(values)
    await broker.store.database.write(lambda connection: connection.execute(statement))
    return await broker.intent(intent.id)


async def kinds(broker: Wired, intent: Intent) -> list[str]:
    events = await broker.store.read(lambda connection: events_of(connection, intent.id))
    return [event.kind for event in events]


async def test_an_approved_market_order_is_placed_once_and_its_fill_is_kept(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**BUY))
    assert intent.state is State.PLACED
    assert intent.order is not None
    assert (intent.order["status"], intent.order["filled"]) == ("filled", "0.015")
    (order,) = await broker.control.orders()
    assert order["clientOrderId"] == intent.client_order_id == f"cb-{intent.id}"
    assert await kinds(broker, intent) == [
        "intent:parked",
        "intent:approved",
        "intent:submitting",
        "intent:placed",
    ]


async def test_binances_refusal_is_told_in_its_words(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.do("balance", asset="USDT", free="1")
    refused = await broker.submitted(intent)
    assert refused.state is State.REFUSED
    answer = await broker.call("intent_get", intentId=intent.id)
    assert answer["outcome"] == (
        "Approved by Ana, but Binance refused it: "
        "Account has insufficient balance for requested action. Nothing was executed."
    )
    assert "result" not in answer


async def test_an_approval_that_grew_old_is_not_sent(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.clock.advance(30.001)
    late = await broker.submitted(intent)
    assert late.state is State.NOT_SENT
    assert late.note is not None and late.note.startswith("too late to send")
    assert await broker.control.requests() == []


async def test_an_approval_of_the_last_moment_is_sent(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.clock.advance(30)
    assert (await broker.submitted(intent)).state is State.PLACED


async def test_an_approval_that_grew_old_while_binance_was_slow_is_not_sent(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.exchange.spot._time.distrust()  # so that the time is asked for first
    await broker.control.do("fault", when="received", do="hold", path="/api/v3/time")
    broker.executor.take(intent)
    await broker.control.held()
    broker.clock.advance(31)
    await broker.control.do("release")
    assert (await broker.until(intent, *VERDICTS)).state is State.NOT_SENT
    assert await broker.control.requests() == []


@pytest.mark.parametrize(
    ("column", "note"),
    [
        ("canonical", "not the one that was approved"),
        ("approved", "no approval on record"),
        ("decided_by", "no approval on record"),
    ],
)
async def test_what_is_not_the_approved_request_is_not_sent(broker: Wired, column: str, note: str) -> None:
    intent = await broker.approved(**BUY)
    forged: dict[str, Any] = {
        "canonical": intent.canonical.replace('"0.015"', '"0.15"'),
        "approved": False,
        "decided_by": None,
    }
    intent = await rewrite(broker, intent, **{column: forged[column]})
    stopped = await broker.submitted(intent)
    assert stopped.state is State.NOT_SENT
    assert stopped.note is not None and note in stopped.note
    assert await broker.control.requests() == []


async def test_an_approval_that_stands_only_in_the_table_of_intents_is_none(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    forged = {"state": "approved", "approved": True, "decided_by": TRADER, "decided_at": to_ms(NOON)}
    stopped = await broker.submitted(await rewrite(broker, intent, **forged))
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the audit log holds no approval of this request",
    )
    assert await broker.control.requests() == []


async def test_terms_that_were_swapped_under_the_card_are_not_sent(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    canonical = intent.canonical.replace('"0.015"', '"0.15"')
    swapped = await rewrite(broker, intent, canonical=canonical, digest=digest_of(canonical))
    stopped = await broker.submitted(await broker.approve(swapped))
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the audit log holds no approval of this request",
    )
    assert await broker.control.requests() == []


async def test_an_approval_from_the_future_is_not_sent(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.clock.advance(-3600)
    stopped = await broker.submitted(intent)
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the clock went back since it was approved",
    )
    assert await broker.control.requests() == []


async def test_an_approval_of_another_digest_is_none(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    canonical = intent.canonical.replace('"0.015"', '"0.15"')
    forged = await rewrite(broker, intent, canonical=canonical, digest=digest_of(canonical))
    stopped = await broker.submitted(forged)
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the audit log holds no approval of this request",
    )
    assert await broker.control.requests() == []


async def test_a_request_for_another_account_is_not_sent(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    other = intent.canonical.replace('"account":"paper"', '"account":"mine"')
    intent = await rewrite(broker, intent, canonical=other, digest=digest_of(other))
    assert (await broker.submitted(intent)).note == "the request is for another account"
    assert await broker.control.requests() == []


async def test_the_order_is_built_from_the_approved_text_and_nothing_else(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    arguments = {**intent.arguments, "amount": "1.5", "side": "sell"}
    await broker.submitted(await rewrite(broker, intent, arguments=arguments, asked={}, card={}))
    (order,) = await broker.control.orders()
    assert (order["side"], order["origQty"]) == ("BUY", "0.01500000")


async def test_a_lost_answer_is_unknown_and_never_sent_again(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    async with wired(tmp_path, max_daily_volume_usdt=10**6) as broker:
        async with running(broker.executor.run()):
            for number, fault in enumerate(LOST):
                with subtests.test(str(fault)):
                    intent = await broker.approved(**{**REST, "price": f"{57_000 + number}"})
                    await broker.control.fault(**fault)
                    lost = await broker.submitted(intent)
                    assert lost.state is State.UNKNOWN
                    answer = await broker.call("intent_get", intentId=intent.id)
                    assert "MAY BE LIVE" in answer["outcome"]
                    assert answer["next"]["say"].startswith("Do not repeat it")
                    wires = [request["params"] for request in await broker.control.requests()]
                    mine = [wire for wire in wires if wire["newClientOrderId"] == f"cb-{intent.id}"]
                    assert len(mine) == 1
        await broker.reconciler.settle_unknown()
        orders = await broker.control.orders()
        assert len({order["clientOrderId"] for order in orders}) == len(orders)
        assert await broker.audit_holds()


async def test_no_connection_at_all_is_certain(broker: Wired) -> None:
    intent = await broker.approved(**REST)  # nothing has to be read before its POST
    await broker.exchange.spot.server_time_ms()
    await broker.paper.__aexit__(None, None, None)
    try:
        assert (await broker.submitted(intent)).state is State.NOT_SENT
    finally:
        await broker.paper.__aenter__()


async def test_while_binance_cannot_be_asked_the_approval_waits_and_then_is_too_old(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.exchange.spot._time.distrust()
    await broker.control.do("fault", when="received", do="code", path="/api/v3/time", http=503, times=99)
    broker.executor.take(intent)
    await asyncio.wait(broker.executor._under_way.values())
    assert (await broker.intent(intent.id)).state is State.APPROVED
    broker.clock.advance(31)
    assert (await broker.submitted(intent)).state is State.NOT_SENT


# After a restart


async def test_an_approval_found_at_start_is_looked_up_before_its_post(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    async with running(another(broker).run()):
        assert (await broker.until(intent, *VERDICTS)).state is State.PLACED
    (asked,) = await broker.control.requests("GET")
    assert asked["params"]["origClientOrderId"] == f"cb-{intent.id}"
    assert len(await broker.control.requests("POST")) == 1


async def test_an_approval_whose_order_is_at_binance_already_is_never_sent_again(broker: Wired) -> None:
    """As after a backup was restored that does not know of its submission."""
    placed = await broker.submitted(await broker.approved(**BUY))
    restored = await rewrite(
        broker, placed, state="approved", client_order_id=None, wire_timestamp_ms=None, order=None
    )
    async with running(another(broker).run()):
        found = await broker.until(restored, *VERDICTS)
    assert found.state is State.UNKNOWN
    answer = await broker.call("intent_get", intentId=found.id)
    assert "Certain by 2026-03-04T12:00:20" in answer["outcome"]
    await broker.reconciler.settle_unknown()
    assert (await broker.intent(found.id)).state is State.PLACED
    assert len(await broker.control.orders()) == 1


async def test_a_broker_that_died_before_its_post_has_sent_nothing_and_sends_nothing(broker: Wired) -> None:
    intent = await broker.begun(**BUY)
    await broker.reconciler.adopt()
    async with running(another(broker).run()):
        assert (await broker.intent(intent.id)).state is State.UNKNOWN
    assert await broker.control.requests() == []


async def test_a_broker_that_dies_after_its_post_leaves_one_order_and_the_next_finds_it(
    broker: Wired,
) -> None:
    intent = await broker.approved(**REST)
    await broker.control.fault("executed", "hold")
    broker.executor.take(intent)
    await broker.control.held()
    (task,) = broker.executor._under_way.values()
    task.cancel()
    await asyncio.wait([task])
    assert (await broker.intent(intent.id)).state is State.SUBMITTING
    await broker.reconciler.adopt()
    await broker.reconciler.settle_unknown()
    found = await broker.intent(intent.id)
    assert (found.state, found.order_status) == (State.PLACED, "open")
    async with running(another(broker).run()):
        assert len(await broker.control.orders()) == 1
    assert len(await broker.control.requests()) == 1


async def test_a_stopping_executor_lets_an_answer_arrive(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.fault("executed", "hold")
    async with running(broker.executor.run()):
        broker.executor.take(intent)
        await broker.control.held()
        stopping = asyncio.create_task(broker.control.do("release"))
    await stopping
    assert (await broker.intent(intent.id)).state is State.PLACED


async def test_many_executors_and_many_hands_make_one_order(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    others = [another(broker) for _ in range(5)]
    async with running(others[0].run()), running(others[1].run()):
        for executor in (broker.executor, *others, broker.executor):
            executor.take(intent)
        assert (await broker.until(intent, *VERDICTS)).state is State.PLACED
        for executor in (broker.executor, *others):
            if executor._under_way:
                await asyncio.wait(executor._under_way.values())
    assert len(await broker.control.orders()) == len(await broker.control.requests()) == 1
    assert await broker.audit_holds()


async def test_nothing_but_an_approved_intent_is_taken(broker: Wired) -> None:
    broker.executor.take(await broker.park(**BUY))
    assert not broker.executor._under_way


# The database fails


async def test_an_answer_waits_for_the_database_and_is_not_lost(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.fault("executed", "hold")
    broker.executor.take(intent)
    await broker.control.held()
    await let_write(broker.store, False)
    await broker.control.do("release")
    await eventually(broker.control.orders)
    assert (await broker.intent(intent.id)).state is State.SUBMITTING
    await let_write(broker.store, True)
    placed = await broker.until(intent, *VERDICTS)
    assert (placed.state, placed.order_status) == (State.PLACED, "filled")


async def test_what_cannot_be_committed_is_not_sent(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await let_write(broker.store, False)
    broker.executor.take(intent)
    await asyncio.wait(broker.executor._under_way.values())
    assert await broker.control.requests() == []
    await let_write(broker.store, True)
    assert (await broker.submitted(intent)).state is State.PLACED


async def test_an_answer_that_cannot_be_written_down_leaves_the_order_unknown(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    never = (
        "CREATE TRIGGER never BEFORE INSERT ON audit WHEN NEW.actor = 'binance' "
        "BEGIN SELECT RAISE(ABORT, 'this row is not accepted'); END"
    )
    await broker.store.database.write(lambda connection: connection.exec_driver_sql(never))
    left = await broker.submitted(intent)
    assert left.state is State.UNKNOWN
    await broker.reconciler.settle_unknown()
    assert (await broker.intent(intent.id)).state is State.PLACED


async def test_the_executor_says_whether_it_works(broker: Wired) -> None:
    async def healthy() -> bool:
        return broker.executor.healthy

    assert not await healthy()
    async with running(broker.executor.run()):
        await eventually(healthy)
    assert not await healthy()


async def test_an_expired_request_is_not_approved_and_so_not_sent(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    broker.clock.advance(300)
    with pytest.raises(NotDecidable):
        await broker.approve(intent)
    async with running(broker.executor.run()):
        assert await broker.control.requests(path=ORDER) == []
