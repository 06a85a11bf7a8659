"""Checks passwords for the pages: who may try one now, in which line they wait, how refusals are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from ..credentials import MAX_NAME
from ..store import Session
from .allowances import PER_BROWSER, STRANGERS_PER_ADDRESS, STRANGERS_PER_NAME, Allowances, Browsers, network
from .deps import Desk
from .hashing import Attempt, Crowded, HashQueue
from .auth import browser_cookie_name
from .wording import as_quoted

T = TypeVar("T")

REFUSED = "session:refused"
NOT_CHANGED = "password:refused"


class Passwords:
    """One for all pages, since they share the queue."""

    def __init__(self, desk: Desk) -> None:
        self._store = desk.store
        self._people = desk.store.people
        self._refusals = desk.store.refusals
        self._settings = desk.settings
        self._queue = HashQueue()
        self._allowances = Allowances(desk.clock)
        self.browsers = Browsers(desk.store.vault)

    async def of_stranger(self, request: Request, name: str, password: str) -> str | None:
        """The trader's hash that the password matches, None for a wrong one, which is recorded.

        Raises Crowded, and ClientDisconnect as soon as the client hangs up.
        """
        hashed = await unless_gone(request, self._people.hash_of(name))
        about = "" if hashed is None else name
        attempt = self._attempt(request, name, hashed)
        try:
            # Nobody's password is empty: that needs no hash.
            right = await self._check(request, attempt, name, password) if password else None
        except Crowded:
            await self._refuse(REFUSED, "browser", about, name, "too many were being tried")
            raise
        if right is None:
            await self._refuse(REFUSED, "browser", about, name, "wrong name or password")
        return right

    async def of_trader(self, request: Request, session: Session, password: str) -> str | None:
        """The same for a trader who is signed in already. Raises NotSignedIn besides."""
        allowance = self._allowances.of(PER_BROWSER, ("session", session.id))
        attempt = Attempt(line=("session", session.id), address="", allowances=[allowance])
        if attempt.seconds_left:
            raise Crowded
        right = await self._check(request, attempt, session.trader, password)
        if right is None:
            await self._store.read(self._people.standing(session))
            actor = f"trader:{session.trader}"
            await self._refuse(NOT_CHANGED, actor, session.trader, session.trader, "wrong old password")
        return right

    async def hashing(self, request: Request, line: str, work: Callable[[], T]) -> T:
        """Hash a new password in the same queue."""
        attempt = Attempt(line=("new", line), address="", allowances=[])
        return await unless_gone(request, self._queue.run(attempt, work))

    async def _check(self, request: Request, attempt: Attempt, name: str, password: str) -> str | None:
        check = partial(self._people.right_password, name, password)
        right = await unless_gone(request, self._queue.run(attempt, check))
        if right is not None:
            for allowance in attempt.allowances:
                allowance.give_back()
        return right

    def _attempt(self, request: Request, name: str, hashed: str | None) -> Attempt:
        """A browser that signed in before has its own line and allowance, while that lasts. All names that no
        trader has share one line, so that made-up names do not take turns from traders.
        """
        address = network(request.client.host if request.client else None)
        cookie = request.cookies.get(browser_cookie_name(self._settings))
        browser = self.browsers.known(cookie, name, hashed)
        if browser is not None:
            own = self._allowances.of(PER_BROWSER, ("browser", browser))
            if not own.seconds_left:
                return Attempt(line=("browser", browser), address=address, allowances=[own])
        allowances = [
            self._allowances.of(STRANGERS_PER_NAME, ("name", name.casefold()[:MAX_NAME])),
            self._allowances.of(STRANGERS_PER_ADDRESS, ("address", address)),
        ]
        line = "nobody" if hashed is None else ("name", name)
        return Attempt(line=line, address=address, allowances=allowances)

    async def _refuse(self, kind: str, actor: str, about: str, name: str, why: str) -> None:
        await self._refusals.record(kind, actor, about, name=as_quoted(name)[:MAX_NAME], why=why)


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Its result. It is cancelled when the client hangs up. Raises ClientDisconnect."""
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if leaving.done():
            raise ClientDisconnect
        return doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    """Returns when the client hangs up. The request's body has been read by then."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
