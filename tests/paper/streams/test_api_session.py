"""What may be asked over the WebSocket API, and what is refused."""

import time
from pathlib import Path
from typing import Any

import pytest

from broker.paper import PaperServer
from broker.paper.http.limits import Limits

from ..support import Clock, new_order
from .support import connected, signed, subscribed

pytestmark = pytest.mark.anyio
PATH = "/ws-api/v3"


async def test_ping_and_time(server: PaperServer) -> None:
    async with connected(server, PATH) as client:
        pong = await client.ask({"id": 1, "method": "ping"})
        told = await client.ask({"id": "two", "method": "time", "params": {"returnRateLimits": False}})
    assert (pong["id"], pong["status"], pong["result"]) == (1, 200, {})
    (limit,) = pong["rateLimits"]
    assert (limit["rateLimitType"], limit["limit"], limit["count"]) == ("REQUEST_WEIGHT", 6000, 1)
    assert told.keys() == {"id", "status", "result"}
    assert abs(told["result"]["serverTime"] - time.time() * 1000) < 5_000


async def test_news_comes_while_it_is_subscribed(server: PaperServer) -> None:
    async with connected(server, PATH) as client:
        assert (await subscribed(client))["result"] == {"subscriptionId": 0}
        listed = await client.ask({"id": 2, "method": "session.subscriptions"})
        assert listed["result"] == [{"subscriptionId": 0}]
        server.exchange.place(new_order(price="50000"))
        assert (await client.event())["subscriptionId"] == 0
        assert (await client.event())["event"]["e"] == "outboundAccountPosition"
        ended = await client.ask({"id": 3, "method": "userDataStream.unsubscribe"})
        assert (ended["status"], ended["result"]) == (200, {})
        assert (await client.event())["event"]["e"] == "eventStreamTerminated"
        server.exchange.place(new_order(price="50000", client_id="unheard"))
        assert await client.is_silent()
        assert (await subscribed(client))["result"] == {"subscriptionId": 1}


async def test_who_did_not_subscribe_hears_nothing(server: PaperServer) -> None:
    async with connected(server, PATH) as client:
        await client.ask({"id": 1, "method": "ping"})
        server.exchange.place(new_order(price="50000"))
        assert await client.is_silent()


def subscription(*, late: int = 0, secret: str = "paper-secret", **params: Any) -> dict[str, Any]:
    values = {"apiKey": "paper-key", "timestamp": int(time.time() * 1000) - late, **params}
    given = {name: value for name, value in values.items() if value is not None}
    return {"id": 9, "method": "userDataStream.subscribe.signature", "params": signed(given, secret)}


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (lambda: subscription(secret="other"), 400, -1022),
        (lambda: subscription(apiKey="other"), 401, -2015),
        (lambda: subscription(apiKey=None), 401, -2014),
        (lambda: subscription(timestamp=None), 400, -1102),
        (lambda: subscription(late=6_000), 400, -1021),
        (lambda: subscription(late=-2_000), 400, -1021),
        (lambda: subscription(recvWindow=70_000), 400, -1131),
        (lambda: subscription(symbol="BTCUSDT"), 400, -1104),
        (lambda: {"id": 9, "method": "userDataStream.unsubscribe"}, 400, -2036),
        (lambda: {"id": 9, "method": "order.place"}, 400, -1020),
        (lambda: {"id": 9}, 400, -1102),
        (lambda: {"id": 9, "method": "ping", "params": []}, 400, -1135),
        (lambda: "{", 400, -1135),
        (lambda: "[]", 400, -1135),
    ],
)
async def test_what_is_refused(server: PaperServer, request_: Any, status: int, code: int) -> None:
    asked = request_()
    async with connected(server, PATH) as client:
        answer = await client.ask(asked)
        assert (answer["status"], answer["error"]["code"]) == (status, code)
        assert answer["error"]["msg"]
        server.exchange.place(new_order(price="50000"))
        assert await client.is_silent()


async def test_a_late_request_within_its_window_is_answered(server: PaperServer) -> None:
    async with connected(server, PATH) as client:
        assert (await client.ask(subscription(late=6_000, recvWindow=10_000)))["status"] == 200
    async with connected(server, PATH) as client:
        assert (await client.ask(subscription(recvWindow=5000.125)))["status"] == 200


async def test_one_subscription_at_a_time(server: PaperServer) -> None:
    async with connected(server, PATH) as client:
        await subscribed(client)
        assert (await subscribed(client))["error"]["code"] == -2035


async def test_too_much_weight_is_refused_until_the_next_minute(tmp_path: Path) -> None:
    clock = Clock()
    async with PaperServer(tmp_path, seed=7, clock=clock, limits=Limits(weight_per_minute=3)) as server:
        async with connected(server, PATH) as client:
            list_them = {"id": 1, "method": "session.subscriptions"}
            assert (await client.ask(list_them))["rateLimits"][0]["count"] == 2
            refused = await client.ask(list_them)
            clock.advance(seconds=60)
            assert (await client.ask(list_them))["status"] == 200
    assert (refused["status"], refused["error"]["code"]) == (429, -1003)
    data = refused["error"]["data"]
    assert 0 < data["retryAfter"] - data["serverTime"] <= 60_000
