"""`python -m tests.acceptance.few_files MOST`: a real broker that may open no more than MOST files."""

from __future__ import annotations

import resource
import sys

from broker.cli import app

most = int(sys.argv.pop())
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
app()
