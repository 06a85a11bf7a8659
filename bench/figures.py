"""Statistics of samples: medians over rounds, with their spread. All times are milliseconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

Sample = Callable[[], Awaitable[float]]
"""Runs the measured action once and returns its milliseconds."""

P95 = 18
"""The index of the 95th percentile in `quantiles(…, n=20)`."""


@dataclass(frozen=True)
class Spread:
    """The median, minimum and maximum over the rounds."""

    middle: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass
class Series:
    """The samples of one action, by round."""

    rounds: list[list[float]] = field(default_factory=list)

    @property
    def p50(self) -> list[float]:
        return [median(samples) for samples in self.rounds]

    @property
    def p95(self) -> list[float]:
        return [quantiles(samples, n=20)[P95] for samples in self.rounds]


@dataclass
class Pair:
    """The broker's series and the floor's, measured alternately."""

    ours: Series = field(default_factory=Series)
    floor: Series = field(default_factory=Series)

    def ratio(self, of: Callable[[Series], Sequence[float]]) -> Spread:
        pairs = zip(of(self.ours), of(self.floor), strict=True)
        return Spread.of([ours / floor for ours, floor in pairs])


async def measure(ours: Sample, floor: Sample, *, rounds: int, samples: int, warm_up: int) -> Pair:
    """Alternate between the broker and the floor, so that other load on the machine affects both."""
    for _ in range(warm_up):
        await ours()
        await floor()
    pair = Pair()
    for _ in range(rounds):
        taken = [(await ours(), await floor()) for _ in range(samples)]
        pair.ours.rounds.append([one for one, _ in taken])
        pair.floor.rounds.append([other for _, other in taken])
    return pair
