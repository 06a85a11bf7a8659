"""Logging: one line per event on stderr, JSON Lines in LOG_FILE."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from .errors import StartError
from .settings import Settings

SECRET = re.compile(
    r"(signature=|apikey=|api_key=|x-mbx-apikey['\": ]+|x-mcp-api-key['\": ]+|bearer\s+|token=)[^&\s'\",}]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Replaces everything that looks like a credential: error texts of others may contain one."""
    return SECRET.sub(r"\1[redacted]", text)


def _redact_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
    return event


def _show_unprintable(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escapes control characters, so that a logged text cannot start a new line or control the terminal."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            event[key] = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in value)
    return event


def configure(settings: Settings) -> None:
    """Sets up logging for this process. Raises StartError if LOG_FILE cannot be written."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_handler(logging.StreamHandler(sys.stderr), shared, _show_unprintable, _console())]
    if settings.log_file is not None:
        root.handlers.append(_handler(_file(settings.log_file), shared, structlog.processors.JSONRenderer()))
    root.setLevel(settings.log_level.upper())
    for chatty in (
        "ccxt",
        "aiohttp",
        "httpx2",
        "httpcore2",
        "alembic",
        "mcp",
        "sse_starlette",
        "uvicorn",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _handler(handler: logging.Handler, shared: list[Any], *renderers: Any) -> logging.Handler:
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    return handler


def _file(path: Path) -> logging.Handler:
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise StartError(f"LOG_FILE {path} cannot be written: {error.strerror}") from None


def _console() -> Any:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


def get_logger(name: str) -> Any:
    return structlog.get_logger(name)
