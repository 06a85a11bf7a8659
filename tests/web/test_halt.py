"""The red button: on every page, for whoever is signed in, and the one way to resume."""

from __future__ import annotations

import asyncio
import re

import httpx2
import pytest

from broker.errors import BrokerError, Code
from broker.halt import Halt, Level
from broker.intents import Intent, State
from broker.store import queries

from ..store.test_audit import tamper
from .support import World
from .tab import tab
from .test_decisions import HTMX

pytestmark = pytest.mark.anyio


async def shown_by(browser: httpx2.AsyncClient) -> str:
    """The number of the halt that a page shows which is loaded now."""
    drawn = re.search(r'name="shown" value="(\d+)"', (await browser.get("/sessions")).text)
    return drawn.group(1) if drawn else "0"


async def put(
    browser: httpx2.AsyncClient, level: str, reason: str = "", shown: str | None = None, **headers: str
) -> httpx2.Response:
    """As from a page that showed that halt, or the one that stands."""
    form = {"level": level, "reason": reason, "shown": shown or await shown_by(browser)}
    return await browser.post("/trading", data=form, headers=headers)


async def standing(desk: World) -> Halt:
    return await desk.store.read(desk.store.halts.current)


async def state(desk: World, intent: Intent) -> State:
    found = await desk.store.read(lambda connection: queries.find_any(connection, intent.id))
    return found.state


@pytest.mark.parametrize("path", ["/", "/sessions", "/intents/{id}"])
async def test_every_page_has_the_button_and_says_when_trading_is_halted(
    desk: World, ana: httpx2.AsyncClient, path: str
) -> None:
    address = path.format(id=(await desk.park()).id)
    assert "Halt everything" in (await ana.get(address)).text
    await put(ana, "halted", "Fat <b>fingers</b>")
    page = (await ana.get(address)).text
    assert "HALTED" in page and "by Ana" in page
    assert "“Fat &lt;b&gt;fingers&lt;/b&gt;”" in page
    assert "Resume trading" in page


async def test_a_halt_stops_what_was_approved_in_the_same_commit(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    entry, leaving = await desk.park("0.01"), await desk.park("0.02", side="SELL", is_exit=True)
    for intent in (entry, leaving):
        await desk.approve(intent)
    await put(ana, "exits_only")
    assert [await state(desk, intent) for intent in (entry, leaving)] == [State.NOT_SENT, State.APPROVED]
    await put(ana, "halted")
    assert await state(desk, leaving) is State.NOT_SENT
    page = (await ana.get(f"/intents/{leaving.id}")).text
    assert "Approved, not sent: trading is halted (by Ana)" in page


@pytest.mark.parametrize(("level", "passes"), [("exits_only", True), ("halted", False)])
async def test_while_halted_an_approval_does_not_count_and_the_request_still_waits(
    desk: World, ana: httpx2.AsyncClient, level: str, passes: bool
) -> None:
    entry, leaving = await desk.park("0.01"), await desk.park("0.02", side="SELL", is_exit=True)
    await put(ana, level)
    for intent, status in ((entry, 409), (leaving, 303 if passes else 409)):
        answer = await ana.post(
            f"/intents/{intent.id}/decision", data={"digest": intent.digest, "decision": "approve"}
        )
        assert answer.status_code == status
        if status == 409:
            assert "Not approved: the request still waits." in answer.text
            assert await state(desk, intent) is State.PENDING
    rejected = await ana.post(
        f"/intents/{entry.id}/decision", data={"digest": entry.digest, "decision": "reject"}
    )
    assert rejected.status_code == 303, "saying no is always possible"


async def test_nothing_is_parked_while_halted_and_everything_after_it_is_resumed(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    await put(ana, "halted", "look first")
    with pytest.raises(BrokerError) as refused:
        await desk.park(is_exit=True)
    assert refused.value.code is Code.TRADING_HALTED
    assert refused.value.details["reason"] == "look first"
    await put(ana, "exits_only")
    await desk.park("0.02", is_exit=True)
    await put(ana, "open")
    assert (await standing(desk)).level is Level.OPEN
    await desk.park("0.03")


async def test_a_repeat_of_what_was_parked_before_is_still_answered(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    first = await desk.park(key="a-key-of-the-agent")
    await put(ana, "halted")
    with pytest.raises(AssertionError):  # deduplicated
        await desk.park(key="a-key-of-the-agent")
    assert await state(desk, first) is State.PENDING


async def test_other_tabs_show_it_at_once(desk: World, ana: httpx2.AsyncClient) -> None:
    async with tab(desk.app, await desk.sign_in("Ben")) as page:
        await page.message()
        await put(ana, "halted")
        told = await page.message_with('hx-target="#trading"')
        assert "HALTED" in told and "Trading halted by Ana" in told
        await put(ana, "open")
        told = await page.message_with('hx-target="#trading"')
        assert "Halt everything" in told and "Trading resumed by Ana" in told


async def test_the_pages_script_gets_the_button_alone(desk: World, ana: httpx2.AsyncClient) -> None:
    answer = await ana.post("/trading", data={"level": "halted", "reason": ""}, headers=HTMX)
    assert answer.status_code == 200
    assert "<html" not in answer.text and "HALTED" in answer.text


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"level": "closed"}, "level: must be one of the options"),
        ({}, "level: must be one of the options"),
        ({"level": "halted", "reason": "x" * 201}, "reason: must have at most 200 characters, not 201"),
    ],
)
async def test_a_form_that_is_wrong_changes_nothing(
    desk: World, ana: httpx2.AsyncClient, form: dict[str, str], problem: str
) -> None:
    answer = await ana.post("/trading", data=form)
    assert answer.status_code == 400
    assert problem in answer.text
    assert await standing(desk) == Halt()


async def test_without_a_session_nobody_halts_or_resumes(
    desk: World, ana: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    assert (await put(stranger, "halted")).status_code == 303
    assert await standing(desk) == Halt()
    await put(ana, "halted")
    assert (await put(stranger, "open")).headers["location"].startswith("/signin")
    assert (await standing(desk)).level is Level.HALTED


async def test_a_command_tightens_and_never_loosens(desk: World, ana: httpx2.AsyncClient) -> None:
    halts = desk.store.halts
    approved = await desk.approve(await desk.park())
    tightened = await asyncio.to_thread(halts.tighten, Level.HALTED, "command line", "night")
    assert (tightened.level, tightened.by, tightened.reason) == (Level.HALTED, "command line", "night")
    assert await state(desk, approved) is State.NOT_SENT
    for level in Level:
        await asyncio.to_thread(halts.tighten, level, "command line", None)
        assert await standing(desk) == tightened


@pytest.mark.parametrize("pressed", ["open", "exits_only"])
@pytest.mark.parametrize("seen", [["open"], ["exits_only"], ["halted", "open"]])
async def test_a_page_that_is_behind_never_loosens_a_halt(
    desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient, seen: list[str], pressed: str
) -> None:
    for level in seen:
        await put(ana, level)
    shown = await shown_by(ana)
    await put(ben, "halted", "the key leaked")
    told = await put(ana, pressed, shown=shown, **HTMX)
    assert told.status_code == 200
    assert "Not changed: your page showed an older state." in told.text
    assert "Trading is halted (by Ben)." in told.text and "“the key leaked”" in told.text
    told = await put(ana, pressed, shown=shown)
    assert told.status_code == 409
    assert "Trading is halted (by Ben)." in told.text
    assert ((await standing(desk)).level, (await standing(desk)).by) == (Level.HALTED, "Ben")


async def test_resuming_lifts_only_the_halt_that_the_page_showed(
    desk: World, ana: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    """It was lifted meanwhile, and another came that looks the same."""
    await put(ana, "halted", "lunch")
    shown = await shown_by(ana)
    await put(ana, "open")
    again = await put(ana, "open", shown=shown)
    assert "Trading is open (by Ana)." in again.text
    await put(ben, "halted", "the key leaked")
    told = await put(ana, "open", shown=shown)
    assert told.status_code == 409
    assert (await standing(desk)).reason == "the key leaked"
    await put(ana, "open", shown=await shown_by(ana))
    assert (await standing(desk)).level is Level.OPEN


@pytest.mark.parametrize("named", [{}, {"shown": "halted"}, {"shown": "9" * 5000}, {"shown": "-1"}])
async def test_a_form_that_names_no_halt_tightens_and_lifts_none(
    desk: World, ana: httpx2.AsyncClient, named: dict[str, str]
) -> None:
    await ana.post("/trading", data={"level": "halted", **named})
    assert (await ana.post("/trading", data={"level": "open", **named})).status_code == 409
    assert (await standing(desk)).level is Level.HALTED


async def test_a_page_that_is_behind_still_tightens(desk: World, ana: httpx2.AsyncClient) -> None:
    shown = await shown_by(ana)
    await put(ana, "exits_only")
    await put(ana, "halted", shown=shown)
    assert (await standing(desk)).level is Level.HALTED


async def test_a_halt_whose_record_was_changed_is_lifted_like_any_other(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    before = await shown_by(ana)
    await put(ana, "exits_only")
    await asyncio.to_thread(
        tamper, desk.store.database.path, "UPDATE audit SET at = 1 WHERE kind LIKE 'trading%'"
    )
    assert "the record of who halted trading was changed" in (await ana.get("/sessions")).text
    assert (await put(ana, "exits_only", shown=before)).status_code == 409
    assert (await put(ana, "open")).status_code == 303
    assert (await standing(desk)).level is Level.OPEN
