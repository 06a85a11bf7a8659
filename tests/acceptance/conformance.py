"""The MCP conformance suite, run against a broker that serves."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .environments import CONFORMANCE, CONFORMANCE_ALPHA, node
from .processes import environment

SUITE_SECONDS: Final = 120
BUILT: Final = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
RESULTS: Final = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT.*")
"""The name of a scenario's folder."""

WITH_KEY: Final = Path(__file__).with_name("with_key.mjs")

HANDSHAKE: Final = "2025-11-25"
MODERN: Final = "2026-07-28"
"""The protocol's versions: the suite's last release tests the older one, its alpha the newer one."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """`checks`: the statuses (SUCCESS, FAILURE, WARNING, SKIPPED, INFO) of each scenario's checks."""

    exit_code: int
    text: str
    checks: Mapping[str, Sequence[str]]

    def passed(self, scenario: str) -> bool:
        """Something of it was checked, and nothing failed."""
        found = self.checks.get(scenario, ())
        return "SUCCESS" in found and "FAILURE" not in found


def run(
    scenario: str | None,
    url: str,
    version: str,
    *,
    key: str,
    folder: Path,
    expected_failures: Path | None = None,
    force: bool = False,
) -> Report:
    """None: every scenario that the version has. `url` is the broker's, `folder` takes the results.

    `force`: also a scenario that the suite has only as a draft.
    """
    environment_of = CONFORMANCE if version == HANDSHAKE else CONFORMANCE_ALPHA
    results = folder / "conformance"
    finished = subprocess.run(
        [
            *(str(node()), "--import", str(WITH_KEY), str(environment_of.ready() / BUILT)),
            *("server", "--url", f"{url}/mcp", "--output-dir", str(results)),
            *_which(scenario, version),
            *(("--force",) if force else ()),
            *(("--expected-failures", str(expected_failures)) if expected_failures else ()),
        ],
        cwd=folder,
        env=environment(HOME=str(folder), MCP_API_KEY=key),
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
    )
    return Report(
        exit_code=finished.returncode, text=finished.stdout + finished.stderr, checks=_checks(results)
    )


def _which(scenario: str | None, version: str) -> tuple[str, ...]:
    if scenario is None:
        return () if version == HANDSHAKE else ("--requirements", version)
    return ("--scenario", scenario, *(() if version == HANDSHAKE else ("--spec-version", version)))


def _checks(results: Path) -> Mapping[str, Sequence[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in results.glob("server-*/checks.json"):
        checks: list[dict[str, Any]] = json.loads(path.read_text())
        found[RESULTS.sub(r"\1", path.parent.name)] += [check["status"] for check in checks]
    return found
