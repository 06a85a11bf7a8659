"""The people at work during an attack: an agent asks, a trader decides, an operator halts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

from mcp import MCPError

from tests.acceptance.people import agent as mcp_agent
from tests.acceptance.processes import BrokerProcess
from ..kinds import Kind
from ..people import Agent, Asked, Gone, Told
from ..stage import Stage
from .browser import GIVE_UP_SECONDS, Browser, Following, sign_in
from .commands import Ran, run
from .requests import ENTRIES, EXITS

STOCK: Final = 4
"""So many requests of each kind wait, so that a trader has something to decide whatever becomes of asking."""

ASK_SECONDS: Final = 15
PACE_SECONDS: Final = 0.25
REASON: Final = "As on any other day."
"""Of requests and halts. It stands on the pages, so it says nothing of what a page is searched for."""

REJECTED: Final = 0.15
SIGN_IN_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 1.0
FIRST_HALT: Final = 0.3
SECOND_HALT: Final = 0.65
"""When trading is halted: to exits only, and altogether, as shares of the attack's time."""


class NothingWaits(Exception):
    """The agent's requests do not come through."""


@dataclass(frozen=True, kw_only=True)
class Click:
    """A decision. `seconds`: until it was answered; None: it was not. `barred`: a halt has to stop it."""

    asked: Asked
    exit: bool
    approved: bool
    at_ms: int
    seconds: float | None
    recorded: bool
    barred: bool = False


@dataclass(frozen=True, kw_only=True)
class Halt:
    """`resumed`: whether a trader could lift it on the page."""

    ran: Ran
    resumed: bool


@dataclass
class Work:
    """What the people did, and how long it took. Seconds; None: no answer in time."""

    clicks: list[Click] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)
    asks: list[float] = field(default_factory=list)
    sign_ins: list[float | None] = field(default_factory=list)
    pages: list[tuple[int, str]] = field(default_factory=list)
    """Status and text of the inbox; 0: there was no answer."""
    following: Following = field(default_factory=Following)
    problems: list[str] = field(default_factory=list)


class McpAgent(Agent):
    """The same agent with a real MCP client, which connects anew for each call."""

    def __init__(self, broker: BrokerProcess, told: Told) -> None:
        super().__init__(broker, told)
        self._broker = broker

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            async with mcp_agent(self._broker) as asking:
                return await asking.call(tool, **arguments)
        except (MCPError, AssertionError, ExceptionGroup, OSError) as error:
            raise Gone from error


class Desk:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.work = Work()
        cookies = stage.trader.cookies
        self.browser = Browser(stage.broker, stage.told, cookies)
        self._fresh = Browser(stage.broker, stage.told, cookies, fresh=True)
        self._mcp = McpAgent(stage.broker, stage.told)
        self._agents = cycle((stage.agent, stage.agent, self._mcp))
        self._browsers = cycle((self.browser, self._fresh))
        self._kinds: dict[bool, cycle[Kind]] = {True: cycle(EXITS), False: cycle(ENTRIES)}
        self._waiting: dict[bool, asyncio.Queue[Asked]] = {True: asyncio.Queue(), False: asyncio.Queue()}
        self._hand = asyncio.Lock()

    async def stock_up(self) -> None:
        """Requests that wait before the attack begins."""
        while short := [exit for exit in (True, False) if self._waiting[exit].qsize() < STOCK]:
            await self._ask(exit=short[0])

    async def close(self) -> None:
        for person in (self.browser, self._fresh, self._mcp):
            await person.close()

    # While an attack lasts

    async def be_busy(self, seconds: float, *, halts: bool) -> None:
        self.work.following = Following()
        jobs = [self._ask_on(exit=True), self._ask_on(exit=False)]  # no exit waits for an entry's turn
        jobs += [self._decide_on(), self._look_on(), self._sign_in_on()]
        jobs.append(self.browser.follow(self.work.following))
        async with _beside(*jobs):
            started = time.monotonic()
            if halts:
                await asyncio.sleep(FIRST_HALT * seconds)
                await self._halt_to_exits()
                await asyncio.sleep(max(0.0, started + SECOND_HALT * seconds - time.monotonic()))
                await self._halt_all()
            await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))
            async with self._hand:  # a click that is under way is answered
                self.work.following.quiet()

    async def one_more_exit(self) -> None:
        if not self._waiting[True].qsize():
            await self._ask(exit=True)
        async with self._requests("after the attack"):
            await self._click(await self._next(exit=True), exit=True, approved=True)

    async def let_go(self) -> set[str]:
        """Waits until nothing that was approved is still to be sent."""
        ids = {click.asked.intent_id for click in self.work.clicks if click.recorded and click.approved}
        await self._stage.until_sent(ids, GIVE_UP_SECONDS)
        return ids

    # The agent

    async def _ask_on(self, *, exit: bool) -> None:
        while True:
            if self._waiting[exit].qsize() < STOCK:
                await self._ask(exit=exit)
            await asyncio.sleep(0.05)

    async def _ask(self, *, exit: bool) -> None:
        wanted = self._stage.requests.next(next(self._kinds[exit]))
        started = time.monotonic()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                asked = await next(self._agents).ask(wanted, REASON)
        except Gone:
            asked = None
        except TimeoutError:
            self._stage.told.unanswered.append((wanted, REASON))
            asked = None
        self.work.asks.append(time.monotonic() - started)
        if asked is not None:
            self._waiting[exit].put_nowait(asked)
        else:
            await asyncio.sleep(PACE_SECONDS)

    # The trader

    async def _decide_on(self) -> None:
        random = self._stage.random
        while True:
            async with self._hand:
                choices = [exit for exit in (True, False) if self._waiting[exit].qsize()]
                if choices:
                    exit, approved = random.choice(choices), random.random() >= REJECTED
                    await self._click(self._waiting[exit].get_nowait(), exit=exit, approved=approved)
            await asyncio.sleep(PACE_SECONDS)

    async def _click(self, asked: Asked, *, exit: bool, approved: bool, barred: bool = False) -> None:
        at_ms, started = time.time_ns() // 1_000_000, time.monotonic()
        seconds, recorded = None, False
        with suppress(Gone, TimeoutError):
            async with asyncio.timeout(GIVE_UP_SECONDS):
                browser = next(self._browsers)
                recorded = await browser.decide(asked.intent_id, asked.digest, approved=approved)
                seconds = time.monotonic() - started
        self.work.clicks.append(
            Click(
                asked=asked,
                exit=exit,
                approved=approved,
                at_ms=at_ms,
                seconds=seconds,
                recorded=recorded,
                barred=barred,
            )
        )

    @asynccontextmanager
    async def _requests(self, what_for: str) -> AsyncIterator[None]:
        """The trader does nothing else meanwhile. Without a request to decide it ends here."""
        async with self._hand:
            try:
                yield
            except NothingWaits:
                self.work.problems.append(f"no request came through {what_for}")

    async def _next(self, *, exit: bool) -> Asked:
        """Raises NothingWaits."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await self._waiting[exit].get()
        except TimeoutError:
            raise NothingWaits from None

    async def _look_on(self) -> None:
        while True:
            page = await self._fresh.page()
            self.work.pages.append((page.status_code, page.text) if page is not None else (0, ""))
            await asyncio.sleep(LOOK_SECONDS)

    async def _sign_in_on(self) -> None:
        while True:
            self.work.sign_ins.append(await sign_in(self._stage.broker))
            await asyncio.sleep(SIGN_IN_SECONDS)

    # The operator

    async def _halt_to_exits(self) -> None:
        """An exit leaves all the same, and an entry does not."""
        async with self._requests("to halt to exits only"):
            leaves, stays = await self._next(exit=True), await self._next(exit=False)
            await self.let_go()
            ran = await run(self._stage.folder, "halt", "--exits-only", "--reason", REASON)
            await self._click(leaves, exit=True, approved=True)
            await self._click(stays, exit=False, approved=True, barred=ran.code == 0)
            await self.let_go()
            await self._resume(ran)

    async def _halt_all(self) -> None:
        async with self._requests("to halt everything"):
            stays = await self._next(exit=True)
            await self.let_go()
            ran = await run(self._stage.folder, "halt", "--reason", REASON)
            await self._click(stays, exit=True, approved=True, barred=ran.code == 0)
            await self._resume(ran)

    async def _resume(self, ran: Ran) -> None:
        resumed = False
        with suppress(Gone, TimeoutError):
            resumed = await self.browser.resume()
        self.work.halts.append(Halt(ran=ran, resumed=resumed))


@asynccontextmanager
async def _beside(*jobs: Any) -> AsyncIterator[None]:
    """What goes on until the end; a job that fails ends it with its error."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
