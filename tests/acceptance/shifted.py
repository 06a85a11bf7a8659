"""`python -m tests.acceptance.shifted FILE`: a real broker whose clock is ahead by the seconds in FILE."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from pathlib import Path

from broker.app import serve
from broker.cli import announce
from broker.clock import random_bytes, utc_now
from broker.settings import load


def main(ahead: Path) -> None:
    def clock() -> datetime:
        return utc_now() + timedelta(seconds=float(ahead.read_text()))

    settings = load()
    asyncio.run(
        serve(
            settings,
            clock=clock,
            random=random_bytes,
            ready=lambda broker: announce(broker.settings, broker.invitation),
        )
    )


main(Path(sys.argv[1]))
