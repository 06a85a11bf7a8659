"""The fault campaign: every fault × every kind of request, with and without a kill meanwhile.

The cases of a batch run side by side, under one broker: the next batch gets another, since ccxt lets a client
read only so much a minute. Nobody waits for a horizon: what is unknown is settled while the next batches run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from .faults import Fault
from .kinds import CLOSE, LEVERAGE, TO_CLOSE, Kind
from .people import Asked, Gone
from .report import Figures, figures
from .stage import Stage, stage
from .venue import OURS

BETWEEN: Final = "between batches"
STRIKE_SECONDS: Final = 30
FAULTS_AT_ONCE: Final = 3
LEVERAGES_AT_ONCE: Final = 2
MOST_TRIES: Final = 20
ASK_AGAIN_SECONDS: Final = 0.01
LOOK_UPS: Final = 2
"""How many look-ups of each request go wrong, where they do: as many as make sure that it never was."""

SENDING: Final = frozenset({"approved", "submitting"})
AT_THE_DOOR: Final = (
    ("spot market", "futures market"),
    ("spot limit", "futures stop"),
    ("spot stop", "close"),
    ("leverage",),
)
"""After a ban nothing more is sent in that market: one request of each at a time."""


@dataclass(frozen=True, kw_only=True)
class Case:
    fault: Fault
    kind: Kind
    killed: bool

    @property
    def name(self) -> str:
        return f"{self.kind.name}, {self.fault.name}{', killed' if self.killed else ''}"

    @property
    def scene(self) -> str:
        return f"{self.fault.group}{', killed' if self.killed else ''}"


Batch = Sequence[Case]


async def faults(folder: Path, chosen: Sequence[Fault], *, seed: int, kills: Sequence[bool]) -> Figures:
    """`kills`: False for the cases without one, True for those with one."""
    async with stage(folder, seed) as built:
        for killed in kills:
            plan = _planned(chosen, killed)
            total = len(plan.batches)
            while plan.batches or plan.leverages or plan.closes:
                for case in await _play(built, plan.next(built.free_leverages()), killed):
                    plan.again(case)
                _tell(total - len(plan.batches), total, len(plan.leverages), killed)
        await built.finish()
        await _count_struck(built)
        return await figures(built, seed)


@dataclass
class Plan:
    """Batches, and the cases of which only so many can be under way: they join whatever runs."""

    batches: list[Batch]
    leverages: list[Case]
    closes: list[Case]
    tries: Counter[str] = field(default_factory=Counter)

    def again(self, case: Case) -> None:
        """One whose call was refused, as by Binance's weight; the report counts the refusals."""
        self.tries[case.name] += 1
        if self.tries[case.name] > MOST_TRIES:
            raise RuntimeError(f"refused more than {MOST_TRIES} times: {case.name}")
        apart = {LEVERAGE: self.leverages, CLOSE: self.closes}
        if (waiting := apart.get(case.kind.tool)) is not None:
            waiting.append(case)
        else:
            self.batches.append([case])

    def next(self, free_leverages: int) -> Batch:
        batch = list(self.batches.pop(0)) if self.batches else []
        if batch and batch[0].fault.bans:
            return batch
        most = LEVERAGES_AT_ONCE if batch else free_leverages
        for waiting, number in ((self.leverages, min(most, free_leverages)), (self.closes, len(TO_CLOSE))):
            batch += waiting[:number]
            del waiting[:number]
        return batch


def _planned(chosen: Sequence[Fault], killed: bool) -> Plan:
    plan = Plan([], [], [])
    apart = {LEVERAGE: plan.leverages, CLOSE: plan.closes}
    alone: list[Batch] = []
    for (_, bans), group in groupby(chosen, key=lambda fault: (fault.group, fault.bans)):
        cases = [[Case(fault=it, kind=kind, killed=killed) for kind in it.kinds()] for it in group]
        if bans:
            alone += [batch for one in cases for batch in _one_at_a_time(one)]
            continue
        orders: list[Batch] = []
        for one in cases:
            orders.append([case for case in one if case.kind.tool not in apart])
            for case in one:
                apart.get(case.kind.tool, []).append(case)
        for first in range(0, len(orders), FAULTS_AT_ONCE):
            plan.batches.append([case for one in orders[first : first + FAULTS_AT_ONCE] for case in one])
    plan.batches += alone
    return plan


def _one_at_a_time(cases: Batch) -> list[Batch]:
    groups = [[case for case in cases if case.kind.name in names] for names in AT_THE_DOOR]
    return [group for group in groups if group]


async def _play(stage: Stage, batch: Batch, killed: bool) -> list[Case]:
    """Ends with a new broker. Answers the cases whose call was refused."""
    if not batch:  # every leverage is under way
        await asyncio.sleep(1)
        return []
    await stage.venue.tidy()
    answers = [await stage.ask(case.kind, case.scene) for case in batch]
    met = [(case, asked) for case, asked in zip(batch, answers, strict=True) if asked is not None]
    refused = [case for case, asked in zip(batch, answers, strict=True) if asked is None]
    stage.random.shuffle(met)
    ids = {asked.intent_id for _, asked in met}
    for case, _ in met:
        await stage.venue.fault(method="POST", path=case.kind.post, **case.fault.body)
    await asyncio.gather(*(_approve(stage, asked) for _, asked in met))
    if killed and met:
        survivors = len(met) - stage.random.randint(1, len(met))
        await _until_armed(stage, survivors, ids, SENDING)
        stage.kill(batch[0].scene)
        await stage.restart()
    await _until_armed(stage, 0, ids, SENDING)
    await _spoil_look_ups(stage, [case for case, _ in met if case.fault.look_up is not None], ids)
    await _end(stage, ids, killed and bool(met))
    return refused


async def _approve(stage: Stage, asked: Asked) -> None:
    with suppress(Gone):
        await stage.approve(asked)


async def _spoil_look_ups(stage: Stage, cases: Iterable[Case], ids: set[str]) -> None:
    await stage.venue.disarm()
    for case in cases:
        fault = {"method": "GET", "path": case.kind.look_up, "times": LOOK_UPS, **(case.fault.look_up or {})}
        await stage.venue.fault(**fault)
    await _until_armed(stage, 0, ids, SENDING | {"unknown"})


async def _until_armed(stage: Stage, number: int, ids: set[str], states: frozenset[str]) -> None:
    """Until no more than so many requests will still be struck, or none is in these states any more."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STRIKE_SECONDS):
            while ids & stage.database.ids_in(*states):
                if await stage.venue.armed() <= number:
                    return
                await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _end(stage: Stage, ids: set[str], killed: bool) -> None:
    """Nothing of it is in the next one's way."""
    await stage.venue.let_go()
    await stage.venue.late_ones_done()
    if not killed:
        await stage.until_sent(ids)
        stage.kill(BETWEEN)
        await stage.restart()


async def _count_struck(stage: Stage) -> None:
    """On target is a request that was sent at all, and so met its fault."""
    posts = (await stage.venue.truth()).posts
    sent_leverages = stage.database.sent("binance_set_leverage")
    for scene, ids in stage.intents_by_scene().items():
        sent = sum(OURS + intent_id in posts or intent_id in sent_leverages for intent_id in ids)
        stage.tally.on_target[scene] = sent


def _tell(done: int, total: int, leverages: int, killed: bool) -> None:
    if done % 10 and done != total:
        return
    print(f"{done} of {total} batches{', killed' if killed else ''}, {leverages} leverages wait", flush=True)
