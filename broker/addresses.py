"""What an http address says of itself, as text: nothing is looked up."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit


def opens_elsewhere(url: str) -> bool:
    """False for this machine, by any of its names that can be told from their text."""
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
    """Whether something can be asked there; what cannot would be found out only when it is needed."""
    try:
        parts = urlsplit(url)
        asked = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of its port or its brackets
        return False
    return asked and is_plain(url) and " " not in url


def is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
