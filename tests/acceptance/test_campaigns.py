"""The campaigns, small enough for every day. Their figures are printed: `pytest -rP` shows them.

At full length: `python -m tests.campaign crash`, `… faults` and `… hostile`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from campaign.crash import crash
from campaign.faults import SAMPLE
from campaign.hostile.attacks import ATTACKS
from campaign.hostile.campaign import hostile
from campaign.hostile.judge import Bounds
from campaign.hostile.table import hostile_table
from campaign.kinds import KINDS
from campaign.matrix import faults
from campaign.report import Figures, table

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]
"""Minutes only where the machine is busy: nearly all of it is brokers that start."""

SEED = 4
SHORT_SECONDS = 5
UNHURRIED = Bounds(slack=5)
"""The campaign itself holds a broker to two seconds; a machine that runs all tests at once may need more."""


def require_clean(figures: Figures) -> None:
    print(table(figures))
    assert not figures.violations, table(figures)
    assert figures.orders


async def test_a_kill_at_each_named_moment_makes_one_order_or_none_and_the_record_says_which(
    tmp_path: Path,
) -> None:
    figures = await crash(tmp_path, seed=SEED, each=1, random=0)
    require_clean(figures)
    assert all(line.intents for line in figures.lines.values())


async def test_twenty_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    figures = await crash(tmp_path, seed=SEED, each=0, random=20)
    require_clean(figures)
    assert len(figures.kinds) == len(KINDS)


async def test_a_kill_amid_a_fault_leaves_a_record_that_is_the_exchanges_truth(tmp_path: Path) -> None:
    require_clean(await faults(tmp_path, SAMPLE, seed=SEED, kills=(False, True)))


@pytest.mark.parametrize(
    "name",
    (
        "endless header",
        "idle",
        "wrong passwords",
        "hang-ups, bad messages",
        "database renamed",
        "full disk",
    ),
)
async def test_under_attack_people_go_on_working_and_nothing_is_doubled_or_lost(
    tmp_path: Path, name: str
) -> None:
    attacks = [attack for attack in ATTACKS if attack.name == name]
    [found] = await hostile(tmp_path, attacks, seed=SEED, seconds=SHORT_SECONDS, bounds=UNHURRIED)
    assert not found.breaches, hostile_table([found])
