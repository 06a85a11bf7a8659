from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from starlette.types import ASGIApp, Message

from broker.events import EventKind
from broker.store import recent_events
from broker.store.refusals import ONE_BY_ONE
from broker.web.allowances import STRANGERS_PER_NAME
from broker.web.hashing import MOST_IN_LINE

from .support import NOON, PASSWORD, World

pytestmark = pytest.mark.anyio


async def sign_in(browser: httpx2.AsyncClient, **fields: str) -> httpx2.Response:
    return await browser.post("/signin", data={"name": "Ana", "password": PASSWORD, **fields})


async def test_the_right_password_opens_a_session_and_leads_back(stranger: httpx2.AsyncClient) -> None:
    answer = await sign_in(stranger, next="/intents/01k9")
    assert (answer.status_code, answer.headers["location"]) == (303, "/intents/01k9")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("broker_session_3606=")
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert attribute in cookie
    assert "Secure" not in cookie
    assert (await stranger.get("/")).status_code == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\tevil",
        "/%0d%0aSet-Cookie:x\r\nx",
        " //evil.example",
        "/" * 3,
        "",
    ],
)
async def test_signing_in_never_leads_to_another_site(stranger: httpx2.AsyncClient, elsewhere: str) -> None:
    assert (await sign_in(stranger, next=elsewhere)).headers["location"] == "/"
    shown = await stranger.get("/signin", params={"next": elsewhere})
    assert shown.headers.get("location", "/") == "/"


@pytest.mark.parametrize("fields", [{"password": "wrong"}, {"name": "Nobody"}, {"name": "", "password": ""}])
async def test_a_wrong_name_or_password_gets_in_nowhere_and_is_recorded(
    desk: World, stranger: httpx2.AsyncClient, fields: dict[str, str]
) -> None:
    answer = await sign_in(stranger, **fields)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "The name or the password is wrong." in answer.text
    [refused] = await desk.store.read(lambda c: recent_events(c, (EventKind.SESSION_REFUSED,), NOON))
    assert refused.data["why"] == "wrong name or password"
    assert PASSWORD not in str(refused)


async def test_a_trader_removed_while_his_password_is_checked_does_not_get_in(
    desk: World, stranger: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = desk.store.people
    check = people.right_password

    def removed_meanwhile(name: str, password: str) -> str | None:
        hashed = check(name, password)
        people.remove_trader(name, actor="command line")
        return hashed

    monkeypatch.setattr(people, "right_password", removed_meanwhile)
    answer = await sign_in(stranger)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert await people.sessions_of("Ana") == []


HALF_A_PAIR = b"+2AA-"
"""In UTF-7: text that UTF-8 cannot write."""


async def post_in_utf_7(browser: httpx2.AsyncClient, path: str, **fields: bytes) -> httpx2.Response:
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields.items()
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}
    return await browser.post(path, content=b"".join(parts) + b"--x--\r\n", headers=headers)


@pytest.mark.parametrize("odd", [{"name": HALF_A_PAIR}, {"password": HALF_A_PAIR}])
async def test_a_name_or_password_that_is_no_text_is_a_wrong_one(
    stranger: httpx2.AsyncClient, odd: dict[str, bytes]
) -> None:
    fields = {"name": b"Ana", "password": PASSWORD.encode()}
    assert (await post_in_utf_7(stranger, "/signin", **fields)).status_code == 303
    answer = await post_in_utf_7(stranger, "/signin", **{**fields, **odd})
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text


async def test_brokers_on_one_host_keep_their_sessions_apart(desk: World, ana: httpx2.AsyncClient) -> None:
    desk.settings = desk.settings.model_copy(update={"port": 3607})
    transport = httpx2.ASGITransport(desk.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as browser:
        browser.cookies = ana.cookies
        assert (await browser.get("/")).status_code == 303
        await sign_in(browser)
        sessions = ["broker_session_3606", "broker_session_3607"]
        assert sorted(browser.cookies) == ["broker_browser_3607", *sessions]
        assert (await browser.get("/")).status_code == 200
        await browser.post("/signout")
        assert sorted(browser.cookies) == ["broker_browser_3607", "broker_session_3606"]


@pytest.fixture
async def strangers(stranger: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    """Others of the same broker, at the same address, as behind a proxy."""
    transport = httpx2.ASGITransport(app_of(stranger))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as browser:
        yield browser


def app_of(browser: httpx2.AsyncClient) -> ASGIApp:
    transport = browser._transport
    assert isinstance(transport, httpx2.ASGITransport)
    app: ASGIApp = transport.app
    return app


async def spend(browser: httpx2.AsyncClient) -> None:
    """As many wrong passwords for Ana as strangers may try at once; later ones wait for the clock."""
    for number in range(STRANGERS_PER_NAME.burst):
        assert (await sign_in(browser, password=f"wrong {number}")).status_code == 401


async def let_all_end(desk: World, tasks: list[asyncio.Task[httpx2.Response]]) -> list[int]:
    async with asyncio.timeout(100):
        while (await asyncio.wait(tasks, timeout=0.05))[1]:
            desk.clock.advance(seconds=0.5)
    return [task.result().status_code for task in tasks]


async def test_strangers_who_guess_at_one_name_get_two_answers_a_second_and_the_rest_429(
    desk: World, strangers: httpx2.AsyncClient
) -> None:
    await spend(strangers)
    more = [asyncio.create_task(sign_in(strangers, password=f"more {n}")) for n in range(MOST_IN_LINE + 3)]
    await asyncio.sleep(1)
    turned_away = [task.result() for task in more if task.done()]
    assert [answer.status_code for answer in turned_away] == [429] * 3
    assert turned_away[0].headers["retry-after"] == "2"
    assert "your password was not checked" in turned_away[0].text
    assert sorted(await let_all_end(desk, more)) == [401] * MOST_IN_LINE + [429] * 3


async def test_a_browser_that_signed_in_before_gets_in_while_strangers_guess(
    desk: World, stranger: httpx2.AsyncClient, strangers: httpx2.AsyncClient
) -> None:
    """On the same address, with the strangers' allowance spent and their line full."""
    assert (await sign_in(stranger)).status_code == 303
    await stranger.post("/signout")
    await spend(strangers)
    waiting = [asyncio.create_task(sign_in(strangers, password=f"more {n}")) for n in range(MOST_IN_LINE + 3)]
    await asyncio.sleep(0.2)
    assert (await sign_in(stranger)).status_code == 303
    await let_all_end(desk, waiting)


async def test_the_cookie_of_a_known_browser_lets_nobody_in(
    desk: World, stranger: httpx2.AsyncClient
) -> None:
    await sign_in(stranger)
    await stranger.post("/signout")
    known = stranger.cookies["broker_browser_3606"]
    assert (await stranger.get("/")).status_code == 303
    stranger.cookies.set(desk.cookie, known)
    assert (await stranger.get("/")).status_code == 303
    assert (await sign_in(stranger, password="wrong")).status_code == 401


async def test_the_cookie_of_a_known_browser_goes_to_the_sign_in_page_alone(
    stranger: httpx2.AsyncClient,
) -> None:
    answer = await sign_in(stranger)
    [cookie] = [c for c in answer.headers.get_list("set-cookie") if c.startswith("broker_browser_3606=")]
    for attribute in ("HttpOnly", "Path=/signin", "SameSite=strict"):
        assert attribute in cookie


async def test_a_stranger_with_the_right_password_waits_for_a_turn_and_gets_in(
    desk: World, stranger: httpx2.AsyncClient, strangers: httpx2.AsyncClient
) -> None:
    await spend(strangers)
    ana = asyncio.create_task(sign_in(stranger))
    await asyncio.sleep(0.2)
    assert not ana.done()
    assert await let_all_end(desk, [ana]) == [303]


async def test_made_up_names_do_not_take_turns_from_a_trader(
    desk: World, stranger: httpx2.AsyncClient, strangers: httpx2.AsyncClient
) -> None:
    flood = [
        asyncio.create_task(sign_in(strangers, name=f"n{number}", password="wrong")) for number in range(60)
    ]
    await asyncio.sleep(0)
    assert await let_all_end(desk, [asyncio.create_task(sign_in(stranger))]) == [303]
    statuses = await let_all_end(desk, flood)
    assert statuses.count(429) > 30, "few wait: the rest are turned away at once"


async def test_who_hangs_up_before_the_turn_costs_no_hash(
    desk: World, stranger: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    check = desk.store.people.right_password

    def counted(name: str, password: str) -> str | None:
        checked.append(password)
        return check(name, password)

    monkeypatch.setattr(desk.store.people, "right_password", counted)
    assert [status async for status in hanging_up(app_of(stranger), 40)] == [400] * 40
    assert checked == []
    assert (await sign_in(stranger)).status_code == 303


async def hanging_up(app: ASGIApp, times: int) -> AsyncIterator[int]:
    """Clients that are gone once their request is whole."""
    for number in range(times):
        body = f"name=Ana&password=wrong{number}".encode()
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])
        sent: list[Message] = []

        async def receive(messages: Iterator[Message] = messages) -> Message:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/signin",
            "raw_path": b"/signin",
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", number),
            "server": ("localhost", 80),
            "scheme": "http",
            "root_path": "",
            "http_version": "1.1",
        }
        await app(scope, receive, send)
        yield sent[0]["status"]


async def test_refused_sign_ins_fill_no_log(desk: World, strangers: httpx2.AsyncClient) -> None:
    for name in ("Ana", "n{}"):
        tasks = [
            asyncio.create_task(sign_in(strangers, name=name.format(number), password="wrong"))
            for number in range(40)
        ]
        await let_all_end(desk, tasks)
    rows = await desk.store.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM audit WHERE kind = 'session:refused'").scalar()
    )
    assert rows == 2 * ONE_BY_ONE, "for Ana, and for all names that nobody has"


async def test_a_known_browser_has_ten_attempts_of_its_own_and_then_waits_like_a_stranger(
    desk: World, stranger: httpx2.AsyncClient
) -> None:
    await sign_in(stranger)
    await stranger.post("/signout")
    statuses = [(await sign_in(stranger, password=f"wrong {n}")).status_code for n in range(12)]
    assert statuses == [401] * 12, "the last two as a stranger"


async def test_signing_out_ends_the_session(desk: World, ana: httpx2.AsyncClient) -> None:
    token = ana.cookies[desk.cookie]
    answer = await ana.post("/signout")
    assert answer.headers["location"] == "/signin"
    assert await desk.store.people.session(token) is None


async def test_without_a_session_a_page_leads_to_signing_in_and_back(stranger: httpx2.AsyncClient) -> None:
    answer = await stranger.get("/intents/01k9")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/intents/01k9")


@pytest.mark.parametrize("path", ["/intents/01k9/decision", "/signout", "/sessions/x/revoke"])
async def test_without_a_session_nothing_can_be_done(stranger: httpx2.AsyncClient, path: str) -> None:
    assert (await stranger.post(path)).headers["location"].startswith("/signin")


async def test_without_a_session_the_pages_script_is_told_where_to_sign_in(
    stranger: httpx2.AsyncClient,
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/intents/01k9"}
    answer = await stranger.post("/intents/01k9/decision", headers=headers)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/signin?next=/intents/01k9")


@pytest.mark.parametrize("token", ["", "invented"])
async def test_a_welcome_link_that_was_invented_is_dead(stranger: httpx2.AsyncClient, token: str) -> None:
    assert (await stranger.get("/welcome", params={"token": token})).status_code == 410


class TestFirstTrader:
    @pytest.fixture
    def invitation(self, desk: World) -> str:
        desk.store.people.remove_trader("Ana", actor="command")
        token = desk.store.people.invite()
        assert token
        return token

    async def welcome(self, browser: httpx2.AsyncClient, token: str, **fields: str) -> httpx2.Response:
        given = {"token": token, "name": "Eva", "password": PASSWORD, "again": PASSWORD, **fields}
        return await browser.post("/welcome", data=given)

    async def test_sets_a_name_and_a_password_and_is_in(
        self, stranger: httpx2.AsyncClient, invitation: str
    ) -> None:
        assert "Welcome" in (await stranger.get("/welcome", params={"token": invitation})).text
        assert (await self.welcome(stranger, invitation)).headers["location"] == "/"
        assert "Eva" in (await stranger.get("/")).text
        assert (await self.welcome(stranger, invitation)).status_code == 410, "the link works once"

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({"again": "something else"}, "the two passwords differ"),
            ({"password": "short", "again": "short"}, "password: must have 8 to 200 characters"),
            ({"name": "\x07"}, "name: must have 1 to 40 printable characters"),
        ],
    )
    async def test_is_told_what_is_wrong_with_them(
        self, stranger: httpx2.AsyncClient, invitation: str, fields: dict[str, str], problem: str
    ) -> None:
        answer = await self.welcome(stranger, invitation, **fields)
        assert answer.status_code == 422
        assert problem in answer.text
        assert (await self.welcome(stranger, invitation)).status_code == 303

    @pytest.mark.parametrize(
        ("odd", "status", "problem"),
        [
            ("name", 422, "name: must have 1 to 40 printable characters"),
            ("password", 422, "password: must be valid UTF-8 text"),
            ("token", 410, "This link has expired or was used"),
        ],
    )
    async def test_is_told_so_when_something_is_no_text(
        self, stranger: httpx2.AsyncClient, invitation: str, odd: str, status: int, problem: str
    ) -> None:
        long = HALF_A_PAIR * 8
        fields = {"token": invitation.encode(), "name": b"Eva", "password": long, "again": long, odd: long}
        answer = await post_in_utf_7(stranger, "/welcome", **fields)
        assert answer.status_code == status
        assert problem in answer.text

    async def test_reads_on_the_sign_in_page_where_the_link_is(
        self, stranger: httpx2.AsyncClient, invitation: str
    ) -> None:
        assert "There is no trader yet" in (await stranger.get("/signin")).text


async def test_over_https_the_cookie_is_secure(desk: World) -> None:
    desk.settings = desk.settings.model_copy(update={"public_url": "https://desk.example.com"})
    transport = httpx2.ASGITransport(desk.app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://desk.example.com") as browser:
        assert "Secure" in (await sign_in(browser)).headers["set-cookie"]
