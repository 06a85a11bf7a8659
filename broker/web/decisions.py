"""A trader approves or rejects a request, as its card shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ..errors import BrokerError, Code, invalid
from ..intents import Intent, State, Suggestion
from ..money import cents, parse
from ..store import NeedsSecondTap, NotDecidable, OverDailyVolume, Session, Standing, queries
from .auth import after_commit, for_traders, wants_fragment, writable
from .deps import Desk
from .pages import Pages
from .posts import post
from .wording import PRESETS, as_quoted, in_words, outcome

MAX_REASON = 300


@dataclass(frozen=True, kw_only=True)
class Form:
    """The card's submitted form, as text."""

    digest: str
    decision: str
    confirmed: bool
    typed: Mapping[str, str]

    @classmethod
    def of(cls, form: FormData) -> Form:
        text = {name: writable(value) for name, value in form.items() if isinstance(value, str)}
        names = ("reason_preset", "reason", "suggested_amount", "suggested_price")
        return cls(
            digest=text.get("digest", ""),
            decision=text.get("decision", ""),
            confirmed=text.get("confirmed") == "yes",
            typed={name: text.get(name, "").strip() for name in names},
        )

    def reason(self) -> str | None:
        """Preset and own text, joined. Raises INVALID_ARGUMENTS with the field's label on the page."""
        preset, text = self.typed["reason_preset"], self.typed["reason"]
        if preset and preset not in PRESETS:
            raise invalid("Reason", "must be one of the options", allowed=list(PRESETS))
        if len(text) > MAX_REASON:
            raise invalid("In your words", f"must have at most {MAX_REASON} characters, not {len(text)}")
        return ": ".join(part for part in (preset, as_quoted(text)) if part) or None

    def suggestion(self, suggestible: list[str]) -> Suggestion:
        """Raises INVALID_ARGUMENTS with the field's label on the page."""
        return Suggestion(
            amount=self._number("amount", suggestible), price=self._number("price", suggestible)
        )

    @property
    def suggests(self) -> bool:
        return bool(self.typed["suggested_amount"] or self.typed["suggested_price"])

    def _number(self, name: str, suggestible: list[str]) -> Decimal | None:
        field = f"Suggested {name}"
        text = self.typed[f"suggested_{name}"]
        if not text:
            return None
        if name not in suggestible:
            raise invalid(field, "cannot be suggested for this request")
        try:
            number = parse(text)
        except ValueError as error:
            raise invalid(field, f"{error} (use a dot for decimals)") from None
        if number <= 0:
            raise invalid(field, "must be above zero")
        return number


class Decisions:
    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        endpoint = for_traders(self._desk, self.decide)
        return [post("/intents/{id}/decision", endpoint)]

    async def decide(self, request: Request, session: Session) -> Response:
        intent_id = request.path_params["id"]
        async with request.form(max_files=0, max_fields=20) as sent:
            form = Form.of(sent)
        answer = _Answer(self._pages, request, session, intent_id, form)
        try:
            return await self._decide(answer, form)
        except NotDecidable as error:
            return await answer(409, problem=_too_late(error.intent))
        except NeedsSecondTap:
            return await answer(200, confirming=True)
        except OverDailyVolume as error:
            return await answer(422, problem=_over_limit(error))
        except BrokerError as error:
            if error.code is not Code.TRADING_HALTED:
                raise
            return await answer(409, problem=error.message)

    async def _decide(self, answer: _Answer, form: Form) -> Response:
        if form.decision == "approve":
            return await self._approve(answer, form)
        if form.decision == "reject":
            return await self._reject(answer, form)
        return await answer(422, problem="decision: must be approve or reject")

    async def _approve(self, answer: _Answer, form: Form) -> Response:
        if form.suggests:
            return await answer(422, problem=_APPROVES_AS_SHOWN)
        limit = self._desk.settings.max_daily_volume_usdt
        intent = await self._desk.store.intents.approve(
            answer.intent_id,
            form.digest,
            answer.trader,
            limit,
            confirmed=form.confirmed,
            standing=self._standing(answer),
        )
        if intent.state is State.APPROVED:
            self._desk.approved(intent)
        with after_commit("Your approval is recorded."):
            return await answer.decided()

    async def _reject(self, answer: _Answer, form: Form) -> Response:
        intent = await self._desk.store.read(
            lambda connection: queries.find_any(connection, answer.intent_id)
        )
        try:
            reason = form.reason()
            suggestion = form.suggestion(intent.card.suggestible)
        except BrokerError as error:
            return await answer(422, problem=error.message)
        await self._desk.store.intents.reject(
            intent.id, form.digest, answer.trader, reason, suggestion, standing=self._standing(answer)
        )
        with after_commit("Your rejection is recorded."):
            return await answer.decided()

    def _standing(self, answer: _Answer) -> Standing:
        return self._desk.store.people.standing(answer.session)


@dataclass(frozen=True)
class _Answer:
    """Responds with the current request, after a decision was recorded or refused."""

    pages: Pages
    request: Request
    session: Session
    intent_id: str
    form: Form

    @property
    def trader(self) -> str:
        return self.session.trader

    async def __call__(
        self, status: int, *, problem: str | None = None, confirming: bool = False
    ) -> Response:
        return await self.pages.one(
            self.request,
            self.session,
            self.intent_id,
            status,
            problem=problem,
            confirming=confirming,
            typed=self.form.typed,
        )

    async def decided(self) -> Response:
        if wants_fragment(self.request):
            return await self(200)
        return RedirectResponse(f"/intents/{self.intent_id}", 303)


_APPROVES_AS_SHOWN = (
    "Not approved: an approval sends exactly what the card shows, but you entered a suggestion. "
    "Clear the suggestion, or reject with it."
)


def _too_late(intent: Intent) -> str:
    """Why the decision was not recorded: who decided before and when, or what happened instead."""
    if intent.state is State.PENDING:
        return "Not recorded: this request has changed. Check it again before you decide."
    if intent.decision is None:
        return f"Not recorded, too late. {outcome(intent, intent.updated_at).text}."
    verb = "approved" if intent.decision.approved else "rejected"
    return f"Not recorded: {intent.decision.by} {verb} this at {in_words(intent.decision.at)}."


def _over_limit(over: OverDailyVolume) -> str:
    if over.intent.value_usdt is None:
        return "Not approved: its value in USDT is unknown, so the daily volume limit cannot be checked."
    limit = "the agent's daily volume limit" if over.own else "the daily volume limit"
    return (
        f"Not approved: {limit} is {cents(over.limit)} USDT. {cents(over.used)} USDT are used; with this "
        f"request ({cents(over.intent.value_usdt)} USDT) it would be "
        f"{cents(over.used + over.intent.value_usdt)} USDT. The request still waits."
    )
