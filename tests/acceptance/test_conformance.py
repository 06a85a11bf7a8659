"""The MCP conformance suite, as far as a server with tools and nothing else can meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conformance import HANDSHAKE, MODERN, run
from .environments import CONFORMANCE, CONFORMANCE_ALPHA, NODE, require
from .processes import BrokerProcess

pytestmark = pytest.mark.timeout(600)
"""Minutes only where the suite is not installed yet."""

PASS = {
    HANDSHAKE: ("server-initialize", "ping", "tools-list", "dns-rebinding-protection"),
    MODERN: (
        "http-header-validation",
        "input-required-result-unsupported-methods",
        "tools-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
}


@pytest.mark.parametrize("version", PASS)
def test_what_a_tools_only_server_can_pass_passes_and_nothing_else_fails(
    broker: BrokerProcess, tmp_path: Path, version: str
) -> None:
    require(NODE, CONFORMANCE if version == HANDSHAKE else CONFORMANCE_ALPHA)
    expected = Path(__file__).with_name(f"conformance-{version}.yml")
    report = run(None, broker.url, version, key=broker.key, folder=tmp_path, expected_failures=expected)
    assert report.exit_code == 0, report.text
    assert [scenario for scenario in PASS[version] if not report.passed(scenario)] == [], report.text


def test_without_sessions_several_streams_are_none_to_check_and_no_failure(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    require(NODE, CONFORMANCE)
    scenario = "server-sse-multiple-streams"
    report = run(scenario, broker.url, HANDSHAKE, key=broker.key, folder=tmp_path)
    assert (report.exit_code, report.checks[scenario]) == (0, ["WARNING"]), report.text
