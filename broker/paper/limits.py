"""How much may be asked: request weight per minute, orders per ten seconds (Binance's LIMITS).

Both are counted in windows of the clock, as Binance counts them.
"""

from dataclasses import dataclass

from broker.paper.errors import Refusal

MINUTE_MS = 60_000
TEN_SECONDS_MS = 10_000


@dataclass(slots=True)
class Counter:
    length_ms: int
    limit: int
    used: int = 0
    _window: int = -1

    def add(self, amount: int, now: int) -> int:
        """What is used in the window, with this."""
        window = now // self.length_ms
        if window != self._window:
            self._window, self.used = window, 0
        self.used += amount
        return self.used

    def seconds_left(self, now: int) -> int:
        return -(-(self.length_ms - now % self.length_ms) // 1000)


class Limits:
    def __init__(self, weight_per_minute: int = 6_000, orders_per_ten_seconds: int = 100) -> None:
        self.weight = Counter(MINUTE_MS, weight_per_minute)
        self.orders = Counter(TEN_SECONDS_MS, orders_per_ten_seconds)

    def spend(self, weight: int, now: int) -> dict[str, str]:
        """The headers of the answer. Refused with 429 when it is too much."""
        used = self.weight.add(weight, now)
        headers = {"X-MBX-USED-WEIGHT": str(used), "X-MBX-USED-WEIGHT-1M": str(used)}
        if used <= self.weight.limit:
            return headers
        msg = (
            f"Too much request weight used; current limit is {self.weight.limit} request weight "
            "per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        )
        raise Refusal(-1003, msg, 429, {**headers, "Retry-After": str(self.weight.seconds_left(now))})

    def count_order(self, now: int) -> dict[str, str]:
        used = self.orders.add(1, now)
        if used > self.orders.limit:
            msg = f"Too many new orders; current limit is {self.orders.limit} orders per 10 SECOND."
            raise Refusal(-1015, msg, 429)
        return {"X-MBX-ORDER-COUNT-10S": str(used)}

    def listed(self) -> list[dict[str, str | int]]:
        """As exchangeInfo lists them."""
        return [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": self.weight.limit,
            },
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self.orders.limit},
        ]
