"""`python -m bench.many_markets`: an exchange with thousands of symbols that answers only exchangeInfo."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.paper.market.symbols import SPOT

from .serving import new_event_loop, serve

SPOT_SYMBOLS, FUTURES_SYMBOLS = 3_500, 700
WEIGHT = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000}
ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"]
FUTURES_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"]
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00000", "stepSize": "0.00001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000", "maxQty": "110.00000", "stepSize": "0.00000"},
    {"filterType": "ICEBERG_PARTS", "limit": 100},
    {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000},
    {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
]
BAND = {
    "filterType": "PERCENT_PRICE_BY_SIDE",
    "bidMultiplierUp": "5",
    "bidMultiplierDown": "0.2",
    "askMultiplierUp": "5",
    "askMultiplierDown": "0.2",
    "avgPriceMins": 5,
}
NOTIONAL = {"filterType": "NOTIONAL", "minNotional": "5.00", "maxNotional": "9000000.00", "avgPriceMins": 5}


def names(count: int) -> list[str]:
    real = [symbol.base for symbol in SPOT]
    return [*real, *(f"C{number:04d}" for number in range(count - len(real)))]


def spot() -> dict[str, Any]:
    symbols = [
        {
            "symbol": f"{base}USDT",
            "status": "TRADING",
            "baseAsset": base,
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": ORDER_TYPES,
            "icebergAllowed": True,
            "ocoAllowed": True,
            "otoAllowed": True,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": True,
            "cancelReplaceAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": True,
            "filters": [*FILTERS, BAND, NOTIONAL],
            "permissions": [],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
        }
        for base in names(SPOT_SYMBOLS)
    ]
    return {"timezone": "UTC", "serverTime": 0, "rateLimits": [WEIGHT], "symbols": symbols}


def futures() -> dict[str, Any]:
    symbols = [
        {
            "symbol": f"{base}USDT",
            "pair": f"{base}USDT",
            "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000,
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "pricePrecision": 2,
            "quantityPrecision": 3,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "orderTypes": FUTURES_TYPES,
            "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
            "filters": [*FILTERS[:3], {"filterType": "MIN_NOTIONAL", "notional": "100"}],
        }
        for base in names(FUTURES_SYMBOLS)
    ]
    return {"timezone": "UTC", "serverTime": 0, "rateLimits": [WEIGHT], "symbols": symbols}


def main() -> None:
    app = Starlette(
        routes=[
            Route("/api/v3/time", _time),
            Route("/fapi/v1/time", _time),
            Route("/api/v3/exchangeInfo", _once(spot())),
            Route("/fapi/v1/exchangeInfo", _once(futures())),
        ]
    )
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(app))


async def _time(_: Request) -> Response:
    return JSONResponse({"serverTime": int(time.time() * 1000)})


def _once(body: dict[str, Any]) -> Callable[[Request], Response]:
    encoded = json.dumps(body).encode()

    def answer(_: Request) -> Response:
        return Response(encoded, media_type="application/json")

    return answer


if __name__ == "__main__":
    main()
