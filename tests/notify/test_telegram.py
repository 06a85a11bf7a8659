"""The bot API's wire format, and taps: only the trader's own account may, once; it hears what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import update

from broker.events import EventKind
from broker.intents import Intent, State, Suggestion
from broker.notifications import Progress
from broker.notify import telegram as telegram_api
from broker.notify.sender import Reply
from broker.notify.telegram_buttons import Tap, updates_of
from broker.store import recent_events
from broker.store.tables import channels

from ..support import MOVED, NOON, eventually, let_write, trusted
from ..web.support import request as asked
from .support import ANA, BOT, URL, Telling, answering

pytestmark = pytest.mark.anyio

BEN = 815
LIMIT = Decimal(10**6)


@dataclass
class Telegram:
    """A stand-in that checks what the bot API checks, and taps as people do."""

    url: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    garbage: list[bytes] = field(default_factory=list)
    """Answers to polls."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        bot, _, method = request.path.removeprefix("/bot").rpartition("/")
        body = json.loads(await request.read())
        assert (bot, request.method, request.content_type) == (BOT, "POST", "application/json")
        if method == "getUpdates":
            return await self._updates(body)
        self.calls.append((method, body))
        if self.answers:
            status, told = self.answers.pop(0)
            return web.json_response(told, status=status)
        return getattr(self, f"_{method}")(body)  # type: ignore[no-any-return]

    async def _updates(self, body: dict[str, Any]) -> web.Response:
        assert body["allowed_updates"] == ["callback_query"] and 0 < body["timeout"] <= 50
        if self.garbage:
            return web.Response(body=self.garbage.pop(0))
        self.updates = [one for one in self.updates if one["update_id"] >= body["offset"]]
        if not self.updates:
            self.changed.clear()
            async with asyncio.timeout(20):
                await self.changed.wait()
        return web.json_response({"ok": True, "result": self.updates[: body["limit"]]})

    def _sendMessage(self, body: dict[str, Any]) -> web.Response:
        self._check(body)
        message_id = len(self.messages) + 100
        self.messages[message_id] = body
        return web.json_response({"ok": True, "result": {"message_id": message_id, "text": body["text"]}})

    def _editMessageText(self, body: dict[str, Any]) -> web.Response:
        self._check(body)
        before = self.messages[body["message_id"]]
        if before["text"] == body["text"]:
            told = {"ok": False, "error_code": 400, "description": "Bad Request: message is not modified"}
            return web.json_response(told, status=400)
        self.messages[body["message_id"]] = body
        return web.json_response({"ok": True, "result": {"message_id": body["message_id"]}})

    def _answerCallbackQuery(self, body: dict[str, Any]) -> web.Response:
        assert len(body["text"]) <= 200
        return web.json_response({"ok": True, "result": True})

    def _check(self, body: dict[str, Any]) -> None:
        assert isinstance(body["chat_id"], int) and 1 <= len(body["text"]) <= 4096
        assert "parse_mode" not in body
        [buttons] = body["reply_markup"]["inline_keyboard"]
        for button in buttons:
            assert 1 <= len(button.get("callback_data", "x").encode()) <= 64
            assert button.get("url", "https://x").startswith("https://")

    def tap(self, data: str, user: int = ANA) -> None:
        sender = {"id": user, "is_bot": False, "first_name": "Ana"}
        number = len(self.updates) + 500 + len(self.calls)
        query = {"id": f"query-{number}", "from": sender, "chat_instance": "1", "data": data}
        self.updates.append({"update_id": number, "callback_query": query})
        self.changed.set()

    async def said(self, count: int = 1) -> list[str]:
        """What whoever tapped was told."""

        async def found() -> list[str]:
            texts = [body["text"] for method, body in self.calls if method == "answerCallbackQuery"]
            return texts if len(texts) >= count else []

        return await eventually(found)

    async def message(self, number: int = 100) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            return self.messages.get(number)

        return await eventually(found)  # type: ignore[arg-type]

    async def until_it_says(self, text: str, number: int = 100) -> dict[str, Any]:
        async def found() -> bool:
            return text in self.messages.get(number, {"text": ""})["text"]

        await eventually(found)
        return self.messages[number]


@asynccontextmanager
async def serving() -> AsyncIterator[Telegram]:
    made = Telegram()
    async with answering(made.handle) as made.url:
        yield made


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with serving() as made:
        yield made


def data_of(message: dict[str, Any]) -> str:
    [[_, reject]] = message["reply_markup"]["inline_keyboard"]
    data: str = reject["callback_data"]
    return data


async def refusals(told: Telling) -> list[str]:
    events = await told.store.read(lambda c: recent_events(c, (EventKind.LINK_REFUSED,), NOON))
    return [event.data["why"] for event in reversed(events)]


async def test_a_request_is_a_message_with_the_buttons_open_and_reject(
    told: Telling, telegram: Telegram
) -> None:
    await told.telegram(telegram.url)
    intent = await told.park()
    message = await telegram.message()
    [delivery] = await told.until(Progress.ACCEPTED)
    assert message["chat_id"] == ANA
    assert message["text"].startswith(
        f"PAPER BUY 0.015 BTC\n\n{intent.card.stored()['sentence']}\nMarket when asked"
    )
    assert message["text"].endswith("Waits until 12:05:00 UTC.")
    [[opened, reject]] = message["reply_markup"]["inline_keyboard"]
    assert opened == {"text": "Open", "url": f"{URL}/told/{delivery.id}"}
    assert reject["text"] == "Reject" and delivery.id in reject["callback_data"]


async def test_a_tap_rejects_says_so_and_the_message_follows(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    intent = await told.park()
    telegram.tap(data_of(await telegram.message()))
    assert await telegram.said() == ["Rejected by Ana at 12:00:00 UTC."]
    assert (await told.intent(intent)).state is State.REJECTED
    edited = await telegram.until_it_says("Rejected by Ana at 12:00:00 UTC.")
    [buttons] = edited["reply_markup"]["inline_keyboard"]
    assert [button["text"] for button in buttons] == ["Open"]
    assert len(telegram.messages) == 1
    assert [one.event.kind for one in await told.until(Progress.ACTED)] == ["intent:parked"]


async def test_a_message_follows_what_is_decided_elsewhere(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    intent = await told.park()
    await telegram.message()
    approved = await told.store.intents.approve(
        intent.id, intent.digest, "Ben", LIMIT, standing=trusted, confirmed=True
    )
    await telegram.until_it_says("Approved by Ben at 12:00:00 UTC.")
    await told.store.submissions.show_anew(approved, asked(reference="61260"), MOVED)
    anew = await telegram.message(101)
    assert "Waits until" in anew["text"]
    told.advance(301)
    await told.store.intents.expire_due()
    await telegram.until_it_says("Expired: no decision, not sent.", 101)
    await telegram.until_it_says("Approved by Ben")


async def test_what_was_decided_before_it_could_be_told_needs_no_message(
    told: Telling, telegram: Telegram
) -> None:
    await told.telegram(telegram.url)
    telegram.answers = [(502, {})]
    intent = await told.park()
    await told.until_noted("answered 502")
    await told.store.intents.reject(intent.id, intent.digest, "Ben", None, Suggestion(), standing=trusted)
    told.advance(1)
    notes = {one.event.kind: one.note for one in await told.until(Progress.OBSOLETE, 2)}
    assert notes == {
        "intent:parked": "Ben had already rejected it",
        "intent:rejected": "there is no earlier message to update",
    }
    assert telegram.messages == {}


async def test_only_the_traders_own_account_may_tap_whoever_else_is_in_the_chat(
    told: Telling, telegram: Telegram
) -> None:
    group = -1001
    await told.telegram(telegram.url, chat=group)
    intent = await told.park()
    message = await telegram.message()
    assert message["chat_id"] == group
    for number, user in enumerate((BEN, group, 0, -ANA), start=1):
        telegram.tap(data_of(message), user)
        assert (await telegram.said(number))[-1].startswith("This button has expired")
    assert (await told.intent(intent)).state is State.PENDING
    assert await refusals(told) == [
        f"the button was tapped by another account, {user}" for user in (BEN, group, 0, -ANA)
    ]
    telegram.tap(data_of(message))
    await telegram.said(5)
    assert (await told.intent(intent)).state is State.REJECTED


async def test_a_second_tap_and_one_that_comes_too_late_say_what_happened(
    told: Telling, telegram: Telegram
) -> None:
    await told.telegram(telegram.url)
    await told.park()
    data = data_of(await telegram.message())
    telegram.tap(data)
    await telegram.said()
    telegram.tap(data)
    assert (await telegram.said(2))[-1].startswith("This button has expired")
    late = await told.park(key="late")
    data = data_of(await telegram.message(101))
    await told.store.intents.approve(late.id, late.digest, "Ben", LIMIT, standing=trusted, confirmed=True)
    telegram.tap(data)
    assert (await telegram.said(3))[-1] == "Too late to reject. Approved by Ben at 12:00:00 UTC."
    assert await refusals(told) == ["the link was used before", "the request no longer waits"]


FORGED: dict[str, Callable[[str, str], str]] = {
    "empty": lambda _, __: "",
    "approve": lambda mine, _: "a" + mine[1:],
    "no token": lambda mine, _: mine.rpartition(":")[0],
    "an empty token": lambda mine, _: mine.rpartition(":")[0] + ":",
    "cut": lambda mine, _: mine[:-1],
    "a letter changed": lambda mine, _: mine[:-1] + ("A" if mine[-1] != "A" else "B"),
    "another's token": lambda mine, other: mine.rpartition(":")[0] + ":" + other.rpartition(":")[2],
    "another's delivery": lambda mine, other: other.rpartition(":")[0] + ":" + mine.rpartition(":")[2],
    "an unknown delivery": lambda mine, _: f"r:{'0' * 26}:{mine.rpartition(':')[2]}",
    "no id": lambda mine, _: f"r::{mine.rpartition(':')[2]}",
    "not ours": lambda _, __: "buy-everything",
    "another's button": lambda _, other: other,
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_or_foreign_button_does_nothing_and_is_recorded(
    told: Telling, telegram: Telegram, forged: Callable[[str, str], str]
) -> None:
    await told.telegram(telegram.url)
    await told.telegram(telegram.url, "Ben", user=BEN, chat=BEN)
    intent = await told.park()
    await telegram.message(101)
    by_chat = {one["chat_id"]: data_of(one) for one in telegram.messages.values()}
    telegram.tap(forged(by_chat[ANA], by_chat[BEN]))
    assert (await telegram.said())[0].startswith("This button has expired")
    assert (await told.intent(intent)).state is State.PENDING
    assert len(await refusals(told)) == 1


async def test_what_is_no_tap_is_passed_over(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    await told.park()
    data = data_of(await telegram.message())
    telegram.updates += [
        {"update_id": 1},
        {"update_id": 2, "callback_query": {"id": 7, "from": {"id": ANA}, "data": data}},
        {"update_id": 3, "callback_query": {"id": "q", "from": {"id": "4711"}, "data": data}},
        {"update_id": 4, "callback_query": {"id": "q", "data": data}},
        {"update_id": 5, "callback_query": {"id": "\ud800", "from": {"id": ANA}, "data": data}},
    ]
    telegram.tap(data)
    assert await telegram.said() == ["Rejected by Ana at 12:00:00 UTC."]


async def test_no_answer_ends_the_listening(
    told: Telling, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.notify.telegram_buttons.PAUSES", (0.01,))
    too_deep, no_number = b"[" * 60_000, b'{"ok": true, "result": [{"update_id": 1e999}]}'
    telegram.garbage = [too_deep, b"\xff", b"[]", b'{"result": 7}', no_number, too_deep]
    await told.telegram(telegram.url)
    await told.park()
    telegram.tap(data_of(await telegram.message()))
    assert await telegram.said() == ["Rejected by Ana at 12:00:00 UTC."]
    assert telegram.garbage == []


async def test_a_server_that_answers_polls_at_once_is_not_asked_without_a_pause(
    told: Telling, telegram: Telegram
) -> None:
    telegram.garbage = [b'{"ok": true, "result": []}'] * 10_000
    await told.telegram(telegram.url)

    async def polled() -> bool:
        return len(telegram.garbage) < 10_000

    await eventually(polled)
    await asyncio.sleep(2)
    assert len(telegram.garbage) > 10_000 - 10


BIG = 10**400


@pytest.mark.parametrize(
    "told_as",
    [
        {"update_id": BIG},
        {"update_id": True},
        {"update_id": 7, "callback_query": {"id": "q", "from": {"id": BIG}, "data": "r:x:y"}},
        {"update_id": 7, "callback_query": {"id": "q", "from": {"id": True}, "data": "r:x:y"}},
        {"update_id": 7, "callback_query": {"id": "q" * 65, "from": {"id": ANA}, "data": "r:x:y"}},
        {"update_id": 7, "callback_query": {"id": "q", "from": {"id": ANA}, "data": "r:\ud800:\ud800"}},
    ],
    ids=range(6),
)
def test_what_no_telegram_would_send_is_no_tap(told_as: dict[str, Any]) -> None:
    sent = Reply(status=200, body=json.dumps({"ok": True, "result": [told_as]}).encode(), retry_after=None)
    assert [Tap.of(update) for update in updates_of(sent)] in ([], [None])


@pytest.mark.parametrize("seconds", [-BIG, -1, BIG], ids=["long ago", "a second ago", "never"])
async def test_a_pause_that_no_clock_knows_is_a_bounded_one(
    told: Telling, telegram: Telegram, seconds: int
) -> None:
    await told.telegram(telegram.url)
    telegram.answers = [(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": seconds}})]
    await told.park()
    queued = await told.until_noted("answered 429")
    assert NOON <= queued.due_at <= NOON + timedelta(hours=1)


def test_a_message_with_a_giant_number_has_no_handle() -> None:
    body = json.dumps({"ok": True, "result": {"message_id": BIG}}).encode()
    assert telegram_api.handle_of(Reply(status=200, body=body, retry_after=None)) is None


async def test_a_listening_that_ended_all_the_same_is_begun_again(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    await told.park()
    data = data_of(await telegram.message())

    async def listening() -> list[asyncio.Task[None]]:
        return [*told.taps._polls.values()]

    [task] = await eventually(listening)
    task.cancel()
    telegram.tap(data)
    assert await telegram.said() == ["Rejected by Ana at 12:00:00 UTC."]


async def test_a_bot_whose_secrets_cannot_be_read_keeps_no_other_from_being_heard(
    told: Telling, telegram: Telegram
) -> None:
    lost = await told.telegram(telegram.url, "Ben", user=BEN, chat=BEN)
    this = update(channels).where(channels.c.id == lost.id)
    await told.store.database.write(lambda c: c.execute(this.values(sealed="lost")))
    await told.telegram(telegram.url)
    await told.park()
    telegram.tap(data_of(await telegram.message()))
    assert await telegram.said() == ["Rejected by Ana at 12:00:00 UTC."]


async def test_a_429_is_obeyed_as_telegram_tells_it(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    telegram.answers = [(429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 90}})]
    await told.park()
    await told.until_noted("answered 429")
    told.advance(89)
    await asyncio.sleep(0.1)
    assert telegram.messages == {}
    told.advance(1)
    await telegram.message()


async def test_an_edit_that_is_repeated_has_arrived(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    intent = await told.park()
    await telegram.message()
    await told.until(Progress.ACCEPTED)
    telegram.answers = [(500, {})]
    await told.store.intents.reject(intent.id, intent.digest, "Ben", None, Suggestion(), standing=trusted)
    await told.until_noted("answered 500")
    [method, body] = telegram.calls[-1]
    assert method == "editMessageText"
    telegram.messages[100] = body  # it did arrive
    told.advance(1)
    await told.until(Progress.ACCEPTED, 2)


async def test_garbage_for_an_answer_is_no_handle(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    garbage: list[dict[str, Any]] = [{"result": [1]}, {"result": {"message_id": "x"}}, {"parameters": 7}]
    for number, body in enumerate(garbage):
        telegram.answers = [(200, body)]
        intent: Intent = await told.park(key=f"request-{number}")
        await told.until(Progress.ACCEPTED, number + 1)
        await told.store.intents.reject(intent.id, intent.digest, "Ben", None, Suggestion(), standing=trusted)
    await told.until(Progress.OBSOLETE, 3)


async def test_where_links_lead_to_this_machine_alone_there_is_no_button_that_opens(
    told: Telling, telegram: Telegram
) -> None:
    told.links._url = "http://127.0.0.1:3606"
    await told.telegram(telegram.url)
    await told.park()
    message = await telegram.message()
    [[button]] = message["reply_markup"]["inline_keyboard"]
    assert button["text"] == "Reject"


async def test_a_tap_waits_for_a_database_in_trouble(told: Telling, telegram: Telegram) -> None:
    await told.telegram(telegram.url)
    intent = await told.park()
    data = data_of(await telegram.message())
    await told.until(Progress.ACCEPTED)
    await let_write(told.store, False)
    telegram.tap(data)
    await asyncio.sleep(0.5)
    assert telegram.calls[-1][0] == "sendMessage"
    await let_write(told.store, True)
    assert await telegram.said() == ["Rejected by Ana at 12:00:00 UTC."]
    assert (await told.intent(intent)).state is State.REJECTED
