from __future__ import annotations

import re
from hashlib import sha256

import httpx2
import pytest

from broker.web.assets import folder, static_url

HTMX_4_0_1 = {
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-sse.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    "hx-upsert.min.js": "9e516c6608f765b568559a4caed3c3121eff2702fb7ce012f21775639d2699c3",
}


@pytest.mark.parametrize(("name", "digest"), HTMX_4_0_1.items())
def test_the_vendored_scripts_are_those_of_htmx_4_0_1(name: str, digest: str) -> None:
    assert sha256((folder("static") / "vendor" / name).read_bytes()).hexdigest() == digest


def test_no_template_holds_a_script_a_style_or_a_handler_of_its_own() -> None:
    forbidden = re.compile(r"<style|<script(?! src=)|\sstyle=|hx-on|\son\w+=|javascript:|\bjs:|\| *safe\b")
    templates = list(folder("templates").rglob("*.html"))
    assert templates
    for template in templates:
        assert not forbidden.search(template.read_text()), template


@pytest.mark.anyio
async def test_a_static_file_may_be_kept_for_good_under_its_versioned_address(
    stranger: httpx2.AsyncClient,
) -> None:
    versioned = await stranger.get(static_url("broker.js"))
    assert versioned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await stranger.get("/static/broker.js")).headers["cache-control"] == "no-cache"
    assert (await stranger.get("/static/none.js")).status_code == 404
