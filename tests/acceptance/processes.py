"""Real processes: a broker and a paper exchange, with what an operator gives them."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import IO, Self

from .forked import Forked

START_SECONDS = 90
STOP_SECONDS = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


ROOT = Path(__file__).parent.parent.parent


def environment(**settings: str) -> dict[str, str]:
    """Only what the broker is told here, and what a process needs to start."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT)} | settings


class Process:
    """A command whose lines can be waited for."""

    def __init__(self, *command: str, cwd: Path, env: dict[str, str]) -> None:
        self._popen = self._start(*command, cwd=cwd, env=env)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.output: list[str] = []
        assert self._popen.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._popen.stdout,), daemon=True)
        self._reader.start()

    def _start(self, *command: str, cwd: Path, env: dict[str, str]) -> subprocess.Popen[str] | Forked:
        return subprocess.Popen(
            command, cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line that matches, from where the last wait ended."""
        while True:
            line = self._lines.get(timeout=START_SECONDS)
            if line is None:
                raise AssertionError("the process ended:\n" + "".join(self.output))
            if match := re.search(pattern, line):
                return match

    @property
    def pid(self) -> int:
        return self._popen.pid

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit code of a command that ends by itself. Raises TimeoutExpired."""
        return self._popen.wait(seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        if self._popen.poll() is None:
            self._popen.send_signal(number)
        code = self._popen.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        assert self._popen.stdout is not None
        self._popen.stdout.close()
        return code

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class ModuleProcess(Process):
    """`python -m` of a module and its arguments, which starts without loading the broker anew."""

    def _start(self, *command: str, cwd: Path, env: dict[str, str]) -> Forked:
        return Forked(*command, cwd=cwd, env=env)


class BrokerProcess(ModuleProcess):
    """`broker`, on a port and a data folder of its own; `page` (for browsers), `url` (for agents) and
    `invitation` are what it printed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        command: tuple[str, ...] = ("broker",),
        **settings: str,
    ) -> None:
        self.port = port or free_port()
        self.folder = folder
        data = folder / "data"
        super().__init__(
            *command,
            cwd=folder,
            env=environment(PORT=str(self.port), DATA_DIR=str(data), **settings),
        )
        self.page = self.wait_for(r"Page\s+(\S+)").group(1)
        self.url = self.wait_for(r"Agents\s+(\S+)/mcp").group(1)
        self.wait_for(r"Press Ctrl-C to stop")
        self.invitation = next(
            (match.group(0) for line in self.output if (match := re.search(r"http\S+/welcome\S+", line))),
            None,
        )

    @property
    def key(self) -> str:
        return (self.folder / "data" / "mcp-api-key").read_text()


class PaperProcess(ModuleProcess):
    """`broker paper`, which outlives a broker that is killed."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        super().__init__(
            "broker",
            "paper",
            "--port",
            str(port),
            "--folder",
            str(folder / "exchange"),
            cwd=folder,
            env=environment(),
        )
        self.url = self.wait_for(r"Paper exchange at (\S+)").group(1)
