"""Writes what documents repeat from the code (settings, routes): `python -m tests.generate_docs`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final, cast

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from broker.settings import MOST_USDT, Settings

from .test_authorisation import ROUTES

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "settings.md"
EXAMPLE: Final = ROOT / ".env.example"
CONTRIBUTING: Final = ROOT / "docs" / "contributing.md"
BEGIN: Final = "<!-- settings: written by python -m tests.generate_docs -->\n"
END: Final = "<!-- end of settings -->\n"
BEGIN_ROUTES: Final = "<!-- routes: written by python -m tests.generate_docs -->\n"
END_ROUTES: Final = "<!-- end of routes -->\n"
HEAD: Final = """\
# The broker's settings. Copy this file to .env in the folder where you start `broker`; change what you need.
# Environment variables override it. A line that starts with # is off; it shows the default or an example.
# Written by python -m tests.generate_docs; docs/settings.md is the same list with bounds.
"""


@dataclass(frozen=True, kw_only=True)
class Described:
    """A setting as documents show it."""

    name: str
    section: str
    default: str | None
    unset: str | None
    example: str | None
    bounds: str
    meaning: str


def described() -> Iterator[Described]:
    section = ""
    for name, field in Settings.model_fields.items():
        shown = cast("dict[str, Any]", field.json_schema_extra)
        section = shown["section"] or section
        yield Described(
            name=name.upper(),
            section=section,
            default=_default(field),
            unset=shown["unset"],
            example=shown["example"],
            bounds=bounds(field),
            meaning=str(field.description),
        )


def page(text: str) -> str:
    """docs/settings.md with its tables written anew."""
    return _between(text, BEGIN, "\n".join(_tables()), END)


def contributing(text: str) -> str:
    """docs/contributing.md with its table of routes written anew."""
    rows = "".join(f"| {method} | `{path}` | {who} |\n" for (method, path), who in ROUTES.items())
    return _between(text, BEGIN_ROUTES, f"\n| method | path | who |\n|---|---|---|\n{rows}\n", END_ROUTES)


def _between(text: str, begin: str, new: str, end: str) -> str:
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return before + begin + new + end + after


def example() -> str:
    return "\n".join([HEAD, *_lines()])


def bounds(field: FieldInfo) -> str:
    least = [f"{one.ge}" for one in field.metadata if isinstance(one, Ge)]
    least += [f"above {one.gt}," for one in field.metadata if isinstance(one, Gt)]
    most = [f"{one.le}" for one in field.metadata if isinstance(one, Le)]
    most += [f"below {one.lt}" for one in field.metadata if isinstance(one, Lt)]
    joined = " to ".join([*least, *most]).replace(", to below", ", below")
    return joined.replace(str(MOST_USDT), "10^15")


def _tables() -> Iterator[str]:
    for section, settings in groupby(described(), key=lambda one: one.section):
        yield f"\n### {section}\n"
        yield "| name | default | bounds | meaning |\n|---|---|---|---|"
        for one in settings:
            default = one.default or (f"unset: {one.unset}" if one.unset else "unset")
            yield f"| {one.name} | {default} | {one.bounds} | {one.meaning} |"
    yield "\n"


def _lines() -> Iterator[str]:
    for section, settings in groupby(described(), key=lambda one: one.section):
        yield f"# --- {section}\n"
        for one in settings:
            told = f"{one.meaning} Unset: {one.unset}." if one.unset else one.meaning
            yield from textwrap.wrap(
                told, 110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
            )
            yield f"{one.name}={one.default}" if one.default else f"# {one.name}={one.example or ''}"
        yield ""


def _default(field: FieldInfo) -> str | None:
    if field.default is None:
        return None
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def main() -> None:
    PAGE.write_text(page(PAGE.read_text()))
    EXAMPLE.write_text(example())
    CONTRIBUTING.write_text(contributing(CONTRIBUTING.read_text()))


if __name__ == "__main__":
    main()
