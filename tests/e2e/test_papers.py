"""The documents as people get them: downloaded through their links, read back, and checked for being genuine."""

import hashlib
import io
import re
import unicodedata
from typing import Any

from pypdf import PdfReader

from tests.e2e.caller import new_key
from tests.e2e.case import Case, Desks, done
from tests.e2e.people import BEIJING, Registers
from tests.e2e.system import System
from workflows.vocabulary import Role

CHECK = """
query ($number: String!, $code: String!) { certificateCheck(number: $number, code: $code) {
  valid issuedOn voidedOn agency { region { code } } } }
"""
CERTIFICATE = """
mutation ($input: RequestCertificateInput!) { requestCertificate(input: $input) { __typename
  ... on UserError { code message } ... on NotEligible { refusalNo findings { code } }
  ... on RequestCertificatePayload { replayed certificate { number verificationCode document { sha256 void downloadUrl } } } } }
"""
NOTHING = {"valid": False, "issuedOn": None, "voidedOn": None, "agency": None}


async def _pdf(system: System, url: str) -> str:
    """What the document says, without the spaces that the layout puts between."""
    answer = await system.http.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    # A typeface may draw a radical where the text has the character.
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


async def _completed(system: System, registers: Registers, desks: Desks) -> Case:
    case = Case(system, await registers.person(name="阿卜杜拉·买买提"), desks)
    await done(case.submit())
    for step in (case.deliver, case.continue_, case.remit):
        await done(step())
    await case.reaches(fundsStatus="REMITTED")
    await done(case.receive())
    return case


async def test_every_document_is_downloaded_through_its_link_and_says_what_it_must(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _completed(system, registers, desks)
    documents = {each["kind"]: each for each in (await case.read())["documents"]}
    said = {kind: await _pdf(system, each["downloadUrl"]) for kind, each in documents.items()}
    assert list(said) == [
        "ACCEPTANCE_NOTICE",
        "ENROLMENT_CERTIFICATE",
        "INFORMATION_FORM",
        "CONTINUATION_STATEMENT",
        "REMITTANCE_ORDER",
        "COMPLETION_NOTICE",
    ]
    for kind, text in said.items():
        assert documents[kind]["number"] in text
        # The bank sees the person masked.
        assert ("阿卜杜拉·买买提" in text) is (kind != "REMITTANCE_ORDER")
        assert (case.person.resident_id in text) is (kind != "REMITTANCE_ORDER")
        assert not documents[kind]["void"]
    assert case.person.resident_id in said["ENROLMENT_CERTIFICATE"]
    for kind in ("ENROLMENT_CERTIFICATE", "INFORMATION_FORM"):
        assert "8,642.05" in said[kind]
        assert "捌仟陆佰肆拾贰元零伍分" in said[kind]
    assert "203" in said["CONTINUATION_STATEMENT"] or "月" in said["CONTINUATION_STATEMENT"]
    once = await system.http.get(documents["INFORMATION_FORM"]["downloadUrl"])
    twice = await system.http.get(documents["INFORMATION_FORM"]["downloadUrl"])
    assert hashlib.sha256(once.content).digest() == hashlib.sha256(twice.content).digest()


async def test_a_link_that_was_changed_leads_nowhere(system: System, registers: Registers, desks: Desks) -> None:
    case = Case(system, await registers.person(), desks)
    await done(case.submit())
    url = (await case.read())["documents"][0]["downloadUrl"]
    changed = [
        url[:-2] + ("AA" if url[-2:] != "AA" else "BB"),
        re.sub(r"expires=(\d+)", lambda found: f"expires={int(found[1]) + 300}", url),
        url.partition("?")[0],
    ]
    for each in changed:
        answer = await system.http.get(each)
        assert (answer.status_code, b"%PDF" in answer.content) == (403, False), each


async def test_a_certificate_is_genuine_until_a_reissue_voids_it(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    await done(case.submit())
    anybody = system.bearer(None)

    async def latest() -> tuple[str, str]:
        certificates = [each for each in (await case.read())["documents"] if each["kind"] == "ENROLMENT_CERTIFICATE"]
        valid = next(each for each in certificates if not each["void"])
        text = await _pdf(system, valid["downloadUrl"])
        found = re.search(r"验证码[:：]?([0-9A-Z-]{6,24}?)(?=[^0-9A-Z-])", text)
        assert found is not None, text
        return valid["number"], found[1]

    async def check(number: str, code: str) -> dict[str, Any]:
        answer: dict[str, Any] = (await anybody.ask(CHECK, number=number, code=code))["certificateCheck"]
        return answer

    number, code = await latest()
    genuine = await check(number, code)
    assert (genuine["valid"], genuine["voidedOn"], genuine["agency"]["region"]["code"]) == (True, None, BEIJING)
    assert await check(number, "000000") == NOTHING
    assert await check("京2026999999", code) == NOTHING
    assert await check("", "") == NOTHING
    answer = await done(case.applicant.step("reissueCertificate", case.id, reason="lost on the train"))
    assert answer["event"]["kind"] == "CERTIFICATE_REISSUED"
    voided = await check(number, code)
    assert (voided["valid"], voided["voidedOn"] is not None) == (False, True)
    second = await latest()
    assert second[0] != number
    assert (await check(*second))["valid"] is True


async def test_a_certificate_by_itself_is_issued_at_once_and_once_for_its_key(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = await registers.person()
    caller = system.caller(Role.INSURED_PERSON, resident_id=person.resident_id)
    given = {"idempotencyKey": new_key(), "region": BEIJING, "scheme": "EMPLOYEE"}
    first = (await caller.ask(CERTIFICATE, input=given))["requestCertificate"]
    again = (await caller.ask(CERTIFICATE, input=given))["requestCertificate"]
    assert (first["replayed"], again["replayed"]) == (False, True)
    one, other = first["certificate"], again["certificate"]
    assert (one["number"], one["verificationCode"]) == (other["number"], other["verificationCode"])
    checked = (await caller.ask(CHECK, number=one["number"], code=one["verificationCode"]))["certificateCheck"]
    assert checked["valid"] is True
    text = await _pdf(system, one["document"]["downloadUrl"])
    assert one["verificationCode"].replace("-", "") in text.replace("-", "")
    # The agency of another region has no business with this one; its own clerk has.
    with_number = given | {"idempotencyKey": new_key(), "residentId": person.resident_id}
    other_clerk = (await desks.r_clerk.ask(CERTIFICATE, input=with_number))["requestCertificate"]
    assert (other_clerk["__typename"], other_clerk["findings"][0]["code"]) == ("NotEligible", "AGENT_NOT_AUTHORISED")
    with_number |= {"idempotencyKey": new_key()}
    own_clerk = (await desks.o_clerk.ask(CERTIFICATE, input=with_number))["requestCertificate"]
    assert own_clerk["__typename"] == "RequestCertificatePayload"
    assert own_clerk["certificate"]["number"] != one["number"]
