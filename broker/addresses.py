"""Rules for URLs and IP addresses: which are private, public or forbidden. Resolves no names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]


def _networks(*texts: str) -> Networks:
    return [ip_network(text) for text in texts]


PRIVATE: Final = _networks(
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",  # shared address space, also Tailscale
    "fc00::/7",
)
"""Networks that NOTIFY_ALLOW_PRIVATE=true allows."""

METADATA: Final = _networks(
    "169.254.0.0/16",  # link-local: most clouds
    "fe80::/10",
    "fd00:ec2::/32",  # AWS
    "fd20:ce::254/128",  # Google
    "fd00:c1::a9fe:a9fe/128",  # Oracle
    "fd00:42::42/128",  # Scaleway
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure
    "192.0.0.0/24",  # Oracle; global in some versions of Python
)
"""Metadata services of clouds, which hold a machine's secrets. Always forbidden."""

CARRIERS: Final = _networks("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
"""IPv6 networks whose addresses contain an IPv4 address, possibly a private one."""


def opens_elsewhere(url: str) -> bool:
    """False if the URL's host is this machine: localhost, or a loopback or unspecified address."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost") or host.startswith("127."):
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return not ((mapped or address).is_loopback or address.is_unspecified)


def is_http(url: str) -> bool:
    """Whether the text is a valid http(s) URL in printable ASCII."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # malformed port or brackets
        return False
    return valid and is_plain(url) and " " not in url


def is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


class Forbidden(Exception):
    """The broker sends nothing to this address. The message says why."""


def is_private(address: Address) -> bool:
    return _within(PRIVATE, address) and not _within(METADATA, address)


def is_public(address: Address) -> bool:
    if _within(METADATA, address) or _within(CARRIERS, address):
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _within(networks: Networks, address: Address) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def checked(addresses: Iterable[str], *, allow_private: bool, allow_public: bool) -> Sequence[str]:
    """Returns the addresses if all are allowed; IPv4-mapped IPv6 becomes IPv4. Raises Forbidden otherwise.

    One forbidden address is enough: a name that resolves to it is not trusted.
    """
    parsed = [_unwrapped(ip_address(text.partition("%")[0])) for text in addresses]
    for address in parsed:
        if is_private(address):
            if not allow_private:
                raise Forbidden("points to a private address; NOTIFY_ALLOW_PRIVATE=true allows it")
        elif not is_public(address):
            raise Forbidden("points to an address that the broker never sends to")
        elif not allow_public:
            raise Forbidden("http is only for private addresses; use https")
    return [str(address) for address in parsed]


def require_reachable(url: str) -> None:
    """Requires https, or http to a private address. A host name is checked later, when it is resolved.

    Raises ValueError.
    """
    if not is_http(url):
        raise ValueError("must be http(s)://host[:port]/path, in printable ASCII without spaces")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not _is_ip(host):
        return
    try:
        checked([host], allow_private=True, allow_public=parts.scheme == "https")
    except Forbidden as why:
        raise ValueError(str(why)) from None


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _unwrapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
