"""Checks passwords for the pages: rate limits, the hashing queue, records of refused attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from ..credentials import MAX_NAME
from ..events import EventKind
from ..store import Session
from .allowances import PER_BROWSER, STRANGERS_PER_ADDRESS, STRANGERS_PER_NAME, Allowances, Browsers, network
from .auth import browser_cookie_name
from .deps import Desk
from .hashing import Attempt, Crowded, HashQueue
from .wording import as_quoted

T = TypeVar("T")


class Passwords:
    """One instance for all pages, because they share the queue."""

    def __init__(self, desk: Desk) -> None:
        self._store = desk.store
        self._people = desk.store.people
        self._refusals = desk.store.refusals
        self._settings = desk.settings
        self._queue = HashQueue()
        self._allowances = Allowances(desk.clock)
        self.browsers = Browsers(desk.store.vault)

    async def check_sign_in(self, request: Request, name: str, password: str) -> str | None:
        """The trader's password hash if the password matches it, else None. A wrong one is recorded.

        Raises Crowded, and ClientDisconnect if the client disconnects.
        """
        hashed = await until_disconnect(request, self._people.hash_of(name))
        trader = "" if hashed is None else name
        attempt = self._attempt(request, name, hashed)
        try:
            # No password is empty, so an empty one needs no hashing.
            matched = await self._check(request, attempt, name, password) if password else None
        except Crowded:
            await self._refuse(
                EventKind.SESSION_REFUSED, "browser", trader, name, "too many were being tried"
            )
            raise
        if matched is None:
            await self._refuse(EventKind.SESSION_REFUSED, "browser", trader, name, "wrong name or password")
        return matched

    async def check_again(self, request: Request, session: Session, password: str) -> str | None:
        """Like `check_sign_in`, for a signed-in trader. Also raises NotSignedIn."""
        allowance = self._allowances.of(PER_BROWSER, ("session", session.id))
        attempt = Attempt(line=("session", session.id), address="", allowances=[allowance])
        if attempt.seconds_left:
            raise Crowded
        matched = await self._check(request, attempt, session.trader, password)
        if matched is None:
            await self._store.read(self._people.standing(session))
            actor = f"trader:{session.trader}"
            await self._refuse(
                EventKind.PASSWORD_REFUSED, actor, session.trader, session.trader, "wrong old password"
            )
        return matched

    async def hashing(self, request: Request, line: str, work: Callable[[], T]) -> T:
        """Hash a new password in the same queue."""
        attempt = Attempt(line=("new", line), address="", allowances=[])
        return await until_disconnect(request, self._queue.run(attempt, work))

    async def _check(self, request: Request, attempt: Attempt, name: str, password: str) -> str | None:
        check = partial(self._people.right_password, name, password)
        matched = await until_disconnect(request, self._queue.run(attempt, check))
        if matched is not None:
            for allowance in attempt.allowances:
                allowance.give_back()
        return matched

    def _attempt(self, request: Request, name: str, hashed: str | None) -> Attempt:
        """A browser in which the trader signed in before has its own line, until its allowance is used up.
        All unknown names share one line, so that made-up names do not delay traders.
        """
        address = network(request.client.host if request.client else None)
        cookie = request.cookies.get(browser_cookie_name(self._settings))
        browser = self.browsers.known(cookie, name, hashed)
        if browser is not None:
            allowance = self._allowances.of(PER_BROWSER, ("browser", browser))
            if not allowance.seconds_left:
                return Attempt(line=("browser", browser), address=address, allowances=[allowance])
        allowances = [
            self._allowances.of(STRANGERS_PER_NAME, ("name", name.casefold()[:MAX_NAME])),
            self._allowances.of(STRANGERS_PER_ADDRESS, ("address", address)),
        ]
        line = "nobody" if hashed is None else ("name", name)
        return Attempt(line=line, address=address, allowances=allowances)

    async def _refuse(self, kind: EventKind, actor: str, trader: str, name: str, why: str) -> None:
        await self._refusals.record(kind, actor, trader, name=as_quoted(name)[:MAX_NAME], why=why)


async def until_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. If the client disconnects, cancels it and raises ClientDisconnect."""
    working = asyncio.create_task(work)
    disconnect = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({working, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if disconnect.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, disconnect):
            task.cancel()
        await asyncio.gather(working, disconnect, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    """Returns when the client disconnects. Call it after the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
