"""Formats the results as a text table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .figures import Pair, Series, Spread

WIDTH = 50


def head() -> str:
    columns = ("p50 ms", "(rounds)", "p95 ms", "(rounds)")
    return f"{'':{WIDTH}}" + "".join(f"{name:>14}" for name in columns)


def line(title: str, floor: str, pair: Pair) -> str:
    return "\n".join(
        (
            "",
            title,
            _figures("  ours", Spread.of(pair.ours.p50), Spread.of(pair.ours.p95)),
            _figures("  floor", Spread.of(pair.floor.p50), Spread.of(pair.floor.p95)),
            _figures("  ratio", pair.ratio(_p50), pair.ratio(_p95)),
            f"  floor: {floor}",
        )
    )


def steps(title: str, medians: Mapping[str, float]) -> str:
    """Format the steps of a row, which were measured alone."""
    lines = (f"  {name:{WIDTH}}{took:14.2f}" for name, took in medians.items())
    return "\n".join(("", f"steps of {title}", *lines))


def _figures(name: str, *spreads: Spread) -> str:
    cells = (f"{spread.middle:14.2f}{_range(spread):>14}" for spread in spreads)
    return f"{name:{WIDTH}}" + "".join(cells)


def _range(spread: Spread) -> str:
    return f"({spread.minimum:.2f}–{spread.maximum:.2f})"


def _p50(series: Series) -> Sequence[float]:
    return series.p50


def _p95(series: Series) -> Sequence[float]:
    return series.p95
