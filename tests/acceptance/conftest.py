from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import BrokerProcess, PaperProcess


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[PaperProcess]:
    with PaperProcess(tmp_path) as exchange:
        yield exchange


@pytest.fixture
def broker(tmp_path: Path, exchange: PaperProcess) -> Iterator[BrokerProcess]:
    """A broker on an exchange that outlives it."""
    with BrokerProcess(tmp_path, PAPER_URL=exchange.url) as broker:
        yield broker
