"""What nobody sees is told once more, where it is wanted; so is an exchange that does not answer for long."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from broker.events import EventKind, Topic
from broker.intents import Intent
from broker.notifications import Kind, Progress
from broker.notify import Watch
from broker.store import recent_events

from ..support import MOVED, NOON, eventually, trusted
from ..web.support import request as asked
from .support import Endpoint, Telling, endpoint
from .test_telegram import Telegram, serving

pytestmark = pytest.mark.anyio

LIMIT = Decimal(10**6)


def watching(told: Telling, problem: str | None = None) -> Watch:
    return Watch(told.store, told.clock, lambda: problem)


async def see(told: Telling, intent: Intent) -> None:
    await told.store.database.write(lambda c: told.store.sightings.mark(c, [intent.id], told.clock()))


async def kinds(told: Telling, *wanted: EventKind) -> Sequence[str]:
    events = await told.store.read(lambda c: recent_events(c, wanted, NOON))
    return [event.kind for event in reversed(events)]


async def test_what_nobody_saw_by_half_its_life_goes_out_once_more_wherever_it_is_wanted(
    told: Telling, there: Endpoint
) -> None:
    async with endpoint() as alerts, endpoint() as large:
        await told.ntfy(there.url)
        config = {"url": alerts.url, "topic": "alerts"}
        channels = told.store.channels
        await channels.add("Ben", Kind.NTFY, "alerts", "x", config, {Topic.ALERTS}, None, standing=trusted)
        await told.webhook(large.url, "Ben", least=Decimal(10**6))
        paused = await told.ntfy(there.url)
        await channels.pause(paused.id, "Ana", True, standing=trusted)
        intent = await told.park()
        await there.count(1)
        watch = watching(told)
        told.advance(149)
        await watch.look()
        assert await kinds(told, EventKind.REQUEST_UNSEEN) == []
        told.advance(1)
        await watch.look()
        await watch.look()
        assert await kinds(told, EventKind.REQUEST_UNSEEN) == ["request:unseen"]
        _, again = await there.count(2)
        assert again.json["title"] == "PAPER NOBODY HAS SEEN THIS: BUY 0.015 BTC"
        assert again.json["priority"] == 5
        assert [action["label"] for action in again.json["actions"]] == ["Open", "Reject"]
        assert (await alerts.count(1))[0].json["priority"] == 5
        assert (await told.intent(intent)).overlooked
        told.advance(60)
        await watch.look()
        assert len(there.received) == 2
        assert large.received == []  # it is below that channel's minimum value


async def test_what_was_seen_is_not_told_again(told: Telling, there: Endpoint) -> None:
    await told.ntfy(there.url)
    intent = await told.park()
    await see(told, intent)
    told.advance(200)
    await watching(told).look()
    assert await kinds(told, EventKind.REQUEST_UNSEEN) == []
    assert not (await told.intent(intent)).overlooked


async def test_seen_after_it_was_told_again_it_is_overlooked_no_longer(
    told: Telling, there: Endpoint
) -> None:
    await told.ntfy(there.url)
    intent = await told.park()
    await there.count(1)
    there.answers = [500]
    told.advance(200)
    await watching(told).look()
    await told.until_noted("answered 500")
    await see(told, intent)
    assert not (await told.intent(intent)).overlooked
    told.advance(1)
    [late] = await told.until(Progress.OBSOLETE)
    assert late.note == "a trader had already seen it"


async def test_what_waits_again_with_other_figures_has_to_be_seen_again(told: Telling) -> None:
    intent = await told.park()
    await see(told, intent)
    approved = await told.store.intents.approve(
        intent.id, intent.digest, "Ben", LIMIT, standing=trusted, confirmed=True
    )
    told.advance(100)
    await told.store.submissions.show_anew(approved, asked(reference="61260"), MOVED)
    watch = watching(told)
    told.advance(149)
    await watch.look()
    assert await kinds(told, EventKind.REQUEST_UNSEEN) == []
    told.advance(1)
    await watch.look()
    assert await kinds(told, EventKind.REQUEST_UNSEEN) == ["request:unseen"]


async def test_what_is_decided_or_over_is_not_told_again(told: Telling) -> None:
    decided, withdrawn = await told.park(key="decided"), await told.park(key="withdrawn")
    await told.store.intents.approve(
        decided.id, decided.digest, "Ana", LIMIT, standing=trusted, confirmed=True
    )
    await told.store.intents.withdraw(withdrawn.id, "default")
    await told.park(key="over", ttl_seconds=30)
    told.advance(200)
    await watching(told).look()
    assert await kinds(told, EventKind.REQUEST_UNSEEN) == []


async def test_both_messages_follow_what_is_decided(told: Telling) -> None:
    async with serving() as telegram:
        await told.telegram(telegram.url)
        intent = await told.park()
        await telegram.message()
        told.advance(200)
        await watching(told).look()
        await telegram.message(101)
        await told.store.intents.approve(
            intent.id, intent.digest, "Ben", LIMIT, standing=trusted, confirmed=True
        )
        for number in (100, 101):
            await telegram.until_it_says("Approved by Ben", number)
        assert _buttons(telegram) == [["Open"], ["Open"]]


def _buttons(telegram: Telegram) -> list[list[str]]:
    rows = [message["reply_markup"]["inline_keyboard"][0] for message in telegram.messages.values()]
    return [[button["text"] for button in row] for row in rows]


async def test_an_exchange_that_does_not_answer_for_long_is_told_once_until_it_does(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    problem: list[str | None] = ["no answer"]
    watch = Watch(told.store, told.clock, lambda: problem[0])

    async def for_seconds(seconds: int) -> Sequence[str]:
        for _ in range(seconds):
            told.advance(1)
            await watch.look()
        return await kinds(told, EventKind.EXCHANGE_UNREACHABLE, EventKind.EXCHANGE_REACHABLE)

    await watch.look()
    assert await for_seconds(29) == []
    assert await for_seconds(1) == ["exchange:unreachable"]
    [alert] = await there.count(1)
    assert alert.json["type"] == "alert.exchange_unreachable"
    assert alert.json["data"]["sentence"] == "Binance has been unreachable for 30 seconds: no answer"
    problem[0] = None
    await for_seconds(20)
    problem[0] = "no answer"
    assert await for_seconds(40) == ["exchange:unreachable"]
    problem[0] = None
    assert await for_seconds(31) == ["exchange:unreachable", "exchange:reachable"]
    problem[0] = "no answer"
    await for_seconds(20)
    problem[0] = None
    assert len(await for_seconds(40)) == 2  # it was over soon
    assert len(there.received) == 1


async def test_a_clock_that_is_set_back_puts_off_no_alarm(told: Telling) -> None:
    watch = watching(told, "no connection to Binance")
    told.advance(3600)
    await watch.look()
    told.advance(-3600)
    await watch.look()
    told.advance(30)
    await watch.look()
    assert await kinds(told, EventKind.EXCHANGE_UNREACHABLE) == ["exchange:unreachable"]


async def test_an_alarm_that_is_over_is_not_told_late(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.answers = [500]
    await told.store.audit(EventKind.EXCHANGE_UNREACHABLE, "broker", note="no answer")
    await told.until_noted("answered 500")
    await told.store.audit(EventKind.EXCHANGE_REACHABLE, "broker")
    told.advance(1)
    [late] = await told.until(Progress.OBSOLETE)
    assert late.note == "Binance answers again"
    assert len(there.received) == 1


async def test_while_it_lasts_it_is_told_late(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.answers = [500]
    await told.store.audit(EventKind.EXCHANGE_UNREACHABLE, "broker", note="no answer")
    await told.until_noted("answered 500")
    told.advance(1)

    async def twice() -> bool:
        return len(there.received) == 2

    await eventually(twice)


async def test_an_alarm_outlives_its_process_and_is_over_once_it_is(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.always = 500
    await told.store.audit(EventKind.EXCHANGE_UNREACHABLE, "broker", note="no answer")
    await told.until_noted("answered 500")
    again = Watch(told.store, told.clock, lambda: "no answer")
    for _ in range(40):
        told.advance(1)
        await again.look()
    assert await kinds(told, EventKind.EXCHANGE_UNREACHABLE) == ["exchange:unreachable"]
    after = watching(told)
    for _ in range(31):
        told.advance(1)
        await after.look()
    assert await kinds(told, EventKind.EXCHANGE_REACHABLE) == ["exchange:reachable"]
    [late] = await told.until(Progress.OBSOLETE, seconds=1)  # an attempt under way may have to end first
    assert late.note == "Binance answers again"


@pytest.mark.parametrize("answer", [(429, {"Retry-After": "3600"}), 410])
async def test_a_channel_that_fails_is_told_though_it_is_not_tried_meanwhile(
    told: Telling, there: Endpoint, answer: Any
) -> None:
    """It was told to pause, or there is nothing to repeat and nothing more to tell."""
    async with endpoint() as other:
        await told.webhook(there.url)
        await told.store.channels.add(
            "Ben",
            Kind.NTFY,
            "alerts",
            "x",
            {"url": other.url, "topic": "alerts"},
            {Topic.ALERTS},
            None,
            standing=trusted,
        )
        there.answers = [answer]
        intent = await told.park(ttl_seconds=86400)
        await see(told, intent)
        why = f"answered {answer if isinstance(answer, int) else answer[0]}"
        await told.until_noted(why)
        watch = watching(told)
        told.advance(899)
        await watch.look()
        assert await kinds(told, EventKind.CHANNEL_FAILING) == []
        told.advance(1)
        await watch.look()
        await watch.look()
        assert await kinds(told, EventKind.CHANNEL_FAILING) == ["channel:failing"]
        [alert] = await other.count(1)
        assert alert.json["message"].endswith(f"Ana's channel phone: {why}")
        assert len(there.received) == 1
        await told.store.channels.test((await told.deliveries())[0].channel, "Ana", standing=trusted)
        told.advance(3600)
        await told.until(Progress.ACCEPTED)
        await watch.look()
        assert await kinds(told, EventKind.CHANNEL_FAILING, EventKind.CHANNEL_RECOVERED) == [
            "channel:failing",
            "channel:recovered",
        ]


async def test_that_it_expired_is_told_once_though_it_was_to_be_told_twice(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    there.always = 500
    await told.park()
    await told.until_noted("answered 500")
    told.advance(151)
    await watching(told).look()
    told.advance(200)
    await told.store.intents.expire_due()
    await told.until_noted("answered 500")
    there.always = 200

    async def all_done() -> bool:
        told.advance(60)
        return bool(await told.store.read(told.store.outbox.count_open) == 0)

    await eventually(all_done)
    [_, again] = await told.deliveries()
    assert (again.progress, again.note) == (Progress.OBSOLETE, "a message after its expiry was sent before")


async def test_who_was_told_that_it_waits_is_told_that_it_expired(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    await told.park()
    await told.until(Progress.ACCEPTED)
    there.always = 500
    told.advance(151)
    await watching(told).look()
    await told.until_noted("answered 500")
    there.always = 200
    told.advance(200)
    await told.until(Progress.ACCEPTED, 2)
    assert [one.json["type"] for one in there.received] == [
        "request.waiting",
        "request.unseen",
        "request.expired",
    ]
