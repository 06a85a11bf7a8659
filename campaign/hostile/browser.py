"""What else the trader does in a browser: keeps a page open, lets trading go on, adds a channel, signs in."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Final

import httpx2

from tests.acceptance.processes import BrokerProcess
from ..people import BROWSER, NAME, PASSWORD, Told, Trader

GIVE_UP_SECONDS: Final = 10
"""After which a person, or what they use, has had enough."""

SHOWN: Final = re.compile(r'name="shown" value="(\d+)"')
AGAIN_SECONDS: Final = 0.5
TRIES: Final = 5
TOPICS: Final = ["requests", "outcomes", "cancels", "alerts"]


@dataclass
class Following:
    """An open page. Seconds between two messages; how often the stream broke off."""

    longest_silence: float = 0.0
    messages: int = 0
    breaks: int = 0
    heard_at: float = field(default_factory=time.monotonic)

    def hear(self) -> None:
        self.quiet()
        self.messages += 1
        self.heard_at = time.monotonic()

    def quiet(self) -> None:
        self.longest_silence = max(self.longest_silence, time.monotonic() - self.heard_at)


class Browser(Trader):
    """With the cookies of a trader who has signed in. `fresh`: opens a connection for each request."""

    def __init__(
        self, broker: BrokerProcess, told: Told, cookies: httpx2.Cookies | None, *, fresh: bool = False
    ) -> None:
        super().__init__(broker, told, cookies)
        if fresh:
            self._http.headers["Connection"] = "close"

    async def follow(self, following: Following) -> None:
        """Until it is cancelled. As a browser does, it connects again."""
        while True:
            try:
                async with self._http.stream("GET", "/events", params={"for": "inbox"}) as answer:
                    async for _ in answer.aiter_raw():
                        following.hear()
            except httpx2.TransportError:
                pass
            following.breaks += 1
            await asyncio.sleep(AGAIN_SECONDS)

    async def page(self, path: str = "/") -> httpx2.Response | None:
        """None when there was no answer in time."""
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                return await self._http.get(path)
        except (httpx2.TransportError, TimeoutError):
            return None

    async def resume(self) -> bool:
        """Lifts the halt that the page shows; whether that was done in a few tries."""
        for _ in range(TRIES):
            page = await self.page()
            shown = SHOWN.search(page.text) if page is not None else None
            if shown is not None:
                form = {"level": "open", "reason": "", "shown": shown.group(1)}
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    if (await self._send("/trading", form)).status_code == 303:
                        return True
            await asyncio.sleep(AGAIN_SECONDS)
        return False

    async def add_webhook(self, name: str, address: str) -> None:
        form: dict[str, str | list[str]] = {"kind": "webhook", "name": name, "address": address}
        answer = await self._http.post("/channels", data={**form, "events": TOPICS})
        assert answer.status_code in (200, 303), answer.text[:500]


async def sign_in(broker: BrokerProcess) -> float | None:
    """Seconds until another browser of the trader's is let in by the right password; None: it was not."""
    started = time.monotonic()
    async with httpx2.AsyncClient(
        base_url=broker.url, trust_env=False, verify=False, headers=BROWSER
    ) as http:
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                answer = await http.post("/signin", data={"name": NAME, "password": PASSWORD})
        except (httpx2.TransportError, TimeoutError):
            return None
    return time.monotonic() - started if answer.status_code == 303 else None
