"""Templates and static files: their folders, rendering and serving."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ..clock import iso, to_ms
from ..money import cents, plain
from ..untrusted import scrubbed
from . import notices, wording

PACKAGE = Path(__file__).parent.parent


def folder(name: str) -> Path:
    """The folder inside the package (in a wheel), else beside it (in a checkout)."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


@cache
def static_url(name: str) -> str:
    """The file's URL. It contains a hash of the content, so browsers may cache the file forever."""
    version = sha256((folder("static") / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={version}"


class Static(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response


def _unbroken(text: str) -> Markup:
    return escape(wording.unbroken(scrubbed(text)))


def _scrub(value: Any) -> Any:
    """Applied to every value that a template prints: makes text harmless for display.

    Templates also put text that others wrote into an element with the class `untrusted`, which confines it.
    """
    return scrubbed(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder("templates")),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        finalize=_scrub,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(static_url=static_url, presets=wording.PRESETS)
    environment.filters.update(
        iso=iso,
        ms=to_ms,
        cents=cents,
        amount=wording.amount,
        device=wording.device,
        unbroken=_unbroken,
        plain=plain,
        in_words=wording.in_words,
        happened=wording.happened,
        notice=notices.notice,
        alarming=notices.alarming,
        subject=notices.subject,
        channel_state=notices.channel_state,
        channel_tone=notices.channel_tone,
    )
    return environment


def render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(context)


def html(template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
    return HTMLResponse(render(template, **context), status)
