"""`GET /verify?number=…&code=…`: where the QR code of a document leads. Open to all; it says nothing about the person."""

from datetime import date
from typing import Final

import asyncpg
from starlette.requests import Request
from starlette.responses import HTMLResponse

from activities.documents.verification import normalised_code
from activities.documents.words import TITLE
from gateway.client_address import client_address
from gateway.context import Services, preferred_language
from gateway.documents import AWAY
from gateway.faults import TooManyRequests
from gateway.html_pages import page
from gateway.reachability import OUT_OF_REACH
from gateway.scalars import code_in
from workflows.deadlines import shanghai_date
from workflows.vocabulary import DocumentKind

# Title and text, in Chinese and in English.
Words = tuple[str, str, str, str]

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
        """200 for a document that is genuine and in force, 410 for one that is void or has expired, 404 for everything else alike.

        429 with `Retry-After` for an address that asks again and again: codes are typed from paper, not tried out.
        """
        language = preferred_language(request.headers.get("accept-language"))
        number = code_in(request.query_params.get("number", ""))
        code = normalised_code(request.query_params.get("code", ""))
        if not number or code is None:
            return page(404, UNKNOWN, language)
        try:
            self._count(request)
            row = await self._services.pool.fetchrow(SQL, number, code)
        except TooManyRequests as fault:
            answer = page(429, ("请稍后再试", fault.zh, "Try again later", fault.en), language)
            answer.headers["retry-after"] = str(fault.retry_after_seconds)
            return answer
        except OUT_OF_REACH:
            return page(503, AWAY, language)
        return page(*_verdict(row, shanghai_date(self._services.clock())), language)

    def _key(self, request: Request) -> str:
        return f"address {client_address(request.scope, self._services.settings.trusted_proxies)}"

    def _count(self, request: Request) -> None:
        """Raises `TooManyRequests`."""
        budget, key = self._services.budgets.certificate_checks, self._key(request)
        budget.require(key)
        budget.spend(key, 1)


def _verdict(row: asyncpg.Record | None, today: date) -> tuple[int, Words]:
    """The status and the words for a row of `SQL`, or for none."""
    if row is None:
        return 404, UNKNOWN
    title, agency = TITLE[DocumentKind(row["kind"])], row["agency_name"] or "—"
    issued_on = shanghai_date(row["issued_at"])
    if row["voided_at"] is not None:
        voided_on = shanghai_date(row["voided_at"])
        return 410, (
            f"{title}已作废",
            f"{agency}于{issued_on}出具，{voided_on}作废，请勿使用。",
            "This document is void",
            f"{title}, issued by {agency} on {issued_on}, voided on {voided_on}: do not use it.",
        )
    if row["valid_until"] is not None and row["valid_until"] < today:
        return 410, (
            f"{title}已过有效期",
            f"{agency}于{issued_on}出具，有效期至{row['valid_until']}，请重新开具。",
            "This document has expired",
            f"{title}, issued by {agency} on {issued_on}, was good until {row['valid_until']}: ask for a new one.",
        )
    return 200, (
        f"{title}真实有效",
        f"{agency}于{issued_on}出具。",
        "This document is genuine",
        f"{title}, issued by {agency} on {issued_on}.",
    )
