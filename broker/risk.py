"""The checks: figures in, verdict out. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from .cards import Check
from .errors import BrokerError, Code
from .money import Side, in_unit, percent, plain, signed_percent

NEAR = Decimal("0.8")
"""From this share of its limit on, a figure is shown unfolded."""


def balance(asset: str, needed: Decimal | None, free: Decimal | None) -> Check:
    """Check 1: what the order takes from the account is there. Enforced for exits too."""
    return _check("balance", f"Free {asset}", needed, free, asset, enforced=True)


def margin(needed_usdt: Decimal | None, available_usdt: Decimal | None) -> Check:
    """Check 1 of futures: the margin, with fees, that is added."""
    return _check("balance", "Available margin", needed_usdt, available_usdt, "USDT", enforced=True)


def order_value(
    value_usdt: Decimal | None, limit_usdt: Decimal, *, is_exit: bool, own: bool = False
) -> Check:
    """Check 2: the order's value. `own` says, here and below, that the limit is the agent's own."""
    label = "Order value (agent's limit)" if own else "Order value"
    return _check("order_value", label, value_usdt, limit_usdt, "USDT", enforced=not is_exit)


def daily_volume(
    used_usdt: Decimal, value_usdt: Decimal | None, limit_usdt: Decimal, *, is_exit: bool, own: bool = False
) -> Check:
    """Check 3: the UTC day's volume with this order, of all agents, or of its agent alone."""
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
    """Check 4: what would be held after the order, against a share of the market's equity. Not enforced
    where the order makes it smaller.
    """
    limit = None if equity_usdt is None else equity_usdt * limit_pct / 100
    return _check("position", label, value_usdt, limit, "USDT", enforced=enforced)


def leverage(times: int | None, limit: int, *, own: bool = False) -> Check:
    """Check 5: what is set for the symbol that an entry trades."""
    figure = None if times is None else Decimal(times)
    label = "Leverage (agent's limit)" if own else "Leverage"
    return _check("leverage", label, figure, Decimal(limit), "×", enforced=True)


def in_flight(symbol: str, count: int) -> Check:
    """Two changes of one setting at a time, and nobody knows which of them holds."""
    label = f"Other leverage changes of {symbol} not settled yet"
    return _check("in_flight", label, Decimal(count), Decimal(0), "", enforced=True)


def refuse_failed(checks: Iterable[Check]) -> None:
    """Raise RISK_CHECK_FAILED with every failing figure, if one refuses."""
    failed = [check for check in checks if check.refuses]
    if failed:
        raise BrokerError(
            Code.RISK_CHECK_FAILED,
            " ".join(_sentence(check) for check in failed),
            details={"checks": [_shown(check) for check in failed]},
        )


def collar(side: Side, price: Decimal, market: Decimal, limit_pct: Decimal, *, what: str = "market") -> None:
    """A limit price far through the market is a slip: raise PRICE_COLLAR.

    `market` is what the order would trade against: the ask for a buy, the bid for a sell, and the trigger of
    a stop, which `what` then says.
    """
    through = price / market - 1 if side == "buy" else 1 - price / market
    through_pct = through * 100
    if through_pct > limit_pct:
        raise BrokerError(
            Code.PRICE_COLLAR,
            f"price: {plain(price)} is {signed_percent(through_pct)[1:]} through the {what} "
            f"({plain(market)}); at most {plain(limit_pct)} % is allowed (LIMIT_COLLAR_PCT)",
            details={
                "field": "price",
                "price": plain(price),
                what: plain(market),
                "limitPct": plain(limit_pct),
            },
        )


def above_limits(checks: Sequence[Check]) -> list[Check]:
    """What an exit is above, and passes all the same after a second tap."""
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
        return f"Needs {_amount(check.figure, check.unit)}, free are {_amount(check.limit, check.unit)}."
    return f"{check.label}: {_amount(check.figure, check.unit)}, limit {_amount(check.limit, check.unit)}."


def _amount(text: str, unit: str) -> str:
    return f"{in_unit(Decimal(text), unit)} {unit}".rstrip()


def _shown(check: Check) -> dict[str, object]:
    return check.model_dump(include={"name", "figure", "limit", "unit", "passed"})


def share_of(part: Decimal, whole: Decimal) -> str:
    """For a person: "1.0 % of equity"."""
    return f"{percent(part, whole):.1f} %"
