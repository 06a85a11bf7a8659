"""`python -m tests.campaign crash|faults`: exit code 1 when anything is not as it was promised."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .crash import crash
from .faults import FAULTS
from .matrix import faults
from .report import Figures, table


def main() -> None:
    asked = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    started = time.monotonic()
    figures = asyncio.run(_run(asked, folder))
    print(f"\n{table(figures)}\ntook: {(time.monotonic() - started) / 60:.1f} min")
    if figures.violations:
        print(f"kept: {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


async def _run(asked: argparse.Namespace, folder: Path) -> Figures:
    if asked.campaign == "crash":
        return await crash(folder, seed=asked.seed, each=asked.each, random=asked.random)
    chosen = [fault for fault in FAULTS if asked.only in fault.name]
    return await faults(folder, chosen, seed=asked.seed, kills=(False, True))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    campaigns = parser.add_subparsers(dest="campaign", required=True)
    crashing = campaigns.add_parser("crash", help="SIGKILL at named and at random moments")
    crashing.add_argument("--each", type=int, default=20, help="kills at each named moment")
    crashing.add_argument("--random", type=int, default=200, help="kills at random moments")
    failing = campaigns.add_parser("faults", help="whatever can go wrong with a POST")
    failing.add_argument("--only", default="", help="faults whose name holds this text")
    for campaign in (crashing, failing):
        campaign.add_argument("--seed", type=int, default=1, help="of all choices and delays")
    return parser.parse_args()


main()
