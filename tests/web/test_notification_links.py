"""Links of notifications. One that rejects does so once, for its recipient, for what he was told; others do
nothing, whoever made them, and leave a trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest

from broker.clock import to_ms
from broker.credentials import Vault
from broker.events import EventKind, Topic
from broker.intents import Intent, State, Suggestion
from broker.notifications import KEPT, Channel, Delivery, Kind, Progress
from broker.notify import Links
from broker.notify.rejections import REFUSALS
from broker.store import queries, recent_events
from broker.store.audit import head
from broker.store.refusals import ONE_BY_ONE

from ..support import let_write, trusted
from .support import NOON, MovableClock, World

pytestmark = pytest.mark.anyio

CONFIG = {"url": "https://ntfy.example", "topic": "t"}


@dataclass(frozen=True)
class Sent:
    """A request, and what Ana was sent of it."""

    intent: Intent
    channel: Channel
    delivery: Delivery
    link: str

    @property
    def token(self) -> str:
        return self.link.rpartition("/")[2]


async def channel_of(desk: World, trader: str) -> Channel:
    kind, topics = Kind.NTFY, set(Topic)
    return await desk.store.channels.add(trader, kind, "phone", "x", CONFIG, topics, None, standing=trusted)


async def sent(desk: World, trader: str = "Ana", key: str = "first") -> Sent:
    channel = await channel_of(desk, trader)
    intent = await desk.park(key=key)
    told = await deliveries(desk, trader)
    [delivery] = [one for one in told if one.event.intent_id == intent.id and one.channel == channel.id]
    link = links(desk).reject(delivery, trader).removeprefix(desk.settings.url)
    return Sent(intent, channel, delivery, link)


def links(desk: World) -> Links:
    return Links(desk.settings.url, desk.store.vault)


async def deliveries(desk: World, trader: str = "Ana") -> Sequence[Delivery]:
    return await desk.store.read(lambda c: desk.store.outbox.of_trader(c, trader, 99))


async def state(desk: World, intent: Intent) -> State:
    found = await desk.store.read(lambda c: queries.find_any(c, intent.id))
    return found.state


async def refusals(desk: World) -> list[str]:
    """Why links were refused, as recorded; oldest first."""
    events = await desk.store.read(lambda c: recent_events(c, (EventKind.LINK_REFUSED,), NOON))
    return [event.data["why"] for event in reversed(events)]


async def test_opening_it_shows_a_button_and_does_nothing(desk: World, stranger: httpx2.AsyncClient) -> None:
    told = await sent(desk)
    for _ in range(3):
        shown = await stranger.get(told.link)
        assert shown.status_code == 200
        assert "Reject this request?" in shown.text and "BUY 0.015 BTC" in shown.text
        assert "PAPER" in shown.text and "approve" not in shown.text.replace("To approve", "")
    assert (await stranger.head(told.link)).status_code == 200
    assert await state(desk, told.intent) is State.PENDING
    assert (await deliveries(desk))[0].progress is Progress.QUEUED


async def test_the_button_rejects_in_the_recipients_name(desk: World, stranger: httpx2.AsyncClient) -> None:
    told = await sent(desk)
    answer = await stranger.post(told.link)
    assert (answer.status_code, "rejected by Ana" in answer.text) == (200, True)
    found = await desk.store.read(lambda c: queries.find_any(c, told.intent.id))
    assert found.decision is not None
    assert (found.state, found.decision.by) == (State.REJECTED, "Ana")
    assert (await deliveries(desk))[0].progress is Progress.ACTED
    events = await desk.store.read(lambda c: recent_events(c, (EventKind.LINK_REJECTED,), NOON))
    assert [(event.actor, event.data["delivery"]) for event in events] == [("trader:Ana", told.delivery.id)]


async def test_it_is_used_once(desk: World, stranger: httpx2.AsyncClient) -> None:
    told = await sent(desk)
    await stranger.post(told.link)
    for again in (stranger.post, stranger.get):
        assert (await again(told.link)).status_code == 410
    assert await refusals(desk) == ["the link was used before"] * 2


async def test_what_its_trader_rejected_elsewhere_was_not_rejected_from_it(
    desk: World, stranger: httpx2.AsyncClient
) -> None:
    told = await sent(desk)
    await desk.store.intents.reject(
        told.intent.id, told.intent.digest, "Ana", None, Suggestion(), standing=trusted
    )
    answer = await stranger.post(told.link)
    assert (answer.status_code, "rejected by Ana" in answer.text) == (200, True)
    assert (await deliveries(desk))[0].progress is Progress.QUEUED
    assert await desk.store.read(lambda c: recent_events(c, (EventKind.LINK_REJECTED,), NOON)) == []


async def approve(desk: World, told: Sent) -> None:
    await desk.approve(told.intent)


async def reject(desk: World, told: Sent) -> None:
    await desk.store.intents.reject(
        told.intent.id, told.intent.digest, "Ben", None, Suggestion(), standing=trusted
    )


async def expire(desk: World, told: Sent) -> None:
    desk.clock.advance(minutes=10)
    await desk.store.intents.expire_due()


async def let_time_pass(desk: World, told: Sent) -> None:
    desk.clock.advance(minutes=5)


async def withdraw(desk: World, told: Sent) -> None:
    await desk.store.intents.withdraw(told.intent.id, "default")


async def place(desk: World, told: Sent) -> None:
    await desk.place(told.intent)


Change = Callable[[World, Sent], Awaitable[None]]
TOO_LATE: list[tuple[Change, str, State]] = [
    (approve, "Approved by Ana, sending.", State.APPROVED),
    (reject, "Rejected by Ben.", State.REJECTED),
    (expire, "Expired: no decision, not sent.", State.EXPIRED),
    (let_time_pass, "Expired: no decision, not sent.", State.EXPIRED),
    (withdraw, "Withdrawn by agent default.", State.WITHDRAWN),
    (place, "Placed", State.PLACED),
]


@pytest.mark.parametrize(("change", "words", "then"), TOO_LATE)
async def test_a_tap_that_comes_too_late_says_what_happened_instead(
    desk: World, stranger: httpx2.AsyncClient, change: Change, words: str, then: State
) -> None:
    told = await sent(desk)
    await change(desk, told)
    assert (await stranger.get(told.link)).status_code == 409
    answer = await stranger.post(told.link)
    assert (answer.status_code, words in answer.text) == (409, True)
    assert await state(desk, told.intent) is then
    assert await refusals(desk) == ["the request no longer waits"]


async def move_price(desk: World, told: Sent) -> None:
    await desk.move_price(told.intent)


async def remove_channel(desk: World, told: Sent) -> None:
    await desk.store.channels.remove(told.channel.id, "Ana", standing=trusted)


async def remove_trader(desk: World, told: Sent) -> None:
    desk.store.people.remove_trader("Ana", actor="command line")


async def same_name_again(desk: World, told: Sent) -> None:
    await remove_trader(desk, told)
    desk.store.people.add_trader("Ana", "another person's words", actor="command line")
    await channel_of(desk, "Ana")


@pytest.mark.parametrize("change", [move_price, remove_channel, remove_trader, same_name_again])
async def test_it_holds_no_longer_than_what_it_is_bound_to(
    desk: World, stranger: httpx2.AsyncClient, change: Change
) -> None:
    told = await sent(desk)
    await change(desk, told)
    for method in (stranger.post, stranger.get):
        assert (await method(told.link)).status_code == 410
    assert await state(desk, told.intent) is State.PENDING
    assert len(await refusals(desk)) == 2


def other_token(make: Callable[[World, Sent, Sent], str]) -> Callable[[World, Sent, Sent], str]:
    return lambda desk, mine, other: f"/reject/{mine.delivery.id}/{make(desk, mine, other)}"


def _forge(key: bytes) -> Callable[[World, Sent, Sent], str]:
    def make(desk: World, mine: Sent, _: Sent) -> str:
        return Links("", Vault(key)).reject(mine.delivery, "Ana").rpartition("/")[2]

    return other_token(make)


def _for(trader: str = "Ana", **changes: Any) -> Callable[[World, Sent, Sent], str]:
    """A token that the broker would make for something else."""

    def make(desk: World, mine: Sent, _: Sent) -> str:
        return links(desk).reject(replace(mine.delivery, **changes), trader).rpartition("/")[2]

    return other_token(make)


def _altered(change: Callable[[str], str]) -> Callable[[World, Sent, Sent], str]:
    return other_token(lambda _, mine, __: change(mine.token))


def _at(position: int) -> Callable[[str], str]:
    def change(token: str) -> str:
        letter = "A" if token[position] != "A" else "B"
        return token[:position] + letter + token[position + 1 :]

    return change


def _id(delivery_id: str) -> Callable[[World, Sent, Sent], str]:
    return lambda _, mine, __: f"/reject/{delivery_id}/{mine.token}"


ATTEMPTS: dict[str, Callable[[World, Sent, Sent], str]] = {
    "another intent's token": other_token(lambda _, __, other: other.token),
    "another intent's delivery": lambda _, mine, other: f"/reject/{other.delivery.id}/{mine.token}",
    "made with no key": _forge(b""),
    "made with a guessed key": _forge(b"\0" * 32),
    "made with an ascii key": _forge(b"secret"),
    "for another trader": _for(trader="Ben"),
    "for the trader in lower case": _for(trader="ana"),
    "for nobody": _for(trader=""),
    "for another digest": _for(digest="0" * 64),
    "for no digest": _for(digest=""),
    "for another channel": _for(channel="0" * 26),
    "for another delivery": _for(id="0" * 26),
    "a session's kind of token": other_token(lambda desk, mine, _: desk.store.vault.token("session", "Ana")),
    "another purpose": other_token(
        lambda desk, mine, _: desk.store.vault.token(
            "approve",
            mine.delivery.id,
            mine.channel.id,
            mine.intent.id,
            mine.intent.digest,
            "Ana",
        )
    ),
    "parts that run together": other_token(
        lambda desk, mine, _: desk.store.vault.token(
            "reject", mine.delivery.id + mine.channel.id, mine.intent.id, mine.intent.digest, "Ana"
        )
    ),
    "the digest": other_token(lambda _, mine, __: mine.intent.digest),
    "the intent's id": other_token(lambda _, mine, __: mine.intent.id),
    "the delivery's id": other_token(lambda _, mine, __: mine.delivery.id),
    "the first letter changed": _altered(_at(0)),
    "a letter in the middle changed": _altered(_at(20)),
    "cut by one": _altered(lambda token: token[:-1]),
    "cut to one": _altered(lambda token: token[:1]),
    "longer by one": _altered(lambda token: token + "A"),
    "doubled": _altered(lambda token: token * 2),
    "with padding": _altered(lambda token: token + "="),
    "in upper case": _altered(str.upper),
    "in lower case": _altered(str.lower),
    "backwards": _altered(lambda token: token[::-1]),
    "with a space": _altered(lambda token: token + "%20"),
    "with a null": _altered(lambda token: token + "%00"),
    "with an umlaut": _altered(lambda token: token[:-1] + "%C3%BC"),
    "nothing but zeros": _altered(lambda token: "0" * len(token)),
    "a wildcard": _altered(lambda _: "*"),
    "null": _altered(lambda _: "null"),
    "very long": _altered(lambda _: "A" * 5000),
    "an unknown delivery": _id("0" * 26),
    "an id in upper case": lambda _, mine, __: f"/reject/{mine.delivery.id.upper()}/{mine.token}",
    "an id with SQL in it": _id("'%20OR%20'1'='1"),
    "the intent in the delivery's place": lambda _, mine, __: f"/reject/{mine.intent.id}/{mine.token}",
    "the channel in the delivery's place": lambda _, mine, __: f"/reject/{mine.channel.id}/{mine.token}",
    "an id that is too long": lambda _, mine, __: f"/reject/{mine.delivery.id}0/{mine.token}",
    "an id of other letters": _id("%C3%BC" * 26),
}


def test_there_are_attempts_enough() -> None:
    assert len(ATTEMPTS) >= 40


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
async def test_a_forged_or_a_foreign_link_does_nothing_and_is_recorded(
    desk: World, stranger: httpx2.AsyncClient, attempt: Callable[[World, Sent, Sent], str]
) -> None:
    mine, other = await sent(desk), await sent(desk, "Ben", "second")
    link = attempt(desk, mine, other)
    for method in (stranger.post, stranger.get):
        answer = await method(link)
        assert answer.status_code == 410, answer.text
        assert "is not valid" in answer.text
    assert [await state(desk, one.intent) for one in (mine, other)] == [State.PENDING] * 2
    assert len(await refusals(desk)) == 2


async def test_a_test_message_rejects_nothing(desk: World, stranger: httpx2.AsyncClient) -> None:
    channel = await channel_of(desk, "Ana")
    await desk.store.channels.test(channel.id, "Ana", standing=trusted)
    [delivery] = await deliveries(desk)
    link = links(desk).reject(delivery, "Ana").removeprefix(desk.settings.url)
    assert (await stranger.post(link)).status_code == 410
    assert await refusals(desk) == ["the notification is not about a request"]


async def test_another_site_cannot_post_it(desk: World, stranger: httpx2.AsyncClient) -> None:
    told = await sent(desk)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert (await stranger.post(told.link, headers=headers)).status_code == 403
    assert await state(desk, told.intent) is State.PENDING


async def test_a_link_never_approves(desk: World, stranger: httpx2.AsyncClient) -> None:
    told = await sent(desk)
    for data in ({"decision": "approve", "digest": told.intent.digest}, {"approve": "yes"}):
        await stranger.post(told.link, data=data)
        await stranger.post(told.link.replace("/reject/", "/approve/"), data=data)
    assert await state(desk, told.intent) is State.REJECTED
    assert desk.approved == []


async def test_who_guesses_for_long_fills_no_log_and_links_that_hold_go_on(
    desk: World, stranger: httpx2.AsyncClient
) -> None:
    told = await sent(desk)
    statuses = [
        (await stranger.post(f"/reject/{told.delivery.id}/{number}")).status_code
        for number in range(REFUSALS.amount + 5)
    ]
    assert statuses == [410] * REFUSALS.amount + [429] * 5
    logged = await desk.store.read(lambda c: recent_events(c, (EventKind.LINK_REFUSED,), NOON))
    assert logged[0].seq < told.delivery.event.seq + REFUSALS.amount + 3
    assert (await stranger.post(told.link)).status_code == 200


async def test_who_taps_too_late_for_long_fills_no_log_either(
    desk: World, stranger: httpx2.AsyncClient
) -> None:
    told = await sent(desk)
    await withdraw(desk, told)
    before = await desk.store.read(head)
    taps = [await stranger.post(told.link) for _ in range(REFUSALS.amount + 5)]
    assert {tap.status_code for tap in taps} == {409}
    assert await desk.store.read(head) == before + ONE_BY_ONE


async def test_a_tokens_letters_are_not_in_what_is_recorded(
    desk: World, stranger: httpx2.AsyncClient
) -> None:
    told = await sent(desk)
    await stranger.post(f"/reject/{told.delivery.id}/{told.token[:-1]}")
    await stranger.post(told.link)
    await stranger.post(told.link)
    events = await desk.store.read(
        lambda c: recent_events(c, (EventKind.LINK_REFUSED, EventKind.LINK_REJECTED), NOON)
    )
    assert len(events) == 3 and told.token[:-1] not in str(events)


async def test_opened_by_its_trader_it_is_seen_and_by_nobody_else(
    desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    told = await sent(desk)
    path = links(desk).page(told.delivery).removeprefix(desk.settings.url)
    assert (await stranger.get(path)).headers["location"] == f"/signin?next={path}"
    assert (await ben.get(path)).headers["location"] == f"/intents/{told.intent.id}"
    assert (await deliveries(desk))[0].progress is Progress.QUEUED
    assert (await ana.get(path)).headers["location"] == f"/intents/{told.intent.id}"
    assert (await deliveries(desk))[0].progress is Progress.SEEN
    [channel] = await desk.store.read(lambda c: desk.store.channels.of_trader(c, "Ana"))
    assert channel.proven_at is not None
    assert to_ms(channel.proven_at) == to_ms(desk.clock())
    assert (await ana.get("/told/nothing-of-ours")).headers["location"] == "/"


async def test_what_a_forgotten_notification_led_to_is_found_from_the_inbox(
    desk: World, ana: httpx2.AsyncClient, stranger: httpx2.AsyncClient, clock: MovableClock
) -> None:
    told = await sent(desk)
    await withdraw(desk, told)
    outbox = desk.store.outbox
    await desk.store.database.write(lambda c: outbox.drop(c, told.delivery, "withdrawn", clock()))
    clock.advance(seconds=KEPT.total_seconds() + 1)
    old = await desk.store.read(lambda c: outbox.old(c, clock(), 9))
    await desk.store.database.write(lambda c: outbox.forget(c, old))
    ana.cookies.set(desk.cookie, await desk.sign_in())
    assert (await ana.get("/channels")).status_code == 200
    assert (await ana.get("/channels/deliveries")).text.count("<li") == 0
    assert (await ana.get(f"/told/{told.delivery.id}")).headers["location"] == "/"
    assert (await ana.get(f"/intents/{told.intent.id}")).status_code == 200
    for answer in (await stranger.get(told.link), await stranger.post(told.link)):
        assert (answer.status_code, "This link is not valid" in answer.text) == (410, True)
    assert await state(desk, told.intent) is State.WITHDRAWN


async def test_what_was_acted_on_stays_so(desk: World, ana: httpx2.AsyncClient, clock: MovableClock) -> None:
    told = await sent(desk)
    await ana.post(told.link)
    await ana.get(f"/told/{told.delivery.id}")
    assert (await deliveries(desk))[0].progress is Progress.ACTED


async def test_a_link_leads_there_though_that_cannot_be_noted(desk: World, ana: httpx2.AsyncClient) -> None:
    told = await sent(desk)
    await let_write(desk.store, False)
    opened = await ana.get(f"/told/{told.delivery.id}")
    assert opened.headers["location"] == f"/intents/{told.intent.id}"
    await let_write(desk.store, True)
    assert (await deliveries(desk))[0].progress is Progress.QUEUED


async def test_of_taps_at_once_one_counts(desk: World, stranger: httpx2.AsyncClient) -> None:
    told = await sent(desk)
    answers = await asyncio.gather(*(stranger.post(told.link) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[410] * 7]
    events = await desk.store.read(lambda c: recent_events(c, (EventKind.LINK_REJECTED,), NOON))
    assert len(events) == 1
