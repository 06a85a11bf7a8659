"""A store, and a second one on the same database as another process would have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.store import Store

from ..support import Clock, Randomness, open_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def random() -> Randomness:
    return Randomness()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


@pytest.fixture
def store(path: Path, clock: Clock, random: Randomness) -> Iterator[Store]:
    with closing(open_store(path, clock, random)) as store:
        yield store


@pytest.fixture
def neighbour(store: Store, path: Path, clock: Clock, random: Randomness) -> Iterator[Store]:
    with closing(open_store(path, clock, random)) as neighbour:
        yield neighbour
