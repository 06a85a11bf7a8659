"""What is left of a placed order is cancelled by a trader."""

from __future__ import annotations

import re

import httpx2
import pytest

from broker.errors import BrokerError, Code
from broker.events import EventKind

from ..support import changed
from .support import World
from .tab import tab
from .test_decisions import HTMX

pytestmark = pytest.mark.anyio

BUTTON = re.compile(">Cancel (?:the rest|order)</button>")
GONE = BrokerError(Code.NOTHING_TO_CANCEL, "Nothing is left of this order that could be cancelled.")


@pytest.mark.parametrize(
    ("status", "filled", "button"),
    [("open", "0", "Cancel order"), ("partly_filled", "0.006", "Cancel the rest")],
)
async def test_an_open_order_has_a_cancel_button(
    desk: World, ana: httpx2.AsyncClient, status: str, filled: str, button: str
) -> None:
    intent = await desk.place(await desk.park(), status, filled)
    page = (await ana.get(f"/intents/{intent.id}")).text
    assert f"Placed, filled {filled} of 0.015" in page
    assert f'action="/intents/{intent.id}/cancel"' in page
    assert f">{button}</button>" in page


@pytest.mark.parametrize("status", ["filled", "cancelled", "expired", "rejected"])
async def test_an_order_that_is_over_has_none(desk: World, ana: httpx2.AsyncClient, status: str) -> None:
    intent = await desk.place(await desk.park(), status, "0.006")
    assert not BUTTON.search((await ana.get(f"/intents/{intent.id}")).text)


async def test_without_script_it_is_cancelled_for_the_trader_who_asked(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.place(await desk.park())
    answer = await ana.post(f"/intents/{intent.id}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/intents/{intent.id}")
    assert desk.cancelled == [(intent.id, "Ana")]


async def test_the_pages_script_gets_the_card_without_the_button(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.place(await desk.park())
    answer = await ana.post(f"/intents/{intent.id}/cancel", headers=HTMX)
    assert answer.status_code == 200
    assert "<html" not in answer.text and not BUTTON.search(answer.text)
    assert "Cancelled. Asking Binance" in answer.text


@pytest.mark.parametrize("headers", [{}, HTMX])
async def test_a_failure_stands_on_the_card_and_the_button_stays(
    desk: World, ana: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    intent = await desk.place(await desk.park())
    desk.cancel_problem = BrokerError(Code.BINANCE_TIMEOUT, "Binance did not answer within 8 s.")
    answer = await ana.post(f"/intents/{intent.id}/cancel", headers=headers)
    assert answer.status_code == 409
    assert "Cancel not confirmed: Binance did not answer within 8 s." in answer.text
    assert BUTTON.search(answer.text)


async def test_what_was_filled_meanwhile_says_so(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.place(await desk.park(), "filled", "0.015")
    desk.cancel_problem = GONE
    answer = await ana.post(f"/intents/{intent.id}/cancel", headers=HTMX)
    assert answer.status_code == 409
    assert "Nothing was left to cancel: Placed, filled 0.015 of 0.015." in answer.text
    assert not BUTTON.search(answer.text)


async def test_what_is_gone_at_binance_and_not_yet_known_here_says_so(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.place(await desk.park())
    desk.cancel_problem = GONE
    answer = await ana.post(f"/intents/{intent.id}/cancel", headers=HTMX)
    assert "Nothing was left to cancel. Asking Binance for the order&#39;s state." in answer.text


async def test_a_lost_database_cancels_nothing(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.place(await desk.park())
    desk.cancel_problem = BrokerError(Code.STORE_UNAVAILABLE, "The database is not available.")
    answer = await ana.post(f"/intents/{intent.id}/cancel", headers=HTMX)
    assert answer.status_code == 503
    assert "The database is not available." in answer.text and "<article" not in answer.text


async def test_only_a_trader_on_this_site_can(
    desk: World, ana: httpx2.AsyncClient, stranger: httpx2.AsyncClient
) -> None:
    intent = await desk.place(await desk.park())
    assert (await stranger.post(f"/intents/{intent.id}/cancel")).headers["location"].startswith("/signin")
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert (await ana.post(f"/intents/{intent.id}/cancel", headers=elsewhere)).status_code == 403
    assert desk.cancelled == []


async def test_an_unknown_request_cannot_be_cancelled(desk: World, ana: httpx2.AsyncClient) -> None:
    assert (await ana.post("/intents/01k9zzzzzzzzzzzzzzzzzzzzzz/cancel")).status_code == 404
    assert desk.cancelled == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [("failed", "Not cancelled"), ("unclear", "Cancel not confirmed by Binance")],
)
async def test_other_pages_record_what_did_not_come_about_or_may_have(
    desk: World, kind: str, words: str
) -> None:
    intent = await desk.place(await desk.park())
    async with tab(desk.app, await desk.sign_in(), intent.id) as page:
        await page.message()
        await desk.store.audit(EventKind(f"order:cancel-{kind}"), "trader:Ana", intent_id=intent.id)
        told = await page.message()
        assert words in told and "<article" not in told


async def test_other_pages_see_it_cancelled_and_only_the_record_tells_of_the_attempt(desk: World) -> None:
    intent = await desk.place(await desk.park())
    told = {"symbol": "BTCUSDT", "orders": ["28"]}
    async with tab(desk.app, await desk.sign_in(), intent.id) as page:
        await page.message()
        await desk.store.audit(EventKind.ORDER_CANCEL_ASKED, "trader:Ana", intent_id=intent.id, **told)
        asked = await page.message()
        assert "Cancel requested by Ana" in asked and "<article" not in asked
        await desk.store.audit(EventKind.ORDER_CANCELLED, "trader:Ana", intent_id=intent.id, **told)
        done = await page.message()
        assert "Cancelled by Ana" in done
        assert "<article" in done and not BUTTON.search(done)
        assert intent.order is not None
        order = changed(intent.order, status="cancelled", filled="0.006")
        await desk.store.submissions.follow(intent, order)
        assert "Placed, then cancelled, filled 0.006 of 0.015" in await page.message()
