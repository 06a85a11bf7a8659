"""The filters of a contract, listed and checked (source: Binance's futures "Common Definition: Filters")."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ..http.errors import Refusal
from ..market.orders import Side
from .contracts import Contract
from .errors import notional_too_small, too_many_orders, too_precise

MAX_OPEN_ORDERS = 200
MAX_OPEN_ALGOS = 10


def listed(contract: Contract) -> list[dict[str, Any]]:
    """As exchangeInfo lists them."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": str(contract.tick),
            "maxPrice": str(contract.max_price),
            "tickSize": str(contract.tick),
        },
        _lots("LOT_SIZE", contract, contract.max_quantity),
        _lots("MARKET_LOT_SIZE", contract, contract.max_market_quantity),
        {"filterType": "MAX_NUM_ORDERS", "limit": MAX_OPEN_ORDERS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": MAX_OPEN_ALGOS},
        {"filterType": "MIN_NOTIONAL", "notional": str(contract.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": f"{contract.percent_up:.4f}",
            "multiplierDown": f"{contract.percent_down:.4f}",
            "multiplierDecimal": "4",
        },
    ]


def _lots(name: str, contract: Contract, most: Decimal) -> dict[str, str]:
    return {
        "filterType": name,
        "minQty": str(contract.step),
        "maxQty": str(most),
        "stepSize": str(contract.step),
    }


def check_price(price: Decimal, contract: Contract) -> None:
    """Check a limit or trigger price."""
    if _decimals(price) > contract.price_decimals:
        raise too_precise()
    if price <= 0:
        raise Refusal(-4001, "Price less than or equal to zero.")
    if price > contract.max_price:
        raise Refusal(-4002, f"Price greater than max price {contract.max_price}.")
    if price < contract.tick:
        raise Refusal(-4013, f"Price less than min price {contract.tick}.")
    if price % contract.tick:
        raise Refusal(-4014, "Price not increased by tick size.")


def check_percent(side: Side, price: Decimal, mark: Decimal, contract: Contract) -> None:
    """Check how far a limit price lies on the wrong side of the mark price (PERCENT_PRICE)."""
    highest, lowest = mark * contract.percent_up, mark * contract.percent_down
    if side is Side.BUY and price > highest:
        raise Refusal(-4016, f"Limit price can't be higher than {_plain(highest, contract)}.")
    if side is Side.SELL and price < lowest:
        raise Refusal(-4024, f"Limit price can't be lower than {_plain(lowest, contract)}.")


def check_quantity(quantity: Decimal, contract: Contract, *, at_market: bool) -> None:
    if _decimals(quantity) > contract.quantity_decimals:
        raise too_precise()
    if quantity <= 0:
        raise Refusal(-4003, "Quantity less than or equal to zero.")
    if quantity < contract.step:
        raise Refusal(-4004, f"Quantity less than min quantity {contract.step}.")
    most = contract.max_market_quantity if at_market else contract.max_quantity
    if quantity > most:
        raise Refusal(-4005, f"Quantity greater than max quantity {most}.")


def check_notional(notional: Decimal, contract: Contract) -> None:
    """Check an order that may open or extend a position."""
    if notional < contract.min_notional:
        raise notional_too_small(contract.min_notional)


def check_count(open_orders: Iterable[object]) -> None:
    """`open_orders` are those of the same contract."""
    if sum(1 for _ in open_orders) >= MAX_OPEN_ORDERS:
        raise too_many_orders()


def check_algo_count(waiting: Iterable[object]) -> None:
    if sum(1 for _ in waiting) >= MAX_OPEN_ALGOS:
        raise Refusal(-4045, "Reach max stop order limit.")


def _decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _plain(price: Decimal, contract: Contract) -> str:
    return f"{price:.{contract.price_decimals}f}"
