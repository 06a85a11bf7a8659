"""The error answers of USDT-M futures that differ from spot's (source: Binance's `error-code` page)."""

from decimal import Decimal

from ..http.errors import Refusal


def no_such_order() -> Refusal:
    return Refusal(-2013, "Order does not exist.")


def margin_insufficient() -> Refusal:
    return Refusal(-2019, "Margin is insufficient.")


def would_trigger() -> Refusal:
    return Refusal(-2021, "Order would immediately trigger.")


def reduce_only_rejected() -> Refusal:
    return Refusal(-2022, "ReduceOnly Order is rejected.")


def too_many_orders() -> Refusal:
    return Refusal(-2025, "Reach max open order limit.")


def above_bracket() -> Refusal:
    return Refusal(-2027, "Exceeded the maximum allowable position at current leverage.")


def leverage_needs_margin() -> Refusal:
    return Refusal(-2028, "Leverage is smaller than permitted: insufficient margin balance.")


def too_precise() -> Refusal:
    return Refusal(-1111, "Precision is over the maximum defined for this asset.")


def invalid_leverage(leverage: int) -> Refusal:
    return Refusal(-4028, f"Leverage {leverage} is not valid")


def duplicate_client_id() -> Refusal:
    return Refusal(-4116, "ClientOrderId is duplicated.")


def algo_only() -> Refusal:
    msg = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
    return Refusal(-4120, msg)


def no_counterparty() -> Refusal:
    msg = "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
    return Refusal(-4131, msg)


def position_side_mismatch() -> Refusal:
    return Refusal(-4061, "Order's position side does not match user's setting.")


def notional_too_small(least: Decimal) -> Refusal:
    return Refusal(
        -4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only)."
    )


def fok_unfilled() -> Refusal:
    return Refusal(
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history",
    )


def post_only_takes() -> Refusal:
    return Refusal(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    )
