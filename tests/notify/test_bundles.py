"""However much an agent asks, a phone rings a bounded number of times, and says what it left out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from broker.events import Bundle, EventKind, Topic
from broker.intents import Intent, State
from broker.notifications import FIRST_SPACING, LONGEST_SPACING, SINGLES, Channel, Kind, Progress
from broker.notify import Refused, Watch
from broker.store import recent_events

from ..support import NOON, TOO_LATE, eventually, trusted
from .support import Endpoint, Telling, endpoint
from .test_webhook import schema

pytestmark = pytest.mark.anyio

LIMIT = Decimal(10**9)
WAITING = SINGLES[Bundle.WAITING]
UNSEEN = SINGLES[Bundle.UNSEEN]


async def flood(told: Telling, count: int, **changes: Any) -> list[Intent]:
    """At once: nothing is sent before all are parked."""
    begun = len(await told.deliveries())
    return [await told.park(key=f"key-{begun}-{number}-of-many", **changes) for number in range(count)]


async def alone(
    told: Telling, url: str, topics: set[Topic], least: int | None = None, trader: str = "Ana"
) -> Channel:
    """A phone for these topics."""
    config = {"url": url, "topic": "alone"}
    minimum = None if least is None else Decimal(least)
    return await told.store.channels.add(
        trader, Kind.NTFY, "alone", "x", config, topics, minimum, standing=trusted
    )


async def quiet(told: Telling) -> None:
    """Once nothing is due any more."""

    async def settled() -> bool:
        now = told.clock()
        due = [
            one for one in await told.deliveries() if one.progress is Progress.QUEUED and one.due_at <= now
        ]
        return not due and not [one for one in await told.deliveries() if one.progress is Progress.SENT]

    await asyncio.sleep(0.1)
    await eventually(settled)


async def bundled(told: Telling) -> Sequence[dict[str, Any]]:
    events = await told.store.read(lambda c: recent_events(c, (EventKind.CHANNEL_BUNDLED,), NOON))
    return [dict(event.data) for event in reversed(events)]


async def test_a_flood_of_requests_is_twenty_messages_and_one_for_all_that_wait(
    told: Telling, there: Endpoint
) -> None:
    await told.ntfy(there.url)
    parked = await flood(told, WAITING + 12)
    over = parked[-1]
    await told.store.intents.withdraw(over.id, over.agent)
    received = await there.count(WAITING + 1)
    await quiet(told)
    late = [one.json for one in received if "of default wait" in one.json["title"]]
    assert (len(late), len(received)) == (1, WAITING + 1)
    assert late[0]["priority"] == 4
    assert [action["label"] for action in late[0]["actions"]] == ["Open"]
    told.advance(FIRST_SPACING.total_seconds())
    await quiet(told)
    said = [one for one in await told.deliveries() if one.bundle is not None]
    assert all(one.progress in (Progress.ACCEPTED, Progress.OBSOLETE) for one in said)
    record = await bundled(told)
    assert sum(one["messages"] for one in record) == 12
    assert {one["agent"] for one in record} == {"default"}
    assert f"in place of {record[-1]['messages']} messages that agent default caused" in str(said[-1].note)


async def test_an_endless_flood_rings_ever_less_often(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    for minute in range(120):
        await told.park(key=f"minute-{minute}", ttl_seconds=60)
        told.advance(30)
        await quiet(told)
        told.advance(30)
        await told.store.intents.expire_due()
    rung = [one for one in await told.deliveries() if one.progress is Progress.ACCEPTED]
    hours = [
        [one for one in rung if (one.created_at - NOON).total_seconds() // 3600 == hour] for hour in range(2)
    ]
    assert all(len(hour) <= WAITING + 8 for hour in hours), [len(hour) for hour in hours]
    assert len(rung) == len(there.received)
    assert all(hour for hour in hours), "it is not silent either"


async def test_another_agents_request_and_what_became_of_an_order_are_not_delayed(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    parked = await flood(told, WAITING + 5)
    await there.count(WAITING + 1)
    await quiet(told)
    there.received.clear()
    other = await told.park(key="of-another-agent", agent="other")
    approved = await told.store.intents.approve(
        parked[-1].id, parked[-1].digest, "Ben", LIMIT, standing=trusted, confirmed=True
    )
    await told.store.submissions.settle(approved, State.NOT_SENT, actor="executor", why=TOO_LATE)
    await told.store.audit(
        EventKind.ORDER_DIVERGED, "binance", intent_id=parked[0].id, note="more than approved"
    )
    received = await there.count(3)
    assert {(one.json["type"], (one.json["data"]["intent"] or {}).get("id")) for one in received} >= {
        ("request.waiting", other.id),
        ("outcome.not_sent", parked[-1].id),
        ("alert.diverged", parked[0].id),
    }


async def test_what_waits_no_longer_is_not_told_in_a_bundle(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    await flood(told, WAITING + 1)
    await there.count(WAITING + 1)
    await quiet(told)
    for intent in await flood(told, 7):
        await told.store.intents.withdraw(intent.id, intent.agent)
    told.advance(FIRST_SPACING.total_seconds())
    [late] = await told.until(Progress.OBSOLETE)
    assert late.note == (
        "in place of 7 messages that agent default caused; 0 still waited, so no message was sent"
    )
    assert len(there.received) == WAITING + 1
    assert len(await bundled(told)) == 1


async def test_a_bundle_that_did_not_arrive_says_what_is_true_when_it_does(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    await flood(told, WAITING)
    await told.until(Progress.ACCEPTED, WAITING)
    there.answers = [500]
    first = (await flood(told, 1))[0]
    await told.until_noted("answered 500")
    await flood(told, 3)
    await told.store.intents.withdraw(first.id, first.agent)
    told.advance(1)
    await told.until(Progress.ACCEPTED, WAITING + 1)
    again = there.received[-1].json
    Draft202012Validator(schema()).validate(again)
    assert (again["type"], again["data"]["intent"]) == ("bundle.waiting", None)
    assert again["data"]["sentence"] == "3 requests of default wait."
    assert again["data"]["details"][0] == "BUY 0.015 BTC, until 12:05:00 UTC"
    [record] = await bundled(told)
    assert (record["messages"], record["waiting"]) == (4, 3)


async def test_a_bundles_links_open_the_inbox_and_reject_nothing(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    parked = await flood(told, WAITING + 1)
    await there.count(WAITING + 1)
    await quiet(told)
    [bundle] = [one for one in await told.deliveries() if one.bundle is not None]
    assert (bundle.intent_id, bundle.digest, bundle.event.intent_id) == (None, None, parked[-1].id)
    token = told.links.reject(bundle, "Ana").rpartition("/")[2]
    with pytest.raises(Refused, match="not about a request"):
        await told.rejections.held(bundle.id, token)


async def test_overlooked_requests_ring_only_where_they_are_wanted(told: Telling, there: Endpoint) -> None:
    async with endpoint() as alerts, endpoint() as all_alerts, endpoint() as outcomes:
        await told.ntfy(there.url)
        await alone(told, alerts.url, {Topic.ALERTS}, 1_000_000)
        await alone(told, all_alerts.url, {Topic.ALERTS}, trader="Ben")
        await alone(told, outcomes.url, {Topic.OUTCOMES, Topic.CANCELS})
        await told.park(key="a-tiny-one", value="6")
        await told.park(key="of-no-value", value="0")
        large = await told.park(key="a-large-one", value="2000000")
        told.advance(200)
        await Watch(told.store, told.clock, lambda: None).look()
        [rung] = await alerts.count(1)
        assert large.id and "NOBODY HAS SEEN THIS" in rung.json["title"]
        assert len(await all_alerts.count(3)) == 3
        await there.count(6)
        await quiet(told)
        assert (len(alerts.received), len(outcomes.received)) == (1, 0)


async def test_many_overlooked_requests_ring_three_times_and_once_for_the_rest(
    told: Telling, there: Endpoint
) -> None:
    await alone(told, there.url, {Topic.ALERTS})
    await flood(told, UNSEEN + 7)
    told.advance(200)
    await Watch(told.store, told.clock, lambda: None).look()
    await there.count(UNSEEN + 1)
    await quiet(told)
    assert len(there.received) == UNSEEN + 1
    [rest] = [one.json for one in there.received if "NOBODY" not in one.json["title"]]
    assert rest["title"] == "PAPER 7 requests of default wait unseen"
    assert rest["priority"] == 5
    [record] = await bundled(told)
    assert (record["bundle"], record["messages"], record["waiting"]) == ("unseen", 7, 7)


async def test_what_was_seen_meanwhile_is_not_in_the_bundle(told: Telling, there: Endpoint) -> None:
    await alone(told, there.url, {Topic.ALERTS})
    await flood(told, UNSEEN)
    told.advance(200)
    watch = Watch(told.store, told.clock, lambda: None)
    await watch.look()
    await there.count(UNSEEN)
    await quiet(told)
    there.answers = [500]
    parked = await flood(told, 2)
    told.advance(200)
    await watch.look()
    await told.until_noted("answered 500")
    await told.store.database.write(
        lambda c: told.store.sightings.mark(c, [one.id for one in parked], told.clock())
    )
    told.advance(1)
    [late] = await told.until(Progress.OBSOLETE)
    assert str(late.note).startswith("in place of 2 messages")
    assert len(there.received) == UNSEEN + 1


async def test_many_cancelled_protections_are_told_as_one(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    singles = SINGLES[Bundle.CANCELLED]
    for number in range(singles + 1):
        await told.store.audit(
            EventKind.ORDERS_CANCELLED,
            "agent:default",
            orders=[str(number)],
            protective=True,
            symbol="BTCUSDT",
            market="spot",
        )
    await there.count(singles + 1)
    await quiet(told)
    said = [one.json["title"] for one in there.received]
    assert said.count("PAPER default cancelled protective orders once more") == 1
    [record] = await bundled(told)
    assert (record["bundle"], record["messages"]) == ("cancelled", 1)


async def test_a_clock_that_is_set_back_makes_no_bundle_later(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    await flood(told, WAITING + 1)
    await there.count(WAITING + 1)
    await quiet(told)
    told.advance(-7200)
    await flood(told, 1)
    [queued] = [one for one in await told.deliveries() if one.progress is Progress.QUEUED]
    assert queued.due_at <= told.clock() + LONGEST_SPACING
