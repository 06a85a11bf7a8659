"""Changing the leverage of a symbol: a setting, not an order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from broker.errors import Code
from broker.exchange import Leverage, Position
from broker.intents import Intent, State
from broker.orders.context import Context
from broker.orders.leverage import Change
from broker.paper.futures.positions import MarginType
from broker.tools import HIGH

from ..support import BTC, RESTORED, TRADER, Wired, eventually, running, terms_of, trusted
from .support import (
    CREATE,
    FAPI_LEVERAGE,
    FAPI_ORDER,
    FUTURES_BUY,
    LEVERAGE,
    checks_of,
    failing,
    parked,
    past_the_horizon,
    placed,
    refused,
    trade,
)

pytestmark = pytest.mark.anyio

SETTLED = (State.PLACED, State.REFUSED, State.NOT_SENT, State.UNKNOWN)
FIVE: dict[str, Any] = {"symbol": BTC, "leverage": 5}


def context(broker: Wired) -> Context:
    return Context(settings=broker.settings, exchange=broker.exchange, store=broker.store, clock=broker.clock)


async def test_it_is_set_and_told_with_what_it_was(futures: Wired) -> None:
    intent = await placed(futures, LEVERAGE, **FIVE)
    assert (intent.state, intent.namespace, intent.order) == (State.PLACED, "leverage", None)
    (wire,) = [entry["params"] for entry in await futures.control.requests("POST", FAPI_LEVERAGE)]
    assert (wire["symbol"], wire["leverage"]) == (BTC, "5")
    assert wire["timestamp"] == str(intent.wire_timestamp_ms)
    answer = await futures.call("intent_get", intentId=intent.id)
    assert answer["outcome"] == "Done at Binance."
    assert answer["result"] == {
        "success": True,
        "symbol": BTC,
        "leverage": 5,
        "previousLeverage": 20,
        "message": "Leverage of BTCUSDT set from 20× to 5×",
    }


async def test_it_counts_as_an_entry_of_no_value(futures: Wired) -> None:
    intent = await parked(futures, LEVERAGE, **FIVE)
    assert (intent.is_exit, intent.value_usdt) == (False, Decimal(0))
    assert (intent.expires_at - intent.created_at).seconds == futures.settings.intent_ttl_seconds
    assert terms_of(intent)["previous"] == "20"


@pytest.mark.parametrize("leverage", [21, 125])
async def test_above_the_limit_it_is_never_parked(futures: Wired, leverage: int) -> None:
    error = await refused(futures, LEVERAGE, symbol=BTC, leverage=leverage)
    assert error.code is Code.LEVERAGE_TOO_HIGH
    assert error.details == {"field": "leverage", "leverage": leverage, "limit": 20}


@pytest.mark.parametrize("leverage", [0, 126, 2.5, "5x", True])
async def test_what_is_no_leverage_is_refused_by_name(futures: Wired, leverage: Any) -> None:
    error = await refused(futures, LEVERAGE, symbol=BTC, leverage=leverage)
    assert error.code is Code.INVALID_ARGUMENTS
    assert error.details["fields"][0]["field"] == "leverage"


async def test_what_is_set_already_is_not_asked_for(futures: Wired) -> None:
    error = await refused(futures, LEVERAGE, symbol=BTC, leverage=20)
    assert error.code is Code.INVALID_ARGUMENTS
    assert "is already 20×" in error.message


async def test_a_lost_answer_is_settled_by_what_is_set(futures: Wired) -> None:
    await futures.control.do("fault", when="executed", do="drop", method="POST", path=FAPI_LEVERAGE)
    lost = await placed(futures, LEVERAGE, **FIVE)
    assert lost.state is State.UNKNOWN
    await futures.reconciler.settle_unknown()
    assert (await futures.intent(lost.id)).state is State.UNKNOWN, "it may be another's doing so far"
    await past_the_horizon(futures, lost)
    await futures.reconciler.settle_unknown()
    assert (await futures.intent(lost.id)).state is State.PLACED
    assert len(await futures.control.requests("POST", FAPI_LEVERAGE)) == 1


async def test_what_somebody_else_has_set_meanwhile_is_not_told_as_set_by_this(futures: Wired) -> None:
    intent = await futures.approve(await parked(futures, LEVERAGE, symbol=BTC, leverage=10))
    venue = futures.exchange.futures
    await venue.set_leverage(BTC, 10, timestamp_ms=await venue.server_time_ms())
    async with running(futures.executor.run()):
        settled = await futures.until(intent, State.NOT_SENT, State.PLACED, State.UNKNOWN)
    assert settled.state is State.NOT_SENT
    assert settled.note == "leverage: is already 10×"


async def test_a_change_that_was_never_executed_is_not_found(futures: Wired) -> None:
    await futures.control.do("fault", when="received", do="drop", method="POST", path=FAPI_LEVERAGE)
    lost = await placed(futures, LEVERAGE, **FIVE)
    assert lost.state is State.UNKNOWN
    assert await HIGH[LEVERAGE].look_up(futures.exchange, lost.terms, "") is None


async def test_a_lost_change_that_somebody_else_changed_is_told_in_words_of_the_leverage(
    futures: Wired,
) -> None:
    await futures.control.do("fault", when="executed", do="drop", method="POST", path=FAPI_LEVERAGE)
    lost = await placed(futures, LEVERAGE, **FIVE)
    venue = futures.exchange.futures
    await venue.set_leverage(BTC, 7, timestamp_ms=await venue.server_time_ms())
    await futures.control.do("clock", offset_ms=21_000)
    for _ in range(2):
        await futures.reconciler.settle_unknown()
    settled = await futures.intent(lost.id)
    assert (settled.state, settled.unsure) == (State.NOT_SENT, True)
    answer = await futures.call("intent_get", intentId=lost.id)
    assert answer["outcome"] == (
        "Approved by Ana. It is not certain whether it was carried out: "
        "the leverage is 7× now, not the 5× asked for."
    )
    assert answer["next"]["say"].startswith("Tell the user to check at Binance.")


async def restored(futures: Wired) -> Intent:
    """Parked before a backup was taken; what was decided afterwards is in no record."""
    intent = await parked(futures, LEVERAGE, **FIVE)
    submissions = futures.store.submissions
    await futures.store.database.write(lambda connection: submissions.lose_track(connection, RESTORED))
    futures.clock.advance(60)
    return await futures.intent(intent.id)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (5, "a backup from before its approval was restored"),
        (20, "the leverage is 20× now, not the 5× asked for"),
    ],
)
async def test_of_a_change_that_a_restored_backup_had_waiting_nobody_says_that_nothing_was_executed(
    futures: Wired, now: int, why: str
) -> None:
    intent = await restored(futures)
    venue = futures.exchange.futures
    await venue.set_leverage(BTC, now, timestamp_ms=await venue.server_time_ms())
    for _ in range(2):
        await futures.reconciler.settle_unknown()
    answer = await futures.call("intent_get", intentId=intent.id)
    assert (answer["status"], answer["outcome"]) == (
        "not_sent",
        f"It is not certain whether it was carried out: {why}.",
    )


@pytest.mark.parametrize("word", [State.PLACED, State.NOT_SENT])
async def test_what_is_set_now_neither_bears_out_nor_contradicts_a_traders_word(
    futures: Wired, word: State
) -> None:
    await futures.control.do("fault", when="executed", do="drop", method="POST", path=FAPI_LEVERAGE)
    lost = await placed(futures, LEVERAGE, **FIVE)
    venue = futures.exchange.futures
    await venue.set_leverage(BTC, 7, timestamp_ms=await venue.server_time_ms())
    futures.clock.advance(60)
    await futures.store.submissions.record_word(lost.id, word, TRADER, None, standing=trusted, offset_ms=0)
    for _ in range(4):
        await futures.reconciler.check_words()
    checked = await futures.intent(lost.id)
    assert (checked.state, checked.word_holds, checked.diverged) == (word, None, None)
    asked = "/fapi/v1/symbolConfig"
    before = len(await futures.control.requests("GET", asked))
    for _ in range(100):
        await futures.reconciler.check_words()
    assert 0 < len(await futures.control.requests("GET", asked)) - before < 15, "ever more rarely"


async def test_while_one_change_is_not_settled_another_is_refused(futures: Wired) -> None:
    await futures.control.do("fault", when="received", do="drop", method="POST", path=FAPI_LEVERAGE)
    waiting = await parked(futures, LEVERAGE, symbol=BTC, leverage=4)
    lost = await placed(futures, LEVERAGE, **FIVE)
    assert lost.state is State.UNKNOWN
    error = await refused(futures, LEVERAGE, symbol=BTC, leverage=3)
    assert failing(error) == ["in_flight"]
    settled = await futures.submitted(await futures.approve(waiting))
    assert settled.state is State.NOT_SENT
    assert settled.note is not None and "not settled yet: 1, limit 0" in settled.note
    assert (await parked(futures, LEVERAGE, symbol="ETHUSDT", leverage=3)).state is State.PENDING


@pytest.mark.parametrize("first", ["order", "leverage"])
async def test_no_order_is_on_its_way_while_its_leverage_is_changed(futures: Wired, first: str) -> None:
    paths = {"order": FAPI_ORDER, "leverage": FAPI_LEVERAGE}
    approved = {
        "order": await futures.approve(await parked(futures, CREATE, **FUTURES_BUY)),
        "leverage": await futures.approve(await parked(futures, LEVERAGE, **FIVE)),
    }
    (second,) = approved.keys() - {first}
    await futures.control.do("fault", when="received", do="hold", method="POST", path=paths[first])
    async with running(futures.executor.run()):
        futures.executor.take(approved[first])
        await futures.control.held()

        async def waits() -> bool:
            return approved[second].id in futures.executor._last_errors

        await eventually(waits)
        assert (await futures.intent(approved[second].id)).state is State.APPROVED
        assert await futures.control.requests("POST", paths[second]) == []
        await futures.control.do("release")
        assert (await futures.until(approved[first], *SETTLED)).state is State.PLACED
        then = await futures.until(approved[second], State.PENDING, *SETTLED)
    # A card that said 20× is not sent at 5×.
    assert then.state is (State.PENDING if second == "order" else State.PLACED)


async def test_two_that_are_approved_at_once_are_not_on_their_way_together(futures: Wired) -> None:
    intents = [
        await futures.approve(await parked(futures, LEVERAGE, **FIVE)),
        await futures.approve(await parked(futures, CREATE, **FUTURES_BUY)),
    ]
    for path in (FAPI_ORDER, FAPI_LEVERAGE):
        await futures.control.do("fault", when="received", do="drop", method="POST", path=path)
    for intent in intents:
        futures.executor.take(intent)
    await asyncio.wait(futures.executor._running.values())
    states = sorted([(await futures.intent(intent.id)).state for intent in intents])
    assert states == [State.APPROVED, State.UNKNOWN]


async def test_while_an_order_is_not_settled_its_leverage_is_not_asked_for(futures: Wired) -> None:
    await trade(futures, "buy", "0.015")
    await futures.control.do("fault", when="received", do="drop", method="POST", path=FAPI_ORDER)
    leaving = {**FUTURES_BUY, "side": "sell", "reduceOnly": True}
    assert (await placed(futures, CREATE, **leaving)).state is State.UNKNOWN
    assert (await parked(futures, LEVERAGE, **FIVE)).state is State.PENDING, "an exit does not go by it"
    await futures.control.do("fault", when="received", do="drop", method="POST", path=FAPI_ORDER)
    assert (await placed(futures, CREATE, **FUTURES_BUY)).state is State.UNKNOWN
    error = await refused(futures, LEVERAGE, symbol=BTC, leverage=4)
    assert error.code is Code.BINANCE_UNAVAILABLE
    assert error.message.startswith("An order in BTCUSDT is being sent")
    assert (await parked(futures, LEVERAGE, symbol="ETHUSDT", leverage=3)).state is State.PENDING


async def test_what_changed_meanwhile_is_shown_anew(futures: Wired) -> None:
    intent = await parked(futures, LEVERAGE, **FIVE)
    other = await futures.exchange.futures.set_leverage(
        BTC, 10, timestamp_ms=await futures.exchange.futures.server_time_ms()
    )
    assert other.verdict == "placed"
    futures.executor.take(await futures.approve(intent))
    anew = await futures.until(intent, State.PENDING, State.PLACED)
    assert (anew.state, anew.note) == (State.PENDING, "Leverage is 10× now, the card said 20×")
    assert (terms_of(anew)["previous"], anew.card.stored()["act"]) == ("10", "LEVERAGE 10× → 5×")


async def test_it_needs_margin_where_a_position_is_open(futures: Wired) -> None:
    await trade(futures, "buy", "0.05")
    check = checks_of(await parked(futures, LEVERAGE, **FIVE))["balance"]
    notional = Decimal("0.05") * Decimal(60_000)
    assert Decimal(check["figure"]) == notional / 5 - notional / 20
    await futures.control.do("balance", asset="USDT", free="100", market="futures")
    assert failing(await refused(futures, LEVERAGE, symbol=BTC, leverage=4)) == ["balance"]


async def test_raising_it_needs_no_margin(futures: Wired) -> None:
    await placed(futures, LEVERAGE, **FIVE)
    await trade(futures, "buy", "0.05")
    intent = await parked(futures, LEVERAGE, symbol=BTC, leverage=20)
    assert list(checks_of(intent)) == ["leverage", "in_flight"]
    assert intent.summary == "LEVERAGE 5× → 20×, cross, no liquidation price"


async def test_of_an_isolated_position_it_may_rise_alone(futures: Wired) -> None:
    assert futures.paper.futures is not None
    await placed(futures, LEVERAGE, **FIVE)
    futures.paper.futures.set_margin_type(BTC, MarginType.ISOLATED)
    await trade(futures, "buy", "0.05")
    (position,) = await futures.exchange.futures.positions(BTC)
    error = await refused(futures, LEVERAGE, symbol=BTC, leverage=4)
    assert error.code is Code.ORDER_FILTER
    assert error.details == {"field": "leverage", "min": 5}
    intent = await parked(futures, LEVERAGE, symbol=BTC, leverage=20)
    assert position.liquidation_price is not None
    before = f"{round(position.liquidation_price, 3):,f}"
    assert intent.summary.startswith(f"LEVERAGE 5× → 20×, isolated, liquidation {before} → 57,")
    assert intent.card.stored()["figures"][0]["value"] == "LONG 0.05 BTC, entry 60,000.1"


async def test_an_order_after_it_is_checked_by_what_is_set(futures: Wired) -> None:
    await placed(futures, LEVERAGE, **FIVE)
    checks = checks_of(await parked(futures, CREATE, **FUTURES_BUY))
    assert checks["leverage"]["figure"] == "5"


async def test_figures_now_tell_the_leverage(futures: Wired) -> None:
    intent = await parked(futures, LEVERAGE, **FIVE)
    (now, price) = await HIGH[LEVERAGE].figures_now(context(futures), intent)
    assert (now.label, now.value, now.tone) == ("Leverage now", "20×", "plain")
    assert price.value == "60,000 USDT"


LONG = Position(
    symbol=BTC,
    side="LONG",
    size=Decimal("0.1"),
    entry_price=Decimal(60_000),
    mark_price=Decimal(60_000),
    unrealized=Decimal(0),
    liquidation_price=Decimal(50_000),
    leverage=5,
    margin_type="isolated",
    maintenance_margin=Decimal(24),
)


def change(position: Position | None, target: int) -> Change:
    margin_type = "cross" if position is None else position.margin_type
    return Change(
        target=target,
        base="BTC",
        now=Leverage(BTC, 5, margin_type),
        position=position,
        account=None,  # type: ignore[arg-type]  # no figure of it is asked for
    )


@pytest.mark.parametrize("side", ["LONG", "SHORT"])
def test_an_isolated_position_is_liquidated_where_its_margin_is_down_to_the_maintenance_margin(
    side: Any,
) -> None:
    position = replace(LONG, side=side)
    price = change(position, 20).liquidation
    assert price is not None
    sign = 1 if side == "LONG" else -1
    left = position.size * (60_000 / Decimal(20) + sign * (price - 60_000))
    assert abs(left - position.size * price * Decimal("0.004")) < Decimal("0.000001")


def test_cross_liquidation_does_not_depend_on_leverage_and_no_position_has_none() -> None:
    assert change(replace(LONG, margin_type="cross"), 20).liquidation == 50_000
    assert change(None, 20).liquidation is None
