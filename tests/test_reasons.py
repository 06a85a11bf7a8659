"""Why a request stands where it does, as stable codes."""

from __future__ import annotations

import pytest

from broker.errors import Code
from broker.reasons import MEANING, Reason, of_error, uncertain


def test_every_reason_has_a_meaning() -> None:
    assert list(MEANING) == list(Reason)


@pytest.mark.parametrize("code", Code)
def test_a_failed_check_has_a_reason(code: Code) -> None:
    known = code.value in {reason.value for reason in Reason}
    assert of_error(code).value == (code.value if known else "CHECK_FAILED")


def test_what_nobody_can_tell_is_uncertain_with_a_note_for_people() -> None:
    why = uncertain("a backup was restored")
    assert why.reason is Reason.UNCERTAIN
    assert why.note == "not certain whether it was carried out: a backup was restored"
