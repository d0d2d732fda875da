"""`GET /case/{no}`: where the QR code of a posted document leads a clerk. Open to all.

The case is not looked up: whoever holds a number learns how a clerk opens it, and nothing else, not even whether it exists.
"""

import re
from html import escape
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse

from activities.documents.verification import normalised_code
from gateway.context import Services, preferred_language
from gateway.html_pages import html_page, page
from gateway.scalars import code_in

# As `submitTransfer` makes them.
_TRANSFER_NO: Final = re.compile("ZY-[0-9]{6}-[0-9]{8}-[0-9]{6,12}")
NO_NUMBER: Final = (
    "编号有误",
    "这不是本平台的业务流水号。请核对文书上的编号，或重新扫描二维码。",
    "Not a number of ours",
    "This is no number of a transfer on this platform. Check the number on the document, or scan the code again.",
)
PURPOSE: Final = (
    "这是基本医疗保险关系转移接续业务的流水号。为保护个人信息，本页不显示业务内容。",
    "This is the number of a transfer of basic medical insurance. To protect personal data nothing of it is shown here.",
)
AT_THE_WINDOW: Final = (
    "经办人员：请登录本机构的医保经办系统，按上述业务流水号打开业务。",
    "For clerks: sign in to your agency's own system at the window and open the case by this number.",
)
IN_DEVELOPMENT: Final = (
    "经办人员（开发环境）：打开 GraphiQL，填入本机构经办人员的令牌后运行查询。",
    "For clerks (development): open GraphiQL, paste the token of a clerk of your agency and run the query.",
)
GENUINE: Final = ("核验这份文书的真伪", "Check whether this document is genuine")
QUERY: Final = """\
query {{
  transfer(no: "{no}") {{
    no status route progress {{ headline }} allowedActions
    documents {{ kind number version void downloadUrl }}
  }}
}}
"""


class CasePage:
    def __init__(self, services: Services) -> None:
        self._development = services.settings.development

    async def endpoint(self, request: Request) -> HTMLResponse:
        """200 for whatever can be a number of ours, 404 for everything else. In Chinese and in English."""
        no = request.path_params["no"]
        if _TRANSFER_NO.fullmatch(no) is None:
            return page(404, NO_NUMBER, preferred_language(request.headers.get("accept-language")))
        paragraphs = [PURPOSE, IN_DEVELOPMENT if self._development else AT_THE_WINDOW]
        body = f"<h1>{no}</h1>" + "".join(f'<p>{zh}</p><p lang="en">{en}</p>' for zh, en in paragraphs)
        if self._development:
            body += _query_link(no)
        return html_page(200, "zh-CN", f"转移接续业务 {no}", body + _verification_link(request))


def _query_link(no: str) -> str:
    query = QUERY.format(no=no)
    # Behind the hash, for the browser alone: the page of GraphiQL takes no query string.
    address = escape("/graphql#" + urlencode({"query": query}, quote_via=quote))
    return f'<pre>{escape(query)}</pre><p><a href="{address}">GraphiQL</a></p>'


def _verification_link(request: Request) -> str:
    """The document's own verification, when its number and code came along."""
    number = code_in(request.query_params.get("number", ""))
    code = normalised_code(request.query_params.get("code", ""))
    if not number or code is None:
        return ""
    address = escape("/verify?" + urlencode({"number": number, "code": code}))
    return f'<p><a href="{address}">{GENUINE[0]} · {GENUINE[1]}</a></p>'
