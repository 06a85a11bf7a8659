"""Who may ask: agents, their keys and their limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..agents import CEILINGS, DEFAULT, OWN_TOOLS, Agent
from ..errors import BrokerError, Code, invalid
from ..files import keep_api_key
from ..logs import get_logger
from ..store import Known, Session, Transaction, standing_first
from ..tools import TOOLS
from .assets import html
from .deps import Desk
from .view_builder import Drawing
from .posts import post
from .auth import for_traders, telling, writable

OVERLAPS: Final = {0: "ends now", 1: "ends in an hour", 24: "ends in a day", 168: "ends in a week"}
"""Hours that an old key may hold beside the new one."""

LABELS: Final[Mapping[str, str]] = {
    "name": "Name",
    "overlap": "The old key",
    "tools": "Tools",
    "symbols": "Symbols",
    "max_order_value_usdt": "Largest order, USDT",
    "max_daily_volume_usdt": "Its orders of a day, USDT",
    "max_leverage": "Largest leverage",
    "max_pending": "Requests that wait at a time",
    "max_calls_per_minute": "Calls a minute",
}

OFFERED: Final = tuple(name for name in TOOLS if not name.startswith(OWN_TOOLS))

log = get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """Shown once. `note` is what else has to be done."""

    agent: str
    key: str
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a form was not taken, in that form: `of` names the agent, nothing the form for a new one."""

    of: str
    text: str
    typed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class AgentView:
    """`typed` is what its form is filled with, `rights` what is said of it."""

    known: Known
    last_call: datetime | None
    typed: Mapping[str, str]
    rights: Sequence[tuple[str, str]]

    @property
    def name(self) -> str:
        return self.known.agent.name


@dataclass(frozen=True, kw_only=True)
class Form:
    """What was sent, as text."""

    typed: Mapping[str, str]
    tools: Sequence[str] = field(default_factory=tuple)

    @classmethod
    def of(cls, form: FormData) -> Form:
        names = ("name", "symbols", *CEILINGS)
        return cls(
            typed={name: writable(str(form.get(name, ""))).strip() for name in names},
            tools=[writable(str(tool)) for tool in form.getlist("tools")],
        )

    def agent(self, name: str) -> Agent:
        """Raises INVALID_ARGUMENTS."""
        if not self.tools:
            raise invalid("tools", "tick one at least")
        tools = "all" if set(self.tools) >= set(OFFERED) else ",".join(self.tools)
        limits = {name: text for name, text in self.typed.items() if name != "name"}
        return Agent(name=name).typed({**limits, "tools": tools})

    @property
    def shown(self) -> Mapping[str, str]:
        return {**self.typed, "tools": ",".join(self.tools)}


class AgentPages:
    def __init__(self, desk: Desk, drawing: Drawing) -> None:
        self._desk = desk
        self._drawing = drawing
        self._agents = desk.store.agents

    def routes(self) -> list[BaseRoute]:
        posts = {
            "/agents": self.add,
            "/agents/{name}/key": self.rotate,
            "/agents/{name}/limits": self.limit,
            "/agents/{name}/revocation": self.revoke,
        }
        return [
            Route("/agents", for_traders(self._desk, self.show)),
            *(post(path, for_traders(self._desk, act)) for path, act in posts.items()),
        ]

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(session)

    async def add(self, request: Request, session: Session) -> Response:
        form, actor = await _sent(request), f"trader:{session.trader}"
        try:
            agent = self._checked(form.agent(form.typed["name"]))
            key = await self._record(
                session, lambda connection: self._agents.add(connection, agent, actor=actor)
            )
        except BrokerError as error:
            return await self._refused(session, "", form.shown, error)
        with telling(_lost_key(agent.name)):
            return await self._page(session, new=NewKey(agent=agent.name, key=key))

    async def rotate(self, request: Request, session: Session) -> Response:
        name, actor = request.path_params["name"], f"trader:{session.trader}"
        async with request.form(max_files=0, max_fields=10) as sent:
            overlap = str(sent.get("overlap", ""))
        try:
            if overlap not in map(str, OVERLAPS):
                raise invalid("overlap", "must be one of those offered", allowed=list(OVERLAPS))
            hours = timedelta(hours=int(overlap))
            key = await self._record(
                session, lambda connection: self._agents.rotate(connection, name, hours, actor=actor)
            )
        except BrokerError as error:
            return await self._refused(session, name, {}, error)
        note = await self._keep(key) if name == DEFAULT else None
        with telling(_lost_key(name)):
            return await self._page(session, new=NewKey(agent=name, key=key, note=note))

    async def limit(self, request: Request, session: Session) -> Response:
        name, form = request.path_params["name"], await _sent(request)
        try:
            agent = self._checked(form.agent(name))
            await self._record(
                session,
                lambda connection: self._agents.limit(connection, agent, actor=f"trader:{session.trader}"),
            )
        except BrokerError as error:
            return await self._refused(session, name, form.shown, error)
        return RedirectResponse("/agents", 303)

    async def revoke(self, request: Request, session: Session) -> Response:
        name = request.path_params["name"]

        def transaction(connection: Connection) -> int:
            return self._agents.revoke(connection, name, actor=f"trader:{session.trader}")

        try:
            await self._record(session, transaction)
        except BrokerError as error:
            return await self._refused(session, name, {}, error)
        return RedirectResponse("/agents", 303)

    async def _record(self, session: Session, transaction: Transaction[T]) -> T:
        """While the session holds. Raises NotSignedIn, and as the transaction does."""
        store = self._desk.store
        return await store.database.write(standing_first(store.people.standing(session), transaction))

    def _checked(self, agent: Agent) -> Agent:
        return agent.checked(self._desk.settings, TOOLS)

    async def _keep(self, key: str) -> str | None:
        """Of the agent default. What its operator has to do, if anything."""
        try:
            kept = await asyncio.to_thread(keep_api_key, self._desk.settings, key)
        except OSError as error:
            log.error("the new key of the agent default is not kept", error=str(error))
            return "It could not be kept in the data folder: `broker call` knows only the old one."
        return None if kept else "MCP_API_KEY still is the old one: put this one there."

    async def _refused(
        self, session: Session, of: str, typed: Mapping[str, str], error: BrokerError
    ) -> Response:
        """The form again, as it was filled in. Raises what is no fault of it."""
        if error.code is not Code.INVALID_ARGUMENTS:
            raise error
        [fault] = error.details["fields"]
        text = f"{LABELS.get(fault['field'], fault['field'])}: {fault['problem']}"
        return await self._page(session, refusal=Refusal(of=of, text=text, typed=typed), status=422)

    async def _page(
        self,
        session: Session,
        *,
        new: NewKey | None = None,
        refusal: Refusal | None = None,
        status: int = 200,
    ) -> Response:
        known: Sequence[Known] = await self._desk.store.read(self._agents.all)
        return html(
            "agents.html",
            status,
            frame=await self._drawing.frame(session.trader),
            agents=[self._view(one) for one in known if one.revoked_at is None],
            revoked=[one for one in known if one.revoked_at is not None],
            new=new,
            refusal=refusal,
            named={"", *(one.agent.name for one in known)},
            unlimited=_typed(Agent(name="")),
            offered=OFFERED,
            overlaps=OVERLAPS,
            labels=LABELS,
            ceilings={own: getattr(self._desk.settings, setting) for own, setting in CEILINGS.items()},
        )

    def _view(self, known: Known) -> AgentView:
        name = known.agent.name
        return AgentView(
            known=known,
            last_call=self._desk.last_call(name),
            typed=_typed(known.agent),
            rights=[(LABELS[right], _words(value)) for right, value in known.agent.rights().items()],
        )


def _lost_key(agent: str) -> str:
    return f"{agent} has a new key, which nobody has seen: give it another one."


async def _sent(request: Request) -> Form:
    async with request.form(max_files=0, max_fields=50) as sent:
        return Form.of(sent)


def _typed(agent: Agent) -> Mapping[str, str]:
    """As a person would type it."""
    rights = agent.rights()
    tools = rights.get("tools", OFFERED)
    return {
        "name": agent.name,
        "tools": ",".join(tools),
        **{name: _words(rights.get(name, "")) for name in ("symbols", *CEILINGS)},
    }


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
