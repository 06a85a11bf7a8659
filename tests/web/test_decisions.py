from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from broker.clock import to_ms
from broker.errors import BrokerError, Code
from broker.intents import Intent, State
from broker.store import queries

from .support import MovableClock, World, check

pytestmark = pytest.mark.anyio

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://localhost/"}


async def decide(
    browser: httpx2.AsyncClient, intent: Intent, decision: str, *, script: bool = False, **fields: str
) -> httpx2.Response:
    return await browser.post(
        f"/intents/{intent.id}/decision",
        data={"digest": intent.digest, "decision": decision, **fields},
        headers=HTMX if script else {},
    )


async def now(desk: World, intent: Intent) -> Intent:
    return await desk.store.read(lambda connection: queries.find_any(connection, intent.id))


async def test_an_approval_is_recorded_and_the_executor_told(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    answer = await decide(ana, intent, "approve")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/intents/{intent.id}")
    stored = await now(desk, intent)
    assert stored.state is State.APPROVED
    assert stored.decision and stored.decision.by == "Ana"
    assert desk.approved == [stored]


async def test_the_pages_script_gets_the_card_as_it_is_now(desk: World, ana: httpx2.AsyncClient) -> None:
    answer = await decide(ana, await desk.park(), "approve", script=True)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert "Approved by Ana, sending" in answer.text
    assert "<form" not in answer.text


async def test_a_rejection_reaches_the_record_with_reason_and_suggestion(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park(suggestible=["amount", "price"])
    answer = await decide(
        ana,
        intent,
        "reject",
        reason_preset="Too large",
        reason="  Half would do. ",
        suggested_amount="0.0075",
        suggested_price="61000.5",
    )
    assert answer.status_code == 303
    decision = (await now(desk, intent)).decision
    assert decision and not decision.approved
    assert decision.reason == "Too large: Half would do."
    assert (decision.suggestion.amount, decision.suggestion.price) == (Decimal("0.0075"), Decimal("61000.5"))
    assert desk.approved == []


async def test_a_rejection_needs_no_reason(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    await decide(ana, intent, "reject")
    decision = (await now(desk, intent)).decision
    assert decision and decision.reason is None and not decision.suggestion


@pytest.mark.parametrize("reason", ["\u3164", "\u2800 \u2800", "\u115f\u1160\uffa0", "\u200b"], ids=ascii)
async def test_a_reason_that_cannot_be_seen_is_none(
    desk: World, ana: httpx2.AsyncClient, reason: str
) -> None:
    intent = await desk.park()
    await decide(ana, intent, "reject", reason=reason)
    decision = (await now(desk, intent)).decision
    assert decision and decision.reason is None


async def test_a_reason_can_neither_turn_nor_break_the_line_it_is_told_in(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park()
    await decide(ana, intent, "reject", reason="too\u202e big\x07\r\nfor now")
    decision = (await now(desk, intent)).decision
    assert decision and decision.reason == "too big for now"


async def test_a_reason_that_is_no_text_is_shown_as_far_as_it_can_be(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park()
    fields = {"digest": intent.digest, "decision": "reject", "reason": "x+2AA-", "suggested_amount": "0"}
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    answer = await ana.post(
        f"/intents/{intent.id}/decision",
        content="".join(parts) + "--x--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"},
    )
    assert answer.status_code == 422
    assert "x?</textarea>" in answer.text


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"suggested_amount": "0,0075"}, "Suggested amount: must be a finite number in plain digits (use"),
        ({"suggested_amount": "0"}, "Suggested amount: must be above zero"),
        ({"suggested_amount": "-1"}, "Suggested amount: must be above zero"),
        ({"suggested_amount": "NaN"}, "Suggested amount: must be a finite number"),
        ({"suggested_amount": "1e400"}, "Suggested amount: is too large or too small"),
        ({"suggested_price": "61000"}, "Suggested price: cannot be suggested for this request"),
        ({"reason_preset": "Because"}, "Reason: must be one of the options"),
        ({"reason": "x" * 301}, "In your words: must have at most 300 characters, not 301"),
    ],
)
@pytest.mark.parametrize("script", [True, False])
async def test_a_bad_field_is_named_and_nothing_typed_is_lost(
    desk: World, ana: httpx2.AsyncClient, fields: dict[str, str], problem: str, script: bool
) -> None:
    intent = await desk.park()
    typed = {"reason": "Kept & <b>safe</b>", **fields}
    answer = await decide(ana, intent, "reject", script=script, **typed)
    assert answer.status_code == 422
    assert problem in answer.text
    assert "x" * 301 in answer.text or "Kept &amp; &lt;b&gt;safe&lt;/b&gt;" in answer.text
    if "suggested_amount" in fields:
        assert f'value="{fields["suggested_amount"]}"' in answer.text
    assert (await now(desk, intent)).state is State.PENDING


async def test_approving_with_a_suggestion_typed_is_refused(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    answer = await decide(ana, intent, "approve", suggested_amount="0.001")
    assert answer.status_code == 422
    assert "an approval sends exactly what the card shows" in answer.text
    assert (await now(desk, intent)).state is State.PENDING


@pytest.mark.parametrize("decision", ["", "maybe", "APPROVE"])
async def test_any_other_word_decides_nothing(desk: World, ana: httpx2.AsyncClient, decision: str) -> None:
    intent = await desk.park()
    assert (await decide(ana, intent, decision)).status_code == 422
    assert (await now(desk, intent)).state is State.PENDING


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_second_trader_learns_who_decided_and_when(
    desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient, decision: str, script: bool
) -> None:
    intent = await desk.park()
    await decide(ana, intent, "reject")
    answer = await decide(ben, intent, decision, script=script)
    assert answer.status_code == 409
    assert "Ana rejected this at 12:00:00 UTC" in answer.text
    assert "Rejected by Ana" in answer.text
    assert "<html" not in answer.text or not script
    assert desk.approved == []


async def test_repeating_ones_own_decision_changes_nothing(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    assert (await decide(ana, intent, "reject")).status_code == 303
    assert (await decide(ana, intent, "reject")).status_code == 303
    assert (await decide(ana, intent, "approve")).status_code == 409


async def test_an_approval_after_the_time_is_up_is_too_late(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    intent = await desk.park(ttl_seconds=300)
    clock.advance(seconds=300)
    answer = await decide(ana, intent, "approve")
    assert answer.status_code == 409
    assert "too late. Expired: no decision, not sent" in answer.text
    assert (await now(desk, intent)).state is State.EXPIRED
    assert desk.approved == []


async def test_an_approval_of_another_digest_does_not_count(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    answer = await decide(ana, intent, "approve", digest="0" * 64)
    assert answer.status_code == 409
    assert "this request has changed" in answer.text
    assert (await now(desk, intent)).state is State.PENDING


async def test_an_approval_over_the_days_limit_shows_the_figures_and_stays_pending(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    await decide(ana, await desk.park("0.09", value="9500"), "approve")
    intent = await desk.park(value="963.20")
    answer = await decide(ana, intent, "approve", script=True)
    assert answer.status_code == 422
    assert "10,463.20 USDT" in answer.text and "10,000.00 USDT" in answer.text
    assert "<form" in answer.text
    assert (await now(desk, intent)).state is State.PENDING


async def test_an_unknown_request_cannot_be_decided(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    answer = await ana.post(
        "/intents/01k9zzzzzzzzzzzzzzzzzzzzzz/decision", data={"digest": intent.digest, "decision": "approve"}
    )
    assert answer.status_code == 404


@pytest.mark.parametrize("script", [True, False])
async def test_a_lost_database_says_that_nothing_was_recorded(
    desk: World, ana: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, script: bool
) -> None:
    intent = await desk.park()

    async def broken(_: Any) -> Any:
        raise BrokerError(Code.STORE_UNAVAILABLE, "The broker's database is not available (disk I/O error).")

    monkeypatch.setattr(desk.store.database, "write", broken)
    answer = await decide(ana, intent, "approve", script=script)
    assert answer.status_code == 503
    assert "Nothing was recorded" in answer.text
    assert desk.approved == []


class TestSecondTap:
    async def test_is_asked_for_when_the_card_says_so_and_nothing_changes_before_it(
        self, desk: World, ana: httpx2.AsyncClient
    ) -> None:
        intent = await desk.park(second_tap=["Sells ALL your free BTC"])
        first = await decide(ana, intent, "approve", script=True)
        assert first.status_code == 200
        assert "Sells ALL your free BTC" in first.text
        assert "Approve anyway: BUY 0.015 BTC" in first.text
        assert (await now(desk, intent)).state is State.PENDING
        assert desk.approved == []
        await decide(ana, intent, "approve", confirmed="yes")
        assert (await now(desk, intent)).state is State.APPROVED

    async def test_works_without_script(self, desk: World, ana: httpx2.AsyncClient) -> None:
        intent = await desk.park(second_tap=["Order value is above its limit"])
        first = await decide(ana, intent, "approve")
        assert '<input type="hidden" name="confirmed" value="yes">' in first.text
        assert "<html" in first.text

    async def test_is_asked_for_when_an_equal_request_just_went_through(
        self, desk: World, ana: httpx2.AsyncClient, clock: MovableClock
    ) -> None:
        await decide(ana, await desk.park(key="first-key"), "approve")
        clock.advance(minutes=9)
        again = await desk.park(key="second-key")
        assert "The same request went through 9 minutes ago" in (await ana.get("/")).text
        assert "Approve anyway" in (await decide(ana, again, "approve")).text
        assert (await now(desk, again)).state is State.PENDING

    async def test_is_asked_for_one_of_two_equal_requests_approved_at_once(
        self, desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient
    ) -> None:
        for number in range(20):
            amount = f"0.0{number + 10}"
            one = await desk.park(amount, value="1", key=f"first-key-{number}")
            other = await desk.park(amount, value="1", key=f"second-key-{number}")
            answers = await asyncio.gather(decide(ana, one, "approve"), decide(ben, other, "approve"))
            assert sorted(answer.status_code for answer in answers) == [200, 303]
            states = [(await now(desk, one)).state, (await now(desk, other)).state]
            assert sorted(states) == [State.APPROVED, State.PENDING]

    async def test_is_not_asked_for_when_the_equal_request_is_older_or_was_rejected(
        self, desk: World, ana: httpx2.AsyncClient, clock: MovableClock
    ) -> None:
        long_ago = to_ms(clock())
        await desk.submit(await desk.park(key="first-key"), State.PLACED, wire_timestamp_ms=long_ago)
        clock.advance(minutes=11)
        await decide(ana, await desk.park(key="second-key"), "reject")
        third = await desk.park(key="third-key")
        await decide(ana, third, "approve")
        assert (await now(desk, third)).state is State.APPROVED

    async def test_is_not_needed_to_reject(self, desk: World, ana: httpx2.AsyncClient) -> None:
        intent = await desk.park(second_tap=["Order value is above its limit"])
        await decide(ana, intent, "reject")
        assert (await now(desk, intent)).state is State.REJECTED

    async def test_does_not_hide_that_it_is_too_late(
        self, desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient
    ) -> None:
        intent = await desk.park(second_tap=["Sells ALL your free BTC"])
        await decide(ben, intent, "reject")
        assert (await decide(ana, intent, "approve")).status_code == 409


async def test_an_exit_above_a_limit_can_be_approved_over_the_days_volume(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    above = check("order_value", "Order value", "32100", "1000", passed=False, enforced=False)
    intent = await desk.park("0.5", side="SELL", value="32100", is_exit=True, checks=[above])
    await decide(ana, intent, "approve", confirmed="yes")
    assert (await now(desk, intent)).state is State.APPROVED


async def test_two_traders_at_once_make_one_decision(
    desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    for number in range(20):
        intent = await desk.park(f"0.0{number + 10}", value="1", key=f"key-number-{number}")
        answers = await asyncio.gather(decide(ana, intent, "approve"), decide(ben, intent, "approve"))
        assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert len(desk.approved) == 20


async def test_an_oversized_form_is_refused(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    assert (await decide(ana, intent, "reject", reason="x" * 70_000)).status_code == 413
    assert (await now(desk, intent)).state is State.PENDING
