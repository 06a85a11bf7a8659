"""The risk checks: compare figures with limits. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from .cards import Check
from .errors import BrokerError, Code
from .money import Side, in_unit, percent, plain, signed_percent

NEAR = Decimal("0.8")
"""A figure above this fraction of its limit is `near`: the card shows it unfolded."""


def balance(asset: str, needed: Decimal | None, free: Decimal | None) -> Check:
    """Check 1, spot: the free balance covers the order. Enforced for exits too."""
    return _check("balance", f"Free {asset}", needed, free, asset, enforced=True)


def margin(needed_usdt: Decimal | None, available_usdt: Decimal | None) -> Check:
    """Check 1, futures: the available margin covers the additional margin with fees."""
    return _check("balance", "Available margin", needed_usdt, available_usdt, "USDT", enforced=True)


def order_value(
    value_usdt: Decimal | None, limit_usdt: Decimal, *, is_exit: bool, own: bool = False
) -> Check:
    """Check 2: the order's value. `own`, here and below: the limit is the agent's own."""
    label = "Order value (agent's limit)" if own else "Order value"
    return _check("order_value", label, value_usdt, limit_usdt, "USDT", enforced=not is_exit)


def daily_volume(
    used_usdt: Decimal, value_usdt: Decimal | None, limit_usdt: Decimal, *, is_exit: bool, own: bool = False
) -> Check:
    """Check 3: the UTC day's volume including this order, of all agents or (`own`) of its agent alone."""
    total = None if value_usdt is None else used_usdt + value_usdt
    name, label = ("agent_daily_volume", "Agent's volume") if own else ("daily_volume", "Volume")
    return _check(name, f"{label} today with this", total, limit_usdt, "USDT", enforced=not is_exit)


def position(
    label: str,
    value_usdt: Decimal | None,
    equity_usdt: Decimal | None,
    limit_pct: Decimal,
    *,
    enforced: bool = True,
) -> Check:
    """Check 4: the position after the order, limited to a percentage of the market's equity. The caller does
    not enforce it if the order reduces the position.
    """
    limit = None if equity_usdt is None else equity_usdt * limit_pct / 100
    return _check("position", label, value_usdt, limit, "USDT", enforced=enforced)


def leverage(times: int | None, limit: int, *, own: bool = False) -> Check:
    """Check 5: the leverage of the symbol, for entries."""
    figure = None if times is None else Decimal(times)
    label = "Leverage (agent's limit)" if own else "Leverage"
    return _check("leverage", label, figure, Decimal(limit), "×", enforced=True)


def in_flight(symbol: str, count: int) -> Check:
    """No second leverage change while one is not settled: it would not be known which one took effect."""
    label = f"Other leverage changes of {symbol} not settled yet"
    return _check("in_flight", label, Decimal(count), Decimal(0), "", enforced=True)


def refuse_failed(checks: Iterable[Check]) -> None:
    """Raises RISK_CHECK_FAILED, with all failed checks, if an enforced check failed."""
    failed = [check for check in checks if check.refuses]
    if failed:
        raise BrokerError(
            Code.RISK_CHECK_FAILED,
            " ".join(_sentence(check) for check in failed),
            details={"checks": [_details(check) for check in failed]},
        )


def collar(side: Side, price: Decimal, market: Decimal, limit_pct: Decimal, *, what: str = "market") -> None:
    """Raises PRICE_COLLAR for a limit price far beyond the market price: probably a typing error.

    `market` is the price that the order would trade against: the ask for a buy, the bid for a sell, or the
    trigger of a stop order; `what` names it.
    """
    beyond = price / market - 1 if side == "buy" else 1 - price / market
    beyond_pct = beyond * 100
    if beyond_pct > limit_pct:
        raise BrokerError(
            Code.PRICE_COLLAR,
            f"price: {plain(price)} is {signed_percent(beyond_pct)[1:]} beyond the {what} "
            f"({plain(market)}). At most {plain(limit_pct)} % is allowed (LIMIT_COLLAR_PCT)",
            details={
                "field": "price",
                "price": plain(price),
                what: plain(market),
                "limitPct": plain(limit_pct),
            },
        )


def above_limits(checks: Sequence[Check]) -> list[Check]:
    """Failed checks that are not enforced: an exit passes them after a second confirmation."""
    return [check for check in checks if not check.passed and not check.enforced]


def _check(
    name: str, label: str, figure: Decimal | None, limit: Decimal | None, unit: str, *, enforced: bool
) -> Check:
    readable = figure is not None and limit is not None
    return Check(
        name=name,
        label=label,
        figure=None if figure is None else plain(figure),
        limit=None if limit is None else plain(limit),
        unit=unit,
        passed=readable and figure <= limit,  # type: ignore[operator]
        enforced=enforced,
        near=readable and figure > limit * NEAR,  # type: ignore[operator]
    )


def _sentence(check: Check) -> str:
    if check.figure is None or check.limit is None:
        return f"{check.label}: could not be read."
    if check.name == "balance":
        needed, free = _amount(check.figure, check.unit), _amount(check.limit, check.unit)
        return f"{check.label}: {free}, needed {needed}."
    return f"{check.label}: {_amount(check.figure, check.unit)}, limit {_amount(check.limit, check.unit)}."


def _amount(text: str, unit: str) -> str:
    return f"{in_unit(Decimal(text), unit)} {unit}".rstrip()


def _details(check: Check) -> dict[str, object]:
    return check.model_dump(include={"name", "figure", "limit", "unit", "passed"})


def share_of(part: Decimal, whole: Decimal) -> str:
    """For display: `part` in percent of `whole`, "1.0 %"."""
    return f"{percent(part, whole):.1f} %"
