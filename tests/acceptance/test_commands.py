"""A command never touches another database than it says, and says which broker serves it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from broker.brokers import _notes_by_proc, _notes_by_psutil, serving_brokers
from broker.clock import random_bytes, utc_now
from broker.halt import Level
from broker.store import Store

from .processes import BrokerProcess, Process, environment, free_port


def run(folder: Path, *arguments: str, typed: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """A command in a bare shell: another folder, and none of the broker's settings."""
    return subprocess.run(
        [sys.executable, "-m", "broker", *arguments],
        cwd=folder,
        env=environment(HOME=str(folder), **settings),
        input=typed,
        text=True,
        capture_output=True,
        check=False,
    )


def level(database: Path) -> Level:
    with closing(
        Store.open(
            database, mode="paper", account="paper", clock=utc_now, random=random_bytes, to_verify=True
        )
    ) as store:
        return store.database.read_now(store.halts.current).level


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_from_a_bare_shell_no_command_makes_a_database_and_each_names_the_running_broker(
    tmp_path: Path, elsewhere: Path, subtests: pytest.Subtests
) -> None:
    with BrokerProcess(tmp_path) as broker:
        database = tmp_path / "data" / "paper.db"
        for words in (
            ("halt",),
            ("audit", "verify"),
            ("db", "backup", "copy.db"),
        ):
            with subtests.test(" ".join(words)):
                done = run(elsewhere, *words)
                assert (done.returncode, done.stdout) == (2, "")
                assert done.stderr.startswith("broker: There is no database ")
                assert (
                    f"PAPER mode, database {database}, process {broker.pid}, page {broker.url}" in done.stderr
                )
                assert f"broker {' '.join(words[:2])}" in done.stderr
                assert list(elsewhere.iterdir()) == []
        assert level(database) is Level.OPEN
        said = run(elsewhere, "halt").stderr
        [line] = [line for line in said.splitlines() if line.startswith("    broker halt ")]
        done = run(elsewhere, *line.split()[1:])
        assert (done.returncode, done.stdout) == (0, "Trading is halted (by command line).\n")
        assert done.stderr == (
            f"PAPER mode, database {database}, served by process {broker.pid}, page {broker.url}\n"
        )
        assert level(database) is Level.HALTED


def test_a_halt_that_no_broker_serves_is_recorded_and_names_those_that_run(
    tmp_path: Path, elsewhere: Path
) -> None:
    idle = elsewhere / "data"
    made = run(elsewhere, "agents", "add", "bot", DATA_DIR=str(idle))
    assert made.returncode == 0, made.stderr
    assert f"PAPER mode, database {idle / 'paper.db'}, not served: no broker runs on it now\n" == made.stderr
    with BrokerProcess(tmp_path) as broker:
        done = run(elsewhere, "halt", "--data-dir", str(idle))
        assert (done.returncode, level(idle / "paper.db")) == (1, Level.HALTED)
        assert done.stdout == "Trading is halted (by command line).\nRecorded; no broker serves it now.\n"
        assert f"process {broker.pid}, page {broker.url}" in done.stderr
        assert f"broker halt --data-dir {tmp_path / 'data'}" in done.stderr
        assert level(tmp_path / "data" / "paper.db") is Level.OPEN
        revoked = run(elsewhere, "agents", "revoke", "bot", DATA_DIR=str(idle))
        assert (revoked.returncode, "not served" in revoked.stderr) == (0, True)
        assert f"process {broker.pid}" in revoked.stderr


def test_a_broker_of_another_mode_and_account_is_halted_without_its_keys(
    tmp_path: Path, elsewhere: Path
) -> None:
    data = tmp_path / "data"
    settings = {"BINANCE_TESTNET": "false", "BINANCE_FUTURES_TESTNET": "false"}
    env = environment(PORT=str(free_port()), DATA_DIR=str(data), HOME=str(tmp_path), **settings)
    with Process(sys.executable, "-m", "broker", cwd=tmp_path, env=env) as broker:
        broker.wait_for("Ctrl-C")
        done = run(elsewhere, "halt")
        named = f"DATABASE_URL=sqlite:///{data / 'live.db'} broker halt --data-dir {data}"
        assert (done.returncode, named in done.stderr) == (2, True), done.stderr
        done = run(elsewhere, "halt", "--data-dir", str(data), DATABASE_URL=f"sqlite:///{data / 'live.db'}")
        assert (done.returncode, done.stdout) == (0, "Trading is halted (by command line).\n"), done.stderr
        assert done.stderr.startswith(
            f"LIVE mode, database {data / 'live.db'}, served by process {broker.pid}"
        )


def test_without_any_broker_it_says_so(elsewhere: Path) -> None:
    done = run(elsewhere, "halt")
    assert done.returncode == 2
    assert str(elsewhere) in done.stderr
    if not serving_brokers():  # another test's may run beside this one
        assert done.stderr.endswith("No broker runs on this machine for this user.\n")


def test_an_empty_file_is_no_database_and_is_not_made_one(elsewhere: Path) -> None:
    data = elsewhere / "data"
    data.mkdir()
    (data / "paper.db").touch()
    done = run(elsewhere, "halt", DATA_DIR=str(data))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"There is no database in the file {data / 'paper.db'}" in done.stderr
    assert (data / "paper.db").stat().st_size == 0


def test_what_is_data_stays_alone_on_standard_output(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    key = run(tmp_path, "agents", "add", "bot", DATA_DIR=data)
    assert "PAPER mode" not in key.stdout and "PAPER mode" in key.stderr
    log = run(tmp_path, "audit", "export", DATA_DIR=data)
    assert all(line.startswith("{") for line in log.stdout.splitlines())
    assert "PAPER mode" in log.stderr


def test_a_call_makes_neither_folder_nor_key(tmp_path: Path, elsewhere: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        done = run(elsewhere, "call", "intent_list", PORT=str(broker.port))
        assert (done.returncode, done.stdout) == (2, "")
        assert "set DATA_DIR or MCP_API_KEY as the broker has them" in done.stderr
        assert list(elsewhere.iterdir()) == []


def test_a_second_broker_is_refused_also_where_the_lock_was_deleted_or_another_path_leads_there(
    tmp_path: Path, elsewhere: Path, subtests: pytest.Subtests
) -> None:
    with BrokerProcess(tmp_path) as broker:
        data = tmp_path / "data"
        database = data / "paper.db"
        (elsewhere / "linked").symlink_to(data)
        (elsewhere / "link.db").symlink_to(database)
        os.link(database, elsewhere / "hard.db")
        ways = {
            "the same path": {"DATA_DIR": str(data)},
            "a link to the folder": {"DATA_DIR": str(elsewhere / "linked")},
            "a link to the file": {"DATABASE_URL": f"sqlite:///{elsewhere / 'link.db'}"},
            "a hard link": {"DATABASE_URL": f"sqlite:///{elsewhere / 'hard.db'}"},
        }
        for name, way in ways.items():
            with subtests.test(name):
                for lock in [*data.glob("*.lock"), *elsewhere.glob("*.lock")]:
                    lock.unlink()
                started = run(elsewhere, "serve", **({"DATA_DIR": str(data), "PORT": "0"} | way))
                assert started.returncode == 2
                assert started.stderr.startswith("broker: Another broker serves the database ")
        (elsewhere / "hard.db").unlink()
        broker.wait_for("a lock file was removed, and is made again")
        assert run(elsewhere, "halt", DATA_DIR=str(data)).returncode == 0, "the first goes on"


def test_nothing_is_restored_over_a_broker_whose_locks_were_deleted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with BrokerProcess(tmp_path) as broker:
        assert run(tmp_path, "db", "backup", "copy.db", DATA_DIR=str(data)).returncode == 0
        broker.send(signal.SIGSTOP)  # so that it cannot put them back
        for name in ("paper.db.lock", "paper.db.held"):
            (data / name).unlink()
        done = run(tmp_path, "db", "restore", "copy.db", DATA_DIR=str(data))
        broker.send(signal.SIGCONT)
        assert done.returncode == 2
        assert f"process {broker.pid}" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="compares it with /proc")
def test_psutil_finds_the_same_brokers(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        found = {one for one in _notes_by_psutil() if one.process == broker.pid}
        assert found == {one for one in _notes_by_proc() if one.process == broker.pid}
        assert [one.url for one in found] == [broker.url]


def test_a_broker_that_was_killed_is_not_found(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path) as broker:
        broker.kill()
    assert broker.pid not in {one.process for one in serving_brokers()}
    done = run(tmp_path, "halt", DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, "not served" in done.stderr) == (1, True)
