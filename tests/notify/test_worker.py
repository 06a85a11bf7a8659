"""What is queued arrives: once where that can be known, in order, whatever the endpoint does."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from broker.clock import to_ms
from broker.events import EventKind
from broker.intents import State, Suggestion
from broker.notifications import GIVE_UP, KEPT, LEASE, LONGEST_PAUSE, Progress
from broker.notify.worker import LOOK_SECONDS
from broker.store import recent_events
from broker.store.tables import channels, intents

from ..support import MANY_PENDING, MOVED, NOON, TOO_LATE, Clock, eventually, let_write, trusted
from ..support import request as bare_request
from ..web.support import request
from .support import BOT, PATIENCE, Endpoint, Telling, endpoint, telling

pytestmark = pytest.mark.anyio

LIMIT = Decimal(100_000)


async def test_a_request_is_told_on_each_channel_at_once(told: Telling, there: Endpoint) -> None:
    async with endpoint() as other:
        await told.webhook(there.url)
        await told.webhook(other.url, "Ben")
        intent = await told.park()
        for received in (await there.count(1), await other.count(1)):
            assert received[0].json["data"]["intent"]["id"] == intent.id
    [delivery] = await told.until(Progress.ACCEPTED)
    assert (delivery.attempts, delivery.note) == (1, None)


TROUBLES: list[tuple[Any, str]] = [
    (500, "answered 500"),
    (401, "answered 401"),
    (404, "answered 404"),
    ((302, {"Location": "http://127.0.0.1:1/"}), "answered 302, and redirects are not followed"),
    ("hang", f"no answer within {PATIENCE} s"),
    ("reset", "the answer is not valid HTTP"),
    ("garbage", "the answer is not valid HTTP"),
]


@pytest.mark.parametrize(("trouble", "problem"), TROUBLES, ids=str)
async def test_what_did_not_arrive_or_may_not_have_is_sent_again_with_the_same_id(
    told: Telling, there: Endpoint, trouble: Any, problem: str
) -> None:
    await told.webhook(there.url)
    there.answers = [trouble]
    await told.park()
    assert (await told.until_noted(problem)).progress is Progress.QUEUED
    assert len(there.received) == 1
    told.advance(1)
    await told.until(Progress.ACCEPTED)
    first, second = there.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    told.advance(3600)
    await told.park(key="another-one")
    await told.until(Progress.ACCEPTED, 2)
    assert len(there.received) == 3  # the first one never again


async def test_a_clock_that_is_set_back_keeps_no_channel_silent(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    await told.park()
    await told.until(Progress.ACCEPTED)
    told.advance(-3600)
    await told.park(key="another-one")
    await told.until(Progress.ACCEPTED, 2)


@pytest.mark.parametrize("pause", [1, 3600])
async def test_a_clock_that_is_set_back_makes_no_pause_longer(
    told: Telling, there: Endpoint, pause: int
) -> None:
    """Of a delivery, nor of the channel that was asked to rest."""
    await told.webhook(there.url)
    there.answers = [(429, {"Retry-After": str(pause)})]
    await told.park()
    await told.until_noted("answered 429")
    told.advance(-7200)
    await told.until(Progress.ACCEPTED)


async def test_a_small_step_of_the_clock_ends_no_pause(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.answers = [(429, {"Retry-After": "3600"})]
    await told.park()
    resting = await told.until_noted("answered 429")
    await told.webhook(there.url, "Ben")
    told.advance(-1)
    await told.store.audit(EventKind.EXCHANGE_UNREACHABLE, "broker", note="no answer")
    await told.until(Progress.ACCEPTED, trader="Ben")
    [still, *_] = await told.deliveries()
    assert still.due_at == resting.due_at


async def test_an_endpoint_that_answers_for_ever_is_not_listened_to(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.always = "endless"
    await told.park()
    await told.until(Progress.ACCEPTED)


async def test_a_429_is_obeyed(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.answers = [(429, {"Retry-After": "120"})]
    await told.park(ttl_seconds=600)
    await told.until_noted("answered 429")
    told.advance(119)
    await told.park(key="another-one", ttl_seconds=600)
    await asyncio.sleep(0.1)
    assert len(there.received) == 1
    told.advance(1)
    await told.until(Progress.ACCEPTED, 2)


@pytest.mark.parametrize("status", [400, 410, 413])
async def test_what_no_repetition_changes_is_given_up(told: Telling, there: Endpoint, status: int) -> None:
    await told.webhook(there.url)
    there.answers = [status]
    await told.park()
    [failed] = await told.until(Progress.FAILED)
    assert failed.note == f"answered {status}"
    await told.park(key="another-one")
    await told.until(Progress.ACCEPTED)


async def test_an_endpoint_that_comes_back_after_an_hour_hears_what_is_still_true(
    tmp_path: Path, told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    there.always = 503
    expires = await told.park(key="expires", ttl_seconds=300)
    decided = await told.park(key="decided", ttl_seconds=300)
    waits = await told.park(key="waits", ttl_seconds=86400)
    await told.store.intents.reject(decided.id, decided.digest, "Ben", None, Suggestion(), standing=trusted)
    approved = await told.store.intents.approve(
        (refused := await told.park(key="refused", ttl_seconds=300)).id,
        refused.digest,
        "Ben",
        LIMIT,
        standing=trusted,
        confirmed=True,
    )
    await told.store.submissions.settle(approved, State.NOT_SENT, actor="executor", why=TOO_LATE)
    for _ in range(60):
        told.advance(60)
        await asyncio.sleep(0.01)
    await told.store.intents.expire_due()
    tries = len(there.received)
    there.received.clear()
    there.always = 200

    async def all_done() -> bool:
        told.advance(LONGEST_PAUSE.total_seconds())
        await asyncio.sleep(0.02)
        return bool(await told.store.read(told.store.outbox.count_open) == 0)

    await eventually(all_done)
    said = {(one.json["type"], one.json["data"]["intent"]["id"]) for one in there.received}
    assert said == {
        ("request.expired", expires.id),
        ("request.waiting", waits.id),
        ("outcome.not_sent", refused.id),
    }
    assert len(there.received) == len(said)
    assert 3 <= tries <= 80  # it was not hammered
    obsolete = {one.event.intent_id: one.note for one in await told.until(Progress.OBSOLETE, 2)}
    assert obsolete == {
        decided.id: "Ben had already rejected it",
        refused.id: "Ben had already approved it",
    }


async def test_after_a_day_it_is_given_up(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.always = 500
    await told.park(ttl_seconds=86400)
    await told.until_noted("answered 500")
    told.advance(GIVE_UP.total_seconds())
    await told.until(Progress.FAILED)


async def test_what_was_shown_anew_is_told_with_its_new_figures_alone(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.answers = [500]
    intent = await told.park()
    await told.until_noted("answered 500")
    approved = await told.store.intents.approve(
        intent.id, intent.digest, "Ben", LIMIT, standing=trusted, confirmed=True
    )
    anew = await told.store.submissions.show_anew(approved, request(reference="61260"), MOVED)
    told.advance(1)
    await told.until(Progress.ACCEPTED)
    _, second = await there.count(2)
    assert second.json["data"]["intent"]["digest"] == anew.digest != intent.digest


async def test_what_is_true_no_longer_keeps_nothing_waiting(told: Telling, there: Endpoint) -> None:
    """The worker looks again at once where it put something away, not only at its next look."""
    await told.webhook(there.url)
    await let_rest(told, True)
    for number in range(40):
        over = await told.park(key=f"over-{number}", agent=f"agent-{number % 4}")
        await told.store.intents.withdraw(over.id, over.agent)
    waits = await told.park(key="waits")
    assert there.received == []
    await let_rest(told, False)
    told.advance(0)
    async with asyncio.timeout(LOOK_SECONDS * 4):  # ten looks would take longer
        [received] = await there.count(1)
    assert received.json["data"]["intent"]["id"] == waits.id


async def let_rest(told: Telling, rests: bool) -> None:
    until = to_ms(told.clock()) + 3_600_000 if rests else 0
    await told.store.database.write(lambda c: c.execute(update(channels).values(open_until=until)))


async def test_no_more_than_a_few_are_on_the_way_to_one_channel(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    there.always = "hold"
    for number in range(20):
        await told.park(key=f"request-{number}")

    async def four() -> bool:
        return there.at_once == 4

    await eventually(four)
    there.released.set()
    await told.until(Progress.ACCEPTED, 20)
    assert there.most_at_once == 4
    assert len({one.headers["webhook-id"] for one in there.received}) == len(there.received) == 20


async def test_an_endpoint_that_hangs_keeps_no_other_waiting(told: Telling, there: Endpoint) -> None:
    async with endpoint() as dead:
        dead.always = "hang"
        for _ in range(10):
            await told.webhook(dead.url)
        await told.webhook(there.url, "Ben")
        for number in range(5):
            await told.park(key=f"request-{number}")
        await told.until(Progress.ACCEPTED, 5, "Ben")
        assert len(there.received) == 5


async def test_what_arrived_is_recorded_once_the_database_can_be_written_again(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    there.answers = ["slow"]
    await told.park()
    await there.count(1)
    await let_write(told.store, False)
    await asyncio.sleep(0.3)
    await let_write(told.store, True)
    await told.until(Progress.ACCEPTED)
    told.advance(3600)
    await asyncio.sleep(0.1)
    assert len(there.received) == 1


async def test_a_stopped_broker_goes_on_where_it_was(tmp_path: Path, there: Endpoint) -> None:
    clock = Clock()
    async with telling(tmp_path, clock) as first:
        await first.webhook(there.url)
        there.answers = ["hang"]
        await first.park()
        await there.count(1)
    clock.advance(1)
    async with telling(tmp_path, clock) as second:
        await second.until(Progress.ACCEPTED)
    sent = {one.headers["webhook-id"] for one in there.received}
    assert (len(there.received), len(sent)) == (2, 1)


async def test_a_message_that_cannot_be_drawn_keeps_no_other_waiting(told: Telling, there: Endpoint) -> None:
    await told.webhook(there.url)
    broken = (await told.store.intents.park(bare_request(), max_pending=MANY_PENDING)).intent
    no_card = update(intents).where(intents.c.id == broken.id).values(card={})
    await told.store.database.write(lambda connection: connection.execute(no_card))
    intent = await told.park(key="a-whole-one")
    [received] = await there.count(1)
    assert received.json["data"]["intent"]["id"] == intent.id
    [dropped] = await told.until(Progress.OBSOLETE)
    assert (dropped.event.intent_id, dropped.note) == (
        broken.id,
        "internal error; see the broker's log",
    )


async def test_a_channel_that_fails_for_a_quarter_of_an_hour_is_told_on_another(
    told: Telling, there: Endpoint
) -> None:
    async with endpoint() as dead:
        dead.always = 500
        await told.webhook(dead.url)
        await told.park(ttl_seconds=86400)
        await told.until_noted("answered 500")
        await told.webhook(there.url, "Ben")
        told.advance(901)
        [alert] = await there.count(1)
        assert alert.json["type"] == "alert.channel_failing"
        assert alert.json["data"]["sentence"].endswith("Ana's channel phone: answered 500")
        dead.always = 200
        told.advance(60)
        await told.until(Progress.ACCEPTED)
        events = await told.store.read(lambda c: recent_events(c, (EventKind.CHANNEL_RECOVERED,), NOON))
        assert len(events) == 1


async def test_twenty_endpoints_that_hang_for_long_keep_no_other_waiting(
    tmp_path: Path, there: Endpoint
) -> None:
    async with endpoint() as dead, telling(tmp_path, Clock(), seconds=30) as told:
        dead.always = "hang"
        for _ in range(20):
            await told.webhook(dead.url)
        await told.webhook(there.url, "Ben")
        for number in range(5):
            await told.park(key=f"request-{number}")
        await told.until(Progress.ACCEPTED, 5, "Ben")
        assert len(there.received) == 5 and dead.most_at_once == 20 * 4


async def test_a_channel_whose_secrets_cannot_be_read_keeps_no_other_waiting(
    told: Telling, there: Endpoint
) -> None:
    broken = await told.webhook(there.url)
    await told.webhook(there.url, "Ben")
    spoil = update(channels).where(channels.c.id == broken.id).values(sealed="of another key")
    await told.store.database.write(lambda c: c.execute(spoil))
    await told.park()
    await told.until(Progress.ACCEPTED, 1, "Ben")
    [dropped] = await told.until(Progress.OBSOLETE)
    assert dropped.note == "internal error; see the broker's log"


async def test_what_is_still_being_recorded_is_not_sent_again_when_its_lease_ends(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    there.answers = ["slow"]
    await told.park()
    await there.count(1)
    await let_write(told.store, False)
    told.advance(LEASE.total_seconds() + 1)
    await asyncio.sleep(0.2)
    await let_write(told.store, True)
    told.advance(1)
    await told.until(Progress.ACCEPTED)
    assert len(there.received) == 1


@pytest.mark.parametrize("trouble", [500, "hang", "reset", "garbage", 302, 410])
async def test_no_log_holds_a_secret(
    told: Telling, there: Endpoint, trouble: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    there.always = trouble
    await told.webhook(there.url.replace("//", "//ana:s3cret@") + "/p?token=s3cret")
    await told.ntfy(there.url)
    await told.telegram(there.url)
    await told.park()
    await there.count(3)

    async def noted() -> bool:
        return len([one for one in await told.deliveries() if one.note]) == 3

    await eventually(noted)
    said = "".join(capsys.readouterr())
    assert said.count("not delivered") >= 3
    for secret in ("s3cret", "tk_", BOT, "whsec_", "orders-of-ana"):
        assert secret not in said
    assert not [one for one in await told.deliveries() if "s3cret" in str(one)]


async def test_a_paused_channel_begins_afresh(told: Telling, there: Endpoint) -> None:
    channel = await told.webhook(there.url)
    there.always = 500
    await told.park(ttl_seconds=86400)
    await told.until_noted("answered 500")
    told.advance(901)

    async def alerted() -> bool:
        return bool(await told.store.read(lambda c: told.store.channels.of_trader(c, "Ana")[0].alerted))

    await eventually(alerted)
    for paused in (True, False):
        await told.store.channels.pause(channel.id, "Ana", paused, standing=trusted)
    [channel] = await told.store.read(lambda c: told.store.channels.of_trader(c, "Ana"))
    assert (channel.failures, channel.failing_since, channel.alerted) == (0, None, False)


async def test_what_was_settled_long_ago_is_forgotten_and_nothing_of_it_is_told_again(
    told: Telling, there: Endpoint
) -> None:
    await told.webhook(there.url)
    await told.park()
    await told.until(Progress.ACCEPTED)
    told.advance(KEPT.total_seconds() + 1)

    async def forgotten() -> bool:
        return await told.deliveries() == []

    await eventually(forgotten)
    await told.park(key="another-one")
    await told.until(Progress.ACCEPTED)
    assert len(there.received) == 2 and told.worker.healthy
