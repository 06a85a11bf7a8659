"""Balances: MEDIUM risk, runs at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from ..exchange import Balance
from ..orders.valuation import equity
from .declaration import Call, Input, MarketName, Number, Output, Risk, Tool


class AccountInput(Input):
    market: MarketName = "spot"


class AssetBalance(Output):
    asset: str
    free: Number
    locked: Number
    total: Number


class AccountAnswer(Output):
    accountType: str
    balances: list[AssetBalance]
    totalUSDT: Number
    canTrade: bool
    canWithdraw: Annotated[
        bool, Field(description="Of the account, as Binance reports it; not of the API key.")
    ]
    updateTime: int


async def _account(call: Call, arguments: AccountInput) -> AccountAnswer:
    return await (_spot(call) if arguments.market == "spot" else _futures(call))


async def _spot(call: Call) -> AccountAnswer:
    account = await call.exchange.spot.account()
    prices = await call.exchange.spot.last_prices()
    return AccountAnswer(
        accountType="SPOT",
        balances=_balances(account.balances),
        totalUSDT=round(equity(account, prices), 8),
        canTrade=account.can_trade,
        canWithdraw=account.can_withdraw,
        updateTime=account.update_time_ms,
    )


async def _futures(call: Call) -> AccountAnswer:
    account = await call.exchange.futures.account()
    return AccountAnswer(
        accountType="FUTURES",
        balances=_balances(account.balances),
        totalUSDT=account.equity_usdt,
        canTrade=account.can_trade,
        canWithdraw=account.can_withdraw,
        updateTime=account.update_time_ms,
    )


def _balances(balances: Iterable[Balance]) -> list[AssetBalance]:
    return [
        AssetBalance(asset=item.asset, free=item.free, locked=item.locked, total=item.total)
        for item in balances
        if item.total > 0
    ]


TOOLS = (
    Tool(
        name="binance_get_account",
        title="Balances",
        description="The non-zero balances of the spot account (the default) or the futures account, each in "
        "its own asset, and totalUSDT, their value. locked is reserved for open orders; on futures, free "
        "is what can be used as margin.",
        risk=Risk.MEDIUM,
        input=AccountInput,
        output=AccountAnswer,
        run=_account,
    ),
)
