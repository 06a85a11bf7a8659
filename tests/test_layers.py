"""The rooms of the house: each imports only its own files and rooms of smaller numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "broker"
ARCHITECTURE = ROOT / "docs" / "architecture.md"

ROOMS = {
    "errors.py": 0,
    "clock.py": 0,
    "stdin_lines.py": 0,
    "untrusted.py": 0,
    "addresses.py": 0,
    "cash.py": 0,
    "money.py": 0,
    "order_types.py": 0,
    "cards.py": 0,
    "brokers.py": 0,
    "account_lock.py": 0,
    "settings.py": 1,
    "stored.py": 1,
    "reasons.py": 1,
    "halt.py": 1,
    "credentials.py": 1,
    "risk.py": 1,
    "stdio.py": 1,
    "arguments.py": 2,
    "order_record.py": 2,
    "agents.py": 2,
    "logs.py": 2,
    "files.py": 2,
    "names.py": 2,
    "passwords.py": 2,
    "intents.py": 3,
    "supervisor.py": 3,
    "rate_limit.py": 3,
    "http_server/": 3,
    "locks.py": 3,
    "divergence.py": 4,
    "events.py": 4,
    "repeats.py": 4,
    "exchange/": 4,
    "outcomes.py": 4,
    "hub.py": 5,
    "notifications.py": 5,
    "doctor.py": 5,
    "store/": 6,
    "orders/": 7,
    "expiry.py": 7,
    "price_watch.py": 7,
    "cli_store.py": 7,
    "tools/": 8,
    "gateway.py": 9,
    "executor.py": 9,
    "reconciler.py": 9,
    "notify/": 9,
    "cancel_remaining.py": 9,
    "cli_agents.py": 9,
    "api/": 10,
    "web/": 10,
    "app.py": 11,
    "cli.py": 12,
}
"""The same table as in docs/architecture.md."""

APART = {"__init__.py", "__main__.py", "healthcheck.py", "paper/"}
"""The package's version, its entrances, and the oracle: without a number."""

STARTS_PAPER = {"app.py", "cli.py"}


def room_of(path: Path) -> str:
    first, *rest = path.relative_to(PACKAGE).parts
    return f"{first}/" if rest else first


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Dotted names of what a module imports of the package, also inside functions."""
    package = ("broker", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "broker")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join((*base, *([node.module] if node.module else [])))
            if source.partition(".")[0] == "broker":
                yield from (f"{source}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    found = {_room_named(name) for name in imported(path)}
    return {room for room in found if room is not None} - {room_of(path)}


def _room_named(dotted: str) -> str | None:
    """None for what stands in the package itself, such as its version."""
    name = dotted.split(".")[1]
    if (PACKAGE / name).is_dir():
        return f"{name}/"
    return f"{name}.py" if (PACKAGE / f"{name}.py").exists() else None


def test_every_module_has_a_room() -> None:
    assert {room_of(path) for path in modules()} == ROOMS.keys() | APART


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_of_smaller_numbers(room: str) -> None:
    for path in modules():
        if room_of(path) != room:
            continue
        for other in rooms_imported(path) - {"paper/"}:
            assert ROOMS[other] < ROOMS[room], f"{path.relative_to(ROOT)} imports {other}"


def test_the_paper_exchange_imports_nothing_of_the_rest() -> None:
    for path in (PACKAGE / "paper").rglob("*.py"):
        assert not rooms_imported(path), path


def test_only_what_starts_the_paper_exchange_imports_it() -> None:
    assert {room_of(path) for path in modules() if "paper/" in rooms_imported(path)} == STARTS_PAPER


def test_the_entrances_import_only_the_commands() -> None:
    assert rooms_imported(PACKAGE / "__main__.py") == {"cli.py"}
    assert not rooms_imported(PACKAGE / "healthcheck.py")
    assert not rooms_imported(PACKAGE / "__init__.py")


def test_no_module_has_grown_past_what_one_can_oversee() -> None:
    assert [path for path in modules() if len(path.read_text().splitlines()) > 400] == []


def test_the_documented_table_is_the_one_that_holds() -> None:
    documented: dict[str, int] = {}
    for number, names in re.findall(r"^\| (\d+) \| ([^|]+) \|", ARCHITECTURE.read_text(), re.MULTILINE):
        documented |= {name: int(number) for name in re.findall(r"`([^`]+)`", names)}
    assert documented == ROOMS
