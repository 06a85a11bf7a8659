"""Templates and static files: where they lie, and how they are drawn and served."""

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
    """Inside the package, as a wheel carries it, else beside it, as in the project's own folder."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


@cache
def static_url(name: str) -> str:
    """The address changes with the content, so that a browser may keep the file for good."""
    version = sha256((folder("static") / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={version}"


class Static(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        lasting = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if lasting else "no-cache"
        return response


def _unbroken(text: str) -> Markup:
    return escape(wording.unbroken(scrubbed(text)))


def _scrub(value: Any) -> Any:
    """Each text that a template draws. What others wrote stands in a box besides: in an element of the class
    `untrusted`.
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
        told=notices.told,
        channel_state=notices.channel_state,
        channel_tone=notices.channel_tone,
    )
    return environment


def render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(context)


def html(template: str, status: int = 200, /, **context: Any) -> HTMLResponse:
    return HTMLResponse(render(template, **context), status)
