"""`python -m tests.acceptance.shifted FILE`: a real broker whose clock is ahead by the seconds in FILE."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import broker.cli
import broker.clock
from broker.clock import utc_now


def main() -> None:
    ahead = Path(sys.argv.pop())

    def now() -> datetime:
        return utc_now() + timedelta(seconds=float(ahead.read_text()))

    broker.cli.utc_now = now
    broker.cli.main()


main()
