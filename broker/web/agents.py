"""The page of agents: their keys, rights and limits."""

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
from .auth import after_commit, for_traders, writable
from .deps import Desk
from .posts import post
from .view_builder import Drawing

OVERLAPS: Final = {0: "ends now", 1: "ends in an hour", 24: "ends in a day", 168: "ends in a week"}
"""For how many hours the old key stays valid beside the new one."""

LABELS: Final[Mapping[str, str]] = {
    "name": "Name",
    "overlap": "Old key",
    "tools": "Tools",
    "symbols": "Symbols",
    "max_order_value_usdt": "Maximum order value, USDT",
    "max_daily_volume_usdt": "Daily volume limit, USDT",
    "max_leverage": "Maximum leverage",
    "max_pending": "Maximum waiting requests",
    "max_calls_per_minute": "Calls per minute",
}

OFFERED: Final = tuple(name for name in TOOLS if not name.startswith(OWN_TOOLS))

log = get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A new key, shown once. `note`: what else the operator must do."""

    agent: str
    key: str
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a form was refused. `of`: the agent's name; empty: the form that adds one. `typed`: the input."""

    of: str
    text: str
    typed: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class AgentView:
    """`typed`: the values in the agent's form. `rights`: label and value of each own limit."""

    known: Known
    last_call: datetime | None
    typed: Mapping[str, str]
    rights: Sequence[tuple[str, str]]

    @property
    def name(self) -> str:
        return self.known.agent.name


@dataclass(frozen=True, kw_only=True)
class Form:
    """The submitted form, as text."""

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
        """The agent that the form describes. Raises INVALID_ARGUMENTS."""
        if not self.tools:
            raise invalid("tools", "select at least one")
        tools = "all" if set(self.tools) >= set(OFFERED) else ",".join(self.tools)
        limits = {name: text for name, text in self.typed.items() if name != "name"}
        return Agent(name=name).typed({**limits, "tools": tools})

    @property
    def submitted(self) -> Mapping[str, str]:
        """The input, to fill the form again."""
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
        form, actor = await _read_form(request), f"trader:{session.trader}"
        try:
            agent = self._checked(form.agent(form.typed["name"]))
            key = await self._record(
                session, lambda connection: self._agents.add(connection, agent, actor=actor)
            )
        except BrokerError as error:
            return await self._refused(session, "", form.submitted, error)
        with after_commit(_lost_key(agent.name)):
            return await self._page(session, new=NewKey(agent=agent.name, key=key))

    async def rotate(self, request: Request, session: Session) -> Response:
        name, actor = request.path_params["name"], f"trader:{session.trader}"
        async with request.form(max_files=0, max_fields=10) as sent:
            overlap = str(sent.get("overlap", ""))
        try:
            if overlap not in map(str, OVERLAPS):
                raise invalid("overlap", "must be one of the options", allowed=list(OVERLAPS))
            hours = timedelta(hours=int(overlap))
            key = await self._record(
                session, lambda connection: self._agents.rotate(connection, name, hours, actor=actor)
            )
        except BrokerError as error:
            return await self._refused(session, name, {}, error)
        note = await self._keep(key) if name == DEFAULT else None
        with after_commit(_lost_key(name)):
            return await self._page(session, new=NewKey(agent=name, key=key, note=note))

    async def limit(self, request: Request, session: Session) -> Response:
        name, form = request.path_params["name"], await _read_form(request)
        try:
            agent = self._checked(form.agent(name))
            await self._record(
                session,
                lambda connection: self._agents.limit(connection, agent, actor=f"trader:{session.trader}"),
            )
        except BrokerError as error:
            return await self._refused(session, name, form.submitted, error)
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
        """Run the transaction if the session is still valid. Raises NotSignedIn."""
        store = self._desk.store
        return await store.database.write(standing_first(store.people.standing(session), transaction))

    def _checked(self, agent: Agent) -> Agent:
        return agent.checked(self._desk.settings, TOOLS)

    async def _keep(self, key: str) -> str | None:
        """Store the key of the agent `default`. Returns what the operator must do, if anything."""
        try:
            stored = await asyncio.to_thread(keep_api_key, self._desk.settings, key)
        except OSError as error:
            log.error("the new key of agent default could not be saved", error=str(error))
            return "It could not be saved in the data folder: `broker call` still uses the old key."
        return None if stored else "MCP_API_KEY still holds the old key: set it to this one."

    async def _refused(
        self, session: Session, of: str, typed: Mapping[str, str], error: BrokerError
    ) -> Response:
        """The page with the filled form and the error. Raises errors that the form did not cause."""
        if error.code is not Code.INVALID_ARGUMENTS:
            raise error
        [invalid_field] = error.details["fields"]
        name = invalid_field["field"]
        text = f"{LABELS.get(name, name)}: {invalid_field['problem']}"
        return await self._page(session, refusal=Refusal(of=of, text=text, typed=typed), status=422)

    async def _page(
        self,
        session: Session,
        *,
        new: NewKey | None = None,
        refusal: Refusal | None = None,
        status: int = 200,
    ) -> Response:
        known = await self._desk.store.read(self._agents.all)
        return html(
            "agents.html",
            status,
            frame=await self._drawing.frame(session.trader),
            agents=[self._view(agent) for agent in known if agent.revoked_at is None],
            revoked=[agent for agent in known if agent.revoked_at is not None],
            new=new,
            refusal=refusal,
            named={"", *(agent.agent.name for agent in known)},
            unlimited=_typed(Agent(name="")),
            offered=OFFERED,
            overlaps=OVERLAPS,
            labels=LABELS,
            ceilings={name: getattr(self._desk.settings, setting) for name, setting in CEILINGS.items()},
        )

    def _view(self, known: Known) -> AgentView:
        name = known.agent.name
        return AgentView(
            known=known,
            last_call=self._desk.last_call(name),
            typed=_typed(known.agent),
            rights=[(LABELS[right], _as_text(value)) for right, value in known.agent.rights().items()],
        )


def _lost_key(agent: str) -> str:
    return f"{agent} has a new key that was not shown: make another one."


async def _read_form(request: Request) -> Form:
    async with request.form(max_files=0, max_fields=50) as sent:
        return Form.of(sent)


def _typed(agent: Agent) -> Mapping[str, str]:
    """The agent's rights as the input of its form."""
    rights = agent.rights()
    tools = rights.get("tools", OFFERED)
    return {
        "name": agent.name,
        "tools": ",".join(tools),
        **{name: _as_text(rights.get(name, "")) for name in ("symbols", *CEILINGS)},
    }


def _as_text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
