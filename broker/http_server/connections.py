"""Connection limits, and which connection is closed when a limit is reached.

The trader, agents and strangers may share one address (a reverse proxy's, or 127.0.0.1). So a new connection
is accepted and an anonymous one is closed: the one that the broker has waited for longest, or, if it waits
for none, the one whose answer takes longest. A connection with a valid key or session is never closed for an
anonymous one.
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
"""Who authenticated the last request on a connection. None: nobody."""


class Client(Protocol):
    """The part of a connection that is needed to count and close it."""

    address: str
    holder: Holder

    @property
    def is_working(self) -> bool:
        """True: the client waits for the broker. False: the broker waits for the client."""

    def give_way(self) -> None:
        """Answer 503 if that is possible, and close."""


class _Group:
    """Connections in the order in which they are closed."""

    def __init__(self) -> None:
        self._awaiting_client: dict[Client, None] = {}
        self._working: dict[Client, None] = {}

    def __len__(self) -> int:
        return len(self._awaiting_client) + len(self._working)

    def put(self, client: Client) -> None:
        """A client that stays in the same state keeps its place."""
        to, other = (
            (self._working, self._awaiting_client)
            if client.is_working
            else (self._awaiting_client, self._working)
        )
        other.pop(client, None)
        to.setdefault(client)

    def remove(self, client: Client) -> None:
        self._awaiting_client.pop(client, None)
        self._working.pop(client, None)

    def first(self) -> Client | None:
        return next(iter(self._awaiting_client or self._working), None)


class Connections:
    def __init__(self, limits: Limits, tally: Tally) -> None:
        self.limits: Final = limits
        self.tally: Final = tally
        self._anonymous = _Group()
        self._by_address: dict[str, _Group] = {}
        self._agents: dict[str, _Group] = {}
        self._agents_in_all = 0

    def put(self, client: Client) -> None:
        """Count a new connection, or one whose `is_working` has changed."""
        if isinstance(client.holder, Agent):
            group = self._agents.setdefault(client.holder.name, _Group())
            before = len(group)
            group.put(client)
            self._agents_in_all += len(group) - before
            if self._agents_in_all > self.limits.agents:
                _give_way(max(self._agents.values(), key=len), self)
        elif client.holder is None:
            here = self._by_address.setdefault(client.address, _Group())
            here.put(client)
            self._anonymous.put(client)
            if len(here) > self.limits.anonymous_per_address:
                _give_way(here, self)
            elif len(self._anonymous) > self.limits.anonymous:
                _give_way(self._anonymous, self)

    def remove(self, client: Client) -> None:
        if isinstance(client.holder, Agent):
            if group := self._agents.get(client.holder.name):
                before = len(group)
                group.remove(client)
                self._agents_in_all -= before - len(group)
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
        """Close one connection to free a file descriptor. False if only traders' connections are left."""
        group = self._anonymous or max(self._agents.values(), key=len, default=None)
        return group is not None and _give_way(group, self)


def _give_way(group: _Group, connections: Connections) -> bool:
    client = group.first()
    if client is None:
        return False
    connections.remove(client)
    client.give_way()
    return True


def address_of(host: str) -> str:
    """Return the key of the limit per address. For IPv6 it is the /64 network, which one customer has."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return address.exploded[:19]
    return host
