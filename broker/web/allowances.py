"""How often passwords may be tried: for strangers by name and by address, else by browser."""

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
    """So many attempts at once, and from then on so many a second."""

    at_once: int
    per_second: float


STRANGERS_PER_NAME: Final = Rate(10, 2)
"""Over all addresses together: 172,800 guesses a day at one trader's password."""

STRANGERS_PER_ADDRESS: Final = Rate(20, 4)
"""Over all names together."""

PER_BROWSER: Final = Rate(10, 10 / 60)
"""For one browser that signed in as the trader before, and for one session that changes its password."""

MOST_KEPT: Final = 1000
IPV6_NETWORK: Final = 64
"""Bits of an IPv6 address that one customer usually has to themselves."""


class Allowance:
    """A token bucket."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left = float(rate.at_once)
        self._at = clock()

    @property
    def full(self) -> bool:
        self._refill()
        return self._left >= self._rate.at_once

    @property
    def seconds_left(self) -> float:
        """Until one more attempt is allowed; 0 when it is now."""
        self._refill()
        return max(0.0, (1 - self._left) / self._rate.per_second)

    def take(self) -> None:
        self._refill()
        self._left -= 1

    def give_back(self) -> None:
        """The attempt was right, so it was no guess."""
        self._left = min(self._rate.at_once, self._left + 1)

    def _refill(self) -> None:
        now = self._clock()
        passed = max(timedelta(0), now - self._at).total_seconds()
        self._at = now
        self._left = min(self._rate.at_once, self._left + passed * self._rate.per_second)


class Allowances:
    """In memory. One that is full again is forgotten: a new one would say the same."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[Hashable, Allowance] = {}

    def of(self, rate: Rate, key: Hashable) -> Allowance:
        if len(self._kept) >= MOST_KEPT:
            self._kept = {key: kept for key, kept in self._kept.items() if not kept.full}
        return self._kept.setdefault((rate, key), Allowance(rate, self._clock))


def network(host: str | None) -> str:
    """What one person connects from: an IPv4 address, or the network of an IPv6 address."""
    try:
        address = ip_address((host or "").partition("%")[0])
    except ValueError:
        return host or ""
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or (int(address) >> (128 - IPV6_NETWORK)))
    return str(address)


class Browsers:
    """Knows browsers that signed in before, by a cookie that says so (OWASP calls it a device cookie).

    It lets nobody in. It only gives the browser an allowance of its own, so that strangers who guess at its
    trader's password cannot use that up. It ends when the password is changed.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def cookie(self, browser: str, trader: str, hashed: str) -> str:
        """`browser` is any id that is new; `hashed` is the trader's password hash."""
        return f"{browser}.{self._seal(browser, trader, hashed)}"

    def known(self, cookie: str | None, trader: str, hashed: str | None) -> str | None:
        """The browser's id, None unless it signed in as this trader with the password of now."""
        browser, dot, seal = (cookie or "").partition(".")
        if not dot or hashed is None or not seal.isascii():
            return None
        return browser if same(seal, self._seal(browser, trader, hashed)) else None

    def _seal(self, browser: str, trader: str, hashed: str) -> str:
        return self._vault.token("browser", browser, trader, hashed)
