"""The page to which the QR code of a posted document leads: how a clerk opens the case, and nothing about it."""

import re
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from graphql import build_schema, parse, validate

from activities.documents.store import qr_url
from gateway.case_page import AT_THE_WINDOW, IN_DEVELOPMENT, PURPOSE
from gateway.schema import printed
from tests.activities.documents_samples import CONTACT_LETTER
from tests.activities.register_extracts import WANG
from tests.cases import open_cases
from tests.conftest import Database
from tests.gateway.conftest import Gateway

NO = "ZY-319900-20261122-000042"
CODE = "7K3M-0QXZ-9V2C"


def links(text: str) -> list[str]:
    return [unescape(address) for address in re.findall(r'href="([^"]*)"', text)]


async def test_a_clerk_learns_in_both_languages_how_the_case_is_opened(gateway: Gateway) -> None:
    answer = await gateway.client.get(f"/case/{NO}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    assert f"<h1>{NO}</h1>" in answer.text
    for words in (*PURPOSE, *AT_THE_WINDOW):
        assert words in answer.text
    assert links(answer.text) == []
    assert "GraphiQL" not in answer.text


async def test_in_development_the_page_leads_to_the_query_of_the_case(development_gateway: Gateway) -> None:
    answer = await development_gateway.client.get(f"/case/{NO}")
    assert IN_DEVELOPMENT[0] in answer.text
    (address,) = links(answer.text)
    assert urlsplit(address).path == "/graphql"
    (query,) = parse_qs(urlsplit(address).fragment)["query"]
    assert f'transfer(no: "{NO}")' in query
    assert validate(build_schema(printed()), parse(query)) == []
    page = await development_gateway.client.get(address, headers={"accept": "text/html"})
    assert (page.status_code, "graphiql-settings" in page.text) == (200, True)
    assert (
        'location.hash.slice(1)).get("query")'
        in (await development_gateway.client.get("/static/graphiql/start.js")).text
    )


async def test_a_scanned_code_brings_the_documents_own_verification_along(gateway: Gateway) -> None:
    url = qr_url(CONTACT_LETTER, public_url="", number="3199002026000042", verification_code=CODE)
    assert url.startswith(f"/case/{NO}?")
    answer = await gateway.client.get(url)
    assert links(answer.text) == [f"/verify?number=3199002026000042&code={CODE}"]
    assert (await gateway.client.get(links(answer.text)[0])).status_code == 404
    for half in (f"number={NO}", f"code={CODE}", f"number={NO}&code=x", f"number=%00&code={CODE}"):
        assert links((await gateway.client.get(f"/case/{NO}?{half}")).text) == [], half
    foreign = quote("\"><script>alert('x')</script>")
    answer = await gateway.client.get(f"/case/{NO}?number={foreign}&code={CODE}")
    assert "<script" not in answer.text


async def test_whether_a_case_exists_is_not_shown(gateway: Gateway, database: Database) -> None:
    async with open_cases(database) as cases:
        await cases.standard_person()
        transfer = await cases.apply()
        known = await gateway.client.get(f"/case/{transfer.transfer_no}")
        unknown = await gateway.client.get(f"/case/{NO}")
        assert known.status_code == unknown.status_code == 200
        assert known.text.replace(transfer.transfer_no, NO) == unknown.text
        assert WANG not in known.text


@pytest.mark.parametrize(
    "no", ["x", "ZY-319900-20261122", f"{NO}x", f"x{NO}", "ZY-31990%00-20261122-000042", "%3Cscript%3E", "9" * 5_000]
)
async def test_what_is_no_number_of_ours_is_not_found(gateway: Gateway, no: str) -> None:
    answer = await gateway.client.get(f"/case/{no}")
    assert (answer.status_code, "编号有误" in answer.text, "<script" in answer.text) == (404, True, False)
    answer = await gateway.client.get(f"/case/{no}", headers={"accept-language": "en"})
    assert (answer.status_code, "Not a number of ours" in answer.text) == (404, True)
