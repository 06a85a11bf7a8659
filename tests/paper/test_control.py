from decimal import Decimal
from typing import Any

import httpx2
import pytest

from broker.paper import PaperServer

pytestmark = pytest.mark.anyio


async def test_a_price_is_set_and_let_go(control: httpx2.AsyncClient, binance: Any) -> None:
    answer = await control.post("/price", json={"symbol": "ETHUSDT", "price": "2500.5"})
    assert answer.json() == {"symbol": "ETHUSDT", "price": "2500.50"}
    assert Decimal((await binance.fetch_ticker("ETH/USDT"))["last"]) == Decimal("2500.5")
    await control.post("/price", json={"symbol": "ETHUSDT", "price": None})
    assert Decimal((await binance.fetch_ticker("ETH/USDT"))["last"]) > 2_800


async def test_a_balance_is_set(control: httpx2.AsyncClient, binance: Any) -> None:
    await control.post("/balance", json={"asset": "BTC", "free": "0.5"})
    await control.post("/balance", json={"asset": "USDT", "free": 12})
    total = (await binance.fetch_balance())["total"]
    assert Decimal(total["BTC"]) == Decimal("0.5")
    assert Decimal(total["USDT"]) == 12


async def test_the_book_is_made_thin(control: httpx2.AsyncClient, binance: Any) -> None:
    await control.post("/liquidity", json={"symbol": "BTCUSDT", "qtyPerLevel": "0.001"})
    order = await binance.create_order("BTC/USDT", "market", "buy", "0.003")
    assert [fill["qty"] for fill in order["info"]["fills"]] == ["0.00100000"] * 3


async def test_the_clock_is_shifted(control: httpx2.AsyncClient, binance: Any, server: PaperServer) -> None:
    before = await binance.fetch_time()
    await control.post("/clock", json={"offset_ms": 3_600_000})
    assert 3_600_000 <= await binance.fetch_time() - before < 3_660_000


async def test_requests_are_logged_with_what_they_asked(control: httpx2.AsyncClient, binance: Any) -> None:
    await binance.create_order("BTC/USDT", "market", "buy", "0.01", None, {"clientOrderId": "seen"})
    logged = (await control.get("/requests")).json()["requests"]
    assert logged[0]["path"] == "/api/v3/exchangeInfo"
    assert (logged[-1]["method"], logged[-1]["path"]) == ("POST", "/api/v3/order")
    assert logged[-1]["params"]["newClientOrderId"] == "seen"
    assert abs(logged[-1]["time"] - int(logged[-1]["params"]["timestamp"])) < 5_000


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        (
            "/price",
            {"symbol": "BTCUSDT", "price": "60000.001"},
            "price: above 0 and a multiple of 0.01",
        ),
        ("/price", {"symbol": "BTCUSDT", "price": "dear"}, "price: a number, or one as a string"),
        ("/price", {"symbol": "BTCUSDT"}, "price: is missing"),
        ("/price", {"symbol": "NOPE", "price": 1}, "-1121 Invalid symbol."),
        (
            "/liquidity",
            {"symbol": "BTCUSDT", "qtyPerLevel": -1},
            "qtyPerLevel: 0 or a multiple",
        ),
        ("/balance", {"asset": "BTC", "free": -1}, "free: 0 or more"),
        ("/clock", {"offset_ms": "1"}, "offset_ms: a whole number of milliseconds"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    control: httpx2.AsyncClient, path: str, body: dict[str, Any], error: str
) -> None:
    answer = await control.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


async def test_a_page_in_a_browser_cannot_send_a_command(control: httpx2.AsyncClient) -> None:
    answer = await control.post("/clock", content='{"offset_ms": 1}', headers={"content-type": "text/plain"})
    assert answer.status_code == 415
