"""`python -m bench [NAME …]`: measure all rows, or the named ones."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from . import approve, callers, card, cold_start, life, park, pass_through, told, waiting
from .figures import Pair
from .house import House, house
from .placed import MANY, Placed
from .reads import READS
from .serving import calm_gc, new_event_loop
from .table import head, line, steps


class Row(Protocol):
    @property
    def TITLE(self) -> str: ...

    @property
    def FLOOR(self) -> str: ...

    async def run(self, house: House, /) -> Pair: ...


ROWS: Mapping[str, Row] = {
    "pass_through": pass_through,
    "park": park,
    "card": card,
    "approve": approve,
    "placed": Placed(1),
    f"placed_{MANY}": Placed(MANY),
}
NAMES = (*ROWS, "reads", "callers", "waiting", "told", "cold_start")


async def run(names: Sequence[str]) -> None:
    print(head())
    for name in names:
        if name in ROWS:
            async with house() as one:
                calm_gc()
                print(line(ROWS[name].TITLE, ROWS[name].FLOOR, await ROWS[name].run(one)), flush=True)
    if "reads" in names:
        for read in READS:
            async with house() as one:
                calm_gc()
                print(line(read.title, read.floor, await read.run(one)), flush=True)
    for name, table in (("callers", callers.table), ("waiting", waiting.table), ("told", told.table)):
        if name in names:
            print(await table(), flush=True)
    if with_steps := [name for name in names if name in life.OF_ROW]:
        await explain(with_steps)


async def explain(names: Sequence[str]) -> None:
    """Print the steps of these rows and their times."""
    async with house() as one:
        calm_gc()
        medians = await life.step_medians(one)
    for name in names:
        print(steps(ROWS[name].TITLE, {step: medians[step] for step in life.OF_ROW[name]}))
    print(f"\n{life.REST}")


def main() -> None:
    names = sys.argv[1:] or list(NAMES)
    if unknown := set(names) - set(NAMES):
        sys.exit(f"bench: unknown row: {', '.join(sorted(unknown))}; the rows are {', '.join(NAMES)}")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run(names))
    if "cold_start" in names:
        print(cold_start.table())


main()
