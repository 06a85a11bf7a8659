"""The services that checks and tools use."""

from __future__ import annotations

from dataclasses import dataclass

from ..agents import Agent, Limits
from ..clock import Clock
from ..exchange import Exchange
from ..settings import Settings
from ..store import Store


@dataclass(frozen=True, kw_only=True)
class Context:
    """Settings, exchange, store and clock, independent of any agent."""

    settings: Settings
    exchange: Exchange
    store: Store
    clock: Clock

    def of(self, agent: Agent) -> AgentContext:
        return AgentContext(
            settings=self.settings, exchange=self.exchange, store=self.store, clock=self.clock, agent=agent
        )


@dataclass(frozen=True, kw_only=True)
class AgentContext(Context):
    """The context of one agent's request. Checks also apply the agent's own limits."""

    agent: Agent

    @property
    def limits(self) -> Limits:
        """For each limit, the lower of the broker's and the agent's own."""
        return self.agent.limits(self.settings)
