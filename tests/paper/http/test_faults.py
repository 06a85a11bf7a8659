"""What the real client sees of every fault, and what the exchange did all the same."""

import asyncio
from typing import Any

import ccxt
import httpx2
import pytest

from broker.paper import PaperServer
from broker.paper.http.faults import Action, Fault, Faults, Moment

pytestmark = pytest.mark.anyio
ORDER = ("BTC/USDT", "market", "buy", "0.01", None, {"clientOrderId": "struck"})


async def strike(control: httpx2.AsyncClient, **fault: Any) -> None:
    added = await control.post("/fault", json={"method": "POST", "path": "/api/v3/order", **fault})
    assert added.status_code == 200, added.text


async def orders(control: httpx2.AsyncClient) -> list[str]:
    return [order["clientOrderId"] for order in (await control.get("/orders")).json()["orders"]]


@pytest.mark.parametrize(("when", "placed"), [("received", []), ("executed", ["struck"])])
@pytest.mark.parametrize(
    ("do", "error"),
    [
        ({"do": "drop"}, ccxt.ExchangeNotAvailable),
        ({"do": "reset"}, ccxt.ExchangeNotAvailable),
        ({"do": "cut"}, ccxt.ExchangeError),
        ({"do": "hang", "seconds": 0.05}, ccxt.ExchangeNotAvailable),
        ({"do": "html", "http": 502}, ccxt.ExchangeNotAvailable),
        ({"do": "status", "http": 503, "msg": "Service Unavailable"}, ccxt.ExchangeNotAvailable),
        ({"do": "code", "code": -1007, "http": 504, "msg": "Timeout"}, ccxt.RequestTimeout),
        ({"do": "code", "code": -1008, "msg": "Server is busy."}, ccxt.OperationFailed),
    ],
)
async def test_a_fault_is_seen_and_the_order_is_placed_only_if_it_was_executed(
    binance: Any,
    control: httpx2.AsyncClient,
    when: str,
    placed: list[str],
    do: dict[str, Any],
    error: type[Exception],
) -> None:
    await strike(control, when=when, **do)
    with pytest.raises(error) as seen:
        await binance.create_order(*ORDER)
    assert type(seen.value) is error
    assert await orders(control) == placed


@pytest.mark.parametrize("do", [{"do": "empty"}, {"do": "html", "http": 200}])
async def test_an_empty_answer_is_an_order_without_an_id_to_the_client(
    binance: Any, control: httpx2.AsyncClient, do: dict[str, Any]
) -> None:
    await strike(control, when="executed", **do)
    assert (await binance.create_order(*ORDER))["id"] is None
    assert await orders(control) == ["struck"]


@pytest.mark.parametrize("do", ["drop", "reset", "cut"])
async def test_an_answer_may_break_in_its_middle(binance: Any, control: httpx2.AsyncClient, do: str) -> None:
    await strike(control, when="answered", do=do)
    with pytest.raises(ccxt.BaseError):
        await binance.create_order(*ORDER)
    assert await orders(control) == ["struck"]


async def test_a_reset_is_one_on_the_wire(server: PaperServer, control: httpx2.AsyncClient) -> None:
    await strike(control, method="GET", path="/api/v3/time", when="received", do="reset")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(b"GET /api/v3/time HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_cut_answer_promises_more_than_it_holds(
    server: PaperServer, control: httpx2.AsyncClient
) -> None:
    await strike(control, method="GET", path="/api/v3/time", when="answered", do="cut")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(b"GET /api/v3/time HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b"content-length: 28" in head
    assert body == b'{"serverTime":'


async def test_a_client_that_gives_up_waiting_times_out(binance: Any, control: httpx2.AsyncClient) -> None:
    binance.timeout = 100
    await strike(control, when="received", do="hang")
    with pytest.raises(ccxt.RequestTimeout):
        await binance.create_order(*ORDER)
    assert await orders(control) == []


async def test_a_late_request_is_executed_after_the_client_was_told_nothing(
    binance: Any, control: httpx2.AsyncClient
) -> None:
    await strike(control, when="received", do="late", seconds=0.05)
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await binance.create_order(*ORDER)
    assert await orders(control) == []
    await _until_all_had_their_turn(control)
    assert await orders(control) == ["struck"]


async def test_the_client_of_a_late_request_may_be_left_hanging(
    binance: Any, control: httpx2.AsyncClient
) -> None:
    binance.timeout = 100
    await strike(control, when="received", do="late", seconds=0.01, hangs=True)
    with pytest.raises(ccxt.RequestTimeout):
        await binance.create_order(*ORDER)
    await _until_all_had_their_turn(control)
    assert await orders(control) == ["struck"]


async def test_a_late_request_is_not_executed_outside_of_its_window(
    binance: Any, control: httpx2.AsyncClient, server: PaperServer
) -> None:
    await strike(control, when="received", do="late", seconds=0.05)
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await binance.create_order(*ORDER)
    server.exchange.offset_ms = 10_001
    await _until_all_had_their_turn(control)
    assert await orders(control) == []


async def _until_all_had_their_turn(control: httpx2.AsyncClient) -> None:
    assert (await control.get("/late", params={"seconds": 5})).json() == {"waiting": 0}


async def test_a_held_request_goes_on_when_it_is_released(binance: Any, control: httpx2.AsyncClient) -> None:
    for when in ("received", "executed", "answered"):
        await strike(control, when=when, do="hold")
        asked = asyncio.create_task(binance.create_order(*ORDER))
        held = (await control.get("/held", params={"count": 1})).json()["held"]
        assert held == [{"method": "POST", "path": "/api/v3/order", "when": when}]
        assert len(await orders(control)) == {"received": 0, "executed": 2, "answered": 3}[when]
        assert (await control.post("/release", json={})).json() == {"released": 1}
        assert (await asked)["status"] == "closed"


async def test_a_request_held_too_long_is_refused(
    binance: Any, control: httpx2.AsyncClient, server: PaperServer
) -> None:
    await strike(control, when="received", do="hold")
    asked = asyncio.create_task(binance.create_order(*ORDER))
    await control.get("/held", params={"count": 1})
    server.exchange.offset_ms = 10_001
    await control.post("/release", json={})
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await asked
    assert await orders(control) == []


async def test_a_fault_waits_for_its_request_and_is_gone_when_it_has_struck(
    binance: Any, control: httpx2.AsyncClient
) -> None:
    await strike(control, when="received", do="drop", skip=1)
    await binance.fetch_time()
    await binance.create_order(*ORDER)
    assert len((await control.get("/faults")).json()["faults"]) == 1
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await binance.create_order(*ORDER)
    assert (await control.get("/faults")).json() == {"faults": []}


async def test_faults_can_be_taken_back(binance: Any, control: httpx2.AsyncClient) -> None:
    await strike(control, when="received", do="drop", times=3)
    assert (await control.delete("/faults")).json() == {"faults": []}
    await binance.create_order(*ORDER)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"when": "never", "do": "drop"}, "when: one of received, executed, answered"),
        ({"when": "received", "do": "explode"}, "do: one of drop, reset"),
        ({"when": "executed", "do": "late"}, "when: a late request can only be 'received'"),
        ({"when": "answered", "do": "html"}, "do: when 'answered', one of"),
        ({"when": "received", "do": "drop", "times": 0}, "times, skip: at least 1 and 0"),
        ({"when": "received", "do": "drop", "colour": "red"}, "colour: allowed are"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    control: httpx2.AsyncClient, fault: dict[str, Any], error: str
) -> None:
    answer = await control.post("/fault", json=fault)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


def test_a_fault_strikes_as_often_as_it_is_asked_to_and_only_what_it_names() -> None:
    faults = Faults()
    fault = Fault(Moment.RECEIVED, Action.DROP, method="POST", path="/a", times=2, skip=1)
    faults.add(fault)
    calls = [("GET", "/a"), ("POST", "/a"), ("POST", "/b"), ("POST", "/a"), ("POST", "/a"), ("POST", "/a")]
    assert [faults.take(*call) for call in calls] == [None, None, None, fault, fault, None]
