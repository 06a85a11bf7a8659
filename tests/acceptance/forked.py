"""Processes forked from one that has loaded the broker's modules already.

Each runs what `python -m` runs, with its own environment and folder, and dies like any other. It only starts
without the seconds of CPU that loading ccxt and MCP takes.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["broker.app", "broker.cli", "broker.paper", "broker.stdio", "uvloop"])


class Forked:
    """What a test uses of subprocess.Popen."""

    def __init__(self, *command: str, cwd: Path, env: dict[str, str]) -> None:
        """`command` is a module's name and its arguments."""
        ours, theirs = os.pipe()
        self._process = FORKS.Process(target=_run, args=(command, cwd, env, DupFd(theirs)), daemon=True)
        self._process.start()
        os.close(theirs)
        self.stdout = os.fdopen(ours)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """Its exit code; minus the signal that killed it. Raises TimeoutExpired."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired("a forked process", timeout)
        return code


def _run(command: tuple[str, ...], cwd: Path, env: dict[str, str], output: Any) -> None:
    written = output.detach()
    for stream in (1, 2):
        os.dup2(written, stream)
    os.close(written)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    module, *arguments = command
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
