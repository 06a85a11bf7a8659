"""One at a time from the check's first look to the commit, and exits first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from broker.account_lock import AccountLock

pytestmark = pytest.mark.anyio


class Till:
    """Holds so much money: what a check has seen of it, a commit takes."""

    def __init__(self, money: int) -> None:
        self.lock = AccountLock()
        self.money = money
        self.looks: list[str] = []
        self.taken: list[str] = []
        self.figures = {name: asyncio.Event() for name in ("entry", "other entry", "exit", "other exit")}
        self.then: Callable[[], None] = lambda: None
        self.writes = asyncio.Event()
        self.writes.set()

    def start(self, name: str) -> asyncio.Task[bool]:
        async def check() -> bool:
            self.looks.append(name)
            enough = self.money > 0
            await self.figures[name].wait()
            return enough

        async def commit(enough: bool) -> bool:
            await self.writes.wait()
            if enough:
                self.money -= 1
                self.taken.append(name)
            self.then()
            return enough

        run = self.lock.run_exit if "exit" in name else self.lock.run_entry
        return asyncio.create_task(run(check, commit))

    def answer(self, *names: str) -> None:
        for name in names:
            self.figures[name].set()


async def until(met: Callable[[], bool]) -> None:
    for _ in range(1000):
        if met():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to that")


@pytest.mark.parametrize(
    ("first", "second"),
    [("entry", "other entry"), ("exit", "other exit"), ("entry", "exit"), ("exit", "entry")],
)
async def test_two_never_count_on_the_same_money(first: str, second: str) -> None:
    till = Till(1)
    tasks = [till.start(first)]
    await until(lambda: first in till.looks)
    tasks.append(till.start(second))
    till.answer(first, second)
    assert sum(await asyncio.gather(*tasks)) == 1
    assert till.money == 0


async def test_an_exit_does_not_wait_for_the_figures_of_an_entry() -> None:
    till = Till(3)
    entry, other = till.start("entry"), till.start("other entry")
    await until(lambda: "entry" in till.looks)
    exiting = till.start("exit")
    till.answer("exit")
    assert await exiting
    assert till.taken == ["exit"]
    till.answer("entry", "other entry")
    assert await entry
    assert await other
    assert till.looks == ["entry", "exit", "entry", "other entry"], "and the first was checked again"


async def test_an_entry_waits_until_no_exit_is_left() -> None:
    till = Till(1)
    exiting = till.start("exit")
    await until(lambda: "exit" in till.looks)
    entry = till.start("entry")
    till.answer("entry")
    for _ in range(10):
        await asyncio.sleep(0)
    assert till.looks == ["exit"]
    till.answer("exit")
    assert (await exiting, await entry) == (True, False)


async def test_an_entry_lets_an_exit_pass_that_comes_as_the_last_one_goes() -> None:
    till = Till(2)
    other: list[asyncio.Task[bool]] = []
    exiting = till.start("exit")
    await until(lambda: "exit" in till.looks)
    entry = till.start("entry")
    till.then = lambda: other.append(till.start("other exit")) if not other else None
    till.answer("exit", "entry")
    assert await exiting
    await until(lambda: "other exit" in till.looks)
    till.answer("other exit")
    assert (await entry, await other[0]) == (False, True)


async def test_an_exit_looks_once_the_commit_that_is_being_made_is_done() -> None:
    till = Till(1)
    till.writes.clear()
    entry = till.start("entry")
    till.answer("entry", "exit")
    await until(lambda: till.lock._committing.locked())
    exiting = till.start("exit")
    for _ in range(10):
        await asyncio.sleep(0)
    assert till.looks == ["entry"]
    till.writes.set()
    assert (await entry, await exiting) == (True, False)


async def test_an_exit_that_fails_or_is_given_up_lets_entries_go_on() -> None:
    till = Till(1)
    exiting = till.start("exit")
    await until(lambda: "exit" in till.looks)
    entry = till.start("entry")
    exiting.cancel()
    till.answer("entry")
    assert await asyncio.wait_for(entry, 5)
