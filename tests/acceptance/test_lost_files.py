"""A broker that loses its database, or what lies beside it, sends nothing that nobody could find again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest

from broker.store import queries
from broker.store.audit import events_after
from broker.store.backup import back_up

from .people import PASSWORD
from .processes import BrokerProcess, PaperProcess, Process, environment, free_port
from .test_commands import opened, run

KEY = "k" * 20
PATIENCE_SECONDS = 30


class Desk:
    """An agent and a signed-in trader, over plain HTTP."""

    def __init__(self, url: str, data: Path) -> None:
        self._http = httpx2.Client(base_url=url, timeout=60)
        with opened(data) as store:
            store.people.add_trader("Ana", PASSWORD, actor="test")
        assert self._http.post("/signin", data={"name": "Ana", "password": PASSWORD}).status_code == 303

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        headers = {"X-MCP-API-Key": KEY}
        answer: dict[str, Any] = self._http.post(f"/tools/{tool}", json=arguments, headers=headers).json()
        return answer

    def park(self, amount: str) -> dict[str, Any]:
        return self.call("binance_create_order", symbol="BTCUSDT", side="buy", amount=amount)

    def approve(self, parked: dict[str, Any]) -> int:
        form = {"digest": parked["digest"], "decision": "approve"}
        return self._http.post(f"/intents/{parked['intentId']}/decision", data=form).status_code

    def page(self) -> str:
        return self._http.get("/").text

    def health(self) -> tuple[int, str]:
        answer = self._http.get("/health")
        return answer.status_code, answer.json().get("problem", "")

    def orders(self, exchange: PaperProcess) -> int:
        return len(self._http.get(f"{exchange.url}/control/orders").json()["orders"])

    def placed(self, parked: dict[str, Any]) -> bool:
        return bool(self.call("intent_get", intentId=parked["intentId"])["status"] == "placed")


def eventually(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.2)


def kinds(data: Path) -> list[str]:
    """What the audit log holds."""
    with opened(data) as store:
        return [event.kind for event in store.database.read_now(partial(events_after, seq=0))]


@pytest.fixture
def serving(tmp_path: Path, exchange: PaperProcess) -> Iterator[BrokerProcess]:
    with BrokerProcess(
        tmp_path, PAPER_URL=exchange.url, MCP_API_KEY=KEY, MAX_POSITION_SIZE_PCT="100"
    ) as broker:
        yield broker


@pytest.fixture
def desk(tmp_path: Path, serving: BrokerProcess) -> Iterator[Desk]:
    with Desk(serving.url, tmp_path / "data") as desk:
        yield desk


def _unlink(data: Path) -> None:
    for name in ("paper.db", "paper.db-wal", "paper.db-shm"):
        (data / name).unlink()


def _replace(data: Path) -> None:
    shutil.copy(data / "paper.db", data / "copy")
    os.replace(data / "copy", data / "paper.db")


def _move_folder(data: Path) -> None:
    data.rename(data.with_name("moved"))


def _remake_folder(data: Path) -> None:
    """As an empty volume that is mounted there."""
    _move_folder(data)
    data.mkdir()


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": _unlink,
    "renamed": lambda data: (data / "paper.db").rename(data / "other.db"),
    "replaced": _replace,
    "wal deleted": lambda data: (data / "paper.db-wal").unlink(),
    "shm deleted": lambda data: (data / "paper.db-shm").unlink(),
    "folder moved": _move_folder,
    "another folder": _remake_folder,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_broker_that_lost_its_database_sends_nothing_and_everybody_is_told(
    tmp_path: Path, exchange: PaperProcess, serving: BrokerProcess, desk: Desk, loss: str
) -> None:
    data = tmp_path / "data"
    parked = desk.park("0.002")
    assert parked.get("status") == "pending", parked
    LOSSES[loss](data)
    assert desk.health()[0] == 503, "at once, before anything else was asked"
    assert "was deleted, moved or replaced while the broker had it open" in desk.health()[1]
    assert desk.approve(parked) == 503
    refused = desk.park("0.003")
    assert (refused["error"], "Nothing is sent" in refused["message"]) == ("STORE_UNAVAILABLE", True)
    assert "Do not try again until" in refused["next"]["say"]
    assert "was deleted, moved or replaced" in desk.page()
    serving.wait_for("the database or its folder does not work")
    time.sleep(3)  # longer than anything that would send or log it again waits
    assert desk.orders(exchange) == 0
    told = [line for line in serving.output if "deleted, moved or replaced" in line]
    assert len(told) == 1, told
    if loss in ("deleted", "replaced"):
        halted = run(tmp_path, "halt", DATA_DIR=str(data))
        assert halted.returncode == (2 if loss == "deleted" else 1)
        recorded = "Recorded. No broker serves this database now.\n"
        assert halted.stdout.endswith(recorded if loss == "replaced" else "")
        assert f"process {serving.pid}" in halted.stderr


def test_the_same_file_put_back_is_gone_on_with_and_recorded(
    tmp_path: Path, exchange: PaperProcess, serving: BrokerProcess, desk: Desk
) -> None:
    data, away = tmp_path / "data", tmp_path / "away"
    parked = desk.park("0.002")
    data.rename(away)
    assert desk.approve(parked) == 503
    serving.wait_for("the database or its folder does not work")
    assert not data.exists(), "nothing is made where the folder was"
    away.rename(data)
    serving.wait_for("the database and its folder work again")
    assert desk.health() == (200, "")
    assert desk.approve(parked) < 400
    eventually(lambda: desk.placed(parked))
    assert desk.orders(exchange) == 1
    assert "database:recovered" in kinds(data)


def test_nothing_of_an_unlinked_wal_is_lost_when_the_broker_stops(
    tmp_path: Path, serving: BrokerProcess, desk: Desk
) -> None:
    data = tmp_path / "data"
    parked = desk.park("0.002")
    (data / "paper.db-wal").unlink()
    refused = run(tmp_path, "halt", DATA_DIR=str(data))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Restart it, then repeat this command" in refused.stderr
    assert serving.stop() == 0
    with opened(data) as store:
        assert store.verify() is None
        assert store.database.read_now(partial(queries.find_any, intent_id=parked["intentId"]))


def test_a_link_that_leads_to_another_database_is_a_lost_database(
    tmp_path: Path, exchange: PaperProcess
) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    link = tmp_path / "link.db"
    link.symlink_to(here)
    url = f"sqlite:///{link}"
    with (
        BrokerProcess(tmp_path, DATABASE_URL=url, PAPER_URL=exchange.url) as broker,
        httpx2.Client(base_url=broker.url) as http,
    ):
        assert http.get("/health").status_code == 200
        there.touch()
        link.unlink()
        link.symlink_to(there)
        assert http.get("/health").status_code == 503
        assert there.stat().st_size == 0


@pytest.mark.parametrize("what", ["key", "head"])
def test_the_audit_logs_key_and_head_are_written_again_and_that_is_recorded(
    tmp_path: Path, exchange: PaperProcess, serving: BrokerProcess, what: str
) -> None:
    data = tmp_path / "data"
    lost = data / f"paper.db.audit-{what}"
    before = lost.read_bytes()
    lost.unlink()
    eventually(lost.exists)
    assert lost.stat().st_mode & 0o777 == 0o600
    if what == "key":
        assert lost.read_bytes() == before
    eventually(lambda: f"audit:{what}-missing" in kinds(data))
    serving.kill()
    with opened(data) as store:
        assert store.verify() is None


def test_another_key_in_the_audit_keys_place_is_told_and_not_overwritten(
    tmp_path: Path, exchange: PaperProcess, serving: BrokerProcess
) -> None:
    key = tmp_path / "data" / "paper.db.audit-key"
    own = key.read_bytes()
    key.write_bytes(bytes(32))
    serving.wait_for("was replaced: put the audit key of this database back")
    with httpx2.Client(base_url=serving.url) as http:
        assert http.get("/health").status_code == 503
        assert key.read_bytes() == bytes(32)
        key.write_bytes(own)
        serving.wait_for("work again")
        assert http.get("/health").status_code == 200


def bound_by_modes(*command: str) -> tuple[str, ...]:
    """As root too, whom no mode stops otherwise."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        pytest.skip("as root this needs setpriv")
    rights = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", *command)


def test_a_data_folder_that_turns_read_only_is_told_once_and_so_is_its_recovery(
    tmp_path: Path, exchange: PaperProcess
) -> None:
    data = tmp_path / "data"
    env = environment(
        DATA_DIR=str(data), PORT=str(free_port()), MCP_API_KEY=KEY, PAPER_URL=exchange.url, HOME=str(tmp_path)
    )
    command = bound_by_modes(sys.executable, "-m", "broker")
    with Process(*command, cwd=tmp_path, env=env) as broker:
        url = broker.wait_for(r"Agents\s+(\S+)/mcp").group(1)
        broker.wait_for("Ctrl-C")
        with Desk(url, data) as desk:
            data.chmod(0o500)
            broker.wait_for("the database or its folder does not work")
            code, problem = desk.health()
            assert (code, f"The data folder {data} cannot be written" in problem) == (503, True)
            assert "cannot be written" in desk.page()
            desk.park("0.002")  # gives the head something to keep
            time.sleep(4)
            told = [line for line in broker.output if "cannot be written" in line]
            assert len(told) == 1, told
            data.chmod(0o700)
            broker.wait_for("the database and its folder work again")
            assert desk.health() == (200, "")
        assert broker.stop() == 0


def test_existing_files_and_the_data_folder_are_closed_to_other_users_at_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with BrokerProcess(tmp_path) as broker:
        assert broker.stop() == 0
    (data / "paper.db.replaced-20260101T000000.000000Z").touch()
    for path in (data, *(path for path in data.iterdir() if path.is_file())):
        path.chmod(0o755 if path == data else 0o644)
    with BrokerProcess(tmp_path):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        ours = [path for path in data.iterdir() if path.is_file() and "markets" not in path.name]
        assert {"paper.db", "paper.db-wal", "paper.db-shm", "paper.db.lock"} <= {path.name for path in ours}
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in ours} == {
            path.name: 0o600 for path in ours
        }


def test_a_killed_backup_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    data, copies = tmp_path / "data", tmp_path / "copies"
    copies.mkdir()
    with opened(data) as store:
        store.people.add_trader("Ana", PASSWORD, actor="test")
    partials = 0
    for pause in (0.0, 0.005, 0.03):
        process = subprocess.Popen(
            [sys.executable, "-m", "broker", "db", "backup", str(copies / "copy.db")],
            cwd=tmp_path,
            env=environment(DATA_DIR=str(data)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = {path.name for path in copies.iterdir()}
        give_up = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and {path.name for path in copies.iterdir()} <= before:
            assert time.monotonic() < give_up
        time.sleep(pause)
        process.kill()
        process.wait(PATIENCE_SECONDS)
        partials += len(list(copies.glob(".copy.db.partial-*")))
        if (copies / "copy.db").exists():
            with closing(sqlite3.connect(copies / "copy.db")) as copy:
                assert copy.execute("SELECT count(*) FROM audit").fetchone()[0] >= 2
            (copies / "copy.db").unlink()
    assert partials, "none was killed in between"
    back_up(data / "paper.db", copies / "copy.db")
    assert [path.name for path in copies.iterdir()] == ["copy.db"], "what was left is cleaned up"
