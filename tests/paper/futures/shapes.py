"""Binance's documented answers of USDS-M futures: each field and its type."""

from ..answering import DECIMAL, Row, Shape

LEVEL = Row(DECIMAL, DECIMAL)
NOTHING = type(None)

SYMBOL = {
    "symbol": str,
    "pair": str,
    "contractType": str,
    "deliveryDate": int,
    "onboardDate": int,
    "status": str,
    "maintMarginPercent": DECIMAL,
    "requiredMarginPercent": DECIMAL,
    "baseAsset": str,
    "quoteAsset": str,
    "marginAsset": str,
    "pricePrecision": int,
    "quantityPrecision": int,
    "baseAssetPrecision": int,
    "quotePrecision": int,
    "underlyingType": str,
    "underlyingSubType": [str],
    "settlePlan": int,
    "triggerProtect": DECIMAL,
    "filters": [{"filterType": str}],
    "orderTypes": [str],
    "timeInForce": [str],
    "liquidationFee": DECIMAL,
    "marketTakeBound": DECIMAL,
}

FILTERS: dict[str, Shape] = {
    "PRICE_FILTER": {"minPrice": DECIMAL, "maxPrice": DECIMAL, "tickSize": DECIMAL},
    "LOT_SIZE": {"minQty": DECIMAL, "maxQty": DECIMAL, "stepSize": DECIMAL},
    "MARKET_LOT_SIZE": {"minQty": DECIMAL, "maxQty": DECIMAL, "stepSize": DECIMAL},
    "MAX_NUM_ORDERS": {"limit": int},
    "MAX_NUM_ALGO_ORDERS": {"limit": int},
    "MIN_NOTIONAL": {"notional": DECIMAL},
    "PERCENT_PRICE": {"multiplierUp": DECIMAL, "multiplierDown": DECIMAL, "multiplierDecimal": DECIMAL},
}

DAY = {
    "symbol": str,
    "priceChange": DECIMAL,
    "priceChangePercent": DECIMAL,
    "weightedAvgPrice": DECIMAL,
    "lastPrice": DECIMAL,
    "lastQty": DECIMAL,
    "openPrice": DECIMAL,
    "highPrice": DECIMAL,
    "lowPrice": DECIMAL,
    "volume": DECIMAL,
    "quoteVolume": DECIMAL,
    "openTime": int,
    "closeTime": int,
    "firstId": int,
    "lastId": int,
    "count": int,
}
PRICE = {"symbol": str, "price": DECIMAL, "time": int}
BEST = {
    "symbol": str,
    "bidPrice": DECIMAL,
    "bidQty": DECIMAL,
    "askPrice": DECIMAL,
    "askQty": DECIMAL,
    "time": int,
}
PUBLIC_TRADE = {
    "id": int,
    "price": DECIMAL,
    "qty": DECIMAL,
    "quoteQty": DECIMAL,
    "time": int,
    "isBuyerMaker": bool,
}
AGGREGATE = {"a": int, "p": DECIMAL, "q": DECIMAL, "f": int, "l": int, "T": int, "m": bool}
PREMIUM = {
    "symbol": str,
    "markPrice": DECIMAL,
    "indexPrice": DECIMAL,
    "estimatedSettlePrice": DECIMAL,
    "lastFundingRate": DECIMAL,
    "interestRate": DECIMAL,
    "nextFundingTime": int,
    "time": int,
}
FUNDING = {"symbol": str, "fundingRate": DECIMAL, "fundingTime": int, "markPrice": DECIMAL}
FUNDING_INFO = {
    "symbol": str,
    "adjustedFundingRateCap": DECIMAL,
    "adjustedFundingRateFloor": DECIMAL,
    "fundingIntervalHours": int,
    "disclaimer": bool,
}

ORDER = {
    "clientOrderId": str,
    "cumQuote": DECIMAL,
    "executedQty": DECIMAL,
    "orderId": int,
    "origQty": DECIMAL,
    "origType": str,
    "price": DECIMAL,
    "reduceOnly": bool,
    "side": str,
    "positionSide": str,
    "status": str,
    "stopPrice": DECIMAL,
    "closePosition": bool,
    "symbol": str,
    "timeInForce": str,
    "type": str,
    "updateTime": int,
    "workingType": str,
    "priceProtect": bool,
    "priceMatch": str,
    "selfTradePreventionMode": str,
    "goodTillDate": int,
}
PLACED = {**ORDER, "cumQty": DECIMAL, "avgPrice": DECIMAL}
CANCELLED = {**ORDER, "cumQty": DECIMAL}
QUERIED = {**ORDER, "avgPrice": DECIMAL, "time": int}
OWN_TRADE = {
    "buyer": bool,
    "commission": DECIMAL,
    "commissionAsset": str,
    "id": int,
    "maker": bool,
    "orderId": int,
    "price": DECIMAL,
    "qty": DECIMAL,
    "quoteQty": DECIMAL,
    "realizedPnl": DECIMAL,
    "side": str,
    "positionSide": str,
    "symbol": str,
    "time": int,
}
ALGO = {
    "algoId": int,
    "clientAlgoId": str,
    "algoType": str,
    "orderType": str,
    "symbol": str,
    "side": str,
    "positionSide": str,
    "timeInForce": str,
    "quantity": DECIMAL,
    "algoStatus": str,
    "triggerPrice": DECIMAL,
    "price": DECIMAL,
    "icebergQuantity": NOTHING,
    "selfTradePreventionMode": str,
    "workingType": str,
    "priceMatch": str,
    "closePosition": bool,
    "priceProtect": bool,
    "reduceOnly": bool,
    "createTime": int,
    "updateTime": int,
    "triggerTime": int,
    "goodTillDate": int,
}
NEW_ALGO = {**ALGO, "activatePrice": str, "callbackRate": str}
QUERIED_ALGO = {
    **ALGO,
    "actualOrderId": str,
    "actualPrice": DECIMAL,
    "tpTriggerPrice": DECIMAL,
    "tpPrice": DECIMAL,
    "slTriggerPrice": DECIMAL,
    "slPrice": DECIMAL,
    "tpOrderType": str,
}
DONE = {"code": int, "msg": str}

MARGINS = {
    "maintMargin": DECIMAL,
    "initialMargin": DECIMAL,
    "positionInitialMargin": DECIMAL,
    "openOrderInitialMargin": DECIMAL,
}
ACCOUNT = {
    "totalInitialMargin": DECIMAL,
    "totalMaintMargin": DECIMAL,
    "totalWalletBalance": DECIMAL,
    "totalUnrealizedProfit": DECIMAL,
    "totalMarginBalance": DECIMAL,
    "totalPositionInitialMargin": DECIMAL,
    "totalOpenOrderInitialMargin": DECIMAL,
    "totalCrossWalletBalance": DECIMAL,
    "totalCrossUnPnl": DECIMAL,
    "availableBalance": DECIMAL,
    "maxWithdrawAmount": DECIMAL,
    "assets": [
        {
            **MARGINS,
            "asset": str,
            "walletBalance": DECIMAL,
            "unrealizedProfit": DECIMAL,
            "marginBalance": DECIMAL,
            "crossWalletBalance": DECIMAL,
            "crossUnPnl": DECIMAL,
            "availableBalance": DECIMAL,
            "maxWithdrawAmount": DECIMAL,
            "updateTime": int,
        }
    ],
    "positions": [
        {
            "symbol": str,
            "positionSide": str,
            "positionAmt": DECIMAL,
            "unrealizedProfit": DECIMAL,
            "isolatedMargin": DECIMAL,
            "notional": DECIMAL,
            "isolatedWallet": DECIMAL,
            "initialMargin": DECIMAL,
            "maintMargin": DECIMAL,
            "updateTime": int,
        }
    ],
}
BALANCE = {
    "accountAlias": str,
    "asset": str,
    "balance": DECIMAL,
    "crossWalletBalance": DECIMAL,
    "crossUnPnl": DECIMAL,
    "availableBalance": DECIMAL,
    "maxWithdrawAmount": DECIMAL,
    "marginAvailable": bool,
    "updateTime": int,
}
POSITION = {
    "symbol": str,
    "positionSide": str,
    "positionAmt": DECIMAL,
    "entryPrice": DECIMAL,
    "breakEvenPrice": DECIMAL,
    "markPrice": DECIMAL,
    "unRealizedProfit": DECIMAL,
    "liquidationPrice": DECIMAL,
    "isolatedMargin": DECIMAL,
    "notional": DECIMAL,
    "isolatedWallet": DECIMAL,
    "updateTime": int,
}
POSITION_V3 = {
    **POSITION,
    **MARGINS,
    "marginAsset": str,
    "adl": int,
    "bidNotional": DECIMAL,
    "askNotional": DECIMAL,
}
POSITION_V2 = {
    **POSITION,
    "leverage": DECIMAL,
    "maxNotionalValue": DECIMAL,
    "marginType": str,
    "isAutoAddMargin": str,
}
SYMBOL_CONFIG = {
    "symbol": str,
    "marginType": str,
    "isAutoAddMargin": str,
    "leverage": int,
    "maxNotionalValue": DECIMAL,
}
ACCOUNT_CONFIG = {
    "feeTier": int,
    "canTrade": bool,
    "canDeposit": bool,
    "canWithdraw": bool,
    "dualSidePosition": bool,
    "updateTime": int,
    "multiAssetsMargin": bool,
    "tradeGroupId": int,
}
BRACKETS = {
    "symbol": str,
    "brackets": [
        {
            "bracket": int,
            "initialLeverage": int,
            "notionalCap": int,
            "notionalFloor": int,
            "maintMarginRatio": float,
            "cum": float,
        }
    ],
}
INCOME = {
    "symbol": str,
    "incomeType": str,
    "income": DECIMAL,
    "asset": str,
    "info": str,
    "time": int,
    "tranId": int,
    "tradeId": str,
}
