"""Subscribing and what else may be asked on a connection to market streams."""

from typing import Any

import httpx2
import pytest

from broker.paper import PaperServer

from .support import connected

pytestmark = pytest.mark.anyio


async def test_streams_are_subscribed_listed_and_left(server: PaperServer) -> None:
    names = ["btcusdt@miniTicker", "ethusdt@miniTicker"]
    async with connected(server, "/ws") as client:
        assert await client.ask({"method": "SUBSCRIBE", "params": names, "id": 1}) == {
            "result": None,
            "id": 1,
        }
        assert {(await client.event())["s"] for _ in range(4)} == {"BTCUSDT", "ETHUSDT"}
        assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 2}))["result"] == names
        await client.ask({"method": "UNSUBSCRIBE", "params": names[:1], "id": "x"})
        assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": None}))["result"] == names[1:]


async def test_a_stream_that_is_left_says_nothing_more(server: PaperServer) -> None:
    async with connected(server, "/ws/btcusdt@miniTicker") as client:
        await client.event()
        await client.ask({"method": "UNSUBSCRIBE", "params": ["btcusdt@miniTicker"], "id": 1})
        client.forget()
        assert await client.is_silent()


async def test_combined_streams_say_which_one_speaks(server: PaperServer) -> None:
    async with connected(server, "/stream?streams=btcusdt@trade/ethusdt@miniTicker") as client:
        events = [await client.event() for _ in range(8)]
        assert {(event["stream"], event["data"]["s"]) for event in events} == {
            ("btcusdt@trade", "BTCUSDT"),
            ("ethusdt@miniTicker", "ETHUSDT"),
        }
        assert (await client.ask({"method": "GET_PROPERTY", "params": ["combined"], "id": 1}))[
            "result"
        ] is True
        await client.ask({"method": "SET_PROPERTY", "params": ["combined", False], "id": 2})
        client.forget()
        assert "stream" not in await client.event()


async def test_streams_can_be_named_in_the_address(server: PaperServer) -> None:
    async with connected(server, "/ws/btcusdt@miniTicker/ethusdt@trade") as client:
        listed = await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    assert listed["result"] == ["btcusdt@miniTicker", "ethusdt@trade"]


@pytest.mark.parametrize(
    "name",
    ["nopeusdt@ticker", "BTCUSDT@ticker", "btcusdt@nothing", "btcusdt@kline_7m", "btcusdt@depth7", "!x@arr"],
)
async def test_of_a_stream_that_does_not_exist_nothing_is_heard(server: PaperServer, name: str) -> None:
    async with connected(server, "/ws") as client:
        assert (await client.ask({"method": "SUBSCRIBE", "params": [name], "id": 1}))["result"] is None
        assert await client.is_silent()


@pytest.mark.parametrize(
    ("asked", "code", "msg"),
    [
        ("{", 3, "Invalid JSON"),
        ('{"id":1}', 2, "Invalid request: missing field `method`"),
        (
            {"id": 1, "method": "JOIN"},
            2,
            "Invalid request: unknown variant `JOIN`",
        ),
        ({"id": 1.5, "method": "LIST_SUBSCRIPTIONS"}, 2, "Invalid request: request ID must be"),
        ({"id": "x" * 37, "method": "LIST_SUBSCRIPTIONS"}, 2, "Invalid request: request ID must be"),
        ({"id": 1, "method": "SUBSCRIBE", "params": "btcusdt@ticker"}, 2, "Invalid request: params"),
        ({"id": 1, "method": "SUBSCRIBE", "params": ["btcusdt"]}, 2, "Invalid request: invalid stream"),
        ({"id": 1, "method": "SUBSCRIBE", "params": [7]}, 2, "Invalid request: invalid stream"),
        ({"id": 1, "method": "GET_PROPERTY", "params": ["speed"]}, 0, "Unknown property"),
        ({"id": 1, "method": "GET_PROPERTY"}, 2, "Invalid request: property name must be a string"),
        ({"id": 1, "method": "GET_PROPERTY", "params": ["combined", 1]}, 2, "Invalid request: too many"),
        (
            {"id": 1, "method": "SET_PROPERTY", "params": ["combined", 1]},
            1,
            "Invalid value type: expected Boolean",
        ),
    ],
)
async def test_what_makes_no_sense_is_answered_so(
    server: PaperServer, asked: Any, code: int, msg: str
) -> None:
    async with connected(server, "/ws") as client:
        answer = await client.ask(asked)
        assert answer["error"]["code"] == code
        assert answer["error"]["msg"].startswith(msg)
        assert (await client.ask({"method": "LIST_SUBSCRIPTIONS", "id": 7})) == {"result": [], "id": 7}


async def test_nothing_runs_that_nobody_listens_to(server: PaperServer, control: httpx2.AsyncClient) -> None:
    async def running() -> Any:
        return (await control.get("/streams")).json()["subscriptions"]

    ticker = {"market": "spot", "stream": "btcusdt@ticker"}
    assert await running() == []
    async with connected(server, "/ws/btcusdt@ticker") as one:
        await one.event()
        async with connected(server, "/ws/btcusdt@ticker/ethusdt@trade") as other:
            await other.event()
            assert await running() == [ticker, {"market": "spot", "stream": "ethusdt@trade"}]
        await other.connection.wait_closed()
        assert await running() == [ticker]
        await one.ask({"method": "UNSUBSCRIBE", "params": ["btcusdt@ticker"], "id": 1})
        assert await running() == []
