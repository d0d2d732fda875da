"""Documents behind links that are signed and short-lived: whoever holds the link reads the document."""

import asyncio
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from activities.documents.store import RenderedDocument, rendered
from activities.documents.words import TITLE
from activities.keyring import Keyring, KeyringError
from gateway.access_looks import LinkHolder, Look
from gateway.context import Services, preferred_language
from gateway.faults import Language
from gateway.reachability import OUT_OF_REACH
from workflows.vocabulary import Role

PURPOSE: Final = "document-link"
GOOD_FOR_SECONDS: Final = 300
# Links made within one minute are the same link, so that answers stay cacheable.
QUANTUM_SECONDS: Final = 60
# Typesetting takes a processor for a moment; more at once would only slow the reads.
RENDERED_AT_ONCE: Final = 2

GONE: Final = (
    "链接已失效",
    "下载链接已过期或不完整。请返回办件页面，重新获取下载链接。",
    "This link is no longer good",
    "It has expired or is incomplete. Go back to the transfer and get a new one.",
)
UNKNOWN: Final = ("没有这份文书", "该文书不存在。", "No such document", "There is no document behind this link.")
AWAY: Final = (
    "暂时无法下载",
    "服务暂时不可用，请稍后重试。",
    "Not available now",
    "The service is temporarily unavailable. Try again in a moment.",
)


def signed_link(
    base_url: str, document_id: UUID, now: datetime, keyring: Keyring, holder: LinkHolder | None = None
) -> str:
    """The link to a document's PDF, good for five to six minutes from `now`. `holder` is noted as who downloads it."""
    quantum = int(now.timestamp()) // QUANTUM_SECONDS * QUANTUM_SECONDS
    expires = quantum + QUANTUM_SECONDS + GOOD_FOR_SECONDS
    text = _holder_text(holder)
    signature = keyring.sign(PURPOSE, _message(document_id, expires, text))
    held = f"&holder={text}" if text else ""
    return f"{base_url}/documents/{document_id}.pdf?expires={expires}{held}&signature={signature}"


def is_good(document_id: UUID, expires: str, signature: str, now: datetime, keyring: Keyring, holder: str = "") -> bool:
    """Whether `signed_link` made a link of these parts, and its time has not come."""
    if not expires.isascii() or not expires.isdigit() or len(expires) > len("99999999999"):
        return False
    return int(expires) > now.timestamp() and keyring.verify(
        PURPOSE, _message(document_id, int(expires), holder), signature
    )


def _message(document_id: UUID, expires: int, holder: str) -> bytes:
    return f"{document_id}.{expires}{holder and '.'}{holder}".encode("utf-8", "replace")


def _holder_text(holder: LinkHolder | None) -> str:
    """`ROLE~REGION~KEY`, as the link carries it; nothing of it is a secret or names a person."""
    return f"{holder.role.value}~{holder.region or ''}~{holder.looker_key}" if holder is not None else ""


def _read_holder(text: str) -> LinkHolder:
    """The inverse of `_holder_text`, for a text whose signature is good."""
    role, region, key = text.split("~", 2)
    return LinkHolder(Role(role), region or None, key)


class DocumentDownloads:
    """`GET /documents/{document_id}.pdf`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rendering = asyncio.Semaphore(RENDERED_AT_ONCE)

    async def endpoint(self, request: Request) -> Response:
        services = self._services
        language = preferred_language(request.headers.get("accept-language"))
        document_id: UUID = request.path_params["document_id"]
        query = request.query_params
        expires, signature, holder = (query.get(name, "") for name in ("expires", "signature", "holder"))
        if not is_good(document_id, expires, signature, services.clock(), services.keyring, holder):
            return page(403, GONE, language)
        try:
            async with self._rendering, services.pool.acquire() as connection:
                document = await rendered(
                    connection, services.keyring, document_id, public_url=services.settings.base_url
                )
        except (*OUT_OF_REACH, asyncpg.InterfaceError):
            return page(503, AWAY, language)
        except KeyringError:
            # The person's key is gone: what was sealed under it is gone with it.
            return page(404, UNKNOWN, language)
        if document is None:
            return page(404, UNKNOWN, language)
        if holder:
            services.access_log.note(Look(services.clock(), _read_holder(holder), "documents", document_id=document_id))
        return _pdf(document, int(expires) - int(services.clock().astimezone(UTC).timestamp()))


def _pdf(document: RenderedDocument, seconds_left: int) -> Response:
    ascii_name = f"{document.kind.value.lower()}-{document.number}.pdf".encode("ascii", "ignore").decode()
    name = quote(f"{TITLE[document.kind]}-{document.number}.pdf")
    headers = {
        "content-disposition": f"inline; filename=\"{ascii_name}\"; filename*=UTF-8''{name}",
        "cache-control": f"private, max-age={max(0, seconds_left)}",
        "x-content-type-options": "nosniff",
    }
    return Response(document.pdf, media_type="application/pdf", headers=headers)


def page(status: int, words: tuple[str, str, str, str], language: Language) -> HTMLResponse:
    """A short page: `words` are its title and text in Chinese, then in English."""
    title, text = words[2:] if language == "en" else words[:2]
    return html_page(status, language, title, f"<h1>{title}</h1><p>{text}</p>")


def html_page(status: int, language: Language, title: str, body: str) -> HTMLResponse:
    """A page in the one look of ours. `title` and `body` are HTML already."""
    whole = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{title}</title><body style="font-family:sans-serif;max-width:32em;margin:4em auto;padding:0 1em;overflow-wrap:anywhere">'
        f"{body}</body></html>"
    )
    return HTMLResponse(whole, status, {"cache-control": "no-store"})
