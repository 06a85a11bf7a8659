"""The queue in front of the password hash, with work that waits for the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress

import pytest

from broker.web.allowances import Allowance, Rate
from broker.web.hashing import AT_ONCE, MOST_IN_LINE, MOST_WAITING, Attempt, Crowded, HashQueue

from .support import MovableClock

pytestmark = pytest.mark.anyio


class Desk:
    """A queue whose threads are all busy until they are let go; then what waits is done, in its order."""

    def __init__(self) -> None:
        self.queue = HashQueue()
        self.done: list[str] = []
        self.free = threading.Event()
        self._busy: list[asyncio.Task[object]] = []

    async def occupy(self) -> None:
        for number in range(AT_ONCE):
            attempt = Attempt(line=("busy", number), address="", allowances=[])
            self._busy.append(asyncio.create_task(self.queue.run(attempt, self.free.wait)))
        await settled()

    async def ask(
        self, what: str, line: Hashable, address: str = "", allowances: tuple[Allowance, ...] = ()
    ) -> asyncio.Task[None]:
        attempt = Attempt(line=line, address=address, allowances=allowances)
        task = asyncio.create_task(self.queue.run(attempt, self._note(what)))
        await settled()
        return task

    def _note(self, what: str) -> Callable[[], None]:
        return lambda: self.done.append(what)

    async def let_go(self, *tasks: asyncio.Task[None]) -> None:
        self.free.set()
        await asyncio.wait_for(asyncio.gather(*self._busy, *tasks, return_exceptions=True), 20)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.free.set()


async def test_a_flood_in_one_line_does_not_hold_up_another(desk: Desk) -> None:
    await desk.occupy()
    flood = [await desk.ask(f"flood {n}", "nobody") for n in range(MOST_IN_LINE)]
    ana = await desk.ask("Ana", ("name", "Ana"))
    await desk.let_go(*flood, ana)
    assert desk.done.index("Ana") <= AT_ONCE, "one turn of each line, on each thread"
    assert len(desk.done) == MOST_IN_LINE + 1


async def test_addresses_take_turns_within_a_line(desk: Desk) -> None:
    await desk.occupy()
    flood = [await desk.ask(f"flood {n}", "Ana", "198.51.100.7") for n in range(MOST_IN_LINE)]
    ana = await desk.ask("Ana", "Ana", "203.0.113.5")
    assert isinstance(flood[-1].exception(), Crowded), "who waits most makes room"
    await desk.let_go(*flood, ana)
    assert desk.done.index("Ana") <= AT_ONCE


async def test_the_last_of_a_full_line_is_turned_away(desk: Desk) -> None:
    await desk.occupy()
    waiting = [await desk.ask(str(n), "Ana", "a") for n in range(MOST_IN_LINE)]
    with pytest.raises(Crowded):
        await (await desk.ask("one more", "Ana", "a"))
    await desk.let_go(*waiting)
    assert sorted(desk.done) == [str(n) for n in range(MOST_IN_LINE)]


async def test_all_lines_together_are_bounded_and_the_longest_makes_room(desk: Desk) -> None:
    await desk.occupy()
    lines = MOST_WAITING // MOST_IN_LINE
    flood = [await desk.ask(f"{line}", line) for line in range(lines) for _ in range(MOST_IN_LINE)]
    ana = await desk.ask("Ana", "Ana")
    turned_away = [task for task in flood if task.done()]
    assert [type(task.exception()) for task in turned_away] == [Crowded]
    await desk.let_go(*flood, ana)
    assert desk.done.count("Ana") == 1
    assert len(desk.done) == MOST_WAITING


async def test_who_leaves_before_the_turn_costs_nothing_and_makes_room(desk: Desk) -> None:
    await desk.occupy()
    allowance = Allowance(Rate(1, 0.001), MovableClock())
    for _ in range(MOST_IN_LINE * 3):
        gone = await desk.ask("gone", "Ana", "a", (allowance,))
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
    ana = await desk.ask("Ana", "Ana", "a", (allowance,))
    await desk.let_go(ana)
    assert desk.done == ["Ana"]


async def test_who_leaves_during_the_work_frees_the_thread_when_it_is_done(desk: Desk) -> None:
    await desk.occupy()
    for task in desk._busy:
        task.cancel()
    ana = await desk.ask("Ana", "Ana")
    assert not ana.done(), "the threads are busy still"
    await desk.let_go(ana)
    assert desk.done == ["Ana"]


async def test_a_line_without_allowance_waits_for_the_clock_while_others_go_on(desk: Desk) -> None:
    clock = MovableClock()
    slow = Allowance(Rate(1, 20), clock)
    first = await desk.ask("first", "Ana", "a", (slow,))
    await asyncio.wait_for(first, 20)
    second = await desk.ask("second", "Ana", "a", (slow,))
    ben = await desk.ask("Ben", "Ben", "a")
    await asyncio.wait_for(ben, 20)
    await asyncio.sleep(0.2)
    assert desk.done == ["first", "Ben"]
    clock.advance(seconds=0.06)
    await asyncio.wait_for(second, 20)


async def test_a_failure_reaches_who_asked_and_frees_the_thread(desk: Desk) -> None:
    def fail() -> None:
        raise ValueError("broken")

    for _ in range(AT_ONCE + 1):
        with pytest.raises(ValueError, match="broken"):
            await desk.queue.run(Attempt(line="Ana", address="", allowances=[]), fail)
