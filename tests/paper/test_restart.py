"""What was answered outlives the process."""

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from broker.paper import Exchange, PaperServer
from broker.paper.http.errors import FolderInUse
from broker.paper.market.store import Store, Window

from .support import BTC, Clock, new_order

pytestmark = pytest.mark.anyio
ALL = Window(1000)


def reopened(folder: Path, clock: Clock) -> tuple[Store, Exchange]:
    store = Store(folder)
    return store, Exchange(store, seed=7, clock=clock)


def test_a_restart_goes_on_from_the_file(tmp_path: Path, clock: Clock) -> None:
    store, before = reopened(tmp_path, clock)
    before.pin(BTC, Decimal(60_000))
    before.set_level_size(BTC, Decimal("0.1"))
    before.place(new_order(kind="MARKET", quantity="0.15", client_id="filled"))
    before.place(new_order(quantity="0.3", price="59000", client_id="rests"))
    before.pin(BTC, Decimal(59_000))
    kept = (before.every_order(), before.trades(BTC, ALL), before.account.balances, before.open_orders())
    store.close()

    store, after = reopened(tmp_path, clock)
    after.match()
    assert (
        after.every_order(),
        after.trades(BTC, ALL),
        after.account.balances,
        after.open_orders(),
    ) == kept, "and the level that had been taken was not given twice"
    assert after.market(BTC).price(after.now) == 59_000
    newest, trades = after.place(new_order(kind="MARKET", client_id="next"))
    assert newest.id == kept[0][-1].id + 1
    assert trades[0].id == kept[1][-1].id + 1
    store.close()


def test_a_change_that_cannot_be_written_has_not_happened(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, exchange = reopened(tmp_path, clock)

    def full(_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(store, "write_balances", full)
        with pytest.raises(OSError, match="disk full"):
            exchange.place(new_order(kind="MARKET"))
    assert exchange.every_order() == []
    assert exchange.account.balance("USDT").free == 100_000
    order, _ = exchange.place(new_order(kind="MARKET"))
    assert order.id == 1
    store.close()


def test_a_folder_has_one_keeper(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(FolderInUse, match=str(tmp_path)):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


async def test_a_second_server_on_the_folder_is_refused_and_leaves_no_port_open(tmp_path: Path) -> None:
    def clock() -> datetime:
        return datetime.now(UTC)

    async with PaperServer(tmp_path, seed=7, clock=clock) as first:
        with pytest.raises(FolderInUse):
            await PaperServer(tmp_path, seed=7, clock=clock).__aenter__()
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await PaperServer(tmp_path / "other", port=port, seed=7, clock=clock).__aenter__()


PROCESS = "import sys; from pathlib import Path; from broker.paper import run; run(Path(sys.argv[1]), 0, 7)"


async def started(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    assert line.startswith("Paper exchange at http://127.0.0.1:")
    return process, line.split()[-1]


async def test_what_was_answered_outlives_a_killed_process(
    tmp_path: Path, connect: Callable[[str], Any]
) -> None:
    process, url = await started(tmp_path)
    client = await connect(url)
    placed = [
        await client.create_order("BTC/USDT", "market", "buy", "0.01", None, {"clientOrderId": "filled"}),
        await client.create_order("BTC/USDT", "limit", "buy", "0.01", "50000", {"clientOrderId": "rests"}),
    ]
    balance = (await client.fetch_balance())["info"]["balances"]
    process.kill()
    await process.wait()
    await client.close()

    process, url = await started(tmp_path)
    client = await connect(url)
    found = [await client.fetch_order(order["id"], "BTC/USDT") for order in placed]
    assert [(order["clientOrderId"], order["status"]) for order in found] == [
        ("filled", "closed"),
        ("rests", "open"),
    ]
    assert (await client.fetch_balance())["info"]["balances"] == balance
    await client.close()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_an_order_that_was_held_before_it_was_executed_dies_with_the_process(
    tmp_path: Path, connect: Callable[[str], Any]
) -> None:
    process, url = await started(tmp_path)
    client = await connect(url)
    async with httpx2.AsyncClient(base_url=f"{url}/control") as control:
        await control.post(
            "/fault", json={"method": "POST", "path": "/api/v3/order", "when": "received", "do": "hold"}
        )
        asked = asyncio.create_task(client.create_order("BTC/USDT", "market", "buy", "0.01"))
        await control.get("/held", params={"count": 1})
    process.kill()
    await process.wait()
    await asyncio.wait([asked])
    assert asked.exception() is not None
    await client.close()

    process, url = await started(tmp_path)
    client = await connect(url)
    assert await client.fetch_orders("BTC/USDT") == []
    await client.close()
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 0
