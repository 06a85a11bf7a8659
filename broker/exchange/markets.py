"""Symbols and their rules, loaded with one exchangeInfo request and cached in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from .models import Market, Rules
from .read_errors import MAX_SYMBOL, unavailable, unknown_symbol

FRESH: Final = timedelta(hours=1)

KEPT: Final = (
    "symbol",
    "status",
    "baseAsset",
    "quoteAsset",
    "baseAssetPrecision",
    "quotePrecision",
    "orderTypes",
    "permissions",
    "isSpotTradingAllowed",
    "isMarginTradingAllowed",
    # of futures
    "contractType",
    "marginAsset",
    "deliveryDate",
    "onboardDate",
    "pricePrecision",
    "quantityPrecision",
)

KEPT_FILTERS: Final = frozenset(
    {
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "NOTIONAL",
        "MIN_NOTIONAL",
        "PERCENT_PRICE_BY_SIDE",
        "PERCENT_PRICE",
    }
)

MARGIN_ASSET: Final = "USDT"

Raw = dict[str, Any]


NOT_LOADED: Final = "its symbols are not loaded yet"


class Markets:
    """The symbols of one client, shared with other clients (`companions`)."""

    def __init__(self, market: Market, client: Any, companions: Sequence[Any] = ()) -> None:
        self._market = market
        self._client = client
        self._companions = list(companions)
        self._rules: dict[str, Rules] = {}

    def accompany(self, client: Any) -> None:
        """Add a client that shares these markets, also after changes."""
        self._companions.append(client)
        if self.ready:
            client.set_markets_from_exchange(self._client)

    @property
    def ready(self) -> bool:
        return bool(self._client.markets)

    def require(self) -> None:
        """Raises BINANCE_UNAVAILABLE while the markets are not loaded."""
        if not self.ready:
            raise unavailable(NOT_LOADED)

    @property
    def problem(self) -> str | None:
        """Message while the markets are not loaded, else None."""
        return None if self.ready else unavailable(NOT_LOADED).message

    def knows(self, symbol: str) -> bool:
        return symbol in self._client.markets_by_id

    def take(self, symbols: Sequence[Raw]) -> None:
        """Use these trimmed symbols in all clients. Raises an exception if they cannot be read."""
        self._client.options.update(crossMarginPairsData=[], isolatedMarginPairsData=[])
        parsed = [self._client.parse_market(symbol) for symbol in symbols]
        markets = [market for market in parsed if market is not None]
        if not markets:
            raise ValueError("no markets found")
        self._client.set_markets(markets)
        for companion in self._companions:
            companion.set_markets_from_exchange(self._client)
        self._rules.clear()

    def symbol(self, text: str) -> str:
        """Binance's id for an id or a unified symbol.

        Raises UNKNOWN_SYMBOL, or BINANCE_UNAVAILABLE while the markets are not loaded.
        """
        self.require()
        if len(text) <= MAX_SYMBOL:
            if self.knows(text):
                return text
            for unified in (text, f"{text}:{MARGIN_ASSET}"):
                if unified in self._client.markets:
                    return str(self._client.markets[unified]["id"])
        raise unknown_symbol(text, self._market)

    def rules(self, symbol: str) -> Rules:
        """A symbol's rules. Raises like `symbol`."""
        known = self.symbol(symbol)
        if known not in self._rules:
            try:
                self._rules[known] = rules_of(self._client.markets_by_id[known][0]["info"])
            except (KeyError, ArithmeticError):
                raise unavailable(f"its rules for {known} cannot be read") from None
        return self._rules[known]


def trim(symbol: Raw) -> Raw:
    """Keep only the fields of a symbol that the broker and ccxt need: 1 KB instead of 6 KB."""
    kept = {name: symbol[name] for name in KEPT if name in symbol}
    return kept | {"filters": [item for item in symbol["filters"] if item["filterType"] in KEPT_FILTERS]}


def is_traded(symbol: Raw) -> bool:
    """Whether the broker trades the symbol: all of spot, and USDT-margined perpetuals."""
    if "contractType" not in symbol:
        return True
    return (symbol["contractType"], symbol["marginAsset"]) == ("PERPETUAL", MARGIN_ASSET)


def rules_of(info: Raw) -> Rules:
    """The rules in a symbol's filters. Raises KeyError if a mandatory filter is missing."""
    filters = {item["filterType"]: item for item in info["filters"]}
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    market_lot = filters.get("MARKET_LOT_SIZE", lot)
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    least = Decimal(notional.get("minNotional") or notional.get("notional") or "0")
    most = _limit(notional, "maxNotional")
    band = _band(filters, futures="contractType" in info)
    return Rules(
        symbol=info["symbol"],
        base=info["baseAsset"],
        quote=info["quoteAsset"],
        tick=Decimal(price["tickSize"]),
        step=Decimal(lot["stepSize"]),
        min_amount=Decimal(lot["minQty"]),
        max_amount=Decimal(lot["maxQty"]),
        market_min_amount=max(Decimal(lot["minQty"]), Decimal(market_lot["minQty"])),
        market_max_amount=min(Decimal(lot["maxQty"]), _limit(market_lot, "maxQty") or Decimal(lot["maxQty"])),
        min_notional=least,
        max_notional=most,
        market_min_notional=least if _applies_to_market_orders(notional, "applyMinToMarket") else Decimal(0),
        market_max_notional=most if _applies_to_market_orders(notional, "applyMaxToMarket") else None,
        by_last_price=notional.get("avgPriceMins") == 0,
        min_price=Decimal(price["minPrice"]),
        max_price=_limit(price, "maxPrice"),
        bid_up=_limit(band, "bidMultiplierUp"),
        bid_down=_limit(band, "bidMultiplierDown"),
        ask_up=_limit(band, "askMultiplierUp"),
        ask_down=_limit(band, "askMultiplierDown"),
        active=info["status"] == "TRADING" and info.get("isSpotTradingAllowed", True),
        order_types=frozenset(info["orderTypes"]),
    )


def _band(filters: Mapping[str, Raw], *, futures: bool) -> Mapping[str, Any]:
    """Price band multipliers. Futures limit only high buys and low sells (Binance: PERCENT_PRICE)."""
    if not futures:
        return filters.get("PERCENT_PRICE_BY_SIDE", {})
    both = filters.get("PERCENT_PRICE", {})
    return {
        "bidMultiplierUp": both.get("multiplierUp", "0"),
        "askMultiplierDown": both.get("multiplierDown", "0"),
    }


def _applies_to_market_orders(notional: Mapping[str, Any], name: str) -> bool:
    """Whether a notional limit applies to market orders. NOTIONAL has a flag for each limit, MIN_NOTIONAL one
    flag; on futures the limit applies to all orders.
    """
    return bool(notional.get(name, notional.get("applyToMarket", True)))


def _limit(values: Mapping[str, Any], name: str) -> Decimal | None:
    """None if missing or zero: Binance uses zero for "no limit"."""
    return Decimal(values.get(name, "0")) or None


class Cache:
    """A file with the trimmed symbols. It contains no secrets."""

    def __init__(self, path: Path, mode: str) -> None:
        self._path = path
        self._mode = mode

    def read(self, now: datetime) -> list[Raw] | None:
        """The cached symbols; None if the file is missing, older than an hour, or of another mode."""
        try:
            kept = json.loads(self._path.read_bytes())
            age = now - datetime.fromisoformat(kept["savedAt"])
            if kept["mode"] != self._mode or not timedelta(0) <= age < FRESH:
                return None
            return list(kept["symbols"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, symbols: Sequence[Raw], now: datetime) -> None:
        kept = {"mode": self._mode, "savedAt": now.isoformat(), "symbols": symbols}
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(kept), encoding="utf-8")
        temporary.replace(self._path)
