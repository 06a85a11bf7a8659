"""Every client, over stdio and over HTTP, through every story: before one broker and one exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..report import Figures, figures
from ..stage import Stage, stage
from .driver import CLIENTS, CallFailed, Client, Driver, over_http, over_stdio
from .stories import STORIES, Scene, Story, Wrong

STDIO, HTTP = "stdio", "HTTP"
STORY_SECONDS: Final = 180
WIDTH: Final = 34


@dataclass(frozen=True, kw_only=True)
class Case:
    client: Client
    transport: str
    story: Story

    @property
    def line(self) -> str:
        return f"{self.client.name}, {self.transport}"

    @property
    def name(self) -> str:
        return f"{self.line}: {self.story.name}"


EVERY: Final = tuple(
    Case(client=client, transport=transport, story=story)
    for client in CLIENTS
    for transport in (STDIO, HTTP)
    for story in STORIES
)


@dataclass(frozen=True, kw_only=True)
class Played:
    """`wrong`: what was not as promised."""

    case: Case
    seconds: float
    wrong: str | None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    played: Sequence[Played]
    figures: Figures

    @property
    def good(self) -> bool:
        return not self.figures.violations and all(one.wrong is None for one in self.played)


async def clients(folder: Path, cases: Sequence[Case], *, seed: int) -> Outcome:
    """One after the other. Raises Unavailable before the first, when a client cannot be installed."""
    for environment in dict.fromkeys(case.client.environment for case in cases):
        await asyncio.to_thread(environment.ready)
    async with stage(folder, seed) as built:
        played = [await _played(built, case) for case in cases]
        await built.finish()
        return Outcome(played=played, figures=await figures(built, seed))


async def _played(stage: Stage, case: Case) -> Played:
    started, wrong = time.monotonic(), None
    driver = Driver(case.client, _target(stage, case), stage.folder)
    scene = Scene(stage, driver, case.line)
    try:
        async with asyncio.timeout(STORY_SECONDS):
            await scene.require_one_order(await case.story.play(scene))
    except (Wrong, CallFailed, TimeoutError) as problem:
        wrong = f"{type(problem).__name__}: {problem}"
    finally:
        await driver.kill()
    if wrong is not None:
        await _mended(stage)
    seconds = time.monotonic() - started
    print(f"{case.name}: {wrong or 'as promised'} ({seconds:.1f} s)", *scene.notes, sep="\n    ", flush=True)
    return Played(case=case, seconds=seconds, wrong=wrong)


async def _mended(stage: Stage) -> None:
    """The next story begins as every other."""
    await stage.venue.let_go()
    if not stage.runs:
        await stage.restart()


def _target(stage: Stage, case: Case) -> dict[str, Any]:
    broker = stage.broker
    if case.transport == STDIO:
        return over_stdio(broker.port, broker.folder / "data")
    return over_http(broker.url, broker.key)


def story_table(outcome: Outcome) -> str:
    """Seconds of each story that went as promised."""
    head = f"{'':{WIDTH}}" + "".join(f"{story.name:>12}" for story in STORIES)
    cells = {(one.case.line, one.case.story.name): one for one in outcome.played}
    lines = [
        f"{line:{WIDTH}}" + "".join(f"{_cell(cells.get((line, story.name))):>12}" for story in STORIES)
        for line in dict.fromkeys(one.case.line for one in outcome.played)
    ]
    good = sum(one.wrong is None for one in outcome.played)
    wrong = [f"WRONG {one.case.name}: {one.wrong}" for one in outcome.played if one.wrong]
    return "\n".join((head, *lines, f"as promised: {good} of {len(outcome.played)} stories", *wrong))


def _cell(played: Played | None) -> str:
    if played is None:
        return ""
    return "WRONG" if played.wrong else f"{played.seconds:.1f} s"
