"""The page's address, handed to a person through his client: URL elicitation of MCP 2026-07-28.

A client may answer it by itself, so no answer decides anything: "accept" means that the link was opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import mcp_types as types

from ..tools import IntentAnswer, Output
from .mcp_calls import Calls, Context, capabilities, still_open

ROUNDS: Final = 6
"""Clients give up at ten, and by then a person is better asked about it by the model."""

ROUND_SECONDS: Final = 20
"""Well below the minute after which clients give up on a request."""

ASKED: Final = "approval"


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a client carries from one try of its call to the next, sealed: which request it is about."""

    intent_id: str
    number: int = 1

    @property
    def state(self) -> str:
        return json.dumps([self.intent_id, self.number])

    @classmethod
    def of(cls, params: types.CallToolRequestParams) -> Round | None:
        """None for a call that is made for the first time. The seal has been checked."""
        if params.request_state is None:
            return None
        intent_id, number = json.loads(params.request_state)
        return cls(intent_id=intent_id, number=number)


def can_open_links(context: Context) -> bool:
    """`elicitation: {}` means forms alone."""
    elicitation = capabilities(context).elicitation
    return elicitation is not None and elicitation.url is not None


def handed_over(answer: IntentAnswer) -> types.InputRequiredResult:
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
    """Whether its client says that the link was opened; the first answer is not asked for again."""
    if round.number > 1:
        return True
    answered = (params.input_responses or {}).get(ASKED)
    return isinstance(answered, types.ElicitResult) and answered.action == "accept"


async def awaited(calls: Calls, context: Context, round: Round) -> Output | types.InputRequiredResult:
    """The outcome, as soon as there is one; else another round, and after the last how it stands.

    Raises BrokerError.
    """
    arguments = {"intentId": round.intent_id, "timeoutSeconds": ROUND_SECONDS}
    answer = await calls.make(context, "intent_wait", arguments)
    if still_open(answer) is None or round.number >= ROUNDS:
        return answer
    following = Round(intent_id=round.intent_id, number=round.number + 1)
    return types.InputRequiredResult(request_state=following.state)
