"""Where other people's programs are installed: once, whole, and under the name of their versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .environments import Environment, Unavailable, require


class Installer:
    """Fails until it is told otherwise, and leaves something half done then."""

    def __init__(self) -> None:
        self.works = True
        self.installed: list[tuple[str, ...]] = []

    def __call__(self, folder: Path, packages: tuple[str, ...]) -> None:
        folder.mkdir(parents=True)
        (folder / "package").touch()
        if not self.works:
            raise Unavailable("no network")
        self.installed.append(packages)


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Installer()


def environment(installer: Installer, version: str = "1") -> Environment:
    return Environment(name="client", packages=(f"client=={version}",), install=installer)


def test_many_that_need_it_at_once_install_it_once(installer: Installer) -> None:
    with ThreadPoolExecutor(8) as tests:
        folders = set(tests.map(lambda _: environment(installer).ready(), range(8)))
    assert len(folders) == len(installer.installed) == 1


def test_another_version_is_another_environment(installer: Installer) -> None:
    one, other = environment(installer), environment(installer, "2")
    assert one.ready() != other.ready()
    assert installer.installed == [one.packages, other.packages]


def test_what_was_left_half_done_is_done_anew(installer: Installer) -> None:
    installer.works = False
    with pytest.raises(Unavailable):
        environment(installer).ready()
    installer.works = True
    assert (environment(installer).ready() / "package").exists()


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_without_it_a_laptop_skips_and_ci_fails(
    installer: Installer, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    installer.works = False
    with pytest.raises(outcome, match="no network"):
        require(environment(installer))
