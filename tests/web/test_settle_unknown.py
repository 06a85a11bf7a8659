"""What a trader can do about a request whose outcome nobody knows."""

from __future__ import annotations

import httpx2
import pytest

from broker.errors import BrokerError, Code
from broker.intents import Intent, State
from broker.store import Moved, events_of, queries

from ..support import RESTORED
from .support import MovableClock, World, placed
from .tab import tab
from .test_decisions import HTMX

pytestmark = pytest.mark.anyio

HORIZON_SECONDS = 20
"""recvWindow 5 s, Binance's engine 10 s, slack 5 s."""


async def now(desk: World, intent: Intent) -> Intent:
    return await desk.store.read(lambda connection: queries.find_any(connection, intent.id))


async def record(browser: httpx2.AsyncClient, intent: Intent, found: str, words: str = "") -> httpx2.Response:
    return await browser.post(f"/intents/{intent.id}/word", data={"found": found, "words": words})


async def recorded(desk: World, ana: httpx2.AsyncClient, found: str, words: str = "") -> Intent:
    lost = await desk.lose(await desk.park(), HORIZON_SECONDS + 1)
    assert (await record(ana, lost, found, words)).status_code == 303
    return await now(desk, lost)


async def test_before_the_horizon_it_can_be_checked_and_nothing_recorded(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    lost = await desk.lose(await desk.park())
    page = (await ana.get(f"/intents/{lost.id}")).text
    assert "No answer from Binance; it may be live. Don&#39;t repeat it. Certain by" in page
    assert ">Check now</button>" in page and "Record outcome" not in page
    clock.advance(seconds=HORIZON_SECONDS)
    early = await record(ana, lost, "not_sent")
    assert early.status_code == 409
    assert "Not recorded: the order may still arrive at Binance" in early.text
    assert (await now(desk, lost)).state is State.UNKNOWN
    clock.advance(milliseconds=1)
    assert "Record outcome" in (await ana.get(f"/intents/{lost.id}")).text


@pytest.mark.parametrize("headers", [{}, HTMX])
async def test_check_now_shows_what_binance_says(
    desk: World, ana: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    lost = await desk.lose(await desk.park())
    desk.found = State.REFUSED
    answer = await ana.post(f"/intents/{lost.id}/check", headers=headers, follow_redirects=True)
    assert "Binance refused" in answer.text and "Check now" not in answer.text
    assert ("<html" in answer.text) is not bool(headers)


async def test_check_now_says_why_it_could_not_ask(desk: World, ana: httpx2.AsyncClient) -> None:
    lost = await desk.lose(await desk.park())
    desk.check_problem = BrokerError(Code.BINANCE_TIMEOUT, "Binance did not answer within 8 s.")
    answer = await ana.post(f"/intents/{lost.id}/check", headers=HTMX)
    assert answer.status_code == 409
    assert "Binance could not be asked: Binance did not answer within 8 s." in answer.text
    desk.check_problem = Moved(lost.id)
    assert (await ana.post(f"/intents/{lost.id}/check")).status_code == 303


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        (
            "placed",
            State.PLACED,
            "Ana recorded: it was placed: seen in the app. Binance is still being asked.",
        ),
        ("refused", State.REFUSED, "Ana recorded: Binance refused it: seen in the app."),
        ("not_sent", State.NOT_SENT, "Ana recorded: it was never sent: seen in the app."),
    ],
)
async def test_after_it_a_trader_records_his_word_and_it_is_shown_as_his(
    desk: World, ana: httpx2.AsyncClient, found: str, state: State, said: str
) -> None:
    intent = await recorded(desk, ana, found, "seen in the app")
    assert (intent.state, intent.word_by, intent.word_holds) == (state, "Ana", None)
    assert said in (await ana.get(f"/intents/{intent.id}")).text
    events = await desk.store.read(lambda connection: events_of(connection, intent.id))
    assert (events[-1].kind, events[-1].actor) == (f"intent:{state}", "trader:Ana")


async def test_binance_bears_a_word_out(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await recorded(desk, ana, "placed")
    order = placed(intent, "filled", "0.015", cost="960", average="64000")
    checked = await desk.store.submissions.check_word(intent, State.PLACED, None, order)
    assert (checked.word_holds, checked.diverged) == (True, None)
    page = (await ana.get(f"/intents/{intent.id}")).text
    assert "Ana recorded: it was placed. Binance says so too, filled 0.015 of 0.015" in page


async def test_a_word_that_binance_contradicts_is_a_divergence_and_the_order_stays_in_hand(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await recorded(desk, ana, "not_sent")
    used = await desk.store.read(lambda connection: queries.daily_volume(connection, desk.clock()))
    async with tab(desk.app, await desk.sign_in("Ben")) as page:
        await page.message()
        await desk.store.submissions.check_word(intent, State.PLACED, None, placed(intent))
        told = await page.message_with("An order differs from what was approved")
        assert "alarm" in told
    contradicted = await now(desk, intent)
    assert (contradicted.state, contradicted.word_holds) == (State.NOT_SENT, False)
    text = (await ana.get(f"/intents/{intent.id}")).text
    assert "Ana recorded: it was never sent. Binance says otherwise, filled 0 of 0.015" in text
    assert "Ana recorded that it was never sent, but Binance has it" in text
    assert ">Cancel order</button>" in text
    counted = await desk.store.read(lambda connection: queries.daily_volume(connection, desk.clock()))
    assert counted == used == intent.value_usdt, "it counts like an unknown one, until Binance bears it out"
    [followed] = await desk.store.read(queries.followed)
    assert followed.id == intent.id


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"found": "filled"}, "Not recorded: select the outcome at Binance."),
        ({}, "Not recorded: select the outcome at Binance."),
        ({"found": "placed", "words": "x" * 301}, "how you know must have at most 300 characters, not 301"),
    ],
)
async def test_a_form_that_is_wrong_records_nothing(
    desk: World, ana: httpx2.AsyncClient, form: dict[str, str], problem: str
) -> None:
    lost = await desk.lose(await desk.park(), HORIZON_SECONDS + 1)
    answer = await ana.post(f"/intents/{lost.id}/word", data=form)
    assert answer.status_code == 422
    assert problem in answer.text
    assert (await now(desk, lost)).state is State.UNKNOWN


async def test_what_is_settled_is_not_recorded_over(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.place(await desk.park())
    answer = await record(ana, intent, "not_sent")
    assert answer.status_code == 409
    assert "Not recorded, already settled: Placed, filled 0 of 0.015." in answer.text


async def test_of_a_restored_backup_nobody_knows_whether_it_was_sent(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    intent = await desk.park()
    await desk.store.database.write(
        lambda connection: desk.store.submissions.lose_track(connection, RESTORED)
    )
    page = (await ana.get(f"/intents/{intent.id}")).text
    assert "Perhaps sent before a backup was restored; it may be live." in page
    assert "Record outcome" not in page
    clock.advance(seconds=HORIZON_SECONDS + 1)
    assert (await record(ana, intent, "not_sent")).status_code == 303


async def test_a_fill_that_is_worse_than_approved_stands_in_red_everywhere(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park()
    worse = placed(intent, "filled", "0.015", cost="975", average="65000")
    await desk.submit(intent, State.PLACED, order=worse)
    page = (await ana.get(f"/intents/{intent.id}")).text
    assert "Not as approved." in page
    assert "filled at 65,000; approved: 64,534 or better" in page
    assert "An order differs from what was approved" in (await ana.get("/sessions")).text
