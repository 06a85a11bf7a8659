"""What a campaign came to, as figures and as a table."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .record import Record
from .stage import Stage
from .venue import Truth
from .verdict import Rule, Violation, audit_holds, carried_out, judge

WIDTH: Final = 36
OUTCOMES: Final = ("placed", "refused", "not_sent", "rejected")
COLUMNS: Final = ("kills", "on target", "intents", "orders", *OUTCOMES, "wrong")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One scene. `orders` are those at the exchange, and leverages that it set."""

    kills: int
    on_target: int
    intents: int
    orders: int
    outcomes: Counter[str]
    wrong: int

    def cells(self) -> list[int]:
        outcomes = [self.outcomes[name] for name in OUTCOMES]
        return [self.kills, self.on_target, self.intents, self.orders, *outcomes, self.wrong]


@dataclass(frozen=True, kw_only=True)
class Figures:
    seed: int
    lines: Mapping[str, Line]
    kinds: Counter[str]
    """Placed requests by kind."""
    violations: Sequence[Violation]
    seconds_unknown: Sequence[float]
    refused: Counter[str]
    log: Sequence[str]

    @property
    def orders(self) -> int:
        return sum(line.orders for line in self.lines.values())

    def of(self, rule: Rule) -> int:
        return sum(violation.rule is rule for violation in self.violations)


async def figures(stage: Stage, seed: int) -> Figures:
    """The comparison, at a campaign's end; the broker runs."""
    record, truth = stage.database.read(), await stage.venue.truth()
    violations = judge(record, truth, stage.told)
    if problem := await asyncio.to_thread(audit_holds, stage.folder):
        violations.append(Violation(rule=Rule.BROKEN, intent_id=None, text=f"audit verify: {problem}"))
    placed = (asked for key, asked in stage.told.asked.items() if record.rows[key].state == "placed")
    return Figures(
        seed=seed,
        lines=_lines(stage, record, truth, violations),
        kinds=Counter(asked.wanted.kind.name for asked in placed),
        violations=violations,
        seconds_unknown=record.seconds_unknown(),
        refused=stage.told.refused,
        log=stage.tally.errors,
    )


def _lines(stage: Stage, record: Record, truth: Truth, violations: Iterable[Violation]) -> Mapping[str, Line]:
    wrong = {violation.intent_id for violation in violations}
    found = {}
    for scene, ids in stage.intents_by_scene().items():
        rows = [record.rows[intent_id] for intent_id in ids if intent_id in record.rows]
        found[scene] = Line(
            kills=stage.tally.kills[scene],
            on_target=stage.tally.on_target[scene],
            intents=len(ids),
            orders=sum(carried_out(row, truth) for row in rows),
            outcomes=Counter(row.state for row in rows),
            wrong=sum(intent_id in wrong for intent_id in ids),
        )
    return found


def table(figures: Figures) -> str:
    head = f"{'':{WIDTH}}" + "".join(f"{name:>10}" for name in COLUMNS)
    lines = [_row(scene, line.cells()) for scene, line in figures.lines.items()]
    cells = [line.cells() for line in figures.lines.values()]
    total = _row("all", [sum(column) for column in zip(*cells, strict=True)])
    return "\n".join((head, *lines, total, "", *_summary(figures)))


def _row(name: str, cells: Iterable[int]) -> str:
    return f"{name:{WIDTH}}" + "".join(f"{cell:10}" for cell in cells)


def _summary(figures: Figures) -> list[str]:
    unknown = sorted(figures.seconds_unknown)
    rules = ", ".join(f"{rule.value} {figures.of(rule)}" for rule in Rule)
    return [
        f"violations: {rules}",
        f"placed by kind: {_counted(figures.kinds)}",
        f"unknown before it was settled: {len(unknown)} requests, "
        f"p50 {_share(unknown, 0.5):.1f} s, p95 {_share(unknown, 0.95):.1f} s",
        f"calls refused: {_counted(figures.refused) or 'none'}",
        f"errors in the broker's log: {len(figures.log)}",
        *(f"  {line.rstrip()}" for line in figures.log[:20]),
        f"seed: {figures.seed}",
        *(f"VIOLATION {one.rule.value}: {one.intent_id}: {one.text}" for one in figures.violations),
    ]


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0


def _counted(counter: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items()))
