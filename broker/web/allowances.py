"""Rate limits for password attempts: by name and by address for unknown browsers, else by browser."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from ..clock import Clock
from ..credentials import Vault, same


@dataclass(frozen=True)
class Rate:
    """A burst of attempts, then attempts per second."""

    burst: int
    per_second: float


STRANGERS_PER_NAME: Final = Rate(10, 2)
"""For one name, from all addresses together: at most 172,800 guesses a day at one trader's password."""

STRANGERS_PER_ADDRESS: Final = Rate(20, 4)
"""For one address, over all names."""

PER_BROWSER: Final = Rate(10, 10 / 60)
"""For a browser in which the trader signed in before, and for a session that changes its password."""

MOST_KEPT: Final = 1000
"""Number of allowances above which full ones are dropped."""

IPV6_NETWORK: Final = 64
"""Prefix length of an IPv6 network that providers usually assign to one customer."""


class Allowance:
    """A token bucket."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left = float(rate.burst)
        self._at = clock()

    @property
    def full(self) -> bool:
        self._refill()
        return self._left >= self._rate.burst

    @property
    def seconds_left(self) -> float:
        """Seconds until the next attempt is allowed; 0 if it is allowed now."""
        self._refill()
        return max(0.0, (1 - self._left) / self._rate.per_second)

    def take(self) -> None:
        self._refill()
        self._left -= 1

    def give_back(self) -> None:
        """Return a token: the password was right, so it was no guess."""
        self._left = min(self._rate.burst, self._left + 1)

    def _refill(self) -> None:
        now = self._clock()
        passed = max(timedelta(0), now - self._at).total_seconds()
        self._at = now
        self._left = min(self._rate.burst, self._left + passed * self._rate.per_second)


class Allowances:
    """All allowances, in memory. Full ones may be dropped: a new one is equal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[Hashable, Allowance] = {}

    def of(self, rate: Rate, key: Hashable) -> Allowance:
        """The allowance of this key, created if needed."""
        if len(self._kept) >= MOST_KEPT:
            self._kept = {key: kept for key, kept in self._kept.items() if not kept.full}
        return self._kept.setdefault((rate, key), Allowance(rate, self._clock))


def network(host: str | None) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address: what usually belongs to one person."""
    try:
        address = ip_address((host or "").partition("%")[0])
    except ValueError:
        return host or ""
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or (int(address) >> (128 - IPV6_NETWORK)))
    return str(address)


class Browsers:
    """Recognises browsers in which a trader signed in before, by a device cookie (OWASP's term).

    The cookie is not a credential. It gives the browser its own allowance, so that strangers who guess the
    trader's password cannot lock the trader out. It becomes invalid when the password changes.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def cookie(self, browser: str, trader: str, hashed: str) -> str:
        """The cookie's value. `browser`: a new unique id. `hashed`: the trader's password hash."""
        return f"{browser}.{self._seal(browser, trader, hashed)}"

    def known(self, cookie: str | None, trader: str, hashed: str | None) -> str | None:
        """The browser's id. None unless this trader signed in there with the current password."""
        browser, dot, seal = (cookie or "").partition(".")
        if not dot or hashed is None or not seal.isascii():
            return None
        return browser if same(seal, self._seal(browser, trader, hashed)) else None

    def _seal(self, browser: str, trader: str, hashed: str) -> str:
        return self._vault.token("browser", browser, trader, hashed)
