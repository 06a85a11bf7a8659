"""The JSON of Binance's answers about the futures account, with all documented fields."""

from decimal import Decimal
from typing import Any

from ..market.amounts import ZERO, text
from .contracts import Bracket, Contract
from .margin import MAKER_FEE, TAKER_FEE, Exposure, Summary
from .positions import Position

Json = dict[str, Any]


def account(summary: Summary) -> Json:
    return {
        "totalInitialMargin": text(summary.position_margin + summary.order_margin),
        "totalMaintMargin": text(summary.maintenance_margin),
        "totalWalletBalance": text(summary.wallet.balance),
        "totalUnrealizedProfit": text(summary.unrealized),
        "totalMarginBalance": text(summary.margin_balance),
        "totalPositionInitialMargin": text(summary.position_margin),
        "totalOpenOrderInitialMargin": text(summary.order_margin),
        "totalCrossWalletBalance": text(summary.cross_wallet),
        "totalCrossUnPnl": text(summary.cross_unrealized),
        "availableBalance": text(summary.available),
        "maxWithdrawAmount": text(_withdrawable(summary)),
        "assets": [_asset(summary)],
        "positions": [_held(exposure) for exposure in used(summary)],
    }


def balance(summary: Summary) -> Json:
    return {
        "accountAlias": "paper",
        "asset": summary.wallet.asset,
        "balance": text(summary.wallet.balance),
        "crossWalletBalance": text(summary.cross_wallet),
        "crossUnPnl": text(summary.cross_unrealized),
        "availableBalance": text(summary.available),
        "maxWithdrawAmount": text(_withdrawable(summary)),
        "marginAvailable": True,
        "updateTime": summary.wallet.updated,
    }


def used(summary: Summary) -> list[Exposure]:
    """Return the exposures that have a position or open orders."""
    return [
        exposure
        for exposure in summary.exposures
        if exposure.position.amount or exposure.bids or exposure.asks
    ]


def position_risk(summary: Summary, exposure: Exposure) -> Json:
    """The answer of version 3."""
    position = exposure.position
    return {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": text(position.amount),
        "entryPrice": text(position.entry_price),
        "breakEvenPrice": text(position.break_even_price),
        "markPrice": text(exposure.mark),
        "unRealizedProfit": text(exposure.unrealized),
        "liquidationPrice": text(summary.liquidation_price(exposure)),
        "isolatedMargin": text(_isolated_margin(exposure)),
        "notional": text(exposure.notional),
        "marginAsset": summary.wallet.asset,
        "isolatedWallet": text(position.isolated_wallet),
        "initialMargin": text(exposure.initial_margin),
        "maintMargin": text(exposure.maintenance_margin),
        "positionInitialMargin": text(exposure.position_margin),
        "openOrderInitialMargin": text(exposure.order_margin),
        "adl": 1 if position.amount else 0,
        "bidNotional": text(exposure.bids),
        "askNotional": text(exposure.asks),
        "updateTime": position.updated,
    }


def position_risk_v2(summary: Summary, exposure: Exposure) -> Json:
    position, leverage = exposure.position, exposure.position.leverage
    return {
        "symbol": position.symbol,
        "positionAmt": text(position.amount),
        "entryPrice": text(position.entry_price),
        "breakEvenPrice": text(position.break_even_price),
        "markPrice": text(exposure.mark),
        "unRealizedProfit": text(exposure.unrealized),
        "liquidationPrice": text(summary.liquidation_price(exposure)),
        "leverage": str(leverage),
        "maxNotionalValue": str(exposure.contract.max_notional_at(leverage)),
        "marginType": "isolated" if position.is_isolated else "cross",
        "isolatedMargin": text(_isolated_margin(exposure)),
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notional": text(exposure.notional),
        "isolatedWallet": text(position.isolated_wallet),
        "updateTime": position.updated,
    }


def account_config(*, can_withdraw: bool, dual_side: bool) -> Json:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": can_withdraw,
        "dualSidePosition": dual_side,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def symbol_config(contract: Contract, position: Position) -> Json:
    return {
        "symbol": contract.name,
        "marginType": position.margin_type.value,
        "isAutoAddMargin": "false",
        "leverage": position.leverage,
        "maxNotionalValue": str(contract.max_notional_at(position.leverage)),
    }


def leverage_brackets(contract: Contract) -> Json:
    return {
        "symbol": contract.name,
        "brackets": [_bracket(bracket) for bracket in contract.brackets],
    }


def leverage(contract: Contract, position: Position) -> Json:
    return {
        "leverage": position.leverage,
        "maxNotionalValue": str(contract.max_notional_at(position.leverage)),
        "symbol": contract.name,
    }


def commission_rate(symbol: str) -> Json:
    return {
        "symbol": symbol,
        "makerCommissionRate": str(MAKER_FEE),
        "takerCommissionRate": str(TAKER_FEE),
        "rpiCommissionRate": "0",
    }


def _asset(summary: Summary) -> Json:
    return {
        "asset": summary.wallet.asset,
        "walletBalance": text(summary.wallet.balance),
        "unrealizedProfit": text(summary.unrealized),
        "marginBalance": text(summary.margin_balance),
        "maintMargin": text(summary.maintenance_margin),
        "initialMargin": text(summary.position_margin + summary.order_margin),
        "positionInitialMargin": text(summary.position_margin),
        "openOrderInitialMargin": text(summary.order_margin),
        "crossWalletBalance": text(summary.cross_wallet),
        "crossUnPnl": text(summary.cross_unrealized),
        "availableBalance": text(summary.available),
        "maxWithdrawAmount": text(_withdrawable(summary)),
        "updateTime": summary.wallet.updated,
    }


def _held(exposure: Exposure) -> Json:
    return {
        "symbol": exposure.position.symbol,
        "positionSide": "BOTH",
        "positionAmt": text(exposure.position.amount),
        "unrealizedProfit": text(exposure.unrealized),
        "isolatedMargin": text(_isolated_margin(exposure)),
        "notional": text(exposure.notional),
        "isolatedWallet": text(exposure.position.isolated_wallet),
        "initialMargin": text(exposure.initial_margin),
        "maintMargin": text(exposure.maintenance_margin),
        "updateTime": exposure.position.updated,
    }


def _bracket(bracket: Bracket) -> Json:
    """Like Binance, use numbers here, not strings."""
    return {
        "bracket": bracket.number,
        "initialLeverage": bracket.max_leverage,
        "notionalCap": int(bracket.cap),
        "notionalFloor": int(bracket.floor),
        "maintMarginRatio": float(bracket.rate),
        "cum": float(bracket.cum),
    }


def _isolated_margin(exposure: Exposure) -> Decimal:
    is_isolated = exposure.position.is_isolated and exposure.position.amount
    return exposure.position.isolated_wallet + exposure.unrealized if is_isolated else ZERO


def _withdrawable(summary: Summary) -> Decimal:
    """Unrealised profit cannot be withdrawn."""
    return max(ZERO, min(summary.available, summary.cross_wallet))
