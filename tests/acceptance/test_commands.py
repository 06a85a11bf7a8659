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

from ..test_cli import Run
from .processes import BrokerProcess, Process, environment, free_port


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command of its own process, in a shell with none of the broker's settings."""
    return subprocess.run(
        [sys.executable, "-m", "broker", *arguments],
        cwd=folder,
        env=environment(HOME=str(folder), **settings),
        text=True,
        capture_output=True,
        check=False,
    )


def opened(data: Path) -> closing[Store]:
    """The database of a data folder, made where there is none, as another process has it."""
    database = data / "paper.db"
    return closing(
        Store.open(
            database,
            mode="paper",
            account="paper",
            clock=utc_now,
            random=random_bytes,
            to_verify=True,
            may_make=True,
        )
    )


def level(data: Path) -> Level:
    with opened(data) as store:
        return store.database.read_now(store.halts.current).level


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def shell(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, whose environment and folder are others than the broker's."""
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(elsewhere))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return Run(monkeypatch, capsys)


def test_a_bare_shell_halts_nothing_by_mistake_and_learns_how_to_halt_the_running_broker(
    tmp_path: Path, elsewhere: Path
) -> None:
    with BrokerProcess(tmp_path) as broker:
        data = tmp_path / "data"
        done = run(elsewhere, "halt", "--reason", "now")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"broker: There is no database {elsewhere}")
        assert f"database {data / 'paper.db'}, process {broker.pid}, page {broker.page}\n" in done.stderr
        assert (list(elsewhere.iterdir()), level(data)) == ([], Level.OPEN)
        named = f"broker halt --data-dir {data}"
        assert f"    {named}\n" in done.stderr
        done = run(elsewhere, *named.split()[1:])
        assert (done.returncode, done.stdout) == (0, "Trading is halted (by command line).\n")
        served = f"served by process {broker.pid}, page {broker.page}"
        assert done.stderr == f"PAPER mode, database {data / 'paper.db'}, {served}\n"
        assert level(data) is Level.HALTED


def test_neither_does_any_other_command(tmp_path: Path, elsewhere: Path, shell: Run) -> None:
    with BrokerProcess(tmp_path) as broker:
        for words in (
            ("audit", "verify"),
            ("db", "backup", "copy.db"),
            ("traders", "remove", "Ana"),
            ("agents", "revoke", "default"),
        ):
            code, said, complaint = shell(*words)
            assert (code, said) == (2, "")
            assert complaint.startswith("broker: There is no database ")
            named = f"broker {' '.join(words)} --data-dir {tmp_path / 'data'}\n"
            assert f"process {broker.pid}, page {broker.page}\n    {named}" in shell.context
            assert list(elsewhere.iterdir()) == []
        assert shell("call", "intent_list")[0] == 2
        assert list(elsewhere.iterdir()) == []


def test_a_call_without_a_key_says_where_it_looked(
    tmp_path: Path, elsewhere: Path, shell: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BrokerProcess(tmp_path) as broker:
        monkeypatch.setenv("PORT", str(broker.port))
        code, said, complaint = shell("call", "intent_list")
        assert (code, said) == (2, "")
        assert "Set DATA_DIR or MCP_API_KEY to the broker's value" in complaint
        assert list(elsewhere.iterdir()) == []


def test_what_no_broker_serves_is_recorded_and_names_the_brokers_that_run(
    tmp_path: Path, elsewhere: Path, shell: Run
) -> None:
    idle = elsewhere / "data"
    with opened(idle) as store:
        store.people.add_trader("Ana", "correct horse battery", actor="test")
    with BrokerProcess(tmp_path) as broker:
        code, said, _ = shell("halt", "--data-dir", str(idle))
        assert (code, level(idle)) == (1, Level.HALTED)
        assert said == "Trading is halted (by command line).\nRecorded. No broker serves this database now.\n"
        assert f"process {broker.pid}, page {broker.page}\n" in shell.context
        assert f"broker halt --data-dir {tmp_path / 'data'}\n" in shell.context
        assert level(tmp_path / "data") is Level.OPEN
        assert shell("traders", "remove", "Ana", "--data-dir", str(idle))[0] == 0
        assert f"{idle / 'paper.db'}, not served by any broker\n" in shell.context
        assert f"process {broker.pid}" in shell.context


def test_a_broker_of_another_mode_is_halted_without_its_settings(
    tmp_path: Path, shell: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    live = {"BINANCE_TESTNET": "false", "BINANCE_FUTURES_TESTNET": "false"}
    env = environment(PORT=str(free_port()), DATA_DIR=str(data), HOME=str(tmp_path), **live)
    with Process(sys.executable, "-m", "broker", cwd=tmp_path, env=env) as broker:
        broker.wait_for("Ctrl-C")
        assert shell("halt")[0] == 2
        url = f"sqlite:///{data / 'live.db'}"
        assert f"DATABASE_URL={url} broker halt --data-dir {data}\n" in shell.context
        monkeypatch.setenv("DATABASE_URL", url)
        code, said, _ = shell("halt", "--data-dir", str(data))
        assert (code, said) == (0, "Trading is halted (by command line).\n")
        told = f"LIVE mode, database {data / 'live.db'}, served by process {broker.pid}, page "
        assert shell.context.startswith(told)


def test_a_second_broker_is_refused_also_where_the_lock_was_deleted_or_another_path_leads_there(
    tmp_path: Path, elsewhere: Path, shell: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BrokerProcess(tmp_path) as broker:
        data = tmp_path / "data"
        database = data / "paper.db"
        (elsewhere / "linked").symlink_to(data)
        (elsewhere / "link.db").symlink_to(database)
        os.link(database, elsewhere / "hard.db")
        monkeypatch.setenv("PORT", "0")
        for folder, url in (
            (data, ""),
            (elsewhere / "linked", ""),
            (data, f"sqlite:///{elsewhere / 'link.db'}"),
            (data, f"sqlite:///{elsewhere / 'hard.db'}"),
        ):
            monkeypatch.setenv("DATABASE_URL", url)
            for lock in (*data.glob("*.lock"), *elsewhere.glob("*.lock")):
                lock.unlink()
            code, _, complaint = shell("serve", "--data-dir", str(folder))
            assert (code, complaint.count("\n")) == (2, 1)
            assert complaint.startswith("broker: Another broker already serves the database ")
        (elsewhere / "hard.db").unlink()
        broker.wait_for("a lock file was deleted; restored it")
        monkeypatch.setenv("DATABASE_URL", "")
        assert shell("halt", "--data-dir", str(data))[0] == 0, "the first goes on"


def test_nothing_is_restored_over_a_broker_whose_locks_were_deleted(tmp_path: Path, shell: Run) -> None:
    data = tmp_path / "data"
    with BrokerProcess(tmp_path) as broker:
        assert shell("db", "backup", "copy.db", "--data-dir", str(data))[0] == 0
        broker.send(signal.SIGSTOP)  # so that it cannot put them back
        for name in ("paper.db.lock", "paper.db.held"):
            (data / name).unlink()
        code, _, complaint = shell("db", "restore", "copy.db", "--data-dir", str(data))
        broker.send(signal.SIGCONT)
        assert (code, f"process {broker.pid}" in complaint) == (2, True)


@pytest.mark.skipif(sys.platform != "linux", reason="compares it with /proc")
def test_psutil_finds_the_same_brokers_and_none_that_was_killed(tmp_path: Path, shell: Run) -> None:
    with BrokerProcess(tmp_path) as broker:
        found = {one for one in _notes_by_psutil() if one.process == broker.pid}
        assert found == {one for one in _notes_by_proc() if one.process == broker.pid}
        assert [one.url for one in found] == [broker.page]
        broker.kill()
    assert broker.pid not in {one.process for one in serving_brokers()}
    assert shell("halt", "--data-dir", str(tmp_path / "data"))[0] == 1
    assert "not served" in shell.context
