"""Shows the approval page to the user through the MCP client: URL elicitation of MCP 2026-07-28.

A client may answer by itself, so its answer never decides anything: "accept" only means that the link was
opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import mcp_types as types

from ..tools import IntentAnswer, Output
from .mcp_calls import Calls, Context, capabilities, still_open

ROUNDS: Final = 6
"""Clients give up after ten rounds. Before that, the model should ask the user."""

ROUND_SECONDS: Final = 20
"""Well below the minute after which clients time out."""

ASKED: Final = "approval"


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of a call that waits for a trader. The client sends it back, sealed, in the next round."""

    intent_id: str
    number: int = 1

    @property
    def state(self) -> str:
        return json.dumps([self.intent_id, self.number])

    @classmethod
    def of(cls, params: types.CallToolRequestParams) -> Round | None:
        """None for a new call. The seal was checked before."""
        if params.request_state is None:
            return None
        intent_id, number = json.loads(params.request_state)
        return cls(intent_id=intent_id, number=number)


def can_open_links(context: Context) -> bool:
    """Whether the client supports URL elicitation. (`elicitation: {}` means forms only.)"""
    elicitation = capabilities(context).elicitation
    return elicitation is not None and elicitation.url is not None


def link_request(answer: IntentAnswer) -> types.InputRequiredResult:
    """Asks the client to open the approval page."""
    message = (
        f"An agent asks for your decision: {answer.summary}. Approve or reject it on this page. "
        "Opening the page decides nothing."
    )
    link = types.ElicitRequestURLParams(message=message, url=answer.approvalUrl)
    return types.InputRequiredResult(
        input_requests={ASKED: types.ElicitRequest(params=link)},
        request_state=Round(intent_id=answer.intentId).state,
    )


def opened(round: Round, params: types.CallToolRequestParams) -> bool:
    """Whether the client says that the link was opened. True after the first round, which has asked for
    it.
    """
    if round.number > 1:
        return True
    answered = (params.input_responses or {}).get(ASKED)
    return isinstance(answered, types.ElicitResult) and answered.action == "accept"


async def wait_for_outcome(
    calls: Calls, context: Context, round: Round
) -> Output | types.InputRequiredResult:
    """Waits up to ROUND_SECONDS. Returns the outcome, or starts another round; after the last round, returns
    the current state. Raises BrokerError.
    """
    arguments = {"intentId": round.intent_id, "timeoutSeconds": ROUND_SECONDS}
    answer = await calls.make(context, "intent_wait", arguments)
    if still_open(answer) is None or round.number >= ROUNDS:
        return answer
    following = Round(intent_id=round.intent_id, number=round.number + 1)
    return types.InputRequiredResult(request_state=following.state)
