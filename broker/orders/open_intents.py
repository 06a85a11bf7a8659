"""The broker's own requests beside one that is weighed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from ..clock import to_ms
from ..intents import Intent, State
from ..store import queries
from ..tools.declaration import Context
from .request import order_in

LATELY_MS: Final = 10_000
"""How long after a submission Binance's figures may lag behind it."""

IN_FLIGHT: Final = frozenset({State.SUBMITTING, State.UNKNOWN})


@dataclass(frozen=True, kw_only=True)
class Own:
    """Of one market, without the request itself. `used` is the day's volume of all markets, in USDT, and
    `used_by_agent` that of the agent alone, where it has a limit of its own.

    `sent`: being sent, of unknown outcome, or placed within the last seconds. `waiting`: for a trader.
    `resting`: placed and open, as last followed.
    """

    sent: Sequence[Intent]
    waiting: Sequence[Intent]
    resting: Sequence[Intent]
    used: Decimal
    used_by_agent: Decimal | None = None

    def changing(self, symbol: str) -> int:
        """How many changes of a symbol's leverage are under way, or of unknown outcome."""
        return sum(
            intent.state is not State.PLACED
            and "leverage" in intent.arguments
            and intent.arguments["symbol"] == symbol
            for intent in self.sent
        )

    def entering(self, symbol: str) -> bool:
        """Whether an order that adds to the exposure, at the leverage of its card, is being sent, or of
        unknown outcome.
        """
        orders = [order_in(intent) for intent in self.sent if intent.state in IN_FLIGHT]
        return any(order is not None and order.symbol == symbol and not order.reduce_only for order in orders)


async def read(context: Context, market: str, itself: Intent | None) -> Own:
    """In one transaction. Before any figure is asked for: what was placed by now, all of those may show."""
    now, without = context.clock(), "" if itself is None else itself.id
    since_ms = to_ms(now) + context.exchange.on(market).clock_offset_ms - LATELY_MS

    def others(found: Iterable[Intent]) -> list[Intent]:
        return [intent for intent in found if intent.market == market and intent.id != without]

    def used_by_agent(connection: Connection) -> Decimal | None:
        if context.agent is None or context.agent.max_daily_volume_usdt is None:
            return None
        return queries.daily_volume(connection, now, without=without, agent=context.agent.name)

    def transaction(connection: Connection) -> Own:
        followed = others(queries.followed(connection))
        return Own(
            sent=others(queries.perhaps_unseen(connection, market, since_ms)),
            waiting=others(queries.in_states(connection, {State.PENDING})),
            resting=[intent for intent in followed if not intent.order_is_final],
            used=queries.daily_volume(connection, now, without=without),
            used_by_agent=used_by_agent(connection),
        )

    own: Own = await context.store.read(transaction)
    return own
