"""The command: what the operator can mend is one clear line and exit code 2, never a traceback."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path

import pytest

from broker import __version__
from broker.app import serve
from broker.cli import main
from broker.clock import random_bytes, utc_now
from broker.errors import StartError
from broker.halt import Level
from broker.locks import hold, hold_alone, take_lock
from broker.store import Store

from .store.test_audit import tamper
from .support import MANY_PENDING, Clock, open_store, request, settings_in, trusted

CONTEXT = re.compile(r"[A-Z]+ mode, database |Brokers that run on this machine|  ")
"""What a command says beside its answer: the database it means, and the brokers that run, any test's too."""


class Run:
    """The command within this process: exit code, what it said, what it complained about. `context` is what
    it said on standard error beside that.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.context = ""

    def __call__(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["broker", *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        lines = said.err.splitlines(keepends=True)
        self.context = "".join(line for line in lines if CONTEXT.match(line))
        complaint = "".join(line for line in lines if not CONTEXT.match(line))
        code = ended.value.code
        return code if isinstance(code, int) else 0, said.out, complaint


def command(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """A real process that knows of no settings but these; its data folder is `data`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "broker", *arguments],
        cwd=folder,
        env={**kept, "DATA_DIR": str(folder / "data"), **settings},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def make_database(folder: Path, mode: str = "paper") -> Path:
    path = folder / "data" / "paper.db"
    Store.open(path, mode=mode, account="paper", clock=utc_now, random=random_bytes, may_make=True).close()
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return Run(monkeypatch, capsys)


def test_what_keeps_a_real_process_from_starting_is_one_line_and_exit_code_2(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    with ExitStack() as stack:
        port = str(stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1])
        stack.enter_context(take_lock(make_database(tmp_path)))
        processes = {
            f"Cannot listen on 127.0.0.1 port {port}: Address already in use": command(tmp_path, PORT=port),
            "Another broker already serves the database ": command(tmp_path, PORT="0"),
        }
        for line, process in processes.items():
            with subtests.test(line):
                out, complaint = process.communicate(timeout=60)
                assert (process.returncode, out) == (2, "")
                assert complaint.startswith(f"broker: {line}")
                assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("obstacle", "line"),
    [
        (lambda folder: (folder / "data").touch(), "The data folder .* cannot be written: "),
        (
            lambda folder: make_database(folder, "testnet"),
            "The database belongs to mode testnet, not to paper",
        ),
        (lambda folder: (folder / "data" / "paper.db").mkdir(parents=True), "unable to open database file"),
    ],
    ids=["folder", "mode", "database"],
)
def test_a_data_folder_that_will_not_do_is_refused_before_anything_runs(
    tmp_path: Path, obstacle: Callable[[Path], object], line: str
) -> None:
    obstacle(tmp_path)
    settings = settings_in(tmp_path / "data", port=0)
    with pytest.raises(StartError, match=line):
        asyncio.run(serve(settings, clock=utc_now, random=random_bytes, ready=lambda broker: None))


def test_a_free_port_that_was_taken_is_the_one_that_is_told(tmp_path: Path) -> None:
    with command(tmp_path, PORT="0") as process:
        assert process.stdout is not None
        told = [next(process.stdout) for _ in range(5)]
        process.terminate()
        process.communicate(timeout=60)
    page = told[1].removeprefix("  Page    ").strip()
    assert re.fullmatch(r"http://broker\.localhost:[1-9]\d*", page)
    assert f"{page}/welcome?token=" in told[4]


def test_a_bad_setting_stops_every_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "http")
    for arguments in ((), ("serve",), ("call", "intent_list"), ("traders", "list"), ("audit", "verify")):
        code, _, complaint = run(*arguments)
        assert (code, complaint.count("\n")) == (2, 1)
        assert complaint.startswith("broker: PORT: ")


def test_a_paper_exchange_whose_port_is_taken_says_so(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code, _, complaint = run("paper", "--port", str(server.getsockname()[1]))
    assert code == 2
    assert complaint.startswith("broker: The paper exchange cannot start: ")
    assert "already in use" in complaint


def test_the_version_is_told(run: Run) -> None:
    assert run("--version") == (0, f"{__version__}\n", "")


def test_a_trader_is_added_listed_and_removed(run: Run) -> None:
    assert run("traders", "add", "Ana", "--password-stdin", typed="correct horse\n")[:2] == (
        0,
        "Ana can sign in.\n",
    )
    code, said, _ = run("traders", "list")
    assert code == 0
    assert said.startswith("Ana\t20")
    assert run("traders", "remove", "Ana") == (0, "Ana can no longer sign in.\n", "")
    assert run("traders", "list") == (0, "", "")
    assert run("audit", "verify") == (0, "The audit log is intact.\n", "")


def test_a_bad_name_or_password_is_one_line(run: Run) -> None:
    code, _, complaint = run("traders", "add", "Ana", "--password-stdin", typed="short\n")
    assert (code, complaint) == (2, "broker: password: must have 8 to 200 characters\n")
    code, _, complaint = run("traders", "remove", "Ana")
    assert (code, complaint) == (2, "broker: name: there is no trader 'Ana'\n")


def test_a_log_that_does_not_hold_is_exit_code_1(run: Run, tmp_path: Path) -> None:
    path = make_database(tmp_path)
    tamper(path, "UPDATE audit SET actor = 'somebody' WHERE seq = 1")
    code, said, _ = run("audit", "verify")
    assert (code, said) == (
        1,
        "The audit log is broken: row 1 was changed, or rows were reordered.\n",
    )


@pytest.mark.parametrize("change", ["data = 'x'", "at = at | (1 << 60)"])
def test_a_row_that_cannot_be_read_any_more_is_one_line(run: Run, tmp_path: Path, change: str) -> None:
    tamper(make_database(tmp_path), f"UPDATE audit SET {change} WHERE seq = 1")
    code, _, complaint = run("audit", "export")
    assert (code, complaint.count("\n")) == (2, 1)
    assert "`broker audit verify` names the first" in complaint
    code, said, _ = run("audit", "verify")
    assert (code, said) == (1, "The audit log is broken: row 1 was changed, or rows were reordered.\n")


def test_a_log_that_is_not_there_is_not_said_to_hold(run: Run, tmp_path: Path) -> None:
    code, said, complaint = run("audit", "verify")
    assert (code, said) == (2, "")
    assert complaint.startswith("broker: There is no database ")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("halt", "--reason", "now"),
        ("audit", "verify"),
        ("audit", "export"),
        ("db", "backup", "copy.db"),
        ("db", "upgrade"),
        ("traders", "list"),
        ("traders", "remove", "Ana"),
        ("agents", "list"),
        ("agents", "limit", "default", "--max-pending", "1"),
        ("agents", "rotate", "default"),
        ("agents", "revoke", "default"),
    ],
    ids=" ".join,
)
def test_a_command_makes_no_database_and_no_folder(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    for option in ((), ("--data-dir", str(tmp_path / "another"))):
        code, said, complaint = run(*words, *option)
        named = tmp_path / ("another" if option else "data") / "paper.db"
        assert (code, said) == (2, "")
        assert complaint.startswith(f"broker: There is no database {named}. Nothing was done.")
        assert list(tmp_path.iterdir()) == []


def test_every_command_says_which_database_it_means_and_that_none_serves_it(
    run: Run, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    make_database(tmp_path)
    for words in (
        ("halt",),
        ("audit", "verify"),
        ("audit", "export"),
        ("db", "backup", "copy.db"),
        ("db", "upgrade"),
        ("db", "restore", "copy.db"),
        ("traders", "add", "Ana", "--password-stdin"),
        ("traders", "list"),
        ("traders", "remove", "Ana"),
        ("agents", "add", "bot"),
        ("agents", "list"),
        ("agents", "limit", "bot", "--max-pending", "1"),
        ("agents", "rotate", "bot"),
        ("agents", "revoke", "bot"),
    ):
        with subtests.test(" ".join(words)):
            run(*words, typed="correct horse\n")
            line = f"PAPER mode, database {tmp_path / 'data' / 'paper.db'}, not served"
            assert run.context.startswith(line)


def test_what_is_data_stays_alone_on_standard_output(run: Run) -> None:
    said = run("agents", "add", "bot")[1]
    assert "mode, database" not in said and "mode, database" in run.context
    said = run("audit", "export")[1]
    assert all(json.loads(line) for line in said.splitlines()) and "mode, database" in run.context


def test_an_empty_file_is_no_database_and_is_not_made_one(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "data" / "paper.db"
    path.parent.mkdir()
    path.touch()
    code, said, complaint = run("halt")
    assert (code, said, complaint) == (2, "", f"broker: There is no database in the file {path}\n")
    assert path.stat().st_size == 0


def test_a_halt_is_told_and_never_loosened(run: Run, tmp_path: Path) -> None:
    with closing(take_lock(make_database(tmp_path))):
        assert run("halt", "--exits-only") == (0, "Only exits are allowed (by command line).\n", "")
        assert run("halt", "--reason", "night") == (0, "Trading is halted (by command line).\n", "")
        assert run("halt", "--exits-only") == (0, "Trading is halted (by command line).\n", "")
    told = "Trading is halted (by command line).\nRecorded. No broker serves this database now.\n"
    assert run("halt", "--exits-only") == (1, told, "")


def test_a_halt_waits_for_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """What talks to Binance and to agents takes seconds to load."""
    halts = "import sys; from broker.cli import app; app(['halt'], standalone_mode=False); "
    told = halts + "print('ccxt' in sys.modules, 'mcp' in sys.modules)"
    environment = {**os.environ, "DATA_DIR": str(make_database(tmp_path).parent)}
    said = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True)
    assert said.stdout.splitlines()[-1:] == ["False False"], said.stderr


def test_a_halt_names_the_trader_who_halted_before(run: Run, tmp_path: Path) -> None:
    with closing(open_store(make_database(tmp_path), Clock())) as store:
        asyncio.run(store.halts.set(Level.HALTED, "Ana McKay", None, standing=trusted, shown=0))
    with closing(take_lock(tmp_path / "data" / "paper.db")):
        assert run("halt", "--exits-only") == (0, "Trading is halted (by Ana McKay).\n", "")


def test_the_log_is_exported_as_json_lines(run: Run, tmp_path: Path) -> None:
    run("traders", "add", "Ana", "--password-stdin", typed="correct horse\n")
    with closing(open_store(tmp_path / "data" / "paper.db", Clock())) as store:
        parked = asyncio.run(
            store.intents.park(request(reason="Überweisung"), max_pending=MANY_PENDING)
        ).intent
        asyncio.run(
            store.intents.approve(
                parked.id, parked.digest, "Ana", Decimal(1_000), standing=trusted, confirmed=True
            )
        )
    code, said, _ = run("audit", "export")
    lines = [json.loads(line) for line in said.splitlines()]
    assert (code, [line.get("kind", line["type"]) for line in lines]) == (
        0,
        ["database:made", "trader:added", "intent"],
    )
    told = lines[-1]
    assert (told["intentId"], told["state"], told["verdict"]) == (parked.id, "approved", None)
    assert told["asked"]["reason"] == "Überweisung"
    assert [shown["digest"] for shown in told["shown"]] == [parked.digest]
    [decided] = told["decided"]
    assert (decided["by"], decided["approved"], decided["digest"]) == ("Ana", True, parked.digest)
    assert [event["kind"] for event in told["events"]] == ["intent:parked", "intent:approved"]


def test_what_others_wrote_is_exported_as_it_was_and_does_nothing_to_a_terminal(
    run: Run, tmp_path: Path
) -> None:
    reason = "\x9b2J\u202elles\u3164" + "e\u0301" * 50 + "\U0001f469\u200d\U0001f467"
    with closing(open_store(make_database(tmp_path), Clock())) as store:
        asyncio.run(store.intents.park(request(reason=reason), max_pending=MANY_PENDING))
    code, said, _ = run("audit", "export")
    assert code == 0 and said.isascii()
    assert json.loads(said.splitlines()[-1])["asked"]["reason"] == reason


def test_a_complaint_does_nothing_to_a_terminal(run: Run) -> None:
    code, _, complaint = run("agents", "rotate", "\x9b2J\x1b]0;a\u202eb")
    assert code == 2
    # One line, and one more for each broker that runs on this machine meanwhile.
    assert complaint.endswith("\n")
    assert all(line and line.isprintable() for line in complaint.removesuffix("\n").split("\n"))


def test_a_database_is_copied_and_put_back(run: Run, tmp_path: Path) -> None:
    make_database(tmp_path)
    code, said, _ = run("db", "backup", "copy.db")
    assert code == 0
    assert said.startswith("Copied to copy.db. Also keep a copy of ")
    assert run("db", "backup", "copy.db")[2].startswith("broker: copy.db already exists;")
    code, said, _ = run("db", "restore", "copy.db")
    assert code == 0
    assert said.startswith("Restored from copy.db. The old database is ")
    assert run("audit", "verify") == (0, "The audit log is intact.\n", "")
    assert run("db", "upgrade") == (0, "The database has this release's schema.\n", "")


def test_nothing_is_put_back_under_a_broker_that_serves(run: Run, tmp_path: Path) -> None:
    with closing(take_lock(make_database(tmp_path))):
        run("db", "backup", "copy.db")
        code, _, complaint = run("db", "restore", "copy.db")
    assert code == 2
    assert complaint.startswith("broker: Another broker already serves the database ")


def test_nothing_is_put_back_under_a_command_that_has_it_open(run: Run, tmp_path: Path) -> None:
    with closing(hold(make_database(tmp_path))):
        run("db", "backup", "copy.db")
        code, _, complaint = run("db", "restore", "copy.db")
        assert code == 2
        assert complaint.startswith("broker: A command still has the database ")
    assert run("db", "restore", "copy.db")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("halt",),
        ("traders", "list"),
        ("audit", "verify"),
        ("db", "upgrade"),
        ("agents", "list"),
        ("agents", "revoke", "default"),
    ],
)
def test_no_command_works_on_a_database_that_is_being_replaced(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with closing(hold_alone(make_database(tmp_path))):
        code, said, complaint = run(*words)
    assert (code, said) == (2, "")
    assert "is being replaced by a copy" in complaint


def test_a_call_without_a_broker_says_how_to_start_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    code, _, complaint = run("call", "binance_get_ticker", "symbol=BTCUSDT")
    assert code == 2
    assert complaint == f"broker: No broker answers at http://127.0.0.1:{port}. Start one with `broker`.\n"


def test_an_argument_without_a_value_is_named(run: Run) -> None:
    code, _, complaint = run("call", "binance_get_ticker", "BTCUSDT")
    assert (code, complaint) == (2, "broker: 'BTCUSDT' is not KEY=VALUE\n")


def test_there_is_no_command_that_decides(run: Run) -> None:
    for word in ("approve", "reject", "resume", "decide"):
        code, _, complaint = run(word)
        assert (code, "No such command" in complaint) == (2, True)


def test_commands_work_next_to_a_broker_that_serves(run: Run, tmp_path: Path) -> None:
    with closing(take_lock(make_database(tmp_path))):
        assert run("audit", "verify")[0] == 0
        assert run("traders", "add", "Ana", "--password-stdin", typed="correct horse\n")[0] == 0
