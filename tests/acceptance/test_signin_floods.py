"""Strangers flood the sign-in of a real broker, and its trader gets in. Address and proxy are everybody's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from itertools import count
from typing import Any

import httpx2
import pytest

from .people import PASSWORD
from .processes import BrokerProcess

pytestmark = pytest.mark.anyio

PATIENCE = 60.0
"""Seconds for one answer on a busy machine; alone it takes a tenth of one."""

AT_ONCE = 24


@pytest.fixture
async def ana(broker: BrokerProcess) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that Ana signed in with before, and then signed out."""
    assert broker.invitation is not None
    async with client(broker) as browser:
        token = broker.invitation.partition("token=")[2]
        form = {"token": token, "name": "Ana", "password": PASSWORD, "again": PASSWORD}
        assert (await browser.post("/welcome", data=form)).status_code == 303
        assert (await browser.post("/signout")).status_code == 303
        yield browser


def client(broker: BrokerProcess) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None)
    return httpx2.AsyncClient(base_url=broker.url, timeout=PATIENCE, trust_env=False, limits=limits)


async def sign_in(browser: httpx2.AsyncClient, name: str = "Ana", password: str = PASSWORD) -> int:
    return (await browser.post("/signin", data={"name": name, "password": password})).status_code


@asynccontextmanager
async def flooded(
    broker: BrokerProcess, attempt: Callable[[httpx2.AsyncClient, int], Coroutine[Any, Any, int]]
) -> AsyncIterator[list[int]]:
    """Forty attempts a second, while fewer than AT_ONCE are on their way; their statuses.

    It has begun when some are turned away: from then on, no attempt of a stranger is free.
    """
    statuses: list[int] = []
    begun = asyncio.Event()

    async def strangers(each: httpx2.AsyncClient, first: int) -> None:
        for number in count(first, AT_ONCE):
            with suppress(httpx2.HTTPError):
                statuses.append(status := await attempt(each, number))
                if status == 429:
                    begun.set()
            await asyncio.sleep(AT_ONCE / 40)

    async with client(broker) as each:
        flood = [asyncio.create_task(strangers(each, number)) for number in range(AT_ONCE)]
        try:
            await asyncio.wait_for(begun.wait(), PATIENCE)
            yield statuses
        finally:
            for task in flood:
                task.cancel()
            await asyncio.gather(*flood, return_exceptions=True)


def refused_rows(broker: BrokerProcess) -> int:
    with closing(sqlite3.connect(broker.folder / "data" / "paper.db")) as database:
        [(rows,)] = database.execute("SELECT count(*) FROM audit WHERE kind = 'session:refused'")
        return int(rows)


async def test_wrong_passwords_for_a_trader_do_not_keep_the_trader_out(
    broker: BrokerProcess, ana: httpx2.AsyncClient
) -> None:
    async def guess(strangers: httpx2.AsyncClient, number: int) -> int:
        return await sign_in(strangers, password=f"wrong password {number}")

    async with flooded(broker, guess) as statuses:
        for _ in range(5):
            assert await sign_in(ana) == 303
            assert (await ana.post("/signout")).status_code == 303
    assert set(statuses) <= {401, 429}
    assert refused_rows(broker) <= 10


async def test_ever_new_names_do_not_keep_a_new_browser_of_a_trader_out(
    broker: BrokerProcess, ana: httpx2.AsyncClient
) -> None:
    async def guess(strangers: httpx2.AsyncClient, number: int) -> int:
        return await sign_in(strangers, name=f"name {number}", password="x" * 100)

    async with flooded(broker, guess), client(broker) as new:
        for _ in range(3):
            new.cookies.clear()
            assert await sign_in(new) == 303
    assert refused_rows(broker) <= 10


async def test_sign_ins_that_hang_up_cost_no_hashing(broker: BrokerProcess, ana: httpx2.AsyncClient) -> None:
    """Four hundred at once: each would take a tenth of a second, and its own row."""
    body = "name=name{}&password=" + "x" * 100
    for number in range(400):
        sent = body.format(number)
        _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(
            f"POST /signin HTTP/1.1\r\nHost: 127.0.0.1:{broker.port}\r\nContent-Length: {len(sent)}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\n\r\n{sent}".encode()
        )
        await writer.drain()
        writer.close()
    async with client(broker) as new:
        assert await sign_in(new) == 303
    assert refused_rows(broker) <= 10
