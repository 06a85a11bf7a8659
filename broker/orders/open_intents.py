"""The broker's other open requests, which count when a new one is checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from ..arguments import LeverageArguments
from ..clock import to_ms
from ..intents import Intent, State
from ..store import queries
from .context import AgentContext
from .request import order_in

LATELY_MS: Final = 10_000
"""How long Binance's figures may lag behind a submission, in milliseconds."""

IN_FLIGHT: Final = frozenset({State.SUBMITTING, State.UNKNOWN})


@dataclass(frozen=True, kw_only=True)
class OtherIntents:
    """The other requests of one market.

    `sent`: being sent, with unknown outcome, or placed within the last seconds. `waiting`: waiting for a
    trader. `resting`: placed and still open, as of the last update.

    `used`: today's volume in USDT, all markets together. `used_by_agent`: the agent's own part of it; None
    unless the agent has its own limit.
    """

    sent: Sequence[Intent]
    waiting: Sequence[Intent]
    resting: Sequence[Intent]
    used: Decimal
    used_by_agent: Decimal | None = None

    def changing(self, symbol: str) -> int:
        """How many leverage changes of the symbol are being sent or have an unknown outcome."""
        return sum(
            intent.state is not State.PLACED
            and isinstance(intent.arguments, LeverageArguments)
            and intent.arguments.symbol == symbol
            for intent in self.sent
        )

    def entering(self, symbol: str) -> bool:
        """Whether an order that is not reduce-only is being sent or has an unknown outcome.

        Its card showed the current leverage, which must not change before it is settled.
        """
        orders = [order_in(intent) for intent in self.sent if intent.state in IN_FLIGHT]
        return any(order is not None and order.symbol == symbol and not order.reduce_only for order in orders)


async def read(context: AgentContext, market: str, itself: Intent | None) -> OtherIntents:
    """Read the other requests in one transaction, `itself` excluded.

    Call it before reading figures from Binance, so that the figures are never older than this list.
    """
    now, own_id = context.clock(), "" if itself is None else itself.id
    since_ms = to_ms(now) + context.exchange.on(market).clock_offset_ms - LATELY_MS

    def others(found: Iterable[Intent]) -> list[Intent]:
        return [intent for intent in found if intent.market == market and intent.id != own_id]

    def used_by_agent(connection: Connection) -> Decimal | None:
        if context.agent.max_daily_volume_usdt is None:
            return None
        return queries.daily_volume(connection, now, without=own_id, agent=context.agent.name)

    def transaction(connection: Connection) -> OtherIntents:
        followed = others(queries.followed(connection))
        return OtherIntents(
            sent=others(queries.perhaps_not_shown(connection, market, since_ms)),
            waiting=others(queries.in_states(connection, {State.PENDING})),
            resting=[intent for intent in followed if not intent.order_is_final],
            used=queries.daily_volume(connection, now, without=own_id),
            used_by_agent=used_by_agent(connection),
        )

    return await context.store.read(transaction)
