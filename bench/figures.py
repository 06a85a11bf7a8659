"""Samples into figures: medians over rounds, with their spread. All times in milliseconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

Sample = Callable[[], Awaitable[float]]
"""Does the thing once and answers the milliseconds that it took."""

P95 = 18
"""Where it stands among the nineteen cuts that make twenty parts."""


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, the least and the most."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass
class Series:
    """Rounds of samples of one thing."""

    rounds: list[list[float]] = field(default_factory=list)

    @property
    def p50(self) -> list[float]:
        return [median(samples) for samples in self.rounds]

    @property
    def p95(self) -> list[float]:
        return [quantiles(samples, n=20)[P95] for samples in self.rounds]


@dataclass
class Pair:
    """Ours and the floor, measured in turn."""

    ours: Series = field(default_factory=Series)
    floor: Series = field(default_factory=Series)

    def ratio(self, of: Callable[[Series], Sequence[float]]) -> Spread:
        pairs = zip(of(self.ours), of(self.floor), strict=True)
        return Spread.of([ours / floor for ours, floor in pairs])


async def measure(ours: Sample, floor: Sample, *, rounds: int, samples: int, warm_up: int) -> Pair:
    """One of ours, one of the floor, and so on: what disturbs the machine disturbs both."""
    for _ in range(warm_up):
        await ours()
        await floor()
    pair = Pair()
    for _ in range(rounds):
        taken = [(await ours(), await floor()) for _ in range(samples)]
        pair.ours.rounds.append([one for one, _ in taken])
        pair.floor.rounds.append([other for _, other in taken])
    return pair
