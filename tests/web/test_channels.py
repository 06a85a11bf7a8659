"""The page of a trader's channels: what he adds, what is refused, and what never stands on it again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection

from broker.errors import BrokerError
from broker.events import EventKind, Topic
from broker.notifications import ALERT_AFTER, Attempt, Channel, Kind, Progress
from broker.store import Store, recent_events
from broker.web.page_queries import notices

from ..support import trusted
from .support import NOON, CountedBytes, MovableClock, World, world

pytestmark = pytest.mark.anyio

EVENTS = [str(topic) for topic in Topic]
HOOK = {
    "kind": "webhook",
    "name": "desk",
    "address": "https://ana:pass@hooks.example/services/T0/p4th?token=t0p",
    "events": EVENTS,
}
PHONE = {"kind": "ntfy", "name": "phone", "topic": "guess-me-not", "token": "tk_s3cret", "events": EVENTS}
SECRETS = ("whsec_", "t0p", "p4th", "pass@", "tk_s3cret", "guess-me-not")


async def channels(store: Store, trader: str = "Ana") -> list[Channel]:
    return list(await store.read(lambda c: store.channels.of_trader(c, trader)))


async def fail(store: Store, clock: MovableClock) -> None:
    """All that is due, for a quarter of an hour."""

    def once(connection: Connection) -> None:
        due = store.outbox.due(connection, clock(), {})
        for delivery in store.outbox.claim(connection, due, clock()):
            store.outbox.record(connection, delivery, Attempt(problem="answered 500"), clock())

    await store.database.write(once)
    clock.advance(seconds=ALERT_AFTER.total_seconds())
    await store.database.write(once)


@pytest.mark.parametrize("name", ["\u3164", "\u2800", "\u0301", "de\u3164sk", "e" + "\u0301" * 9], ids=ascii)
async def test_a_name_that_cannot_be_seen_is_refused(desk: World, name: str) -> None:
    config = {"url": "https://hooks.example/x"}
    with pytest.raises(BrokerError, match="visible characters"):
        await desk.store.channels.add(
            "Ana", Kind.WEBHOOK, name, "shown", config, set(Topic), None, standing=trusted
        )


async def test_a_webhook_is_added_and_its_secret_shown_this_once(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    answer = await ana.post("/channels", data={**HOOK, "minimum": "250.5"})
    assert answer.status_code == 200
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]{44}", answer.text)
    assert answer.headers["cache-control"] == "no-store"
    [channel] = await channels(desk.store)
    assert (channel.kind, channel.name, channel.min_value_usdt) == (Kind.WEBHOOK, "desk", Decimal("250.5"))
    assert channel.topics == set(Topic)
    _, config = await desk.store.read(lambda c: desk.store.channels.with_config(c, channel.id))
    assert config == {"url": HOOK["address"], "secret": secret}
    again = (await ana.get("/channels")).text
    assert "https://hooks.example/ser…" in again and "minimum 250.50 USDT" in again
    assert not [word for word in SECRETS if word in again]


async def test_a_phone_is_added_and_works_once_its_test_was_opened(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    answer = await ana.post("/channels", data=PHONE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/channels")
    shown = (await ana.get("/channels")).text
    assert "https://ntfy.sh/gue…" in shown and "Not confirmed: open the test message&#39;s link" in shown
    assert not [word for word in SECRETS if word in shown]
    [test] = await desk.store.read(lambda c: desk.store.outbox.of_trader(c, "Ana", 9))
    opened = await ana.get(f"/told/{test.id}")
    assert opened.headers["location"] == "/channels"
    shown = (await ana.get("/channels")).text
    assert "Works" in shown and "<b>seen</b>" in shown


async def test_no_secret_reaches_the_audit_log(desk: World, ana: httpx2.AsyncClient) -> None:
    await ana.post("/channels", data=HOOK)
    await ana.post("/channels", data=PHONE)
    [hook, _] = await channels(desk.store)
    await ana.post(f"/channels/{hook.id}/renew")
    kinds = (EventKind.CHANNEL_ADDED, EventKind.CHANNEL_TEST, EventKind.CHANNEL_SECRET_CHANGED)
    events = await desk.store.read(lambda c: recent_events(c, kinds, NOON))
    assert len(events) == 5
    assert not [word for word in SECRETS if word in str(events)]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kind": "telegraph"}, "kind: must be one of the options"),
    ({"name": ""}, "name: must have 1 to 40"),
    ({"name": "x" * 41}, "name: must have 1 to 40"),
    ({"address": "http://hooks.example/"}, "address: must be https"),
    ({"address": "ftp://hooks.example/"}, "address: must be https"),
    ({"address": "javascript:alert(1)"}, "address: must be https"),
    ({"address": "https://hööks.example/"}, "address: must be at most 500 printable"),
    ({"address": ""}, "address: must be https"),
    ({"events": []}, "events: choose at least one"),
    ({"events": ["everything"]}, "events: must be among"),
    ({"minimum": "0"}, "minimum: must be above zero"),
    ({"minimum": "-5"}, "minimum: must be above zero"),
    ({"minimum": "lots"}, "minimum: "),
    ({"minimum": "1e30"}, "minimum: "),
]


@pytest.mark.parametrize(("changed", "problem"), REFUSED, ids=str)
async def test_what_is_malformed_is_refused_with_its_field_and_kept_in_the_form(
    desk: World, ana: httpx2.AsyncClient, changed: dict[str, Any], problem: str
) -> None:
    answer = await ana.post("/channels", data={**HOOK, **changed})
    assert answer.status_code == 422
    assert problem in answer.text
    assert await channels(desk.store) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"topic": "a/b"}, "topic: must have 1 to 64"),
        ({"topic": ""}, "topic: must have 1 to 64"),
        ({"token": "a b"}, "token: must be an access token"),
        ({"token": "tök"}, "token: must be an access token"),
        ({"address": "http://ntfy.example"}, "server: must be https"),
    ],
)
async def test_so_is_a_phone(ana: httpx2.AsyncClient, changed: dict[str, str], problem: str) -> None:
    answer = await ana.post("/channels", data={**PHONE, **changed})
    assert (answer.status_code, problem in answer.text) == (422, True)
    assert "tk_s3cret" not in answer.text


async def test_where_the_operator_allows_it_http_to_this_machine_is_taken(
    tmp_path: Path, clock: MovableClock
) -> None:
    async with world(tmp_path, clock, CountedBytes(), notify_allow_private=True) as made:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(made.app), base_url="http://localhost"
        ) as ana:
            ana.cookies.set(made.cookie, await made.sign_in("Ana"))
            answer = await ana.post("/channels", data={**HOOK, "address": "http://127.0.0.1:9/x"})
            assert answer.status_code == 200


async def test_nobody_touches_anothers_channel(
    desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    await ana.post("/channels", data=HOOK)
    [channel] = await channels(desk.store)
    for act in ("test", "pause", "resume", "renew", "remove"):
        refused = await ben.post(f"/channels/{channel.id}/{act}")
        assert (refused.status_code, "whsec_" in refused.text) == (404, False)
        assert (
            (await stranger.post(f"/channels/{channel.id}/{act}")).headers["location"].startswith("/signin")
        )
    assert "desk" not in re.sub(
        "New notification channel of Ana: desk", "", (await ben.get("/channels")).text
    )
    assert [one.paused_at for one in await channels(desk.store)] == [None]


async def test_a_channel_is_paused_resumed_tested_and_removed(desk: World, ana: httpx2.AsyncClient) -> None:
    await ana.post("/channels", data=HOOK)
    [channel] = await channels(desk.store)
    await ana.post(f"/channels/{channel.id}/pause")
    assert "Paused since 12:00:00 UTC" in (await ana.get("/channels")).text
    assert (await ana.post(f"/channels/{channel.id}/test")).status_code == 404
    await ana.post(f"/channels/{channel.id}/resume")
    await ana.post(f"/channels/{channel.id}/test")
    told = await desk.store.read(lambda c: desk.store.outbox.of_trader(c, "Ana", 9))
    assert [one.event.kind for one in told] == ["channel:test"] * 2
    await ana.post(f"/channels/{channel.id}/remove")
    assert await channels(desk.store) == []


async def test_a_new_secret_is_shown_and_the_old_one_kept_for_a_day(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    first = re.findall(r"whsec_[A-Za-z0-9+/=]{44}", (await ana.post("/channels", data=HOOK)).text)
    [channel] = await channels(desk.store)
    answer = await ana.post(f"/channels/{channel.id}/renew")
    second = re.findall(r"whsec_[A-Za-z0-9+/=]{44}", answer.text)
    _, config = await desk.store.read(lambda c: desk.store.channels.with_config(c, channel.id))
    assert [config["secret"]] == second != first == [old["secret"] for old in config["old"]]


@pytest.fixture
async def public(tmp_path: Path, clock: MovableClock) -> AsyncIterator[str]:
    """The page of a broker that a phone can reach."""
    async with world(tmp_path, clock, CountedBytes(), public_url="https://broker.example") as made:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(made.app), base_url="https://broker.example"
        ) as ana:
            ana.cookies.set(made.cookie, await made.sign_in("Ana"))
            yield (await ana.get("/channels")).text


async def test_that_links_will_not_open_on_a_phone_is_said(ana: httpx2.AsyncClient, public: str) -> None:
    warning = "Links will not open on the phone"
    assert warning in (await ana.get("/channels")).text
    assert warning not in public


async def test_what_an_endpoint_or_a_trader_wrote_is_shown_as_text(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    await ana.post("/channels", data={**HOOK, "name": "<b>desk</b>"})
    shown = (await ana.get("/channels")).text
    assert "<b>desk</b>" not in shown and "&lt;b&gt;desk&lt;/b&gt;" in shown


async def test_a_channel_that_fails_stands_on_every_page_until_it_works(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    await ana.post("/channels", data=HOOK)
    await fail(desk.store, clock)
    alarm = "No notification was delivered for 15 minutes on Ana&#39;s channel desk: answered 500"
    for path in ("/", "/channels", "/sessions"):
        assert alarm in (await ana.get(path)).text
    assert "No notification delivered since 12:00:00 UTC" in (await ana.get("/channels")).text

    def works(connection: Connection) -> None:
        [delivery] = desk.store.outbox.of_trader(connection, "Ana", 1)
        desk.store.outbox.record(connection, delivery, Attempt(), clock())

    await desk.store.database.write(works)
    shown = (await ana.get("/")).text
    assert alarm not in shown and "channel desk works again" in shown


async def test_it_stands_there_once_however_long_and_often_it_fails(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    async def alarms() -> int:
        announced = await desk.store.read(lambda c: notices(c, clock()))
        return sum(event.kind is EventKind.CHANNEL_FAILING for event in announced)

    await ana.post("/channels", data=HOOK)
    [channel] = await channels(desk.store)
    for _ in range(2):
        await fail(desk.store, clock)
        assert await alarms() == 1
        clock.advance(hours=25)
        assert await alarms() == 1
        assert "on Ana&#39;s channel desk: answered 500" in (await ana.get("/")).text
        await ana.post(f"/channels/{channel.id}/pause")
        assert await alarms() == 0
        await ana.post(f"/channels/{channel.id}/resume")
        await ana.post(f"/channels/{channel.id}/test")


async def test_deliveries_are_listed_with_how_far_they_came(desk: World, ana: httpx2.AsyncClient) -> None:
    await ana.post("/channels", data=HOOK)
    intent = await desk.park()
    fragment = (await ana.get("/channels/deliveries", headers={"HX-Request": "true"})).text
    assert "<html" not in fragment
    assert f'<a href="/intents/{intent.id}">Requested by agent default</a>' in fragment
    assert fragment.count(f"<b>{Progress.QUEUED}</b>") == 2
