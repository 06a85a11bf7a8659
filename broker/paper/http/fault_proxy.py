"""The entry point of HTTP requests: it logs each request, applies a pending fault, and answers."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from .connection import ClientConnection, Transports
from .errors import Refusal
from .faults import Action, Fault, Faults, Moment
from .rest import Admitted, Answer, Call, Rest, Venues, json_answer, refused

LOGGED_REQUESTS = 1_000


@dataclass(slots=True, eq=False)
class Held:
    """A request that waits to be released."""

    call: Call
    when: Moment
    released: asyncio.Event = field(default_factory=asyncio.Event)


class FaultProxy:
    """An ASGI application. `closing` ends hanging and held requests without an answer."""

    def __init__(self, venues: Venues, transports: Transports) -> None:
        self.faults = Faults()
        self.requests: deque[dict[str, Any]] = deque(maxlen=LOGGED_REQUESTS)
        self.held: list[Held] = []
        self.held_more = asyncio.Condition()
        self.closing = asyncio.Event()
        self._venues = venues
        self._transports = transports
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            call = await _call(Request(scope, receive))
        except ClientDisconnect:
            return
        self._log(call)
        await self._handle(call, ClientConnection(scope, receive, send, self._transports))

    def release(self) -> int:
        """Let every held request continue. Return their number."""
        held, self.held = self.held, []
        for waiting in held:
            waiting.released.set()
        return len(held)

    async def wait_for_held(self, count: int, seconds: float) -> None:
        """Wait until `count` requests are held, or the time is over."""
        async with self.held_more:
            waiting = self.held_more.wait_for(lambda: len(self.held) >= count)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(waiting, seconds)

    async def wait_for_late(self, seconds: float) -> int:
        """Wait until every late request is executed, or the time is over. Return how many still wait."""
        if self._late:
            await asyncio.wait(self._late, timeout=seconds)
        return len(self._late)

    def close(self) -> None:
        self.closing.set()
        for task in self._late:
            task.cancel()

    async def _handle(self, call: Call, connection: ClientConnection) -> None:
        fault = self.faults.take(call.method, call.path)
        rest = self._venues.for_path(call.path)
        admitted = rest.admit(call)
        if fault and fault.when is Moment.RECEIVED:
            self._schedule(fault, admitted, rest)
            if not await self._apply(fault, call, connection, _EMPTY):
                return
        answer = admitted if isinstance(admitted, Answer) else rest.execute(admitted)
        if fault and fault.when is Moment.EXECUTED and not await self._apply(fault, call, connection, answer):
            return
        if fault and fault.when is Moment.ANSWERED:
            await connection.first_half(answer)
            if await self._apply(fault, call, connection, answer):
                await connection.second_half(answer)
            return
        await connection.answer(answer)

    async def _apply(self, fault: Fault, call: Call, connection: ClientConnection, answer: Answer) -> bool:
        """Apply the fault. True: the request continues normally."""
        if fault.do is Action.HOLD:
            return await self._hold(Held(call, fault.when)) or await _closed(connection)
        if fault.do is Action.HANG or fault.hangs:
            seconds = fault.seconds if fault.do is Action.HANG else None
            await _first(self.closing.wait(), connection.wait_closed(), seconds=seconds)
        if fault.do is Action.CUT and fault.when is not Moment.ANSWERED:
            await connection.first_half(answer)
        replacement = _replacement(fault)
        if replacement:
            await connection.answer(replacement)
        elif fault.do is Action.RESET:
            await connection.reset()
        else:
            await connection.close()
        return False

    async def _hold(self, held: Held) -> bool:
        self.held.append(held)
        async with self.held_more:
            self.held_more.notify_all()
        await _first(self.closing.wait(), held.released.wait(), seconds=None)
        return held.released.is_set()

    def _schedule(self, fault: Fault, admitted: Admitted | Answer, rest: Rest) -> None:
        if fault.do is Action.LATE and isinstance(admitted, Admitted):
            task = asyncio.create_task(_execute_later(rest, admitted, fault.seconds or 0))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    def _log(self, call: Call) -> None:
        entry = {
            "method": call.method,
            "path": call.path,
            "params": call.params(),
            "time": self._venues.spot.now,
        }
        self.requests.append(entry)


_EMPTY = Answer(200, b"{}")
_GATEWAY_PAGE = b"<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


def _replacement(fault: Fault) -> Answer | None:
    """Return the answer that replaces the real one, or None if the connection breaks instead."""
    match fault.do:
        case Action.HTML:
            return Answer(fault.http or 502, _GATEWAY_PAGE, media_type="text/html")
        case Action.EMPTY:
            return Answer(fault.http or 200, b"")
        case Action.STATUS:
            return Answer(fault.http or 500, fault.msg.encode(), media_type="text/plain")
        case Action.CODE:
            if fault.code is None:
                return json_answer(fault.http or 503, {"msg": fault.msg})
            return refused(Refusal(fault.code, fault.msg, fault.http or 400))
        case _:
            return None


async def _execute_later(rest: Rest, admitted: Admitted, seconds: float) -> None:
    await asyncio.sleep(seconds)
    rest.execute(admitted)


async def _first(*waits: Coroutine[Any, Any, Any], seconds: float | None) -> None:
    """Wait until one of them is done, or the time is over."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _closed(connection: ClientConnection) -> bool:
    await connection.close()
    return False


async def _call(request: Request) -> Call:
    return Call(
        method=request.method,
        path=request.url.path,
        query=request.scope["query_string"].decode(errors="replace"),
        body=(await request.body()).decode(errors="replace"),
        key=request.headers.get("x-mbx-apikey", ""),
    )
