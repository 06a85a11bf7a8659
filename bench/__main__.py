"""`python -m bench [NAME …]`: all rows, or those named (pass_through, park, card, approve)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from . import approve, card, life, park, pass_through
from .house import house
from .serving import keep_still, new_event_loop
from .table import head, line, steps

ROWS = {"pass_through": pass_through, "park": park, "card": card, "approve": approve}


async def run(names: Sequence[str]) -> None:
    print(head())
    for name in names:
        row = ROWS[name]
        async with house() as one:
            keep_still()
            print(line(row.TITLE, row.FLOOR, await row.run(one)), flush=True)
    async with house() as one:
        keep_still()
        medians = await life.lives(one)
    for name in names:
        print(steps(ROWS[name].TITLE, {step: medians[step] for step in life.OF_ROW[name]}))
    print(f"\n{life.REST}")


def main() -> None:
    names = sys.argv[1:] or list(ROWS)
    if unknown := set(names) - ROWS.keys():
        sys.exit(f"bench: no row is named {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(run(names))


main()
