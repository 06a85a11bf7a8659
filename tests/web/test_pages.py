from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from typing import cast

import httpx2
import pytest

from broker.cards import Figure
from broker.events import EventKind
from broker.intents import State, Suggestion
from broker.store.audit import events_after
from broker.web import page_figures

from ..support import changed, give_key, trusted
from .support import PASSWORD, MovableClock, World, check

pytestmark = pytest.mark.anyio

HOSTILE = (
    "</blockquote><script>alert(1)</script><img src=x onerror=alert(2)> \u202e{{ 7*7 }} approved by risk desk"
)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


async def test_an_empty_inbox_says_what_happens_next(ana: httpx2.AsyncClient) -> None:
    page = (await ana.get("/")).text
    assert "No requests are waiting." in page
    assert "broker call binance_create_order symbol=BTCUSDT" in page
    assert "<title>Confirmation broker</title>" in page


async def test_the_oldest_request_comes_first_and_the_title_counts(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    for amount in ("0.01", "0.02", "0.03"):
        await desk.park(amount)
        clock.advance(seconds=1)
    page = (await ana.get("/")).text
    assert re.findall(r"Approve BUY (0\.0\d) BTC", page) == ["0.01", "0.02", "0.03"]
    assert "<title>(3) Confirmation broker</title>" in page


async def test_a_card_is_a_sentence_first_and_names_the_act_on_its_button(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park()
    page = (await ana.get(f"/intents/{intent.id}")).text
    assert '<strong class="buy">BUY 0.015 BTC</strong> at market ≈ 963.20 USDT, sent only at' in page
    assert ">Approve BUY 0.015 BTC</button>" in page
    assert f'<input type="hidden" name="digest" value="{intent.digest}">' in page
    assert page.index('value="reject"') < page.index('value="approve"'), "Enter in a field rejects"


async def test_figures_when_asked_stand_beside_figures_now(desk: World, ana: httpx2.AsyncClient) -> None:
    await desk.park()
    page = text_of((await ana.get("/")).text)
    assert "Market when asked 64,213" in page
    assert "Market now 64,250" in page


async def test_figures_that_cannot_be_read_in_time_say_so_and_the_page_does_not_wait(
    desk: World, ana: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_figures, "TIMEOUT_SECONDS", 0.01)
    desk.slow = asyncio.Event()
    desk.equity = None
    await desk.park()
    async with asyncio.timeout(5):
        page = (await ana.get("/")).text
    assert "Not available: Binance did not answer in time." in page
    assert "Approve BUY 0.015 BTC" in page
    assert "<b>not available</b>" in page


async def test_checks_are_folded_when_all_are_well_within_their_limits(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    await desk.park()
    assert "3 checks passed, none close to its limit</summary>" in (await ana.get("/")).text


@pytest.mark.parametrize(
    ("notable", "words"),
    [
        (check("balance", "Free USDT", "900", "1000", near=True), "close to its limit"),
        (
            check("order_value", "Order value", "2000", "1000", passed=False, enforced=False),
            "above its limit",
        ),
    ],
)
async def test_a_check_near_or_above_its_limit_is_unfolded(
    desk: World, ana: httpx2.AsyncClient, notable: object, words: str
) -> None:
    await desk.park(checks=[notable])
    page = (await ana.get("/")).text
    assert words in page
    assert "checks passed" not in page


async def test_what_the_agent_writes_is_only_ever_its_quoted_words(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park(reason=HOSTILE)
    for path in ("/", f"/intents/{intent.id}"):
        page = (await ana.get(path)).text
        assert "<script>alert" not in page and "<img src=x" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)" in page and "{{ 7*7 }}" in page
        assert page.index("Agent default says") < page.index("approved by risk desk")


async def test_a_missing_reason_stands_out(desk: World, ana: httpx2.AsyncClient) -> None:
    await desk.park(reason=None)
    assert '<p class="silent">no reason given</p>' in (await ana.get("/")).text


@pytest.mark.parametrize("reason", ["\u3164", "\u2800" * 20, " \u200b\n", "\u0301"], ids=ascii)
async def test_a_reason_that_cannot_be_seen_is_missing(
    desk: World, ana: httpx2.AsyncClient, reason: str
) -> None:
    await desk.park(reason=reason)
    assert '<p class="silent">no reason given</p>' in (await ana.get("/")).text


async def test_the_mode_stands_on_every_page(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    for path in ("/", f"/intents/{intent.id}", "/sessions"):
        assert '<span class="mode paper">PAPER</span>' in (await ana.get(path)).text


async def test_the_strip_shows_the_days_volume_against_its_limit_and_what_waits(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park("0.02", value="1284.28")
    await desk.store.intents.approve(
        intent.id, intent.digest, "Ana", Decimal(10000), standing=trusted, confirmed=True
    )
    await desk.park(value="963.20")
    page = text_of((await ana.get("/")).text)
    assert "Today 1,284.28 of 10,000.00 USDT" in page
    assert "963.20 waiting" in page
    assert "Equity 200,000.00 USDT" in page


async def test_an_unreachable_exchange_is_announced(desk: World, ana: httpx2.AsyncClient) -> None:
    desk.exchange_problem = "Binance has not answered since 11:58"
    assert "Binance has not answered since 11:58" in (await ana.get("/")).text


async def test_new_people_keys_and_cancelled_orders_are_announced_on_every_page_for_a_while(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    give_key(desk.store, "momentum", "cbk_" + "k" * 40)
    await desk.store.audit(EventKind.ORDERS_CANCELLED, "agent:momentum", symbol="BTCUSDT", orders=["1", "2"])
    for path in ("/", "/sessions"):
        page = (await ana.get(path)).text
        assert "New trader Ana, added by first-run link" in page
        assert "Agent momentum has a new key" in page
        assert "agent momentum cancelled 2 orders on BTCUSDT" in page
    clock.advance(hours=2)
    page = (await ana.get("/")).text
    assert "cancelled 2 orders" not in page and "momentum has a new key" in page
    clock.advance(hours=23)
    assert "momentum has a new key" not in (await ana.get("/")).text


async def test_decided_requests_come_latest_change_first_with_their_outcome(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock
) -> None:
    intents = desk.store.intents
    first, second = await desk.park("0.01"), await desk.park("0.02")
    await intents.reject(
        second.id, second.digest, "Ana", "Too large", Suggestion(amount=Decimal("0.005")), standing=trusted
    )
    clock.advance(seconds=1)
    await intents.withdraw(first.id, "default")
    page = text_of((await ana.get("/")).text)
    assert page.index("Withdrawn by agent default") < page.index("Rejected by Ana")
    assert "Sent to the agent: “Too large” amount 0.005" in page


@pytest.mark.parametrize("how", ["expired", "rejected", "unswept"])
async def test_a_request_that_is_over_has_no_buttons(
    desk: World, ana: httpx2.AsyncClient, clock: MovableClock, how: str
) -> None:
    intent = await desk.park()
    if how == "rejected":
        await desk.store.intents.reject(intent.id, intent.digest, "Ana", None, Suggestion(), standing=trusted)
    else:
        clock.advance(seconds=300)
    if how == "expired":
        await desk.store.intents.expire_due()
    for path in ("/", f"/intents/{intent.id}"):
        assert "/decision" not in (await ana.get(path)).text
    words = "Rejected by Ana" if how == "rejected" else "Expired: no decision, not sent"
    assert words in (await ana.get(f"/intents/{intent.id}")).text


async def test_a_requests_own_page_is_small_and_holds_its_record_and_fingerprint(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.park(
        reason="w" * 500,
        figures=[Figure(label=f"Figure {n}", value="1,234.56 USDT") for n in range(12)],
        warnings=["A warning of some length that takes room"] * 5,
        second_tap=["A reason of some length that takes room"] * 5,
        checks=[check("balance", "Free USDT", "900", "1000", near=True)] * 6,
    )
    answer = await ana.get(f"/intents/{intent.id}")
    assert len(answer.content) < 30_000
    assert "Requested by agent default" in answer.text
    assert f">{intent.digest}</code>" in answer.text
    assert '<details class="fingerprint"><summary>Fingerprint' in answer.text


async def test_an_order_filled_in_very_many_parts_keeps_its_page_small(
    desk: World, ana: httpx2.AsyncClient
) -> None:
    intent = await desk.place(await desk.park(), "partly_filled")
    for part in range(1, 101):
        assert intent.order is not None
        order = changed(intent.order, filled=f"0.{part:04}")
        intent = await desk.store.submissions.follow(intent, order)
    answer = await ana.get(f"/intents/{intent.id}")
    assert len(answer.content) < 30_000
    assert "Requested by agent default" in answer.text
    assert "Order changed at Binance, filled 0.01 of 0.015" in answer.text


async def test_a_long_queue_is_shown_in_part_and_says_so(desk: World, ana: httpx2.AsyncClient) -> None:
    for number in range(103):
        await desk.park(f"0.1{number:03}")
    page = (await ana.get("/")).text
    assert page.count('/decision" hx-target') == 100
    assert "3 more waiting." in page


async def test_an_unknown_request_is_not_found(ana: httpx2.AsyncClient) -> None:
    answer = await ana.get("/intents/01k9zzzzzzzzzzzzzzzzzzzzzz")
    assert answer.status_code == 404
    assert "No such request" in answer.text


async def test_no_page_holds_a_secret(desk: World, ana: httpx2.AsyncClient) -> None:
    key = "cbk_" + "s" * 40
    give_key(desk.store, "default", key)
    intent = await desk.park()
    for path in ("/", f"/intents/{intent.id}", "/sessions"):
        page = (await ana.get(path)).text
        assert ana.cookies[desk.cookie] not in page
        assert key not in page


class TestSessions:
    async def test_lists_ones_own_and_marks_this_browser(self, desk: World, ana: httpx2.AsyncClient) -> None:
        await desk.sign_in("Ana", "Mozilla/5.0 (iPhone) Safari/604.1")
        await desk.sign_in("Ben", "Ben's machine")
        page = (await ana.get("/sessions")).text
        assert "Safari on iPhone" in page and "Firefox on the desk" in page
        assert page.count("this browser") == 1
        assert "Ben's machine" not in page

    async def test_another_session_can_be_revoked(self, desk: World, ana: httpx2.AsyncClient) -> None:
        lost = await desk.sign_in("Ana", "a lost phone")
        session = await desk.store.people.session(lost)
        assert session
        answer = await ana.post(f"/sessions/{session.id}/revoke")
        assert answer.headers["location"] == "/sessions"
        assert await desk.store.people.session(lost) is None

    async def test_anothers_session_cannot(self, desk: World, ana: httpx2.AsyncClient) -> None:
        token = await desk.sign_in("Ben")
        session = await desk.store.people.session(token)
        assert session
        assert (await ana.post(f"/sessions/{session.id}/revoke")).status_code == 404
        assert await desk.store.people.session(token) == session

    async def test_revoking_ones_own_signs_out(self, desk: World, ana: httpx2.AsyncClient) -> None:
        [session] = await desk.store.people.sessions_of("Ana")
        assert (await ana.post(f"/sessions/{session.id}/revoke")).headers["location"] == "/signin"
        assert (await ana.get("/")).status_code == 303


class TestPassword:
    NEW = "kitten-mule-42"

    async def change(self, browser: httpx2.AsyncClient, **fields: str) -> httpx2.Response:
        form = {"old": PASSWORD, "password": self.NEW, "again": self.NEW, **fields}
        return await browser.post("/sessions/password", data=form)

    @staticmethod
    async def kinds(desk: World) -> list[str]:
        events = await desk.store.read(lambda connection: events_after(connection, 0))
        return [event.kind for event in events]

    async def test_is_changed_here_and_ends_the_other_sessions(
        self, desk: World, ana: httpx2.AsyncClient
    ) -> None:
        elsewhere, of_ben = await desk.sign_in("Ana"), await desk.sign_in("Ben")
        answer = await self.change(ana)
        assert answer.status_code == 200
        assert "Your other session has ended. This browser stays signed in." in answer.text
        assert (await ana.get("/sessions")).status_code == 200
        assert await desk.store.people.session(elsewhere) is None
        assert await desk.store.people.session(of_ben) is not None
        assert desk.store.people.right_password("Ana", self.NEW)
        assert not desk.store.people.right_password("Ana", PASSWORD)
        assert (await self.kinds(desk))[-2:] == ["trader:password-changed", "session:ended"]

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"old": "wrong"}, "current password: wrong"),
            ({"again": "another"}, "new password again: the two passwords differ"),
            ({"password": "short", "again": "short"}, "password: must have 8 to 200 characters"),
            ({"password": "password1", "again": "password1"}, "password: is too easy to guess"),
            ({"password": "AnaBroker", "again": "AnaBroker"}, "your name or the broker"),
        ],
    )
    async def test_stays_where_something_is_wrong_and_says_what(
        self, desk: World, ana: httpx2.AsyncClient, fields: dict[str, str], problem: str
    ) -> None:
        elsewhere = await desk.sign_in("Ana")
        answer = await self.change(ana, **fields)
        assert answer.status_code == 422
        assert problem in answer.text
        assert PASSWORD not in answer.text
        assert await desk.store.people.session(elsewhere) is not None
        assert desk.store.people.right_password("Ana", PASSWORD)

    async def test_is_not_guessed_by_a_session_without_bounds(self, ana: httpx2.AsyncClient) -> None:
        statuses = [(await self.change(ana, old=f"wrong {number}")).status_code for number in range(11)]
        assert statuses == [422] * 10 + [429]

    async def test_is_not_changed_by_another_site(self, desk: World, ana: httpx2.AsyncClient) -> None:
        form = {"old": PASSWORD, "password": self.NEW, "again": self.NEW}
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://localhost"}):
            assert (await ana.post("/sessions/password", data=form, headers=headers)).status_code == 403
        assert desk.store.people.right_password("Ana", PASSWORD)


async def test_a_state_that_waits_for_nobody_is_never_counted(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    approved = await desk.store.intents.approve(
        intent.id, intent.digest, "Ana", Decimal(10000), standing=trusted, confirmed=True
    )
    assert approved.state is State.APPROVED
    assert "<title>Confirmation broker</title>" in (await ana.get("/")).text


async def test_a_row_of_another_release_shows_as_the_log_has_it(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park()
    await desk.store.audit(cast(EventKind, "oracle:spoke"), "oracle", intent_id=intent.id)
    assert "oracle:spoke" in (await ana.get(f"/intents/{intent.id}")).text


@pytest.mark.parametrize(
    ("kind", "did"),
    [
        (EventKind.ORDERS_CANCELLED, "cancelled"),
        (EventKind.ORDERS_CANCEL_UNCLEAR, "may have cancelled"),
    ],
)
async def test_a_protective_cancel_leads_the_news_and_stands_out(
    desk: World, ana: httpx2.AsyncClient, kind: EventKind, did: str
) -> None:
    await desk.store.audit(kind, "agent:default", symbol="BTCUSDT", orders=["1"], protective=True)
    await desk.store.audit(EventKind.ORDERS_CANCELLED, "agent:default", symbol="ETHUSDT", orders=["2"])
    for path in ("/", "/sessions"):
        page = (await ana.get(path)).text
        [summary] = re.findall(r'<details id="news"><summary>.*?</summary>', page)
        assert 'class="alarm" role="alert"' in summary
        assert f"agent default {did} a protective order on BTCUSDT" in summary


async def test_what_cannot_be_suggested_has_no_field(desk: World, ana: httpx2.AsyncClient) -> None:
    intent = await desk.park(suggestible=[], act="LEVERAGE 5× → 20×", sentence="LEVERAGE 5× → 20×, cross")
    page = (await ana.get(f"/intents/{intent.id}")).text
    assert "suggested_" not in page
    assert "<label>In your words" in page
    answer = await ana.post(
        f"/intents/{intent.id}/decision",
        data={"digest": intent.digest, "decision": "reject", "suggested_amount": "1"},
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("act", "tone"),
    [
        ("BUY 0.015 BTC", "buy"),
        ("LIMIT SELL 0.015 BTC", "sell"),
        ("CLOSE LONG 0.020 BTC", "close"),
        ("LEVERAGE 5× → 20×", "leverage"),
        ("CANCEL limit SELL 0.02 at 62,000", "cancel"),
    ],
)
@pytest.mark.parametrize("market", ["spot", "futures"])
async def test_each_kind_of_act_and_market_is_marked(
    desk: World, ana: httpx2.AsyncClient, act: str, tone: str, market: str
) -> None:
    await desk.park(act=act, sentence=f"{act} and more", market=market)
    page = (await ana.get("/")).text
    assert f'<strong class="{tone}">{act}</strong> and more' in page
    assert f'<span class="market {market}">{market.upper()}</span>' in page


async def test_many_of_one_kind_push_no_alarm_off_the_page(desk: World, ana: httpx2.AsyncClient) -> None:
    await desk.store.audit(EventKind.ORDER_DIVERGED, "binance", note="worse than promised")
    await desk.store.audit(EventKind.TRADER_ADDED, "command line", name="Mallory")
    place = {"market": "spot", "symbol": "BTCUSDT"}
    await desk.store.audit(EventKind.ORDERS_CANCELLED, "agent:bot", **place, orders=["1"], protective=True)
    for number in range(30):
        await desk.store.audit(EventKind.CHANNEL_RECOVERED, "broker", channel="c", name="phone", trader="Ana")
        await desk.store.audit(EventKind.AGENT_LIMITS_SET, "trader:Ana", name="bot", rights={})
        orders = [f'{number}"protective":true']
        await desk.store.audit(EventKind.ORDERS_CANCELLED, "agent:bot", **place, orders=orders)
    page = text_of((await ana.get("/")).text)
    assert "An order differs from what was approved" in page
    assert "New trader Mallory" in page
    assert "cancelled a protective order" in page
