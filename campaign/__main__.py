"""`python -m tests.campaign crash|faults|clients|hostile`: exit code 1 when a promise is broken."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .clients.matrix import EVERY, clients, story_table
from .crash import crash
from .faults import FAULTS
from .hostile.attacks import ATTACKS
from .hostile.campaign import hostile
from .hostile.table import hostile_table
from .matrix import faults
from .report import table


def main() -> None:
    asked = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    started = time.monotonic()
    good, told = asyncio.run(_run(asked, folder))
    print(f"\n{told}\ntook: {(time.monotonic() - started) / 60:.1f} min")
    if not good:
        print(f"kept: {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


async def _run(asked: argparse.Namespace, folder: Path) -> tuple[bool, str]:
    """Whether all is as it was promised, and the table."""
    if asked.campaign == "clients":
        cases = [case for case in EVERY if asked.only in case.name]
        outcome = await clients(folder, cases, seed=asked.seed)
        return outcome.good, f"{table(outcome.figures)}\n\n{story_table(outcome)}"
    if asked.campaign == "hostile":
        attacks = [attack for attack in ATTACKS if asked.only in attack.name]
        results = await hostile(folder, attacks, seed=asked.seed, seconds=asked.seconds)
        return not any(one.breaches for one in results), hostile_table(results)
    if asked.campaign == "crash":
        figures = await crash(folder, seed=asked.seed, each=asked.each, random=asked.random)
    else:
        chosen = [fault for fault in FAULTS if asked.only in fault.name]
        figures = await faults(folder, chosen, seed=asked.seed, kills=(False, True))
    return not figures.violations, table(figures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    campaigns = parser.add_subparsers(dest="campaign", required=True)
    crashing = campaigns.add_parser("crash", help="SIGKILL at named and at random moments")
    crashing.add_argument("--each", type=int, default=20, help="kills at each named moment")
    crashing.add_argument("--random", type=int, default=200, help="kills at random moments")
    failing = campaigns.add_parser("faults", help="whatever can go wrong with a POST")
    asking = campaigns.add_parser("clients", help="other people's MCP clients, from request to outcome")
    attacking = campaigns.add_parser("hostile", help="attacks on a broker that people work with")
    attacking.add_argument("--seconds", type=float, default=20, help="how long each attack lasts")
    for campaign in (failing, asking, attacking):
        campaign.add_argument("--only", default="", help="those whose name holds this text")
    for campaign in (crashing, failing, asking, attacking):
        campaign.add_argument("--seed", type=int, default=1, help="of all choices and delays")
    return parser.parse_args()


main()
