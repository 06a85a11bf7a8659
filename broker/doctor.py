"""Checks whether the set-up is safe for trading: for `broker doctor`, and at every start."""

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
    """Examines what the API keys may do. In live mode, nothing is sent before they are known to be safe."""

    def __init__(self, settings: Settings, exchange: Exchange) -> None:
        self._settings = settings
        self._exchange = exchange
        self._live = settings.mode is Mode.LIVE
        self._known = not settings.configured
        self._danger: str | None = None

    async def first_look(self) -> None:
        """Raises StartError if live mode must not use the key.

        If Binance does not answer in time, the start continues, but nothing is sent until it answers.
        """
        if not self._live or self._known:
            return
        try:
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self._examine()
        except TimeoutError:
            log.warning("the API keys are not checked yet: Binance does not answer")
        if self._danger is not None:
            raise StartError(self._danger)

    async def keep_looking(self) -> None:
        """Retries until the keys are known."""
        while not self._known:
            await self._examine()
            if not self._known:
                await asyncio.sleep(AGAIN_SECONDS)

    def require_harmless(self) -> None:
        """Raises KEY_NOT_ALLOWED if the key may withdraw, BINANCE_UNAVAILABLE while that is not known."""
        if self._danger is not None:
            raise BrokerError(Code.KEY_NOT_ALLOWED, self._danger)
        if self._live and not self._known:
            raise BrokerError(Code.BINANCE_UNAVAILABLE, "the API key's permissions are not known yet")

    async def _examine(self) -> None:
        await self._exchange.until_ready()
        findings = await examine(self._exchange, self._settings)
        for finding in findings:
            write = {Level.OK: log.info, Level.WARN: log.warning, Level.BAD: log.error}[finding.level]
            write("API keys checked", subject=finding.subject, finding=finding.text)
        self._danger = next((finding.text for finding in findings if finding.forbids), None)
        self._known = not any(finding.unknown for finding in findings)


async def diagnose(settings: Settings, exchange: Exchange) -> Sequence[Finding]:
    """The findings that `broker doctor` prints."""
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            await exchange.until_ready()
    except TimeoutError:
        problem = exchange.last_error or "no answer"
        unreachable = Finding(level=Level.BAD, subject="Binance", text=f"cannot be reached: {problem}")
        return [unreachable, *_settings_findings(settings)]
    return [*await examine(exchange, settings), *_settings_findings(settings)]


def _settings_findings(settings: Settings) -> Sequence[Finding]:
    return [protective_cancels(settings), links(settings)]


def protective_cancels(settings: Settings) -> Finding:
    """Warns if an agent can cancel protective orders without a trader's approval."""
    subject = "cancels of protective orders"
    if settings.confirm_protective_cancels:
        return Finding(level=Level.OK, subject=subject, text="they wait for a trader's approval")
    return Finding(
        level=Level.WARN if settings.mode is Mode.LIVE else Level.OK,
        subject=subject,
        text="an agent can cancel stops, take-profits and reduce-only orders without a trader's approval. "
        "With real money, set CONFIRM_PROTECTIVE_CANCELS=true",
    )


def links(settings: Settings) -> Finding:
    """Warns if links in notifications do not open on a phone."""
    subject = "links in notifications"
    if settings.opens_elsewhere:
        return Finding(level=Level.OK, subject=subject, text=f"they lead to {settings.url}")
    return Finding(
        level=Level.WARN,
        subject=subject,
        text=f"they lead to {settings.url}, which opens only on this machine. Set PUBLIC_URL to an address "
        "that the phone can reach, through Tailscale (`tailscale serve`), Caddy or a tunnel (`cloudflared`)",
    )
