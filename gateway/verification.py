"""`GET /verify?number=…&code=…`: where the QR code of a document leads. Open to all; it says nothing about the person."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from activities.documents.verification import normalised_code
from activities.documents.words import TITLE
from gateway.context import Services, preferred_language
from gateway.documents import AWAY
from gateway.html_pages import page
from gateway.reachability import OUT_OF_REACH
from gateway.scalars import code_in
from workflows.deadlines import shanghai_date
from workflows.vocabulary import DocumentKind

SQL: Final = """
select d.kind, d.issued_at, d.voided_at, d.valid_until, r.agency_name
  from documents d left join lateral (
       select agency_name from pooling_regions where code = d.issued_by order by effective_from desc limit 1) r on true
 where d.number = $1 and d.verification_code = $2
"""
UNKNOWN: Final = (
    "无法核验",
    "没有与该编号和验证码相符的文书。请核对后重试，或向出具机构查询。",
    "Cannot be verified",
    "No document has this number and code. Check both, or ask the agency that issued it.",
)


class Verification:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def endpoint(self, request: Request) -> HTMLResponse:
        """200 for a document that is genuine and in force, 410 for one that is void or has expired, 404 for everything else alike."""
        language = preferred_language(request.headers.get("accept-language"))
        number = code_in(request.query_params.get("number", ""))
        code = normalised_code(request.query_params.get("code", ""))
        if not number or code is None:
            return page(404, UNKNOWN, language)
        try:
            row = await self._services.pool.fetchrow(SQL, number, code)
        except OUT_OF_REACH:
            return page(503, AWAY, language)
        if row is None:
            return page(404, UNKNOWN, language)
        title, agency = TITLE[DocumentKind(row["kind"])], row["agency_name"] or "—"
        issued_on = shanghai_date(row["issued_at"])
        if row["voided_at"] is not None:
            voided_on = shanghai_date(row["voided_at"])
            words = (
                f"{title}已作废",
                f"{agency}于{issued_on}出具，{voided_on}作废，请勿使用。",
                "This document is void",
                f"{title}, issued by {agency} on {issued_on}, voided on {voided_on}: do not use it.",
            )
            return page(410, words, language)
        if row["valid_until"] is not None and row["valid_until"] < shanghai_date(self._services.clock()):
            words = (
                f"{title}已过有效期",
                f"{agency}于{issued_on}出具，有效期至{row['valid_until']}，请重新开具。",
                "This document has expired",
                f"{title}, issued by {agency} on {issued_on}, was good until {row['valid_until']}: ask for a new one.",
            )
            return page(410, words, language)
        words = (
            f"{title}真实有效",
            f"{agency}于{issued_on}出具。",
            "This document is genuine",
            f"{title}, issued by {agency} on {issued_on}.",
        )
        return page(200, words, language)
