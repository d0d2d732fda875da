"""The gateway's short HTML pages, and the headers that every HTML answer carries."""

import base64
import hashlib
from typing import Final

from starlette.responses import HTMLResponse

from gateway.faults import Language

STYLE: Final = (
    "body{font-family:sans-serif;max-width:32em;margin:4em auto;padding:0 1em;overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap}"
)


def security_headers(content_security_policy: str) -> dict[str, str]:
    """The headers of an HTML answer: what it may load and run, and that no other page may frame it or guess its type."""
    return {
        "content-security-policy": f"{content_security_policy}; frame-ancestors 'none'",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }


_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS: Final = security_headers(
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none'"
)


def page(status: int, words: tuple[str, str, str, str], language: Language) -> HTMLResponse:
    """A short page: `words` are its title and text in Chinese, then in English."""
    title, text = words[2:] if language == "en" else words[:2]
    return html_page(status, language, title, f"<h1>{title}</h1><p>{text}</p>")


def html_page(status: int, language: Language, title: str, body: str) -> HTMLResponse:
    """A page in the one look of ours. `title` and `body` are HTML already."""
    whole = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style><body>{body}</body></html>"
    )
    return HTMLResponse(whole, status, _HEADERS)
