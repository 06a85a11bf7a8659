"""What came about is never told as if it had not, whatever fails after it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection

from broker.errors import BrokerError, Code
from broker.halt import Level
from broker.intents import State
from broker.store import Session, Standing

from .support import World
from .test_decisions import HTMX
from .test_standing import add_agent, approve, cancel, halt, reject, rotate_key, word

pytestmark = pytest.mark.anyio

LOST = "The broker's database is not available (disk I/O error); this call changed nothing."


class Disk:
    """Of the store: nothing can be read any more once it is broken; what is being written still is."""

    def __init__(self, desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken = False
        database, people = desk.store.database, desk.store.people
        read, standing = database.read, people.standing

        async def read_while_whole(transaction: Any) -> Any:
            if self.broken:
                raise BrokerError(Code.STORE_UNAVAILABLE, LOST)
            return await read(transaction)

        def standing_last_thing_read(session: Session) -> Standing:
            def require(connection: Connection) -> None:
                standing(session)(connection)
                self.broken = True

            return require

        monkeypatch.setattr(database, "read", read_while_whole)
        monkeypatch.setattr(people, "standing", standing_last_thing_read)


@pytest.fixture
def disk(desk: World, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """It breaks in the transaction of a trader's act."""
    return Disk(desk, monkeypatch)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (approve, "Your approval is recorded."),
        (reject, "Your rejection is recorded."),
        (word, "The outcome is recorded."),
        (cancel, "Cancelled."),
        (add_agent, "bot has a new key that was not shown: make another one."),
        (rotate_key, "bot has a new key that was not shown: make another one."),
    ],
)
async def test_an_act_that_came_about_says_so_though_its_page_cannot_be_drawn(
    desk: World, ana: httpx2.AsyncClient, disk: Disk, act: Any, said: str
) -> None:
    address, form = await act(desk)
    answer = await ana.post(address, data=form, headers=HTMX)
    assert disk.broken
    assert answer.status_code == 503
    assert answer.text == f"{said} The page could not be shown. Reload it."
    assert len(desk.approved) == (act is approve)


async def test_a_halt_is_shown_without_being_read_again(
    desk: World, ana: httpx2.AsyncClient, disk: Disk
) -> None:
    address, form = await halt(desk)
    answer = await ana.post(address, data=form, headers=HTMX)
    assert disk.broken
    assert (answer.status_code, "HALTED" in answer.text) == (200, True)
    standing = desk.store.database.read_now(desk.store.halts.current)
    assert standing.level is Level.HALTED


async def test_a_cancel_that_may_have_come_about_says_so(
    desk: World, ana: httpx2.AsyncClient, disk: Disk
) -> None:
    address, form = await cancel(desk)
    desk.cancel_problem = BrokerError(Code.BINANCE_TIMEOUT, "Binance did not answer within 8 s.")
    answer = await ana.post(address, data=form)
    assert disk.broken
    assert answer.status_code == 503
    assert "Cancel not confirmed: Binance did not answer within 8 s." in answer.text
    assert "Nothing was recorded" not in answer.text


async def test_what_binance_said_when_asked_is_recorded_though_its_page_cannot_be_drawn(
    desk: World, ana: httpx2.AsyncClient, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await desk.lose(await desk.park())
    desk.found = State.REFUSED
    settle = desk.store.submissions.settle

    async def then_it_breaks(*given: Any, **more: Any) -> Any:
        settled = await settle(*given, **more)
        disk.broken = True
        return settled

    monkeypatch.setattr(desk.store.submissions, "settle", then_it_breaks)
    answer = await ana.post(f"/intents/{lost.id}/check", headers=HTMX)
    assert (answer.status_code, answer.text.partition(". ")[0]) == (503, "Binance was asked")
