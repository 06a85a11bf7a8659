"""Counts connections, and closes one when a limit is reached.

Traders, agents and strangers may share one address (a reverse proxy's, or 127.0.0.1). So a new connection is
accepted and an anonymous one is closed: the one for whose request the broker has waited longest, or, if there
is none, the one whose answer takes longest. Connections with a valid key or session are never closed for
anonymous ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol

from .limits import Limits
from .refusals import Tally


@dataclass(frozen=True)
class Agent:
    name: str


@dataclass(frozen=True)
class Trader:
    name: str


Holder = Agent | Trader | None
"""The owner of a connection, by its last request. None: anonymous."""


class Client(Protocol):
    """A connection, as seen by `Connections`."""

    address: str
    holder: Holder

    @property
    def works(self) -> bool:
        """True: the client waits for an answer. False: the broker waits for a request."""

    def give_way(self) -> None:
        """Answer 503 if possible, and close."""


class _Group:
    """Connections in the order in which they are closed."""

    def __init__(self) -> None:
        self._awaited: dict[Client, None] = {}
        self._working: dict[Client, None] = {}

    def __len__(self) -> int:
        return len(self._awaited) + len(self._working)

    def put(self, client: Client) -> None:
        """Add or update a client. It keeps its place while its state is the same."""
        to, other = (self._working, self._awaited) if client.works else (self._awaited, self._working)
        other.pop(client, None)
        to.setdefault(client)

    def remove(self, client: Client) -> None:
        self._awaited.pop(client, None)
        self._working.pop(client, None)

    def first(self) -> Client | None:
        return next(iter(self._awaited or self._working), None)


class Connections:
    def __init__(self, limits: Limits, tally: Tally) -> None:
        self.limits: Final = limits
        self.tally: Final = tally
        self._anonymous = _Group()
        self._by_address: dict[str, _Group] = {}
        self._agents: dict[str, _Group] = {}
        self._agent_count = 0

    def put(self, client: Client) -> None:
        """Count a new connection, or one whose `works` has changed. Closes one if a limit is exceeded."""
        if isinstance(client.holder, Agent):
            group = self._agents.setdefault(client.holder.name, _Group())
            before = len(group)
            group.put(client)
            self._agent_count += len(group) - before
            if self._agent_count > self.limits.agents:
                _close_first(max(self._agents.values(), key=len), self)
        elif client.holder is None:
            same_address = self._by_address.setdefault(client.address, _Group())
            same_address.put(client)
            self._anonymous.put(client)
            if len(same_address) > self.limits.anonymous_per_address:
                _close_first(same_address, self)
            elif len(self._anonymous) > self.limits.anonymous:
                _close_first(self._anonymous, self)

    def remove(self, client: Client) -> None:
        if isinstance(client.holder, Agent):
            if group := self._agents.get(client.holder.name):
                before = len(group)
                group.remove(client)
                self._agent_count -= before - len(group)
                if not group:
                    del self._agents[client.holder.name]
        elif client.holder is None and (group := self._by_address.get(client.address)):
            group.remove(client)
            self._anonymous.remove(client)
            if not group:
                del self._by_address[client.address]

    def change_holder(self, client: Client, holder: Holder) -> None:
        if client.holder != holder:
            self.remove(client)
            client.holder = holder
            self.put(client)

    def make_room(self) -> bool:
        """Close a connection because file descriptors run out. False if only traders' are left."""
        group = self._anonymous or max(self._agents.values(), key=len, default=None)
        return group is not None and _close_first(group, self)


def _close_first(group: _Group, connections: Connections) -> bool:
    client = group.first()
    if client is None:
        return False
    connections.remove(client)
    client.give_way()
    return True


def address_of(host: str) -> str:
    """The address for counting; for IPv6 the /64 network, which usually belongs to one customer."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return address.exploded[:19]
    return host
