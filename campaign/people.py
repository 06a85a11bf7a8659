"""The agent that asks and the trader who decides, both over plain HTTP, and what each of them was told."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from tests.acceptance.processes import BrokerProcess
from .kinds import Wanted
from .record import FINAL

NAME, PASSWORD = "Ana", "correct horse battery"
PASSING: Final = frozenset({"BINANCE_UNAVAILABLE", "BINANCE_TIMEOUT", "RATE_LIMITED", "STORE_UNAVAILABLE"})
"""Errors after which the same call is worth another try."""

PATIENCE_SECONDS: Final = 90
AGAIN_SECONDS: Final = 0.5
BROWSER: Final = {"Sec-Fetch-Site": "same-origin"}


class Gone(Exception):
    """The broker died before it answered."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that the agent was answered. `scene` is what the campaign was at."""

    wanted: Wanted
    scene: str
    intent_id: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Decided:
    intent_id: str
    digest: str
    approved: bool


@dataclass
class Told:
    """What was asked and which outcome was told, by intent; which decisions were answered as recorded."""

    asked: dict[str, Asked] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)
    unanswered: list[tuple[Wanted, str]] = field(default_factory=list)
    """Requests whose answer was lost, with their scene: the agent will repeat them."""
    refused: Counter[str] = field(default_factory=Counter)
    """Calls that were answered with an error, by kind and code."""


class Agent:
    def __init__(self, broker: BrokerProcess, told: Told) -> None:
        headers = {"X-MCP-API-Key": broker.key}
        self._http = _client(broker, headers=headers)
        self._told = told

    async def ask(self, wanted: Wanted, scene: str) -> Asked | None:
        """None when the call was refused. Raises Gone; then it has to be repeated."""
        arguments = {**wanted.arguments, "idempotencyKey": wanted.key, "reason": scene}
        try:
            answer = await self._patiently(wanted.kind.tool, arguments)
        except Gone:
            self._told.unanswered.append((wanted, scene))
            raise
        if "intentId" not in answer:
            self._told.refused[f"{wanted.kind.name}: {answer['error']}"] += 1
            return None
        asked = Asked(wanted=wanted, scene=scene, intent_id=answer["intentId"], digest=answer["digest"])
        self._told.asked[asked.intent_id] = asked
        return asked

    async def repeat_unanswered(self) -> None:
        """As a client does after a time-out: the same call with the same key."""
        lost, self._told.unanswered = self._told.unanswered, []
        while lost:
            wanted, scene = lost.pop(0)
            try:
                await self.ask(wanted, scene)
            except Gone:
                self._told.unanswered += lost
                raise

    async def get(self, intent_id: str) -> dict[str, Any]:
        """How the request stands. Raises Gone."""
        answer = await self.call("intent_get", {"intentId": intent_id})
        if answer.get("status") in FINAL:
            self._told.outcomes[intent_id] = answer["status"]
        return answer

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._http.post(f"/tools/{tool}", json=arguments)
        except httpx2.TransportError:
            raise Gone from None
        body: dict[str, Any] = answer.json()
        return body

    async def close(self) -> None:
        await self._http.aclose()

    async def _patiently(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while True:
            answer = await self.call(tool, arguments)
            if "intentId" in answer or answer["error"] not in PASSING or loop.time() > until:
                return answer
            await asyncio.sleep(AGAIN_SECONDS)


class Trader:
    """`cookies` of the life before, which hold as long as the session does."""

    def __init__(self, broker: BrokerProcess, told: Told, cookies: httpx2.Cookies | None) -> None:
        self._http = _client(broker, headers=BROWSER, cookies=cookies)
        self._told = told

    @property
    def cookies(self) -> httpx2.Cookies:
        return self._http.cookies

    async def enter(self, invitation: str) -> None:
        """As the first trader, by the one-time link."""
        form = {"token": invitation.partition("token=")[2], "name": NAME}
        await self._send("/welcome", {**form, "password": PASSWORD, "again": PASSWORD})

    async def decide(self, intent_id: str, digest: str, *, approved: bool = True) -> bool:
        """Whether it was answered as recorded. Raises Gone."""
        decision = "approve" if approved else "reject"
        form = {"digest": digest, "decision": decision, "confirmed": "yes"}
        path = f"/intents/{intent_id}/decision"
        answer = await self._send(path, form)
        if _sent_to(answer).startswith("/signin"):
            await self._send("/signin", {"name": NAME, "password": PASSWORD})
            answer = await self._send(path, form)
        recorded = answer.status_code == 200 or _sent_to(answer) == f"/intents/{intent_id}"
        if recorded:
            self._told.decided.append(Decided(intent_id=intent_id, digest=digest, approved=approved))
        return recorded

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(self, path: str, form: dict[str, str]) -> httpx2.Response:
        try:
            return await self._http.post(path, data=form)
        except httpx2.TransportError:
            raise Gone from None


def _client(broker: BrokerProcess, **more: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=broker.url, trust_env=False, verify=False, timeout=60, **more)


def _sent_to(answer: httpx2.Response) -> str:
    return answer.headers.get("location", "") if answer.status_code == 303 else ""
