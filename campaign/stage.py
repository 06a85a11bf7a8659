"""The stage of a campaign: one exchange, one data folder, and a broker that dies and comes back."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import httpx2

from tests.acceptance.processes import BrokerProcess
from .exchange import PLENTY
from .kinds import LEVERAGE, Kind, Requests
from .people import Agent, Asked, Told, Trader
from .record import UNSETTLED, Database
from .venue import ExchangeProcess, Venue

SETTLE_SECONDS: Final = 120
POLL_SECONDS: Final = 0.05
SETTINGS: Final = {
    "MAX_ORDER_VALUE_USDT": str(PLENTY),
    "MAX_DAILY_VOLUME_USDT": str(PLENTY * PLENTY),
    "MAX_POSITION_SIZE_PCT": "100",
    "MAX_LEVERAGE": "125",
    "MAX_PENDING_PER_AGENT": "1000000",
    "MAX_CALLS_PER_MINUTE_PER_AGENT": "1000000",
    "INTENT_TTL_SECONDS": "7200",
    "INTENT_EXIT_TTL_SECONDS": "7200",
    "APPROVAL_VALIDITY_SECONDS": "60",
    "LOG_LEVEL": "error",
}
"""Nothing stops a request but what the campaign breaks."""


@dataclass
class Tally:
    """Of each scene: kills, and those of them that met the state that they were aimed at."""

    kills: Counter[str] = field(default_factory=Counter)
    on_target: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    """Lines of the brokers' logs at level error."""


class Stage:
    def __init__(
        self, folder: Path, venue: Venue, random: Random, command: Sequence[str], settings: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.venue = venue
        self.random = random
        self.requests = Requests(random)
        self.told = Told()
        self.tally = Tally()
        self.database = Database(folder / "data" / "paper.db")
        self.agent: Agent
        self.trader: Trader
        self._command = tuple(command)
        self._settings = settings
        self._cookies: httpx2.Cookies | None = None
        self._port: int | None = None
        self._broker: BrokerProcess | None = None

    # Life and death

    @property
    def broker(self) -> BrokerProcess:
        """The one that runs."""
        assert self._broker is not None
        return self._broker

    @property
    def runs(self) -> bool:
        return self._broker is not None

    async def start(self) -> None:
        """On the same folder and port as ever."""
        broker = await asyncio.to_thread(self._start)
        self._broker, self._port = broker, broker.port
        self.agent, self.trader = Agent(broker, self.told), Trader(broker, self.told, self._cookies)
        if broker.invitation is not None:
            await self.trader.enter(broker.invitation)

    def _start(self) -> BrokerProcess:
        return BrokerProcess(self.folder, port=self._port, command=self._command, **self._settings)

    def kill(self, scene: str) -> None:
        assert self._broker is not None
        self._broker.kill()
        self.tally.kills[scene] += 1
        self.tally.errors += [line for line in self._broker.output if "rror" in line]
        self._broker = None

    async def part(self) -> None:
        """The people put down what the dead broker had."""
        self._cookies = self.trader.cookies
        await self.agent.close()
        await self.trader.close()

    async def restart(self) -> None:
        await self.part()
        await self.start()

    async def close(self) -> None:
        if self._broker is not None:
            self.kill("end")
            await self.part()

    # What people do

    async def ask(self, kind: Kind, scene: str) -> Asked | None:
        """None when the call was refused, or no symbol's leverage can be asked for now. Raises Gone."""
        symbol = self.requests.leverage_symbol(self._busy_leverages()) if kind.tool == LEVERAGE else None
        if kind.tool == LEVERAGE and symbol is None:
            return None
        return await self.agent.ask(self.requests.next(kind, symbol), scene)

    def free_leverages(self) -> int:
        """How many changes of leverage can be asked for now."""
        return len(self.requests.free_leverages(self._busy_leverages()))

    def _busy_leverages(self) -> set[str]:
        unanswered = {wanted.symbol for wanted, _ in self.told.unanswered if wanted.kind.tool == LEVERAGE}
        return self.database.busy_leverages() | unanswered

    async def approve(self, asked: Asked) -> bool:
        """Exactly what the agent was answered. Raises Gone."""
        return await self.trader.decide(asked.intent_id, asked.digest)

    async def catch_up(self, *, rejected: float = 0) -> None:
        """The agent repeats calls without an answer; the trader decides what waits, and rejects a share."""
        await self.agent.repeat_unanswered()
        waiting = sorted(self.database.ids_in("pending"))
        approvals = [(intent_id, self.random.random() >= rejected) for intent_id in waiting]
        await asyncio.gather(*(self._decide(intent_id, approved) for intent_id, approved in approvals))

    async def _decide(self, intent_id: str, approved: bool) -> None:
        told = await self.agent.get(intent_id)
        if told.get("status") == "pending":
            await self.trader.decide(intent_id, told["digest"], approved=approved)

    # What becomes of it

    async def until_sent(self, ids: set[str], seconds: float = SETTLE_SECONDS) -> bool:
        """Until none of these is approved and not sent yet."""
        return await self._until_none_of(ids, {"approved"}, seconds)

    async def until_settled(self, ids: set[str] | None = None, seconds: float = SETTLE_SECONDS) -> bool:
        """Until each of these (None: of all) has its outcome; whether it came to that."""
        return await self._until_none_of(ids, UNSETTLED, seconds)

    async def _until_none_of(self, ids: set[str] | None, states: frozenset[str] | set[str], s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(s):
                while found := self.database.ids_in(*states):
                    if ids is not None and not found & ids:
                        break
                    await asyncio.sleep(POLL_SECONDS)
                return True
        return False

    async def finish(self) -> None:
        """The broker runs, nothing goes wrong any more, everything is decided and has its outcome."""
        await self.venue.let_go()
        await self.catch_up()
        await self.until_settled()
        await self.catch_up(rejected=1)  # what came back with new figures
        await self.until_settled()
        for intent_id in self.told.asked:
            await self.agent.get(intent_id)

    def intents_by_scene(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for intent_id, asked in self.told.asked.items():
            found[asked.scene].append(intent_id)
        return found


@asynccontextmanager
async def stage(
    folder: Path, seed: int, command: Sequence[str] = ("broker",), **settings: str
) -> AsyncIterator[Stage]:
    """With a first broker that runs. `command`: the module that serves; `settings`: those that differ."""
    with await asyncio.to_thread(ExchangeProcess, folder) as exchange:
        async with Venue(exchange.url) as venue:
            chosen = {**SETTINGS, "PAPER_URL": exchange.url, **settings}
            built = Stage(folder, venue, Random(seed), command, chosen)
            await built.start()
            try:
                yield built
            finally:
                await built.close()
