"""What a check or a tool may use."""

from __future__ import annotations

from dataclasses import dataclass

from ..agents import Agent, Limits
from ..clock import Clock
from ..exchange import Exchange
from ..settings import Settings
from ..store import Store


@dataclass(frozen=True, kw_only=True)
class Context:
    """Whoever asks."""

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
    """The same for one agent's request: what is checked, is checked against its limits too."""

    agent: Agent

    @property
    def limits(self) -> Limits:
        """The broker's, or the agent's own where they are lower."""
        return self.agent.limits(self.settings)
