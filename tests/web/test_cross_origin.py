from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from broker.settings import Settings
from broker.web import guarded

pytestmark = pytest.mark.anyio


async def _answer(_: Request) -> Response:
    return PlainTextResponse("reached")


async def _heard(request: Request) -> Response:
    return PlainTextResponse(repr(request.headers["x-told"]))


@pytest.fixture
async def browser() -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(public_url="https://desk.example.com")
    app = Starlette(routes=[Route("/", _answer, methods=["GET", "POST", "DELETE"]), Route("/heard", _heard)])
    transport = httpx2.ASGITransport(guarded(app, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:3606",
        "127.0.0.1:1",
        "[::1]:3606",
        "broker.localhost:3606",
        "desk.example.com",
        "desk.example.com:8443",
    ],
)
async def test_its_own_hosts_are_answered_on_any_port(browser: httpx2.AsyncClient, host: str) -> None:
    assert (await browser.get("/", headers={"host": host})).text == "reached"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "other.localhost",
        "broker.localhost.evil.example",
        "0.0.0.0",
        "[",
        "",
        "a@b",
    ],
)
async def test_any_other_host_is_misdirected(browser: httpx2.AsyncClient, host: str) -> None:
    answer = await browser.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "PUBLIC_URL" in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost"}, 403),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "https://desk.example.com"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"x-mcp-api-key": "an agent without a browser"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_an_unsafe_request_must_not_come_from_another_site(
    browser: httpx2.AsyncClient, method: str, headers: dict[str, str], status: int
) -> None:
    assert (await browser.request(method, "/", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("desk.example.com", "https://desk.example.com", 200),
        ("desk.example.com", "https://desk.example.com:443", 200),
        ("desk.example.com", "http://desk.example.com", 403),
        ("desk.example.com", "http://desk.example.com:443", 403),
        ("desk.example.com", "https://desk.example.com:8443", 403),
        ("desk.example.com:8443", "http://desk.example.com:8443", 403),
        ("127.0.0.1:3606", "http://desk.example.com", 403),
        ("127.0.0.1:3606", "https://desk.example.com", 200),
        ("127.0.0.1:3606", "http://127.0.0.1:3606", 200),
        ("127.0.0.1:3606", "https://127.0.0.1:3606", 403),
        ("127.0.0.1:3606", "http://127.0.0.1", 403),
        ("localhost:3606", "http://127.0.0.1:3606", 403),
        ("broker.localhost:3606", "http://broker.localhost:3606", 200),
        ("broker.localhost:3606", "http://other.localhost:3606", 403),
    ],
)
async def test_an_origin_is_scheme_host_and_port(
    browser: httpx2.AsyncClient, host: str, origin: str, status: int
) -> None:
    """PUBLIC_URL is https://desk.example.com: a proxy speaks TLS, and passes its Host on or names ours."""
    assert (await browser.post("/", headers={"host": host, "origin": origin})).status_code == status


async def test_space_around_a_headers_value_is_no_part_of_it(browser: httpx2.AsyncClient) -> None:
    assert (await browser.get("/heard", headers=[(b"x-told", b" \ta  b\t ")])).text == repr("a  b")
    assert (await browser.get("/", headers=[(b"host", b"localhost ")])).text == "reached"
    refused = await browser.post("/", headers=[(b"sec-fetch-site", b"cross-site\t")])
    assert refused.status_code == 403


async def test_a_link_from_another_site_may_be_followed(browser: httpx2.AsyncClient) -> None:
    assert (await browser.get("/", headers={"sec-fetch-site": "cross-site"})).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}])
async def test_every_answer_carries_the_security_headers(
    browser: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await browser.post("/", headers=headers)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
