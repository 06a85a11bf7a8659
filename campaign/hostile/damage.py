"""What happens to the broker's files while it serves, and how an operator puts them right again."""

from __future__ import annotations

import resource
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final

from ..stage import Stage
from .commands import run

NAMES: Final = ("paper.db", "paper.db-wal", "paper.db-shm")
COPY: Final = "copy.db"
BACKUP_SECONDS: Final = 60


class Damage(ABC):
    """`gone`: the database cannot be what it was, so nothing may be sent. `lasting`: it takes a new broker.
    `halt_fails`: a command cannot reach the broker through it either, and has to say so.
    """

    name: ClassVar[str]
    gone: ClassVar[bool] = True
    lasting: ClassVar[bool] = True
    halt_fails: ClassVar[bool] = False

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._data = stage.folder / "data"
        self._away = stage.folder / "away"

    @abstractmethod
    async def strike(self) -> None: ...

    @abstractmethod
    async def repair(self) -> None:
        """The broker is dead where the damage lasts, and runs where it does not."""

    def _move(self, source: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        for name in NAMES:
            if (source / name).exists():
                (source / name).replace(target / name)

    def _unlink(self) -> None:
        for name in NAMES:
            (self._data / name).unlink(missing_ok=True)

    async def _back_up(self) -> None:
        told = await run(self._stage.folder, "db", "backup", COPY, seconds=BACKUP_SECONDS)
        assert told.code == 0, told.text


Kind = type[Damage]


class Renamed(Damage):
    name = "database renamed"
    halt_fails = True

    async def strike(self) -> None:
        self._move(self._data, self._away)

    async def repair(self) -> None:
        self._unlink()
        self._move(self._away, self._data)


class Replaced(Damage):
    """By a copy that was made a moment before."""

    name = "database replaced"

    async def strike(self) -> None:
        await self._back_up()
        self._move(self._data, self._away)
        shutil.copy(self._stage.folder / COPY, self._data / NAMES[0])

    async def repair(self) -> None:
        self._unlink()
        self._move(self._away, self._data)


class Unlinked(Damage):
    """And put back from a copy that was made a moment before."""

    name = "database unlinked"
    halt_fails = True

    async def strike(self) -> None:
        await self._back_up()
        self._unlink()

    async def repair(self) -> None:
        told = await run(self._stage.folder, "db", "restore", COPY, seconds=BACKUP_SECONDS)
        assert told.code == 0, told.text


class ReadOnlyFolder(Damage):
    """What is open already can still be written: an order may be sent or not, but it has to be recorded."""

    name = "read-only folder"
    gone = False
    lasting = False

    async def strike(self) -> None:
        self._modes(~0o222)

    async def repair(self) -> None:
        self._data.chmod(0o700)
        for path in self._data.iterdir():
            path.chmod(0o700 if path.is_dir() else 0o600)

    def _modes(self, mask: int) -> None:
        for path in (*self._data.iterdir(), self._data):
            path.chmod(path.stat().st_mode & mask & 0o777)


class FullDisk(Damage):
    """No file of the broker's process grows any more."""

    name = "full disk"
    lasting = False

    async def strike(self) -> None:
        self._before = self._limit(0)

    async def repair(self) -> None:
        self._limit(self._before)

    def _limit(self, bytes_: int) -> int:
        """What it was before."""
        pid = self._stage.broker.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (bytes_, hard))
        return soft


async def struck_quietly(stage: Stage, damage: Damage) -> None:
    """Strikes when nothing is on its way to the exchange: what is sent afterwards was decided afterwards."""
    await stage.until_settled()
    await damage.strike()
