"""The campaign as a table: a line for each attack, and below it what was not as promised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from ..verdict import Rule
from .judge import Bounds, Evidence, breaches, effect_seconds, left

WIDTH: Final = 34
COLUMNS: Final = (
    "decided",
    "p50",
    "p95",
    "max",
    "exits",
    "halts",
    "double",
    "lost",
    "wrong",
    "health",
    "ask",
    "sign-in",
    "RSS+",
    "fds",
    "traces",
    "breach",
)
SHOWN: Final = 6
"""Breaches of one attack that are printed in full."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """An attack. `sent`: what its attackers did."""

    name: str
    cells: Sequence[str]
    breaches: Sequence[str]
    sent: Sequence[str]


def result(evidence: Evidence, bounds: Bounds) -> Result:
    found = breaches(evidence, bounds)
    sent = [f"{name} sent {told}" for name, told in evidence.sent.items()]
    return Result(name=evidence.attack.name, cells=_cells(evidence, found), breaches=found, sent=sent)


def failure(name: str, problem: str) -> Result:
    """Of an attack that could not be judged."""
    return Result(name=name, cells=["-"] * len(COLUMNS), breaches=[problem], sent=[])


def _cells(evidence: Evidence, found: Sequence[str]) -> list[str]:
    work, watched = evidence.work, evidence.watched
    seconds = sorted(effect_seconds(it, evidence.record, evidence.truth) for it in work.clicks)
    wanted = [it for it in work.clicks if it.exit and it.approved and not it.barred]
    sent = sum(left(it, evidence.truth) for it in wanted)
    rules = [violation.rule for violation in evidence.violations]
    double, lost = rules.count(Rule.DUPLICATE), rules.count(Rule.LOSS)
    entered = sum(it is not None for it in work.sign_ins)
    return [
        str(len(seconds)),
        *(_seconds(_share(seconds, share)) for share in (0.5, 0.95, 1)),
        f"{sent}/{len(wanted)}",
        _seconds(max((halt.ran.seconds for halt in work.halts), default=None)),
        str(double),
        str(lost),
        str(len(rules) - double - lost),
        _seconds(watched.worst_health),
        _seconds(max(work.asks, default=None)),
        f"{entered}/{len(work.sign_ins)}",
        f"{watched.growth:.0f}",
        str(watched.descriptors),
        str(len(evidence.tracebacks)),
        str(len(found)),
    ]


def _share(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isfinite(value) else "never"


def head() -> str:
    return f"{'':{WIDTH}}" + "".join(f"{name:>8}" for name in COLUMNS)


def row(result: Result) -> str:
    return f"{result.name:{WIDTH}}" + "".join(f"{cell:>8}" for cell in result.cells)


def hostile_table(results: Iterable[Result]) -> str:
    results = list(results)
    return "\n".join((head(), *(row(one) for one in results), "", *_below(results)))


def _below(results: Iterable[Result]) -> Iterable[str]:
    yield "Seconds; RSS+ in MiB. decided: from the click until it was answered and took effect."
    for one in results:
        for sent in one.sent:
            yield f"{one.name}: {sent}"
    for one in results:
        for breach in one.breaches[:SHOWN]:
            yield f"BREACH {one.name}: {breach}"
        if len(one.breaches) > SHOWN:
            yield f"BREACH {one.name}: and {len(one.breaches) - SHOWN} more"
