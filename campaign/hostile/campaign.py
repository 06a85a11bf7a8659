"""Plays the attacks, each on an exchange, a data folder and a broker of its own."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import httpx2

from tests.acceptance.processes import ModuleProcess, environment
from ..people import NAME, Gone
from ..stage import Stage, stage
from ..verdict import Rule, Violation, audit_holds, judge
from .attacks import Attack
from .commands import new_agent, run
from .damage import Damage, struck_quietly
from .desk import Desk
from .judge import TELLS, After, Bounds, Evidence
from .requests import FUTURES_HELD
from .table import Result, failure, head, result, row
from .watch import Watch
from .webhooks import BEHAVIOURS, LISTENS
from .wire import Target

SERVES: Final = ("campaign.hostile.confined",)
SETTINGS: Final = {
    "MAX_PENDING_PER_AGENT": "50",
    "MAX_CALLS_PER_MINUTE_PER_AGENT": "600",
    "NOTIFY_ALLOW_PRIVATE": "true",
    "LOG_LEVEL": "warning",
}
"""The limits of agents are what they are by default: they are what an agent's flood meets."""

FLOODING_AGENTS: Final = ("Flood-1", "Flood-2")
CHANNELS: Final = 3
WARM_UP_SECONDS: Final = 1.0
RECOVERY_SECONDS: Final = 30
FINISH_SECONDS: Final = 120
BEYOND_THE_HORIZON_MS: Final = 30_000
EXTRA_SECONDS: Final = 120
"""After which an attacker ends by itself, if nobody ended it."""

TRACEBACK: Final = "Traceback (most recent call last)"


async def hostile(
    folder: Path, attacks: Sequence[Attack], *, seed: int, seconds: float, bounds: Bounds | None = None
) -> list[Result]:
    """`seconds`: how long each attack lasts."""
    results = []
    print(head(), flush=True)
    for attack in attacks:
        own = folder / re.sub(r"\W+", "-", attack.name)
        own.mkdir()
        try:
            results.append(await _play(own, attack, seed, seconds, bounds or Bounds()))
        except (AssertionError, Gone, OSError, sqlite3.Error, httpx2.TransportError) as error:
            results.append(failure(attack.name, f"the campaign could not go on: {error!r}"))
        print(row(results[-1]), flush=True)
    return results


async def _play(folder: Path, attack: Attack, seed: int, seconds: float, bounds: Bounds) -> Result:
    async with stage(folder, seed, SERVES, **SETTINGS) as built:
        keys = [await new_agent(built, name) for name in FLOODING_AGENTS] if attack.attackers else []
        target = Target(
            attacker="",
            port=built.broker.port,
            keys=keys,
            trader=NAME,
            seconds=seconds + EXTRA_SECONDS,
            seed=seed,
        )
        await built.venue.tidy()
        await built.venue.buy("ETHUSDT", FUTURES_HELD)
        desk = Desk(built)
        try:
            await desk.stock_up()
            await asyncio.sleep(WARM_UP_SECONDS)
            async with Watch(built.broker) as watch:
                return await _attacked(built, attack, desk, watch, target, seconds, bounds)
        finally:
            await desk.close()


async def _attacked(
    built: Stage, attack: Attack, desk: Desk, watch: Watch, target: Target, seconds: float, bounds: Bounds
) -> Result:
    output: Sequence[str] = built.broker.output
    sent: Mapping[str, str] = {}
    if attack.damage is not None:
        after = await _damaged(built, attack.damage(built), desk, watch, seconds)
    else:
        async with _attackers(built, desk, target, attack.attackers) as attackers:
            await desk.be_busy(seconds, halts=True)
            sent = {name: "".join(process.output[-1:]).strip() for name, process in attackers.items()}
        after = After(recovered=await watch.healthy_again(RECOVERY_SECONDS))
    await watch.stop()
    if attack.damage is None or not attack.damage.lasting:
        await desk.one_more_exit()
        await desk.let_go()
    tracebacks = _tracebacks(output)
    violations = await _violations(built) if built.runs else []
    evidence = Evidence(
        attack=attack,
        work=desk.work,
        watched=watch.seen,
        record=built.database.read(),
        truth=await built.venue.truth(),
        violations=violations,
        tracebacks=tracebacks,
        after=after,
        sent=sent,
    )
    return result(evidence, bounds)


@asynccontextmanager
async def _attackers(
    built: Stage, desk: Desk, target: Target, names: Sequence[str]
) -> AsyncIterator[dict[str, ModuleProcess]]:
    """They attack from here on, and are gone at the end."""
    processes = {}
    try:
        for name in names:
            asked = json.dumps(asdict(replace(target, attacker=name)))
            command = ("campaign.hostile.attacker", asked)
            process = ModuleProcess(*command, cwd=built.folder, env=environment())
            processes[name] = process
            if name in BEHAVIOURS:
                address = (await asyncio.to_thread(process.wait_for, LISTENS + r"(\S+)")).group(1)
                for number in range(CHANNELS):
                    await desk.browser.add_webhook(f"hook {number}", f"{address}/{number}")
        yield processes
    finally:
        for process in processes.values():
            process.kill()


async def _damaged(built: Stage, damage: Damage, desk: Desk, watch: Watch, seconds: float) -> After:
    """Ends with a broker that runs on what was repaired, or with the problem that kept it from that."""
    page = await desk.browser.page()
    assert page is not None and not TELLS.search(page.text), "the page speaks of a loss before there is one"
    await struck_quietly(built, damage)
    struck_ms = _now_ms()
    await desk.be_busy(seconds, halts=False)
    await watch.stop()
    halt = await run(built.folder, "halt", "--reason", damage.name) if damage.halt_fails else None
    after = After(struck_ms=struck_ms, repaired_ms=_now_ms(), halt_code=halt.code if halt else None)
    if not damage.lasting:
        await damage.repair()
        return replace(after, recovered=await watch.healthy_again(RECOVERY_SECONDS))
    built.kill(damage.name)
    try:
        await damage.repair()
        await built.venue.move_clock(BEYOND_THE_HORIZON_MS)  # what is unknown after a restore is soon certain
        await built.restart()
    except AssertionError as error:
        return replace(after, problem=f"no broker could be started on what was repaired: {error}")
    return after


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _violations(built: Stage) -> list[Violation]:
    """When everything is decided and settled."""
    found = []
    try:
        async with asyncio.timeout(FINISH_SECONDS):
            await built.finish()
    except (Gone, TimeoutError) as error:
        found.append(Violation(rule=Rule.UNSETTLED, intent_id=None, text=f"after the attack: {error!r}"))
    found += judge(built.database.read(), await built.venue.truth(), built.told)
    if problem := await asyncio.to_thread(audit_holds, built.folder):
        found.append(Violation(rule=Rule.BROKEN, intent_id=None, text=f"audit verify: {problem}"))
    return found


def _tracebacks(output: Sequence[str]) -> list[str]:
    """The last line of each: what it was."""
    found = []
    for number, text in enumerate(output):
        if TRACEBACK in text:
            rest = [line.strip() for line in output[number + 1 : number + 200] if line[:1].strip(" |\n")]
            found.append(rest[0] if rest else text.strip())
    return found
