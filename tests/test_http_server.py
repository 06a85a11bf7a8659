"""The server before a small application, with real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from broker.http_server import Agent, Limits, Server, Trader, recognise
from broker.http_server.connections import address_of
from broker.http_server.limits import MAX_BODY, MAX_FIELDS, MAX_HEAD, MAX_URL

from .serving import listening

pytestmark = pytest.mark.anyio

LIMITS = Limits(
    anonymous=8,
    anonymous_per_address=8,
    agents=4,
    highest_file=60_000,
    request_seconds=20,
    keep_alive_seconds=20,
)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


class App:
    """Answers with the length of the body, or waits, as the path says."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.waiting = 0
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        holder = request.headers.get("agent"), request.headers.get("trader")
        if holder != (None, None):
            recognise(scope, Agent(holder[0]) if holder[0] else Trader(str(holder[1])))
        await (await self.answer(request))(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        if request.url.path == "/address":
            return PlainTextResponse(request.client.host if request.client else "")
        if request.url.path == "/missing":
            return PlainTextResponse("no", 404)
        if request.url.path == "/large":
            return PlainTextResponse("x" * 40_000_000)
        try:
            body = await request.body()
        except ClientDisconnect:
            self.left += 1
            return Response(status_code=400)
        if request.url.path == "/wait":
            self.waiting += 1
            await self.release.wait()
        return PlainTextResponse(f"{len(body)} bytes, {len(request.headers)} headers")


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            try:
                await self._writer.drain()
            except ConnectionError:
                return  # the answer may still be read

    async def answer(self) -> tuple[int, str]:
        """Status and body of the next answer."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 15)
        lines = head.decode().lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        return int(lines[0].split()[1]), (await self._reader.readexactly(length)).decode()

    async def closed(self) -> bool:
        """Whether nothing more comes, and the connection ends."""
        try:
            return await asyncio.wait_for(self._reader.read(), 15) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._writer.close()


class Site:
    def __init__(self, app: App, server: Server, port: int) -> None:
        self.app, self.server, self.port = app, server, port
        self._clients: list[Client] = []

    async def connect(self, *parts: bytes) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        await client.send(*parts)
        return client

    async def asked(self, *parts: bytes) -> tuple[int, str]:
        return await (await self.connect(*parts)).answer()

    def close(self) -> None:
        for client in self._clients:
            client.close()


@asynccontextmanager
async def serving(limits: Limits = LIMITS, *, behind_proxy: bool = False) -> AsyncIterator[Site]:
    app, ready = App(), asyncio.Event()
    with listening() as taken:
        server = Server(app, limits, ready.set, behind_proxy=behind_proxy)
        running = asyncio.create_task(server.serve([taken]))
        await ready.wait()
        site = Site(app, server, taken.getsockname()[1])
        try:
            yield site
        finally:
            app.release.set()
            site.close()
            server.should_exit = True
            await running


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


async def waits(site: Site, calls: int) -> None:
    await until(lambda: site.app.waiting >= calls)


BIG = b"a" * 300_000
TOO_MUCH = {
    "url": (b"GET /" + b"a" * (MAX_URL + 1), 414),
    "header in one piece": (GET + b"A: " + b"a" * (MAX_HEAD + 1) + b"\r\n\r\n", 431),
    "header without end": (GET + b"A: " + BIG, 431),
    "name without end": (GET + BIG, 431),
    "many headers": (GET + b"A: b\r\n" * MAX_FIELDS + b"\r\n", 431),
    "empty lines": (b"\r\n" * MAX_HEAD, 431),
    "declared body": (POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
    "chunked body": (CHUNKED + b"ffff\r\n" + b"a" * 65535 + b"\r\nffff\r\n" + b"a" * 65535, 413),
    "one chunk without end": (CHUNKED + b"ffffff\r\n" + BIG, 413),
    "chunk extension": (CHUNKED + b"1;" + BIG, 431),
    "small chunks": (CHUNKED + (b"1;" + b"e" * 90 + b"\r\na\r\n") * 700, 431),
    "trailer": (CHUNKED + b"1\r\na\r\n0\r\nA: " + BIG, 431),
    "many trailers": (CHUNKED + b"1\r\na\r\n0\r\n" + b"A: b\r\n" * MAX_FIELDS + b"\r\n", 431),
    "no HTTP": (b"\x16\x03\x01\x02", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "upgrade with a body": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na",
        400,
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH)
@pytest.mark.parametrize("piece", [4096, 1_000_000])
async def test_what_is_too_large_or_invalid_is_answered_and_closed(case: str, piece: int) -> None:
    sent, status = TOO_MUCH[case]
    async with serving() as site:
        client = await site.connect(*(sent[at : at + piece] for at in range(0, len(sent), piece)))
        assert (await client.answer())[0] == status
        assert await client.closed()
        assert await site.asked(GET + b"\r\n") == (200, "0 bytes, 1 headers")


async def test_what_is_as_large_as_allowed_passes() -> None:
    body = b"a" * MAX_BODY
    async with serving() as site:
        assert (await site.asked(POST + b"Content-Length: %d\r\n\r\n" % MAX_BODY + body))[0] == 200
        assert (await site.asked(CHUNKED + b"10000\r\n" + body + b"\r\n0\r\n\r\n"))[0] == 200
        assert (await site.asked(b"GET /" + b"a" * (MAX_URL - 1) + b" HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 200
        assert (await site.asked(GET + b"A: " + b"a" * (MAX_HEAD - 100) + b"\r\n\r\n"))[0] == 200
        assert await site.asked(GET + b"A: b\r\n" * (MAX_FIELDS - 1) + b"\r\n") == (
            200,
            "0 bytes, 100 headers",
        )


async def test_ordinary_ways_to_speak_http_work() -> None:
    trailed = CHUNKED + b"1\r\na\r\n0\r\nTrailer: dropped\r\n\r\n"
    async with serving() as site:
        assert await site.asked(trailed) == (200, "1 bytes, 2 headers")
        upgrading = await site.connect(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert (await upgrading.answer())[0] == 200
        assert await upgrading.closed()
        old = await site.connect(b"GET / HTTP/1.0\r\n\r\n")
        assert (await old.answer())[0] == 200
        assert await old.closed()
        twice = await site.connect((GET + b"\r\n") * 3)
        assert [(await twice.answer())[0] for _ in range(3)] == [200] * 3
        await twice.send(GET + b"\r\n")
        assert (await twice.answer())[0] == 200


async def test_a_request_ahead_that_is_refused_takes_no_answer_from_the_one_before_it() -> None:
    async with serving() as site:
        client = await site.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        await waits(site, 1)
        await client.send(GET + b"A: " + BIG)
        await until(lambda: bool(site.server.tally.counts))
        site.app.release.set()
        assert await client.answer() == (200, "0 bytes, 1 headers")
        assert await client.closed()


async def test_requests_sent_ahead_are_few() -> None:
    async with serving() as site:
        client = await site.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + (GET + b"\r\n") * 10_000)
        await waits(site, 1)
        site.app.release.set()
        assert (await client.answer())[0] == 200
        assert await client.closed()


async def test_what_is_not_sent_in_time_is_answered_and_closed() -> None:
    async with serving(replace(LIMITS, request_seconds=1)) as site:
        head = await site.connect(GET)
        body = await site.connect(POST + b"Content-Length: 9\r\n\r\na")
        nothing = await site.connect()
        assert (await head.answer())[0] == 408
        assert (await body.answer())[0] == 408
        assert await head.closed() and await body.closed() and await nothing.closed()
        assert site.app.left == 1


async def test_a_byte_now_and_then_buys_no_time() -> None:
    async with serving(replace(LIMITS, request_seconds=1)) as site:
        client = await site.connect(GET)
        answer = asyncio.create_task(client.answer())
        for _ in range(20):
            if answer.done():
                break
            await client.send(b"A")
            await asyncio.sleep(0.2)
        assert (await answer)[0] == 408


@pytest.mark.parametrize(("behind_proxy", "address"), [(False, "127.0.0.1"), (True, "203.0.113.7")])
async def test_a_client_names_its_own_address_only_through_a_proxy(behind_proxy: bool, address: str) -> None:
    asked = b"GET /address HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
    async with serving(behind_proxy=behind_proxy) as site:
        assert await site.asked(asked) == (200, address)


async def test_an_idle_connection_is_closed_and_a_waiting_call_is_not() -> None:
    async with serving(replace(LIMITS, request_seconds=1, keep_alive_seconds=1)) as site:
        idle = await site.connect(GET + b"\r\n")
        waiting = await site.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await idle.answer())[0] == 200
        assert await idle.closed()
        await asyncio.sleep(2.5)
        site.app.release.set()
        assert (await waiting.answer())[0] == 200


async def test_the_rest_of_a_body_after_its_answer_is_read_up_to_the_limit() -> None:
    start = b"POST /missing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving() as site:
        client = await site.connect(start)
        assert (await client.answer())[0] == 404
        await client.send(*[b"ffff\r\n" + b"a" * 65535 + b"\r\n"] * 40)
        assert await client.closed()


async def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.http_server.connection.WRITE_SECONDS", 1)
    async with serving() as site:
        await site.connect(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: bool(site.server.server_state.connections))
        await until(lambda: not site.server.server_state.connections)


async def test_a_newcomer_is_let_in_and_the_one_that_owes_a_request_longest_gives_way() -> None:
    async with serving() as site:
        first = await site.connect()
        slow = await site.connect(GET)
        working = await site.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        await waits(site, 1)
        for _ in range(20):
            assert (await site.asked(GET + b"\r\n"))[0] == 200
        assert await first.closed()
        assert (await slow.answer())[0] == 503
        site.app.release.set()
        assert (await working.answer())[0] == 200


@pytest.mark.parametrize("holder", [b"Agent: a", b"Trader: Ana"])
async def test_who_showed_a_key_or_a_session_gives_way_to_no_stranger(holder: bytes) -> None:
    async with serving() as site:
        known = await site.connect(GET + holder + b"\r\n\r\n")
        assert (await known.answer())[0] == 200
        waiting = await site.connect(b"GET /wait HTTP/1.1\r\nHost: a\r\n" + holder + b"\r\n\r\n")
        await waits(site, 1)
        for _ in range(40):
            await site.connect(GET)
        assert (await site.asked(GET + b"\r\n"))[0] == 200
        await known.send(GET + holder + b"\r\n\r\n")
        assert (await known.answer())[0] == 200
        site.app.release.set()
        assert (await waiting.answer())[0] == 200


async def test_the_agent_with_most_connections_gives_way_to_other_agents() -> None:
    call = b"GET /wait HTTP/1.1\r\nHost: a\r\nAgent: %s\r\n\r\n"
    async with serving() as site:
        other = await site.connect(call % b"other")
        await waits(site, 1)
        greedy = []
        for number in range(6):
            greedy.append(await site.connect(call % b"greedy"))
            await waits(site, 2 + number)
        assert [(await client.answer())[0] for client in greedy[:3]] == [503] * 3
        site.app.release.set()
        assert (await other.answer())[0] == 200
        assert [(await client.answer())[0] for client in greedy[3:]] == [200] * 3


async def test_a_connection_is_anonymous_again_once_a_request_shows_nothing() -> None:
    async with serving() as site:
        client = await site.connect(GET + b"Agent: a\r\n\r\n")
        assert (await client.answer())[0] == 200
        await client.send(GET + b"\r\n")
        assert (await client.answer())[0] == 200
        for _ in range(40):
            await site.connect()
        assert await client.closed()


async def test_no_client_gets_a_descriptor_that_is_kept_for_others() -> None:
    async with serving(replace(LIMITS, highest_file=0)) as site:
        trader = await site.connect(b"GET / HTTP/1.1\r\nHost: a\r\nTrader: Ana\r\n\r\n")
        assert await trader.closed()


def test_addresses_of_one_customer_count_as_one() -> None:
    assert address_of("2001:db8:1:2:3::4") == address_of("2001:db8:1:2::5")
    assert address_of("2001:db8:1:2::4") != address_of("2001:db8:1:3::4")
    assert address_of("::ffff:10.0.0.1") == address_of("10.0.0.1")
