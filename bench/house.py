"""The processes that one row is measured with: an exchange, a broker on it, and the floors' server."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from tests.acceptance.processes import BrokerProcess, Process, environment

from .agent import Agent
from .ccxt_alone import SYMBOL, Ccxt, ccxt_alone
from .commit import Commits

NAME, PASSWORD = "Ana", "correct horse battery"
SMALLEST, STEP = Decimal("0.001"), Decimal("0.00001")


@dataclass(frozen=True, kw_only=True)
class House:
    """`http` holds the cookies of a trader who is signed in."""

    folder: Path
    exchange_url: str
    bare_url: str
    bare_pid: int
    broker: BrokerProcess
    http: aiohttp.ClientSession
    agent: Agent
    bare_agent: Agent
    ccxt: Ccxt
    commits: Commits
    numbers: Iterator[int]

    def next_order(self) -> dict[str, Any]:
        """Like none before it, so that it is neither a repetition nor asks for a second tap."""
        number = next(self.numbers)
        return {
            "symbol": SYMBOL,
            "side": "buy",
            "amount": str(SMALLEST + number * STEP),
            "reason": "A dip, and the trend is up.",
            "idempotencyKey": f"bench-{number:06d}",
        }

    async def park(self) -> dict[str, Any]:
        return await self.agent.call("binance_create_order", **self.next_order())

    async def approve(self, parked: Mapping[str, Any]) -> None:
        await self.decide(parked, "approve")

    async def decide(self, parked: Mapping[str, Any], what: str) -> None:
        """By the form of a trader who tapped twice: the bench's orders nearly repeat each other."""
        decision = {"digest": parked["digest"], "decision": what, "confirmed": "yes"}
        url = f"{self.broker.url}/intents/{parked['intentId']}/decision"
        async with self.http.post(url, data=decision, headers={"HX-Request": "true"}) as answer:
            if answer.status != 200:
                raise RuntimeError(f"not decided: {await answer.text()}")

    async def withdraw(self, intent_id: str) -> None:
        await self.agent.call("intent_cancel", intentId=intent_id)

    async def arrival(self) -> float:
        """When the newest order's POST came in at the exchange, in seconds since the epoch."""
        async with self.http.get(f"{self.exchange_url}/arrival") as answer:
            return float(await answer.json())

    async def wait_until_placed(self, intent_id: str) -> None:
        told = await self.agent.call("intent_wait", intentId=intent_id)
        if told["status"] != "placed":
            raise RuntimeError(f"not placed: {told}")


@asynccontextmanager
async def house(*, notify_allow_private: str = "false") -> AsyncIterator[House]:
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with (
            _helper("bench.exchange", folder) as (exchange_url, _),
            _helper("bench.bare", folder) as (bare_url, bare_pid),
            BrokerProcess(
                folder,
                PAPER_URL=exchange_url,
                MAX_DAILY_VOLUME_USDT="1000000",
                MAX_POSITION_SIZE_PCT="100",
                NOTIFY_ALLOW_PRIVATE=notify_allow_private,
                MAX_PENDING_PER_AGENT="1000000",
                MAX_CALLS_PER_MINUTE_PER_AGENT="1000000",
            ) as broker,
            closing(Commits(folder / "commits.db")) as commits,
        ):
            cookies = aiohttp.CookieJar(unsafe=True)  # for an address without a name
            async with aiohttp.ClientSession(cookie_jar=cookies) as http, ccxt_alone(exchange_url) as ccxt:
                await _sign_in(http, broker)
                yield House(
                    folder=folder,
                    exchange_url=exchange_url,
                    bare_url=bare_url,
                    bare_pid=bare_pid,
                    broker=broker,
                    http=http,
                    agent=Agent(http, broker.url, broker.key),
                    bare_agent=Agent(http, bare_url),
                    ccxt=ccxt,
                    commits=commits,
                    numbers=count(),
                )


def since(started: float) -> float:
    """Milliseconds since a moment of time.perf_counter()."""
    return (time.perf_counter() - started) * 1000


@contextmanager
def _helper(module: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Its address and its process."""
    own = folder / module
    own.mkdir()
    with Process(sys.executable, "-m", module, str(own), cwd=folder, env=environment()) as process:
        yield process.wait_for(r"Serving at (\S+)").group(1), process.pid


async def _sign_in(http: aiohttp.ClientSession, broker: BrokerProcess) -> None:
    """As the first trader, by the one-time link."""
    token = str(broker.invitation).partition("token=")[2]
    form = {"token": token, "name": NAME, "password": PASSWORD, "again": PASSWORD}
    async with http.post(f"{broker.url}/welcome", data=form) as answer:
        if answer.status != 200:
            raise RuntimeError(f"nobody is signed in: {answer.status}")
