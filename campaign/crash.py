"""The crash campaign: SIGKILL at each named moment, and at random ones amid several requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from .kinds import KINDS, Kind
from .moments import MOMENTS, Moment
from .people import Gone
from .report import Figures, figures
from .stage import Stage, stage

RANDOM: Final = "random"
AT_ONCE: Final = 5
AFTER_ANSWER_SECONDS: Final = 0.3
"""A random kill comes after so many answers and at most so long: about as long as one submission takes."""

REJECTED: Final = 0.1
"""The share of what waits after a random kill that the trader rejects."""


async def crash(folder: Path, *, seed: int, each: int, random: int) -> Figures:
    """`each`: kills at each named moment; `random`: kills at random ones."""
    async with stage(folder, seed) as built:
        for number, moment in enumerate(MOMENTS):
            for turn in range(each):
                await named_kill(built, moment, _kind(number + turn))
            _tell(each, moment.name, each)
        for turn in range(random):
            await random_kill(built)
            _tell(turn + 1, RANDOM, random)
        await built.finish()
        return await figures(built, seed)


async def named_kill(stage: Stage, moment: Moment, kind: Kind) -> None:
    """Ends with a broker that runs, and perhaps with a request that is still to be settled."""
    await stage.venue.tidy()
    asked = await stage.ask(kind, moment.name)
    if asked is None:  # its leverages are all under way
        await stage.until_settled()
        asked = await stage.ask(kind, moment.name)
    if asked is None:
        return
    await moment.play(stage, asked)
    if stage.database.state(asked.intent_id) in moment.leaves:
        stage.tally.on_target[moment.name] += 1
    await stage.restart()
    await stage.catch_up()


async def random_kill(stage: Stage) -> None:
    """Several requests are under way, and whatever the broker before left behind."""
    await stage.venue.tidy()
    kinds = stage.random.sample(list(KINDS.values()), AT_ONCE)
    answers = asyncio.Semaphore(0)
    lives = [asyncio.create_task(_live(stage, kind, answers)) for kind in kinds]
    leftovers = asyncio.create_task(_unless_gone(stage))
    for _ in range(stage.random.randint(0, 2 * AT_ONCE)):
        await answers.acquire()
    await asyncio.sleep(stage.random.uniform(0, AFTER_ANSWER_SECONDS))
    stage.kill(RANDOM)
    if stage.database.ids_in("pending", "approved", "submitting", "unknown"):
        stage.tally.on_target[RANDOM] += 1
    await asyncio.gather(*lives, leftovers)
    await stage.restart()


async def _live(stage: Stage, kind: Kind, answers: asyncio.Semaphore) -> None:
    """The agent asks, and the trader approves; or the broker is dead by then. Two answers in any case."""
    asked = None
    with suppress(Gone):
        asked = await stage.ask(kind, RANDOM)
    answers.release()
    with suppress(Gone):
        if asked is not None:
            await stage.approve(asked)
    answers.release()


async def _unless_gone(stage: Stage) -> None:
    with suppress(Gone):
        await stage.catch_up(rejected=REJECTED)


def _kind(number: int) -> Kind:
    kinds: Sequence[Kind] = list(KINDS.values())
    return kinds[number % len(kinds)]


def _tell(done: int, what: str, of: int) -> None:
    if done and (done == of or not done % 10):
        print(f"{what}: {done} of {of} kills", flush=True)
