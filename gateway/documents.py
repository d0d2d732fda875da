"""Documents behind links that are signed, short-lived and made for one viewer.

An app opens a link in a browser that has no token, so a link alone is enough, a few times. A request that carries a token
must be the viewer's for whom the link was made.
"""

import asyncio
from datetime import UTC
from hmac import compare_digest
from html import escape
from typing import Final
from urllib.parse import quote
from uuid import UUID

import asyncpg
from starlette.requests import Request
from starlette.responses import Response

from activities.documents.store import RenderedDocument, rendered
from activities.documents.words import TITLE
from activities.keyring import KeyringError
from gateway.access_looks import Look, looker_key
from gateway.auth import Authenticator
from gateway.context import Services, preferred_language
from gateway.document_links import LinkUses, is_good, read_holder
from gateway.faults import Fault, Language
from gateway.html_pages import page
from gateway.reachability import OUT_OF_REACH
from gateway.sender_constraint import Presented

# Typesetting takes a processor for a moment; more at once would only slow the reads.
RENDERED_AT_ONCE: Final = 2

GONE: Final = (
    "链接已失效",
    "下载链接已过期或不完整。请返回办件页面，重新获取下载链接。",
    "This link is no longer good",
    "It has expired or is incomplete. Go back to the transfer and get a new one.",
)
USED_UP: Final = (
    "链接不可再用",
    "该链接已多次使用，或是为其他用户生成的。请登录后在办件页面重新获取下载链接。",
    "This link cannot be used",
    "It has been used several times, or was made for somebody else. Sign in and get a new one from the transfer.",
)
UNKNOWN: Final = ("没有这份文书", "该文书不存在。", "No such document", "There is no document behind this link.")
AWAY: Final = (
    "暂时无法下载",
    "服务暂时不可用，请稍后重试。",
    "Not available now",
    "The service is temporarily unavailable. Try again in a moment.",
)


class DocumentDownloads:
    """`GET /documents/{document_id}.pdf`."""

    def __init__(self, services: Services, authenticator: Authenticator) -> None:
        self._services = services
        self._authenticator = authenticator
        self._uses = LinkUses()
        self._rendering = asyncio.Semaphore(RENDERED_AT_ONCE)

    async def endpoint(self, request: Request) -> Response:
        services = self._services
        language = preferred_language(request.headers.get("accept-language"))
        refused = await self._refused(request, language)
        if refused is not None:
            return refused
        document_id: UUID = request.path_params["document_id"]
        try:
            async with self._rendering, services.pool.acquire() as connection:
                document = await rendered(
                    connection, services.keyring, document_id, public_url=services.settings.base_url
                )
        except (*OUT_OF_REACH, asyncpg.InterfaceError):
            return page(503, AWAY, language)
        except KeyringError:
            # The person's key is gone: what was sealed under it is gone with it.
            document = None
        if document is None:
            return page(404, UNKNOWN, language)
        query = request.query_params
        services.access_log.note(
            Look(services.clock(), read_holder(query["holder"]), "documents", document_id=document_id)
        )
        seconds_left = int(query["expires"]) - int(services.clock().astimezone(UTC).timestamp())
        return _pdf(document, seconds_left)

    async def _refused(self, request: Request, language: Language) -> Response | None:
        """The page for a link that is forged, too old, used up or made for another viewer; None for a good one."""
        query, services = request.query_params, self._services
        expires, holder, signature = (query.get(name, "") for name in ("expires", "holder", "signature"))
        document_id: UUID = request.path_params["document_id"]
        if not is_good(document_id, expires, holder, signature, services.clock(), services.keyring):
            return page(403, GONE, language)
        try:
            return None if await self._may_use(request, holder, signature) else page(403, USED_UP, language)
        except Fault as fault:
            words = ("无法下载", escape(fault.zh), "Cannot be downloaded", escape(fault.en))
            return page(fault.http_status, words, language)

    async def _may_use(self, request: Request, holder: str, signature: str) -> bool:
        """A request with a token uses the links made for it, as often as it likes; one without uses a link a few times."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            return self._uses.take(signature)
        presented = Presented("GET", request.url.path, request.scope["headers"])
        viewer = await self._authenticator.viewer(authorization, presented)
        return compare_digest(read_holder(holder).looker_key, looker_key(self._services.keyring, viewer))


def _pdf(document: RenderedDocument, seconds_left: int) -> Response:
    ascii_name = f"{document.kind.value.lower()}-{document.number}.pdf".encode("ascii", "ignore").decode()
    name = quote(f"{TITLE[document.kind]}-{document.number}.pdf")
    headers = {
        "content-disposition": f"inline; filename=\"{ascii_name}\"; filename*=UTF-8''{name}",
        "cache-control": f"private, max-age={max(0, seconds_left)}",
        "x-content-type-options": "nosniff",
    }
    return Response(document.pdf, media_type="application/pdf", headers=headers)
