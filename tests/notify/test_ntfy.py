"""What ntfy's JSON publish carries (docs.ntfy.sh/publish), and what a phone can do with it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from broker.intents import State
from broker.notifications import Kind, Progress

from ..support import LONG_AGO, NO_ANSWER, eventually, trusted
from .support import URL, Endpoint, Telling, endpoint

pytestmark = pytest.mark.anyio


async def test_a_request_has_the_buttons_open_and_reject(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    intent = await told.park()
    [received] = await there.count(1)
    [delivery] = await told.deliveries()
    reject = told.links.reject(delivery, "Ana")
    assert received.path == "/"
    assert received.headers["authorization"] == "Bearer tk_s3cret"
    assert received.json == {
        "topic": "orders-of-ana",
        "sequence_id": delivery.id,
        "title": "PAPER BUY 0.015 BTC",
        "message": "\n".join(
            (
                intent.card.stored()["sentence"],
                "Market when asked: 64,213 USDT",
                "Book average, slippage: 64,220.15, 0.12 %",
                "Value, share of equity: 963.20 USDT, 0.5 %",
                "BTC after: 0.515",
                "Agent default says: “The dip looks overdone.”",
                "Waits until 12:05:00 UTC.",
            )
        ),
        "priority": 4,
        "tags": [],
        "click": f"{URL}/told/{delivery.id}",
        "actions": [
            {"action": "view", "label": "Open", "url": f"{URL}/told/{delivery.id}"},
            {"action": "http", "label": "Reject", "url": reject, "method": "POST", "clear": True},
        ],
    }


async def test_nothing_approves_and_what_is_over_cannot_be_rejected(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    there.answers = [503]
    await told.park()
    await told.until_noted("answered 503")
    told.advance(301)
    await told.until(Progress.ACCEPTED)
    late = there.received[-1].json
    assert late["title"] == "PAPER Expired: BUY 0.015 BTC"
    assert "Expired: no decision, not sent." in late["message"]
    assert [action["label"] for action in late["actions"]] == ["Open"]
    assert late["priority"] == 3
    assert "pprove" not in there.received[0].body.decode()


async def test_a_long_message_stays_below_what_ntfy_takes_as_text(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    await told.park(reason="\N{PILE OF POO}" * 500, sentence="BUY 0.015 BTC " + "€" * 2000)
    [received] = await there.count(1)
    assert len(received.json["message"].encode()) <= 3500
    assert len(received.json["title"]) <= 120


async def test_a_phone_rejects_by_the_address_that_it_was_given(told: Telling, there: Endpoint) -> None:
    """The page behind that address is tested where the pages are; here, that it is the one that holds."""
    await told.ntfy(there.url)
    intent = await told.park()
    [received] = await there.count(1)
    delivery_id, token = received.json["actions"][1]["url"].rsplit("/", 2)[1:]
    rejections = told.rejections
    await rejections.reject(await rejections.held(delivery_id, token))
    assert (await told.intent(intent)).state is State.REJECTED


async def test_one_without_a_token_sends_none(told: Telling, there: Endpoint) -> None:
    async with endpoint() as other:
        await told.add("Ana", Kind.NTFY, {"url": other.url, "topic": "open"})
        await told.park()
        [received] = await other.count(1)
        assert "authorization" not in received.headers


async def test_an_outcome_warns(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    intent = await told.park()
    await told.until(Progress.ACCEPTED)
    approved = await told.store.intents.approve(
        intent.id, intent.digest, "Ana", Decimal(10**6), standing=trusted, confirmed=True
    )
    sending = await told.store.submissions.begin(
        approved,
        client_order_id="x",
        namespace="order",
        wire_timestamp_ms=1,
        is_exit=False,
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    await told.store.submissions.settle(sending, State.UNKNOWN, actor="executor", why=NO_ANSWER)

    async def warned() -> bool:
        return len(there.received) == 2

    await eventually(warned)
    message = there.received[-1].json
    assert (message["title"], message["tags"]) == ("PAPER UNKNOWN: BUY 0.015 BTC", ["warning"])
    assert "it may be live. Don't repeat it: no answer" in message["message"]
