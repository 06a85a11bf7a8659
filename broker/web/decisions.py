"""A trader's yes or no to exactly what one card showed."""

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
from .deps import Desk
from .pages import Pages
from .posts import post
from .auth import for_traders, telling, wants_fragment, writable
from .wording import PRESETS, as_quoted, in_words, outcome

MAX_REASON = 300


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the card's form was sent with, as text."""

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
        """Raises INVALID_ARGUMENTS, which names the field as the page does."""
        preset, words = self.typed["reason_preset"], self.typed["reason"]
        if preset and preset not in PRESETS:
            raise invalid("Reason", "must be one of those offered", allowed=list(PRESETS))
        if len(words) > MAX_REASON:
            raise invalid("In your words", f"must have at most {MAX_REASON} characters, not {len(words)}")
        return ": ".join(part for part in (preset, as_quoted(words)) if part) or None

    def suggestion(self, suggestible: list[str]) -> Suggestion:
        """Raises INVALID_ARGUMENTS, likewise."""
        return Suggestion(
            amount=self._number("amount", suggestible), price=self._number("price", suggestible)
        )

    @property
    def suggests(self) -> bool:
        return bool(self.typed["suggested_amount"] or self.typed["suggested_price"])

    def _number(self, name: str, suggestible: list[str]) -> Decimal | None:
        field = f"Another {name}"
        text = self.typed[f"suggested_{name}"]
        if not text:
            return None
        if name not in suggestible:
            raise invalid(field, "cannot be suggested for this request")
        try:
            number = parse(text)
        except ValueError as error:
            raise invalid(field, f"{error} (a dot for decimals)") from None
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
        shown = _Answer(self._pages, request, session, intent_id, form)
        try:
            return await self._decide(shown, form)
        except NotDecidable as late:
            return await shown(409, problem=_too_late(late.intent))
        except NeedsSecondTap:
            return await shown(200, confirming=True)
        except OverDailyVolume as over:
            return await shown(422, problem=_over(over))
        except BrokerError as error:
            if error.code is not Code.TRADING_HALTED:
                raise
            return await shown(409, problem=error.message)

    async def _decide(self, shown: _Answer, form: Form) -> Response:
        if form.decision == "approve":
            return await self._approve(shown, form)
        if form.decision == "reject":
            return await self._reject(shown, form)
        return await shown(422, problem="decision: must be approve or reject")

    async def _approve(self, shown: _Answer, form: Form) -> Response:
        if form.suggests:
            return await shown(422, problem=_APPROVES_AS_SHOWN)
        limit = self._desk.settings.max_daily_volume_usdt
        intent = await self._desk.store.intents.approve(
            shown.intent_id,
            form.digest,
            shown.trader,
            limit,
            confirmed=form.confirmed,
            standing=self._standing(shown),
        )
        if intent.state is State.APPROVED:
            self._desk.approved(intent)
        with telling("Your approval is recorded."):
            return await shown.decided()

    async def _reject(self, shown: _Answer, form: Form) -> Response:
        intent: Intent = await self._desk.store.read(
            lambda connection: queries.find(connection, shown.intent_id)
        )
        try:
            reason = form.reason()
            suggestion = form.suggestion(intent.card["suggestible"])
        except BrokerError as error:
            return await shown(422, problem=error.message)
        await self._desk.store.intents.reject(
            intent.id, form.digest, shown.trader, reason, suggestion, standing=self._standing(shown)
        )
        with telling("Your rejection is recorded."):
            return await shown.decided()

    def _standing(self, shown: _Answer) -> Standing:
        return self._desk.store.people.standing(shown.session)


@dataclass(frozen=True)
class _Answer:
    """The request as it is after a decision, or after one that did not count."""

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
    "Not approved: approving sends exactly what the card shows, and you typed something else. "
    "Clear the suggestion, or reject with it."
)


def _too_late(intent: Intent) -> str:
    """Who decided and when, as far as somebody did."""
    if intent.state is State.PENDING:
        return "Not recorded: this request has changed since you saw it. Look again before you decide."
    if intent.decision is None:
        return f"Not recorded, too late: {outcome(intent, intent.updated_at).text}."
    verb = "approved" if intent.decision.approved else "rejected"
    return f"Not recorded: {intent.decision.by} {verb} this at {in_words(intent.decision.at)}."


def _over(over: OverDailyVolume) -> str:
    if over.intent.value_usdt is None:
        return (
            "Not approved: the value of this request in USDT is not known, so the day's limit cannot be kept."
        )
    whose, limit = ("the agent's", "its own limit") if over.own else ("the day's", "the limit")
    return (
        f"Not approved: with these {cents(over.intent.value_usdt)} USDT {whose} volume would be "
        f"{cents(over.used + over.intent.value_usdt)} USDT, and {limit} is {cents(over.limit)} USDT "
        f"({cents(over.used)} are used). The request still waits."
    )
