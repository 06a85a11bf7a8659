"""Rate limits: request weight per minute, orders per ten seconds and per minute (Binance's LIMITS).

Like Binance, it counts in windows of the clock, and bans a client that ignores the limit.
"""

from dataclasses import dataclass

from .errors import Refusal

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000
MAX_IGNORED = 10
"""How many refusals per minute a client may ignore before it is banned."""
BAN_MS = 120_000


@dataclass(slots=True)
class Counter:
    length_ms: int
    limit: int
    used: int = 0
    _window: int = -1

    def add(self, amount: int, now: int) -> int:
        """Add the amount, and return what is used in the current window."""
        window = now // self.length_ms
        if window != self._window:
            self._window, self.used = window, 0
        self.used += amount
        return self.used

    def seconds_left(self, now: int) -> int:
        return -(-(self.length_ms - now % self.length_ms) // 1000)


class Limits:
    def __init__(
        self,
        weight_per_minute: int = 6_000,
        orders_per_ten_seconds: int = 100,
        orders_per_minute: int | None = None,
    ) -> None:
        """The defaults are spot's. Futures also limit orders per minute."""
        self.weight = Counter(MINUTE_MS, weight_per_minute)
        self.orders = Counter(TEN_SECONDS_MS, orders_per_ten_seconds)
        self.minute_orders = orders_per_minute and Counter(MINUTE_MS, orders_per_minute)
        self._ignored = Counter(MINUTE_MS, MAX_IGNORED)
        self._banned_until = 0

    @classmethod
    def of_futures(cls) -> "Limits":
        return cls(2_400, 300, 1_200)

    def spend(self, weight: int, now: int) -> dict[str, str]:
        """Count weight; return the headers. Raises Refusal with 429 above the limit, 418 if banned."""
        if now < self._banned_until:
            raise self._banned(now)
        used = self.weight.add(weight, now)
        headers = {"X-MBX-USED-WEIGHT": str(used), "X-MBX-USED-WEIGHT-1M": str(used)}
        if used <= self.weight.limit:
            return headers
        if self._ignored.add(1, now) > self._ignored.limit:
            self._banned_until = now + BAN_MS
            raise self._banned(now)
        msg = (
            f"Too much request weight used; current limit is {self.weight.limit} request weight "
            "per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        )
        raise Refusal(-1003, msg, 429, {**headers, "Retry-After": str(self.weight.seconds_left(now))})

    def count_order(self, now: int) -> dict[str, str]:
        used = self.orders.add(1, now)
        if used > self.orders.limit:
            raise _too_many_orders(self.orders.limit, "10 SECOND")
        headers = {"X-MBX-ORDER-COUNT-10S": str(used)}
        if not self.minute_orders:
            return headers
        in_minute = self.minute_orders.add(1, now)
        if in_minute > self.minute_orders.limit:
            raise _too_many_orders(self.minute_orders.limit, "1 MINUTE")
        return headers | {"X-MBX-ORDER-COUNT-1M": str(in_minute)}

    def listed(self) -> list[dict[str, str | int]]:
        """As exchangeInfo lists them."""
        listed = [
            _listed("REQUEST_WEIGHT", "MINUTE", 1, self.weight.limit),
            _listed("ORDERS", "SECOND", 10, self.orders.limit),
        ]
        if self.minute_orders:
            listed.append(_listed("ORDERS", "MINUTE", 1, self.minute_orders.limit))
        return listed

    def _banned(self, now: int) -> Refusal:
        msg = (
            f"Way too much request weight used; IP banned until {self._banned_until}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        seconds = -(-(self._banned_until - now) // 1000)
        return Refusal(-1003, msg, 418, {"Retry-After": str(seconds)})


def _too_many_orders(limit: int, interval: str) -> Refusal:
    return Refusal(-1015, f"Too many new orders; current limit is {limit} orders per {interval}.", 429)


def _listed(kind: str, interval: str, number: int, limit: int) -> dict[str, str | int]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
