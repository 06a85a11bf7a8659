"""The named moments of an order's life at which the broker is killed.

Each takes a request that waits for the trader and ends with a dead broker; `leaves` is the state in which the
database should be left behind. A kill that comes a moment too late proves something else, and no less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from .people import Asked, Gone
from .stage import Stage
from .venue import BEYOND_RECV_WINDOW_MS

DECIDING_SECONDS: Final = 0.02
"""About as long as a decision takes from its POST to the answer."""

RECORDING_SECONDS: Final = 0.004
EXECUTING_SECONDS: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Moment:
    name: str
    leaves: frozenset[str]
    play: Callable[[Stage, Asked], Awaitable[None]]


async def parked(stage: Stage, asked: Asked) -> None:
    """The agent was answered, nobody has decided."""
    stage.kill(asked.scene)


async def approving(stage: Stage, asked: Asked) -> None:
    """The trader's decision is under way."""
    deciding = asyncio.create_task(stage.approve(asked))
    await asyncio.sleep(stage.random.uniform(0, DECIDING_SECONDS))
    stage.kill(asked.scene)
    with suppress(Gone):
        await deciding


async def rechecking(stage: Stage, asked: Asked) -> None:
    """The executor reads its figures once more."""
    await _held_and_killed(stage, asked, "GET", asked.wanted.kind.check, "received")
    await stage.venue.let_go()


async def received(stage: Stage, asked: Asked) -> None:
    """The order is at Binance's door, and is executed when nobody listens any more."""
    await _held_and_killed(stage, asked, "POST", asked.wanted.kind.post, "received")
    await stage.venue.let_go()


async def never(stage: Stage, asked: Asked) -> None:
    """The order is at Binance's door, and comes too late to be executed."""
    await _held_and_killed(stage, asked, "POST", asked.wanted.kind.post, "received")
    await stage.venue.move_clock(BEYOND_RECV_WINDOW_MS)
    await stage.venue.let_go()
    await asyncio.sleep(EXECUTING_SECONDS)
    await stage.venue.move_clock(0)


async def executed(stage: Stage, asked: Asked) -> None:
    """It is executed, and not a byte of the answer is sent."""
    await _held_and_killed(stage, asked, "POST", asked.wanted.kind.post, "executed")
    await stage.venue.let_go()


async def answered(stage: Stage, asked: Asked) -> None:
    """Half of the answer has arrived."""
    await _held_and_killed(stage, asked, "POST", asked.wanted.kind.post, "answered")
    await stage.venue.let_go()


async def recording(stage: Stage, asked: Asked) -> None:
    """The answer is there, and not recorded yet: its fees are read, or the commit is under way."""
    kind = asked.wanted.kind
    if kind.trades is not None:
        await stage.until_settled()  # whose fees would be read too
        await _held_and_killed(stage, asked, "GET", kind.trades, "received")
        await stage.venue.let_go()
        return
    await stage.venue.hold("POST", kind.post, "executed")
    await stage.approve(asked)
    await stage.venue.held()
    answering = asyncio.create_task(stage.venue.let_go())
    await asyncio.sleep(stage.random.uniform(0, RECORDING_SECONDS))
    stage.kill(asked.scene)
    await answering


async def looking_up(stage: Stage, asked: Asked) -> None:
    """The next broker asks what became of it, and dies too."""
    when = stage.random.choice(("received", "executed"))
    await _held_and_killed(stage, asked, "POST", asked.wanted.kind.post, when)
    await _killed_again(stage, asked)


async def looking_first(stage: Stage, asked: Asked) -> None:
    """The next broker finds it approved, asks whether it was sent already, and dies too."""
    await _held_and_killed(stage, asked, "GET", asked.wanted.kind.check, "received")
    await _killed_again(stage, asked)


async def _held_and_killed(stage: Stage, asked: Asked, method: str, path: str, when: str) -> None:
    await stage.venue.hold(method, path, when)
    await stage.approve(asked)
    await stage.venue.held()
    stage.kill(asked.scene)


async def _killed_again(stage: Stage, asked: Asked) -> None:
    await stage.venue.let_go()
    await stage.venue.hold("GET", asked.wanted.kind.look_up, "received")
    await stage.restart()
    await stage.venue.held()
    stage.kill(asked.scene)
    await stage.venue.let_go()


_SENT = frozenset({"submitting"})

MOMENTS: Final = (
    Moment(name="parked", leaves=frozenset({"pending"}), play=parked),
    Moment(name="approving", leaves=frozenset({"pending", "approved", "submitting"}), play=approving),
    Moment(name="re-checking", leaves=frozenset({"approved"}), play=rechecking),
    Moment(name="received, executed later", leaves=_SENT, play=received),
    Moment(name="received, never executed", leaves=_SENT, play=never),
    Moment(name="executed", leaves=_SENT, play=executed),
    Moment(name="half answered", leaves=_SENT, play=answered),
    Moment(name="recording", leaves=_SENT, play=recording),
    Moment(name="looking it up", leaves=frozenset({"unknown"}), play=looking_up),
    Moment(name="looking first", leaves=frozenset({"approved"}), play=looking_first),
)
