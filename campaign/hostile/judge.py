"""What an attack came to, held against what is promised."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from ..record import FINAL, Record
from ..venue import OURS, Truth
from ..verdict import Violation
from .attacks import Attack
from .browser import GIVE_UP_SECONDS
from .desk import Click, Work
from .watch import Watched

ENOUGH_CLICKS: Final = 3
TELLS: Final = re.compile(r"database", re.IGNORECASE)
"""What a page, and a person, call what is lost."""

ATTACKED: Final = re.compile(r'"connections": [1-9]')


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Seconds, MiB, and file descriptors that are left. `slack`: how much slower a busy machine may be."""

    decision: float = 2.0
    halt: float = 2.0
    health: float = 2.0
    silence: float = 8.0
    recovery: float = 5.0
    growth: float = 200.0
    spare_descriptors: int = 32
    slack: float = 1.0


@dataclass(frozen=True, kw_only=True)
class After:
    """How it went on. `struck_ms` to `repaired_ms`: while the files were damaged; `halt_code`: of a halt with
    no database. `recovered`: seconds until /health was well again; None: it was not. `problem`: what kept the
    broker down.
    """

    struck_ms: int = 0
    repaired_ms: int = 0
    halt_code: int | None = None
    recovered: float | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    attack: Attack
    work: Work
    watched: Watched
    record: Record
    truth: Truth
    violations: Sequence[Violation]
    tracebacks: Sequence[str]
    after: After
    sent: Mapping[str, str]
    """What each attacker told last."""


def effect_seconds(click: Click, record: Record, truth: Truth) -> float:
    """From the click until it was answered and took effect: its order's time at the exchange, or that of the
    record of its certain end. Infinite when it did not.
    """
    if click.seconds is None:
        return inf
    if not (click.recorded and click.approved):
        return click.seconds
    orders = truth.of(OURS + click.asked.intent_id)
    ends = [
        event.at
        for event in record.by_intent.get(click.asked.intent_id, ())
        if event.kind.removeprefix("intent:") in FINAL
    ]
    times = [order.at_ms for order in orders] or ends
    return max(click.seconds, (min(times) - click.at_ms) / 1000) if times else inf


def left(click: Click, truth: Truth) -> bool:
    """Whether its order reached the exchange while somebody waited for it, and not only afterwards."""
    latest = click.at_ms + GIVE_UP_SECONDS * 1000
    return any(order.at_ms <= latest for order in truth.of(OURS + click.asked.intent_id))


def breaches(evidence: Evidence, bounds: Bounds) -> list[str]:
    damage = evidence.attack.damage
    found = [f"{one.rule.value}: {one.intent_id}: {one.text}" for one in evidence.violations]
    found += _limits(evidence, bounds)
    found += _attackers(evidence)
    if damage is None:
        found += _decisions(evidence, bounds)
        found += _halts(evidence, bounds)
        found += _people(evidence, bounds)
    else:
        found += _answers(evidence, bounds)
        found += _said(evidence, bounds)
    if damage is not None and damage.gone:
        found += _nothing_sent(evidence)
    return found


def _decisions(evidence: Evidence, bounds: Bounds) -> Iterator[str]:
    clicks, most = evidence.work.clicks, bounds.decision * bounds.slack
    if len(clicks) < ENOUGH_CLICKS or not any(click.exit and click.recorded for click in clicks):
        yield f"only {len(clicks)} decisions: the agent's requests did not come through"
    for click in clicks:
        seconds = effect_seconds(click, evidence.record, evidence.truth)
        if seconds > most:
            yield f"{_of(click)}: took {seconds:.1f} s"
        if click.barred:
            if click.recorded:
                yield f"{_of(click)}: approved although trading was halted"
        elif not click.recorded and click.seconds is not None:
            yield f"{_of(click)}: answered, and not recorded"
        elif click.exit and click.approved and not left(click, evidence.truth):
            yield f"{_of(click)}: an exit that was approved did not leave"


def _of(click: Click) -> str:
    verb = "approve" if click.approved else "reject"
    return f"{verb} {click.asked.wanted.kind.name} {click.asked.intent_id}"


def _halts(evidence: Evidence, bounds: Bounds) -> Iterator[str]:
    for halt in evidence.work.halts:
        if halt.ran.code != 0 or halt.ran.seconds > bounds.halt * bounds.slack:
            yield f"halt took {halt.ran.seconds:.1f} s, exit code {halt.ran.code}: {halt.ran.text.strip()}"
        if not halt.resumed:
            yield "the trader could not resume trading on the page"


def _people(evidence: Evidence, bounds: Bounds) -> Iterator[str]:
    work = evidence.work
    yield from work.problems
    if work.following.longest_silence > bounds.silence * bounds.slack:
        yield f"the open page heard nothing for {work.following.longest_silence:.1f} s"
    broken = [status for status, _ in work.pages if not 200 <= status < 500]
    if broken:
        yield f"the inbox was not shown {len(broken)} of {len(work.pages)} times: {broken[0] or 'no answer'}"
    if evidence.attack.shuts_out and not any(work.sign_ins):
        yield f"the right password was refused {len(work.sign_ins)} of {len(work.sign_ins)} times"
    if evidence.after.recovered is None or evidence.after.recovered > bounds.recovery * bounds.slack:
        yield f"well again after the attack: {evidence.after.recovered} s"


def _limits(evidence: Evidence, bounds: Bounds) -> Iterator[str]:
    watched = evidence.watched
    if watched.worst_health > bounds.health * bounds.slack:
        yield f"/health took {watched.worst_health:.1f} s"
    if watched.growth > bounds.growth:
        yield f"memory grew by {watched.growth:.0f} MiB"
    if watched.descriptors > watched.most_descriptors - bounds.spare_descriptors:
        yield f"{watched.descriptors} of {watched.most_descriptors} file descriptors in use"
    if evidence.tracebacks:
        yield f"{len(evidence.tracebacks)} tracebacks in the log, the first: {evidence.tracebacks[0]}"
    if evidence.after.problem is not None:
        yield evidence.after.problem


def _attackers(evidence: Evidence) -> Iterator[str]:
    """An attack that did not take place proves nothing."""
    for name, told in evidence.sent.items():
        if not ATTACKED.search(told):
            yield f"the attacker {name!r} did not attack: {told!r}"


def _answers(evidence: Evidence, bounds: Bounds) -> Iterator[str]:
    """Where the files are damaged a decision may be refused, but not left without an answer."""
    for click in evidence.work.clicks:
        if click.seconds is None or click.seconds > bounds.decision * bounds.slack:
            yield f"{_of(click)}: answered after {click.seconds} s"


def _said(evidence: Evidence, bounds: Bounds) -> Iterator[str]:
    """/health names the damage; where the database is gone, agents and pages do so too."""
    damage, after = evidence.attack.damage, evidence.after
    assert damage is not None
    health = evidence.watched.health
    if not health or (health[-1].status == 200 and "problem" not in health[-1].body):
        yield "/health says that all is well"
    if damage.gone and evidence.work.pages and not _page_tells(evidence.work.pages[-1]):
        yield "the inbox says nothing of it"
    if damage.halt_fails and after.halt_code == 0:
        yield "`broker halt` said that it halted a broker which it could not reach"
    if not damage.lasting and (after.recovered is None or after.recovered > bounds.recovery * bounds.slack):
        yield f"well again after the repair: {after.recovered} s"


def _page_tells(page: tuple[int, str]) -> bool:
    status, text = page
    return status >= 500 or TELLS.search(text) is not None


def _nothing_sent(evidence: Evidence) -> Iterator[str]:
    meanwhile = range(evidence.after.struck_ms, evidence.after.repaired_ms)
    if sent := sum(order.at_ms in meanwhile for order in evidence.truth.orders):
        yield f"{sent} orders were sent without the database"
    clicks = [click for click in evidence.work.clicks if click.at_ms in meanwhile]
    if recorded := sum(click.recorded for click in clicks):
        yield f"{recorded} decisions were answered as recorded without the database"
    if not clicks:
        yield "nobody decided anything meanwhile"
