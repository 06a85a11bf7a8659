"""What a notification says of an outcome: no more than anybody knows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.intents import Intent, State
from broker.reasons import uncertain

from ..support import LONG_AGO, RESTORED, TOO_LATE, trusted
from .support import Endpoint, Telling

pytestmark = pytest.mark.anyio


async def sending(told: Telling, there: Endpoint) -> Intent:
    """A request that was told of, and is being sent."""
    intent = await told.park()
    await there.count(1)
    approved = await told.store.intents.approve(
        intent.id, intent.digest, "Ana", Decimal(10**6), standing=trusted, confirmed=True
    )
    return await told.store.submissions.begin(
        approved,
        client_order_id="x",
        namespace="leverage",
        wire_timestamp_ms=1,
        is_exit=False,
        value_usdt=None,
        approved_since=LONG_AGO,
    )


async def outcome(told: Telling, there: Endpoint) -> tuple[str, str]:
    """The newest notification's title, and what it says beneath the card's sentence."""
    said: dict[str, Any] = (await there.count(2))[-1].json["data"]
    return said["title"], " ".join(said["details"])


async def test_where_nobody_can_tell_whether_it_was_carried_out_nobody_is_told_that_nothing_was_sent(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    intent = await sending(told, there)
    why = uncertain("the leverage is 7× now, not the 5× asked for")
    await told.store.submissions.settle(intent, State.NOT_SENT, actor="binance", why=why)
    title, said = await outcome(told, there)
    assert title == "PAPER Not certain: BUY 0.015 BTC"
    assert said == "Not certain whether it was carried out: the leverage is 7× now, not the 5× asked for"


async def test_what_was_certainly_not_sent_says_so(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    await told.store.submissions.settle(
        await sending(told, there), State.NOT_SENT, actor="binance", why=TOO_LATE
    )
    assert await outcome(told, there) == ("PAPER Not sent: BUY 0.015 BTC", "Nothing was sent: too late")


async def test_what_waited_when_a_backup_was_made_was_perhaps_sent(told: Telling, there: Endpoint) -> None:
    """The page says the same of it; "Sent" is more than anybody knows."""
    await told.webhook(there.url)
    await told.park()
    await there.count(1)
    await told.store.database.write(lambda c: told.store.submissions.lose_track(c, RESTORED))
    said = "Perhaps sent before a backup was restored; it may be live. Don't repeat it."
    assert await outcome(told, there) == ("PAPER UNKNOWN: BUY 0.015 BTC", said)


async def test_what_was_being_sent_then_was_sent(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    await sending(told, there)
    await told.store.database.write(lambda c: told.store.submissions.lose_track(c, RESTORED))
    said = "No answer from Binance; it may be live. Don't repeat it: a backup was restored"
    assert await outcome(told, there) == ("PAPER UNKNOWN: BUY 0.015 BTC", said)
