"""Approved → the one POST: whatever breaks, there is never a second order, and never a false verdict."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from broker.clock import to_ms
from broker.events import EventKind
from broker.executor import Executor
from broker.halt import Level
from broker.intents import Intent, State, Suggestion, digest_of
from broker.store import NotDecidable, events_of, queries
from broker.store.backup import back_up
from broker.store.tables import intents

from .support import (
    BTC,
    BUY,
    NOON,
    ORDER,
    REST,
    TRADER,
    Wired,
    always_permit,
    card,
    eventually,
    give_key,
    let_write,
    open_store,
    running,
    settings_in,
    terms_of,
    trusted,
    wired,
)

pytestmark = pytest.mark.anyio

NO_APPROVAL = "the audit log has no approval of this request"
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
        settings=broker.settings,
        store=broker.store,
        exchange=broker.exchange,
        clock=broker.clock,
        permit=always_permit,
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
    assert (intent.order.stored()["status"], intent.order.stored()["filled"]) == ("filled", "0.015")
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
    why = "Account has insufficient balance for requested action."
    await broker.control.fault("received", "code", code=-2010, msg=why)
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
    assert late.note is not None and late.note.startswith("the approval is too old")
    assert await broker.control.requests() == []


async def test_what_kept_an_approval_from_being_sent_is_told(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    busy = {"method": "GET", "path": "/api/v3/depth", "code": -1003, "http": 429, "msg": "Too many requests."}
    await broker.control.do("fault", when="received", do="code", times=50, **busy)
    async with running(broker.executor.run()):
        await eventually(lambda: _was_delayed(broker))
        broker.clock.advance(31)
        late = await broker.until(intent, *VERDICTS)
    assert late.state is State.NOT_SENT
    assert late.note is not None
    assert late.note.startswith("the approval is too old: it could not be sent within 30 s; ")
    assert await broker.control.requests() == []


async def _was_delayed(broker: Wired) -> bool:
    return bool(broker.executor._last_errors)


async def test_an_approval_that_comes_beside_a_halt_is_not_sent(broker: Wired) -> None:
    """As in the moment between: what is halted is looked up again in the transaction before the POST."""
    intent = await broker.approved(**BUY)
    halts, log = broker.store.halts, broker.store.log

    def halt(connection: Connection) -> None:
        log.append(
            connection, at=NOON, kind=EventKind.TRADING_EXITS_ONLY, actor="trader:Ben", data={"reason": None}
        )

    await broker.store.database.write(halt)
    assert await broker.store.read(halts.current) is not None
    stopped = await broker.submitted(intent)
    assert (stopped.state, stopped.note) == (State.NOT_SENT, "Only exits are allowed (by Ben)")
    assert await broker.control.requests() == []


async def test_what_was_put_away_cannot_be_sent_by_rewriting_its_row(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    halt = await broker.store.halts.set(Level.HALTED, TRADER, None, standing=trusted, shown=0)
    await broker.store.halts.set(Level.OPEN, TRADER, None, standing=trusted, shown=halt.seq)
    forged = await rewrite(broker, intent, state="approved")
    stopped = await broker.submitted(forged)
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the audit log has no approval of this request",
    )
    assert await broker.control.requests() == []


async def test_an_old_approval_cannot_be_made_young_by_rewriting_its_row(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.clock.advance(3600)
    forged = await rewrite(broker, intent, decided_at=to_ms(broker.clock()))
    stopped = await broker.submitted(forged)
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the audit log has no approval of this request",
    )
    assert await broker.control.requests() == []


async def test_a_record_of_a_halt_that_was_tampered_with_halts_everything(broker: Wired) -> None:
    await broker.store.halts.set(Level.HALTED, TRADER, None, standing=trusted, shown=0)
    resumed = "INSERT INTO audit SELECT max(seq) + 1, at, 'trading:open', actor, NULL, data, mac FROM audit"
    await broker.store.database.write(lambda connection: connection.exec_driver_sql(resumed))
    halt = await broker.store.read(broker.store.halts.current)
    assert (halt.level, halt.reason) == (Level.HALTED, "the record of who halted trading was changed")


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
    async with running(broker.executor.run()):
        late = await broker.until(intent, *VERDICTS)
    assert late.state is State.NOT_SENT
    assert late.note is not None and late.note.startswith("the approval is too old")
    assert await broker.control.requests() == []


@pytest.mark.parametrize(
    ("column", "note"),
    [
        ("canonical", "differs from the one that was approved"),
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
        "the audit log has no approval of this request",
    )
    assert await broker.control.requests() == []


async def test_terms_that_were_swapped_under_the_card_are_not_sent(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    canonical = intent.canonical.replace('"0.015"', '"0.016"')
    swapped = await rewrite(broker, intent, canonical=canonical, digest=digest_of(canonical))
    stopped = await broker.submitted(await broker.approve(swapped))
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the audit log has no approval of this request",
    )
    assert await broker.control.requests() == []


async def test_an_approval_from_the_future_is_not_sent(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.clock.advance(-3600)
    stopped = await broker.submitted(intent)
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the broker's clock was set back after the approval",
    )
    assert await broker.control.requests() == []


async def test_an_approval_of_another_digest_is_none(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    canonical = intent.canonical.replace('"0.015"', '"0.016"')
    forged = await rewrite(broker, intent, canonical=canonical, digest=digest_of(canonical))
    stopped = await broker.submitted(forged)
    assert (stopped.state, stopped.note) == (
        State.NOT_SENT,
        "the audit log has no approval of this request",
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
    arguments = {**intent.arguments.stored(), "amount": "1.5", "side": "sell"}
    await broker.submitted(await rewrite(broker, intent, arguments=arguments, asked={}))
    (order,) = await broker.control.orders()
    assert (order["side"], order["origQty"]) == ("BUY", "0.01500000")


@pytest.mark.parametrize(
    "forged",
    [
        {"card": card(sentence="SELL 0.001 BTC", act="SELL 0.001 BTC").stored()},
        {"summary": "SELL 0.001 BTC"},
        {"reason": "Ana asked for it."},
        {"reason": None},
        {"agent": "another"},
        {"expires_at": to_ms(NOON + timedelta(seconds=3000))},
        {"note": "Price moved −5.0 %"},
    ],
    ids=["card", "summary", "reason", "no reason", "agent", "time left", "note"],
)
async def test_what_was_approved_by_a_card_that_was_rewritten_is_not_sent(
    broker: Wired, forged: dict[str, Any]
) -> None:
    give_key(broker.store, "another", "another-agents-own-key")
    shown = await rewrite(broker, await broker.park(**BUY, reason="The trend is up."), **forged)
    sent = await broker.submitted(await broker.approve(shown))
    assert (sent.state, sent.note) == (State.NOT_SENT, NO_APPROVAL)
    assert await broker.control.requests() == []


async def test_what_is_no_exit_any_more_waits_anew_as_an_entry(tmp_path: Path) -> None:
    """The operator has named euros cash since: to sell them for dollars had passed no limit by then."""
    async with wired(tmp_path, cash_assets="USDT") as broker:
        await broker.control.do("balance", asset="EUR", free="1000")
        intent = await broker.approved(symbol="EURUSDT", side="sell", amount="50")
        assert intent.is_exit
        now = settings_in(tmp_path, cash_assets="USDT,EUR")
        executor = Executor(
            settings=now,
            store=broker.store,
            exchange=broker.exchange,
            clock=broker.clock,
            permit=always_permit,
        )
        executor.take(intent)
        waits = await broker.until(intent, State.PENDING, State.PLACED)
        assert (waits.state, waits.is_exit, waits.note) == (State.PENDING, False, "It is no longer an exit")
        assert waits.digest != intent.digest
        assert await broker.control.requests() == []


async def test_an_entry_that_was_rewritten_to_be_an_exit_does_not_pass_exits_only(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    await broker.store.halts.set(Level.EXITS_ONLY, TRADER, None, standing=trusted, shown=0)
    forged = await rewrite(broker, intent, is_exit=True)
    sent = await broker.submitted(await broker.approve(forged))
    assert sent.state is State.NOT_SENT
    assert await broker.control.requests() == []


async def test_a_lost_answer_is_unknown_and_never_sent_again(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    limits: dict[str, Any] = {"max_daily_volume_usdt": 10**6, "max_position_size_pct": 100}
    async with wired(tmp_path, **limits) as broker:
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
    intent = await broker.approved(**REST)
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        addresses = broker.exchange.spot._executor.urls["api"]
        addresses["private"] = f"http://127.0.0.1:{port}/api/v3"
        settled = await broker.submitted(intent)
    assert (settled.state, settled.note) == (State.NOT_SENT, "no connection to Binance")


async def test_while_binance_cannot_be_asked_the_approval_waits_and_then_is_too_old(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.exchange.spot._time.distrust()
    await broker.control.do("fault", when="received", do="code", path="/api/v3/time", http=503, times=99)
    broker.executor.take(intent)
    await asyncio.wait(broker.executor._running.values())
    assert (await broker.intent(intent.id)).state is State.APPROVED
    broker.clock.advance(31)
    assert (await broker.submitted(intent)).state is State.NOT_SENT


# The checks again, just before submission


async def test_a_check_that_fails_by_now_stops_it(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.do("balance", asset="USDT", free="100")
    stopped = await broker.submitted(intent)
    assert stopped.state is State.NOT_SENT
    assert stopped.note is not None and stopped.note.startswith("Free USDT: 100.00 USDT, needed 900.90 USDT.")
    assert await broker.control.requests() == []


async def test_a_figure_that_cannot_be_read_is_waited_for_and_then_it_is_too_late(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    path = "/api/v3/account"
    await broker.control.do("fault", method="GET", when="received", do="code", path=path, http=503, times=99)
    broker.executor.take(intent)
    await asyncio.wait(broker.executor._running.values())
    assert (await broker.intent(intent.id)).state is State.APPROVED
    broker.clock.advance(31)
    assert (await broker.submitted(intent)).state is State.NOT_SENT
    assert await broker.control.requests() == []


async def test_two_approvals_never_count_on_the_same_money(broker: Wired) -> None:
    await broker.control.do("balance", asset="USDT", free="1500")
    settings = broker.settings.model_copy(update={"max_position_size_pct": Decimal(100)})
    object.__setattr__(broker.gateway, "settings", settings)
    executor = Executor(
        settings=settings,
        store=broker.store,
        exchange=broker.exchange,
        clock=broker.clock,
        permit=always_permit,
    )
    intents = [await broker.approved(**BUY, idempotencyKey=f"attempt-{number}") for number in range(2)]
    await broker.control.fault("received", "hold")
    for intent in intents:
        executor.take(intent)
    await broker.control.held()
    second = await broker.until(intents[1], State.NOT_SENT, State.PLACED, State.PENDING)
    await broker.control.do("release")
    assert second.state is State.NOT_SENT
    assert second.note is not None and second.note.startswith("Free USDT: ")
    assert ", needed 900.90 USDT." in second.note
    assert (await broker.until(intents[0], *VERDICTS)).state is State.PLACED


async def test_a_price_that_moved_brings_it_back_with_new_figures(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.clock.advance(10)
    await broker.control.do("price", symbol=BTC, price="61200")
    broker.executor.take(intent)
    back = await broker.until(intent, State.PENDING, *VERDICTS)
    assert back.state is State.PENDING
    assert back.note is not None and back.note.startswith("Price moved +2.0 %: now 61,200")
    assert back.decision is None and back.digest != intent.digest == digest_of(intent.canonical)
    assert back.digest == digest_of(back.canonical)
    assert Decimal(terms_of(back)["referencePrice"]) > 61_000 > Decimal(terms_of(intent)["worstPrice"])
    assert back.expires_at == broker.clock() + (intent.expires_at - intent.created_at)
    assert back.summary != intent.summary
    assert await broker.control.requests() == []
    with pytest.raises(NotDecidable):
        await broker.approve(intent)
    again = await broker.submitted(await broker.approve(back))
    assert again.state is State.PLACED
    assert len(await broker.control.requests()) == 1
    assert await kinds(broker, intent) == [
        "intent:parked",
        "intent:approved",
        "intent:pending",
        "intent:approved",
        "intent:submitting",
        "intent:placed",
    ]


async def test_the_days_volume_counts_what_it_was_last_checked_with(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.do("price", symbol=BTC, price="60250")
    placed = await broker.submitted(intent)
    assert (intent.value_usdt, placed.value_usdt) == (Decimal("900.00015"), Decimal("903.75015"))
    volume = await broker.store.read(lambda it: queries.daily_volume(it, broker.clock()))
    assert volume == placed.value_usdt


async def test_an_exit_whose_value_cannot_be_read_any_more_counts_as_when_it_was_asked_for(
    broker: Wired,
) -> None:
    await broker.control.do("balance", asset="BTC", free="0.015")
    intent = await broker.approved(**{**BUY, "side": "sell"})
    await broker.control.do(
        "fault", method="GET", when="received", do="code", path="/api/v3/depth", http=503, times=9
    )
    placed = await broker.submitted(intent)
    assert (placed.state, placed.value_usdt) == (State.PLACED, intent.value_usdt)


async def test_what_the_agent_asked_for_anew_meanwhile_does_not_wait_twice(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.do("price", symbol=BTC, price="61200")
    twin = await broker.park(**BUY)
    assert twin.id != intent.id
    ended = await broker.submitted(intent)
    assert ended.state is State.NOT_SENT
    assert ended.note is not None and ended.note.endswith("an equal request waits already")
    assert (await broker.intent(twin.id)).state is State.PENDING


async def test_the_new_figures_are_told_to_the_agent_that_waits(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    waiting = asyncio.create_task(broker.call("intent_wait", intentId=intent.id, timeoutSeconds=5))
    await broker.control.do("price", symbol=BTC, price="61200")
    broker.executor.take(intent)
    back = await broker.until(intent, State.PENDING)
    told = await broker.call("intent_get", intentId=intent.id)
    assert (told["status"], told["digest"]) == ("pending", back.digest)
    assert "Price moved +2.0 %" in told["outcome"]
    await broker.store.intents.reject(back.id, back.digest, TRADER, "no", Suggestion(), standing=trusted)
    assert (await waiting)["status"] == "rejected"


# After a restart


async def test_an_approval_found_at_start_is_looked_up_before_its_post(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    async with running(another(broker).run()):
        assert (await broker.until(intent, *VERDICTS)).state is State.PLACED
    (asked,) = await broker.control.requests("GET")
    assert asked["params"]["origClientOrderId"] == f"cb-{intent.id}"
    assert len(await broker.control.requests("POST")) == 1


async def test_so_is_one_that_is_approved_again_after_the_start(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    broker.clock.advance(1)
    another(broker).take(intent)
    assert (await broker.until(intent, *VERDICTS)).state is State.PLACED
    (asked,) = await broker.control.requests("GET")
    assert asked["params"]["origClientOrderId"] == f"cb-{intent.id}"


async def test_what_a_folder_that_was_put_back_holds_as_waiting_is_not_sent_a_second_time(
    broker: Wired, tmp_path: Path
) -> None:
    """The database with its key and its head, as from a machine's snapshot: nothing in it tells its age."""
    intent = await broker.park(**BUY)
    path, again = tmp_path / "paper.db", tmp_path / "again" / "paper.db"
    again.parent.mkdir()
    for name in ("paper.db.audit-key", "paper.db.audit-head"):
        shutil.copy(path.with_name(name), again.with_name(name))
    back_up(path, again)
    await broker.submitted(await broker.approve(intent))
    broker.clock.advance(1)
    with closing(open_store(again, broker.clock)) as store:
        anew = Executor(
            settings=broker.settings,
            store=store,
            exchange=broker.exchange,
            clock=broker.clock,
            permit=always_permit,
        )
        limit = broker.settings.max_daily_volume_usdt
        anew.take(
            await store.intents.approve(
                intent.id, intent.digest, TRADER, limit, standing=trusted, confirmed=True
            )
        )
        await asyncio.wait(anew._running.values())
        found = await store.read(lambda connection: queries.find_any(connection, intent.id))
    assert found.state is State.UNKNOWN
    assert len(await broker.control.orders()) == 1


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
    (task,) = broker.executor._running.values()
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
            if executor._running:
                await asyncio.wait(executor._running.values())
    assert len(await broker.control.orders()) == len(await broker.control.requests()) == 1
    assert await broker.audit_holds()


async def test_nothing_but_an_approved_intent_is_taken(broker: Wired) -> None:
    broker.executor.take(await broker.park(**BUY))
    assert not broker.executor._running


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
    await asyncio.wait(broker.executor._running.values())
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


async def test_what_cannot_be_read_does_not_end_the_executor_and_gives_up_nothing_that_is_sent(
    broker: Wired,
) -> None:
    approved = await broker.approved(**REST)
    await broker.control.fault("executed", "hold")

    async def rewritten(card: str) -> None:
        statement = f"UPDATE intents SET card = '{card}' WHERE id = '{other.id}'"
        await broker.store.database.write(lambda connection: connection.exec_driver_sql(statement))

    async def healthy() -> bool:
        return broker.executor.healthy

    async def unwell() -> bool:
        return not broker.executor.healthy

    async with running(broker.executor.run()):
        broker.executor.take(approved)
        await broker.control.held()
        await eventually(healthy)
        other = await broker.park(**BUY)
        await rewritten("{")
        state = update(intents).where(intents.c.id == other.id).values(state="approved")
        await broker.store.database.write(lambda connection: connection.execute(state))
        await eventually(unwell)
        await broker.control.do("release")
        assert (await broker.until(approved, *VERDICTS)).state is State.PLACED
        await rewritten('{"act": "BUY"}')
        await eventually(healthy)


async def test_no_trouble_is_remembered_of_what_was_put_away(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    busy = {"method": "GET", "path": "/api/v3/depth", "code": -1003, "http": 429, "msg": "Too many requests."}
    await broker.control.do("fault", when="received", do="code", **busy)
    broker.executor.take(intent)
    await asyncio.wait(broker.executor._running.values())
    assert await _was_delayed(broker)
    await broker.store.halts.set(Level.HALTED, TRADER, None, standing=trusted, shown=0)

    async def forgotten() -> bool:
        return not broker.executor._last_errors

    async with running(broker.executor.run()):
        await eventually(forgotten)


async def test_an_expired_request_is_not_approved_and_so_not_sent(broker: Wired) -> None:
    intent = await broker.park(**BUY)
    broker.clock.advance(300)
    with pytest.raises(NotDecidable):
        await broker.approve(intent)
    async with running(broker.executor.run()):
        assert await broker.control.requests(path=ORDER) == []
