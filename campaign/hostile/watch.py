"""The broker as its machine sees it: memory, file descriptors, and how long /health takes."""

from __future__ import annotations

import asyncio
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from tests.acceptance.processes import BrokerProcess

EVERY_SECONDS: Final = 0.25
GIVE_UP_SECONDS: Final = 10
PAGE_BYTES: Final = resource.getpagesize()
MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Health:
    """An answer of /health: when it was asked for (monotonic), how long it took; 0: there was none."""

    at: float
    seconds: float
    status: int
    body: dict[str, Any]


@dataclass
class Watched:
    """Memory in MiB."""

    memory_before: float
    memory: list[float] = field(default_factory=list)
    descriptors: int = 0
    most_descriptors: int = 0
    health: list[Health] = field(default_factory=list)

    @property
    def growth(self) -> float:
        return max(self.memory, default=self.memory_before) - self.memory_before

    @property
    def worst_health(self) -> float:
        return max((health.seconds for health in self.health), default=0.0)


class Watch:
    """Reads what the kernel tells of the process, and asks for /health on a new connection each time."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._folder = Path("/proc") / str(broker.pid)
        self._http = httpx2.AsyncClient(
            base_url=broker.url, trust_env=False, verify=False, headers={"Connection": "close"}
        )
        limit, _ = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
        self.seen = Watched(memory_before=self._memory(), most_descriptors=limit)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._measure()), asyncio.create_task(self._ask_on())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self._http.aclose()

    async def stop(self) -> None:
        """What was seen until now is all that counts."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def health(self) -> Health:
        """Raises nothing: no answer is an answer too."""
        at, status, body = time.monotonic(), 0, {}
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                answer = await self._http.get("/health")
                status, body = answer.status_code, answer.json()
        except (httpx2.TransportError, TimeoutError, ValueError):
            pass
        return Health(at=at, seconds=time.monotonic() - at, status=status, body=body)

    async def healthy_again(self, seconds: float) -> float | None:
        """How long it took until /health said so; None: longer."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if (await self.health()).status == 200:
                return time.monotonic() - started
            await asyncio.sleep(EVERY_SECONDS)
        return None

    async def _measure(self) -> None:
        while True:
            self.seen.memory.append(self._memory())
            number = len(list((self._folder / "fd").iterdir()))
            self.seen.descriptors = max(self.seen.descriptors, number)
            await asyncio.sleep(EVERY_SECONDS)

    async def _ask_on(self) -> None:
        while True:
            self.seen.health.append(await self.health())
            await asyncio.sleep(EVERY_SECONDS)

    def _memory(self) -> float:
        pages = int((self._folder / "statm").read_text().split()[1])
        return pages * PAGE_BYTES / MIB
