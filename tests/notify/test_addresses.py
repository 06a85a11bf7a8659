"""Where notifications go, and where they never go, whatever a name comes to mean."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from httpcore2 import AsyncNetworkBackend, AsyncNetworkStream, ConnectError

from broker.addresses import Forbidden, checked
from broker.errors import BrokerError
from broker.notify.addresses import Names
from broker.notify.sender import NoReply, Sender, checked_url, shown

from ..support import Clock
from .support import Endpoint

pytestmark = pytest.mark.anyio

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "8.8.8.8"]
PRIVATE = ["127.0.0.1", "127.8.9.1", "::1", "10.0.0.1", "172.31.255.1", "192.168.1.1", "100.100.1.1"]
PRIVATE += ["fd00::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3"]
NEVER = ["169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1", "ff02::1"]
NEVER += ["255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "203.0.113.9", "2001:db8::1"]
NEVER += ["64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "::127.0.0.1", "::ffff:169.254.169.254"]
NEVER += ["fec0::1", "64:ff9b:1::1"]
NEVER += ["fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "100.100.100.200"]  # clouds
NEVER += ["::ffff:100.100.100.200", "168.63.129.16", "192.0.0.192"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_reached_over_https(address: str) -> None:
    assert checked([address], allow_private=False, allow_public=True) == [address]
    with pytest.raises(Forbidden, match="use https"):
        checked([address], allow_private=True, allow_public=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_only_where_the_operator_allows_it(address: str) -> None:
    with pytest.raises(Forbidden, match="NOTIFY_ALLOW_PRIVATE"):
        checked([address], allow_private=False, allow_public=True)
    for allow_public in (True, False):
        assert checked([address], allow_private=True, allow_public=allow_public)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [True, False])
def test_other_addresses_never(address: str, allow_private: bool) -> None:
    with pytest.raises(Forbidden, match="the broker never sends to"):
        checked([address], allow_private=allow_private, allow_public=True)


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
def test_a_name_that_also_stands_for_a_forbidden_address_is_not_reached_at_all(address: str) -> None:
    for order in ([PUBLIC[0], address], [address, PUBLIC[0]]):
        with pytest.raises(Forbidden):
            checked(order, allow_private=False, allow_public=True)


class Recording(AsyncNetworkBackend):
    """A network on which nobody answers."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[object] | None = None,
    ) -> AsyncNetworkStream:
        self.connected.append(f"{host}:{port}")
        raise ConnectError("nobody answers")


async def test_a_name_that_means_another_machine_the_next_time_it_is_asked_leads_nowhere() -> None:
    """DNS rebinding: the first look is public, every later one is this machine."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [PUBLIC[0]] if len(asked) == 1 else ["127.0.0.1"]

    network = Recording()
    sender = Sender(allow_private=False, clock=Clock(), resolve=rebinding, network=network)
    with pytest.raises(NoReply, match="nobody answers"):
        await sender.post("https://hooks.example/x", b"{}", {})
    assert (asked, network.connected) == (["hooks.example"], [f"{PUBLIC[0]}:443"])
    with pytest.raises(NoReply, match="private address"):
        await sender.post("https://hooks.example/x", b"{}", {})
    assert network.connected == [f"{PUBLIC[0]}:443"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0"])
async def test_this_machine_is_not_reached_by_any_of_its_names(there: Endpoint, host: str) -> None:
    port = there.url.rpartition(":")[2]
    sender = Sender(allow_private=False, clock=Clock())
    for scheme in ("http", "https"):
        with pytest.raises(NoReply):
            await sender.post(f"{scheme}://{host}:{port}/", b"{}", {})
    assert there.received == []


async def test_a_name_that_hangs_holds_one_thread_and_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answered = threading.Event()

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        if host == "hangs.example":
            answered.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (PUBLIC[0], port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    names = Names()
    waiting = [asyncio.create_task(names.resolve("hangs.example", 443)) for _ in range(50)]
    assert await asyncio.wait_for(names.resolve("works.example", 443), 5) == [PUBLIC[0]]
    waiting[0].cancel()
    answered.set()
    told = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert told[1:] == [[PUBLIC[0]]] * 49, "who gives up leaves it to the others"
    assert sorted(asked) == ["hangs.example", "works.example"]


async def test_a_name_that_is_not_known_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror("not known")

    names = Names()
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(OSError, match="not known"):
            await names.resolve("127.0.0.1", 80)
    assert await names.resolve("127.0.0.1", 80) == ["127.0.0.1"]


async def test_http_to_a_public_address_is_not_sent_even_where_private_ones_are_allowed() -> None:
    async def resolve(_: str, __: int) -> Sequence[str]:
        return [PUBLIC[0]]

    network = Recording()
    sender = Sender(allow_private=True, clock=Clock(), resolve=resolve, network=network)
    with pytest.raises(NoReply, match="use https"):
        await sender.post("http://hooks.example/x", b"{}", {})
    assert network.connected == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "ftp://hooks.example",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://a b",
        "https://hooks.example/\r\nX: y",
        "https://hööks.example",
        "https://[::1",
        "https://hooks.example:99999",
        "https://hooks.example/" + "x" * 500,
        "http://hooks.example",
    ],
)
def test_a_malformed_address_is_refused_with_its_field(url: str) -> None:
    with pytest.raises(BrokerError, match=r"^address: "):
        checked_url(url, allow_private=False)


def test_what_is_shown_of_an_address_holds_no_secret() -> None:
    assert shown("https://ana:pass@hooks.example:8443/?token=t#f") == "https://hooks.example:8443"
    assert shown("https://hooks.example/abcdefsecret12345?token=t") == "https://hooks.example/abc…"
    assert shown("https://hooks.slack.com/services/T0/B0/s3cret") == "https://hooks.slack.com/ser…"
    assert len(shown(f"https://{'x' * 400}.example/{'y' * 50}")) == 105
