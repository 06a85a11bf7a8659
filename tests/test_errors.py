"""What a failed call says."""

from __future__ import annotations

import re

import pytest

from broker.errors import HINTS, MEANING, BrokerError, Code, invalid
from broker.tools import TOOLS


def test_every_code_has_a_status_and_a_meaning() -> None:
    assert MEANING.keys() == set(Code)
    assert all(str(code) == code.name for code in Code)


def test_a_failed_call_has_the_one_shape() -> None:
    error = BrokerError(Code.NOT_PENDING, "Too late.", details={"status": "placed"}, next_step={"tool": "x"})
    assert error.body() == {
        "success": False,
        "error": "NOT_PENDING",
        "message": "Too late.",
        "details": {"status": "placed"},
        "next": {"say": HINTS[Code.NOT_PENDING].say, "tool": "x"},
    }
    assert error.http_status == 200


@pytest.mark.parametrize("code", Code)
def test_every_code_says_what_to_do_next(code: Code) -> None:
    """Tools that it names exist, and so do the arguments that a failed call of theirs would have."""
    hint = HINTS[code]
    assert BrokerError(code, "Oh.").body()["next"] == hint.body()
    assert hint.say.endswith(".") and len(hint.say) < 300
    named = set(re.findall(r"\b(?:binance|intent)_[a-z_]+", f"{hint.say} {hint.tool or ''}"))
    assert named <= TOOLS.keys()


def test_nobody_is_named_who_may_not_have_done_it() -> None:
    """A command halts too, and so does a restored backup; a leverage may be above the agent's own limit."""
    halted = f"{MEANING[Code.TRADING_HALTED][1]} {HINTS[Code.TRADING_HALTED].say}"
    assert "trader has halted" not in halted
    assert "agent's own" in MEANING[Code.LEVERAGE_TOO_HIGH][1]


def test_what_an_error_says_itself_goes_before_the_hint() -> None:
    said = {"say": "Look.", "tool": "intent_get", "arguments": {"intentId": "1"}}
    assert BrokerError(Code.INTERNAL, "Oh.", next_step=said).body()["next"] == said


def test_a_bad_argument_names_its_field_and_what_is_allowed() -> None:
    error = invalid("amount", "is too small", step="0.001")
    assert error.http_status == 400
    assert error.message == "amount: is too small"
    assert error.details == {"fields": [{"field": "amount", "problem": "is too small", "step": "0.001"}]}
