"""Every HTML answer says what it may load, that nobody frames it, and that its type is what it says."""

import base64
import hashlib
import re

import pytest

from gateway.html_pages import STYLE
from tests.gateway.conftest import Gateway

PAGES = ["/case/ZY-319900-20261122-000042", "/case/nothing", "/verify?number=1&code=2", "/verify"]
LINK = "/documents/0192f0c1-2222-7000-8000-000000000001.pdf?expires=1&signature=x"
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


@pytest.mark.parametrize("path", [*PAGES, LINK])
async def test_a_page_loads_nothing_and_is_framed_by_nobody(gateway: Gateway, path: str) -> None:
    answer = await gateway.client.get(path)
    headers = answer.headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    # A policy without 'unsafe-inline' shows no style but that of the hash.
    assert re.findall(r"<style>(.*?)</style>", answer.text) == [STYLE]
    assert "style=" not in answer.text
    assert "<script" not in answer.text


async def test_the_page_of_development_is_framed_by_nobody_either(development_gateway: Gateway) -> None:
    headers = (await development_gateway.client.get("/graphql")).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
    assert headers["content-security-policy"].endswith("; frame-ancestors 'none'")
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
