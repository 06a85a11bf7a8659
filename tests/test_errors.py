"""What a failed call says."""

from __future__ import annotations

from broker.errors import MEANING, BrokerError, Code, invalid


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
        "next": {"tool": "x"},
    }
    assert error.http_status == 200


def test_a_failed_call_without_advice_has_no_next() -> None:
    assert "next" not in BrokerError(Code.INTERNAL, "Oh.").body()


def test_a_bad_argument_names_its_field_and_what_is_allowed() -> None:
    error = invalid("amount", "is too small", step="0.001")
    assert error.http_status == 400
    assert error.message == "amount: is too small"
    assert error.details == {"fields": [{"field": "amount", "problem": "is too small", "step": "0.001"}]}
