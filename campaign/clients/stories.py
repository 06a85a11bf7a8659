"""What happens between an agent's request and its outcome, played through whatever client it has.

Each story is one intent and one order, and ends with the agent knowing it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from ..kinds import KINDS
from ..people import Asked
from ..record import FINAL
from ..stage import Stage
from ..venue import OURS
from .driver import CallFailed, Driver

KIND: Final = KINDS["spot market"]
NEEDED: Final = {KIND.tool, "intent_wait", "intent_get", "intent_list", "intent_cancel"}

PATIENT_SECONDS: Final = 60
IMPATIENT_SECONDS: Final = 3
"""The client's own timer of each call."""

ABANDONED_SECONDS: Final = 10
"""The same, where a broker dies amid a wait: some clients only learn of it so."""

WAIT_SECONDS: Final = 30
READING_SECONDS: Final = 1.0
"""A trader decides in less, but by then the agent's wait is under way."""

OUTCOME_SECONDS: Final = 30
AGAIN_SECONDS: Final = 0.3
NOTE_LENGTH: Final = 80


class Wrong(Exception):
    """It is not as it was promised."""


class Scene:
    """One client before the common broker and exchange."""

    def __init__(self, stage: Stage, driver: Driver, name: str) -> None:
        self.stage = stage
        self.driver = driver
        self.name = name
        self.notes: list[str] = []
        """What a reader of the results may want to know."""
        self._wanted = stage.requests.next(KIND)
        self._asked: Asked | None = None
        self._before = set(stage.database.read().rows)

    @property
    def intent(self) -> dict[str, str]:
        assert self._asked is not None
        return {"intentId": self._asked.intent_id}

    async def connect(self, seconds: float) -> None:
        """And list the tools, as agents do: from then on a client holds answers against their schemas."""
        await self.driver.connect(seconds)
        missing = NEEDED - set(await self.driver.tools())
        require(not missing, f"tools are missing: {missing}")

    async def ask(self, *, keyless: bool = False) -> dict[str, Any]:
        """The HIGH call; a repeated one has to come to the same intent. Raises CallFailed."""
        key = {} if keyless else {"idempotencyKey": self._wanted.key}
        answer = await self.driver.call(KIND.tool, **self._wanted.arguments, **key, reason=self.name)
        require(answer.get("status") == "pending", f"not parked: {answer}")
        asked = Asked(
            wanted=self._wanted, scene=self.name, intent_id=answer["intentId"], digest=answer["digest"]
        )
        require(self._asked in (None, asked), f"another intent: {answer}")
        self._asked = self.stage.told.asked[asked.intent_id] = asked
        return answer

    async def approve(self) -> None:
        assert self._asked is not None
        require(await self.stage.approve(self._asked), "the approval was not recorded")

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[asyncio.Task[dict[str, Any]]]:
        """intent_wait is under way, as long as nobody decides."""
        call = self.driver.call("intent_wait", **self.intent, timeoutSeconds=WAIT_SECONDS)
        task = asyncio.create_task(call)
        try:
            await asyncio.wait([task], timeout=READING_SECONDS)
            require(not task.done(), f"the wait ended before the decision: {task}")
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def outcome(self) -> dict[str, Any]:
        """By intent_get, again and again."""
        async with asyncio.timeout(OUTCOME_SECONDS):
            while True:
                answer = await self.driver.call("intent_get", **self.intent)
                if answer.get("status") in FINAL:
                    return answer
                await asyncio.sleep(AGAIN_SECONDS)

    async def require_one_order(self, told: dict[str, Any]) -> None:
        """`told` is the outcome as the agent was told it."""
        assert self._asked is not None
        intent_id = self._asked.intent_id
        require(told.get("status") == "placed", f"the agent was told {told}")
        self.stage.told.outcomes[intent_id] = told["status"]
        truth, rows = await self.stage.venue.truth(), self.stage.database.read().rows
        orders = truth.of(OURS + intent_id)
        require(len(orders) == 1, f"{len(orders)} orders")
        require(told["result"]["order"]["clientOrderId"] == OURS + intent_id, f"of another order: {told}")
        extra = set(rows) - self._before - {intent_id}
        require(not extra, f"besides its own intent: {extra}")


def require(holds: bool, text: str) -> None:
    if not holds:
        raise Wrong(text)


async def must_time_out(call: Awaitable[Any]) -> None:
    try:
        answer = await call
    except CallFailed as error:
        require(error.timed_out, f"not a time-out: {error}")
    else:
        raise Wrong(f"answered, not timed out: {answer}")


async def must_fail(call: Awaitable[Any], code: str) -> None:
    """The agent reads why, however its client shows a failed call."""
    try:
        told = json.dumps(await call)
    except CallFailed as error:
        told = str(error)
    require(code in told, f"the agent does not learn of {code}: {told}")


async def wait(scene: Scene) -> dict[str, Any]:
    """Park, wait, approve: the wait is answered with the outcome. A mistake before it is told as one."""
    await scene.connect(PATIENT_SECONDS)
    await must_fail(scene.driver.call("intent_get", intentId="nothing"), "UNKNOWN_INTENT")
    await scene.ask()
    async with scene.waiting() as waiting:
        await scene.approve()
        told = await waiting
    await scene.driver.disconnect()
    return told


async def time_out(scene: Scene) -> dict[str, Any]:
    """The client's timer ends the request, and then the wait; it is asked again, also without a key."""
    await scene.connect(IMPATIENT_SECONDS)
    await scene.stage.venue.hold("GET", KIND.check, "received")
    await must_time_out(scene.ask())
    await scene.stage.venue.let_go()
    await scene.ask()
    await must_time_out(scene.driver.call("intent_wait", **scene.intent, timeoutSeconds=WAIT_SECONDS))
    for keyless in (False, True):
        repeated = await scene.ask(keyless=keyless)
        require(repeated.get("deduplicated") is True, f"the agent does not learn of it: {repeated}")
    await scene.approve()
    return await scene.outcome()


async def disconnect(scene: Scene) -> dict[str, Any]:
    """The client dies amid its wait, and the trader approves; the next one finds the request in the list."""
    await scene.connect(PATIENT_SECONDS)
    await scene.ask()
    async with scene.waiting():
        await scene.driver.kill()
        await scene.approve()
    await scene.connect(PATIENT_SECONDS)
    listed = await scene.driver.call("intent_list", limit=5)
    found = [intent["intentId"] for intent in listed["intents"]]
    require(scene.intent["intentId"] in found, f"not in the list: {found}")
    return await scene.outcome()


async def restart(scene: Scene) -> dict[str, Any]:
    """The broker is killed while the client is idle, which goes on as it is; and again amid its wait."""
    await scene.connect(ABANDONED_SECONDS)
    await scene.ask()
    await _killed_and_restarted(scene)
    async with scene.waiting() as waiting:
        await _killed_and_restarted(scene)
        await asyncio.wait([waiting], timeout=OUTCOME_SECONDS)
        require(waiting.done(), "the wait that the broker left without an answer goes on")
        told = waiting.exception() or waiting.result()
        scene.notes.append(f"when the broker dies amid a wait: {str(told)[:NOTE_LENGTH]}")
    await _connected_again_if_it_has_to_be(scene)
    async with scene.waiting() as waiting:
        await scene.approve()
        return await waiting


async def _connected_again_if_it_has_to_be(scene: Scene) -> None:
    try:
        await scene.driver.call("intent_get", **scene.intent)
    except CallFailed:
        scene.notes.append("it has to connect again")
        await scene.driver.disconnect()
        await scene.connect(PATIENT_SECONDS)


async def _killed_and_restarted(scene: Scene) -> None:
    scene.stage.kill(scene.name)
    await scene.stage.restart()


@dataclass(frozen=True, kw_only=True)
class Story:
    name: str
    play: Callable[[Scene], Awaitable[dict[str, Any]]]


STORIES: Final = (
    Story(name="wait", play=wait),
    Story(name="time out", play=time_out),
    Story(name="disconnect", play=disconnect),
    Story(name="restart", play=restart),
)
