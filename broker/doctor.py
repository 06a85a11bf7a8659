"""Is this set-up safe to trade with? `broker doctor`, and what the broker asks itself at its start."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from .errors import BrokerError, Code, StartError
from .exchange import Exchange, Finding, Level, examine
from .logs import get_logger
from .settings import Mode, Settings

FIRST_LOOK_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 10.0

log = get_logger(__name__)


class Keys:
    """What the API keys may do. In live mode nothing is sent before they are known to be harmless."""

    def __init__(self, settings: Settings, exchange: Exchange) -> None:
        self._settings = settings
        self._exchange = exchange
        self._live = settings.mode is Mode.LIVE
        self._known = not settings.configured
        self._danger: str | None = None

    async def first_look(self) -> None:
        """Live mode does not start with a key that it must not use. Raises StartError.

        Where Binance does not answer in time, the start goes on, and nothing is sent until it does.
        """
        if not self._live or self._known:
            return
        try:
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self._look()
        except TimeoutError:
            log.warning("the API keys are not examined yet: Binance does not answer")
        if self._danger is not None:
            raise StartError(self._danger)

    async def keep_looking(self) -> None:
        """Until the keys are known."""
        while not self._known:
            await self._look()
            if not self._known:
                await asyncio.sleep(AGAIN_SECONDS)

    def require_harmless(self) -> None:
        """Raises KEY_NOT_ALLOWED for a key that may withdraw, BINANCE_UNAVAILABLE while that is not known."""
        if self._danger is not None:
            raise BrokerError(Code.KEY_NOT_ALLOWED, self._danger)
        if self._live and not self._known:
            raise BrokerError(Code.BINANCE_UNAVAILABLE, "what the API key may do is not known yet")

    async def _look(self) -> None:
        await self._exchange.until_ready()
        findings = await examine(self._exchange, self._settings)
        for finding in findings:
            tell = {Level.OK: log.info, Level.WARN: log.warning, Level.BAD: log.error}[finding.level]
            tell("keys examined", subject=finding.subject, finding=finding.text)
        self._danger = next((finding.text for finding in findings if finding.forbids), None)
        self._known = not any(finding.unknown for finding in findings)


async def diagnose(settings: Settings, exchange: Exchange) -> Sequence[Finding]:
    """For a person at a terminal."""
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await exchange.until_ready()
    except TimeoutError:
        problem = exchange.last_error or "no answer"
        unreached = Finding(level=Level.BAD, subject="Binance", text=f"cannot be reached: {problem}")
        return [unreached, *_of_settings(settings)]
    return [*await examine(exchange, settings), *_of_settings(settings)]


def _of_settings(settings: Settings) -> Sequence[Finding]:
    return [protective_cancels(settings), links(settings)]


def protective_cancels(settings: Settings) -> Finding:
    """Whether an agent can take a position's protection away without a trader's approval."""
    subject = "cancels of protective orders"
    if settings.confirm_protective_cancels:
        return Finding(level=Level.OK, subject=subject, text="they wait for a trader's approval")
    return Finding(
        level=Level.WARN if settings.mode is Mode.LIVE else Level.OK,
        subject=subject,
        text="an agent cancels stops, take-profits and reduce-only orders without a trader's approval. With "
        "real money set CONFIRM_PROTECTIVE_CANCELS=true",
    )


def links(settings: Settings) -> Finding:
    """Whether the links of notifications open on a phone."""
    if settings.opens_elsewhere:
        return Finding(level=Level.OK, subject="links of notifications", text=f"they lead to {settings.url}")
    return Finding(
        level=Level.WARN,
        subject="links of notifications",
        text=f"they lead to {settings.url}, which opens on this machine alone. Set PUBLIC_URL to an address "
        "that the phone reaches: by Tailscale (`tailscale serve`), Caddy, or a tunnel (`cloudflared`)",
    )
