"""A question about a person needs a tie to the person: what an agency without one is told, and what each tie opens."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from activities.mandates import MandateGrant, grant
from activities.people import find_person, seal_agent
from gateway.auth import Viewer
from tests.activities.desk import MONDAY, changed, snapshot
from tests.activities.register_extracts import LI
from tests.cases import DESTINATION, ORIGIN
from tests.conftest import Database
from tests.gateway.window import OTHER_CLERK, Window, open_window
from workflows.messages import CertificateOrder, StepOrder
from workflows.vocabulary import MandateRelation, Role

GUANGZHOU, HANGZHOU = "440100", "330100"
# Insured in Guangzhou with arrears and a stay in hospital, and in Shanghai, where a transfer goes.
VICTIM = "110101199003077213"
# In Guangzhou's register too, without anything to tell.
NEIGHBOUR = LI
NOBODY = "110101195001010033"
CLERK = Viewer("clerk-330100", (Role.CLERK,), region=HANGZHOU)
SYSTEM = Viewer("system-330100", (Role.AGENCY_SYSTEM,), region=HANGZHOU)
GUANGZHOU_CLERK = Viewer("clerk-440100", (Role.CLERK,), region=GUANGZHOU)
PERSON = Viewer("person-9", (Role.INSURED_PERSON,), resident_id=VICTIM)
KEY = "key-0123456789-abcdef"

REFUSED = "... on NotEligible { findings { code message fix where } existing { no } }"
ERRORS = "... on UserError { code message } ... on ValidationFailed { violations { path code message } }"
ELIGIBILITY = """query ($input: EligibilityInput!) { eligibility(input: $input) { eligible route dueOn provisional
    waitingPeriod { months } coverageGap { closesOn } findings { code class side message fix where legalBasis retryOn } } }"""
SUBMIT = f"""mutation ($input: SubmitTransferInput!) {{ submitTransfer(input: $input) {{ __typename
    ... on SubmitTransferPayload {{ transfer {{ id no status }} }} {ERRORS} {REFUSED} }} }}"""
CERTIFICATE = f"""mutation ($input: RequestCertificateInput!) {{ requestCertificate(input: $input) {{ __typename
    ... on RequestCertificatePayload {{ certificate {{ number verificationCode }} }} {ERRORS} {REFUSED} }} }}"""
IN = {"fromRegion": GUANGZHOU, "toRegion": HANGZHOU, "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}
OUT = IN | {"fromRegion": HANGZHOU, "toRegion": GUANGZHOU}

NEEDS_A_TIE = {
    "code": "AGENT_NOT_AUTHORISED",
    "class": "BLOCKS",
    "side": "PLATFORM",
    "message": "Your agency has no tie to this person: what another register and this platform hold about them is not shown.",
    "fix": "Record the person's consent at the window, or give the number of their enrolment certificate with its verification "
    "code. A mandate entered at your window, an enrolment in your region's register or a transfer with your region is a tie "
    "too. Then ask again; or the person, the employer or the other agency applies.",
    "where": "Your own window, with the person",
    "legalBasis": "《个人信息保护法》第十三条",
    "retryOn": None,
}
NOT_ENROLLED = {
    "code": "NOT_ENROLLED_AT_DESTINATION",
    "class": "BLOCKS",
    "side": "TRANSFER_IN",
    "message": "You have no active enrolment in 杭州市 yet.",
    "fix": "Enrol at the destination first (employees: through the new employer), then apply.",
    "where": "杭州市医疗保障事务中心, phone 0571-12393001",
    "legalBasis": "医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》",
    "retryOn": "2026-03-03",
}
NOTHING = {
    "eligible": False,
    "route": "PLATFORM",
    "dueOn": None,
    "provisional": False,
    "waitingPeriod": None,
    "coverageGap": None,
}
# What the pre-check says of the victim to who may know it.
ALL_OF_IT = [
    "TRANSFER_IN_PROGRESS",
    "NOT_ENROLLED_AT_DESTINATION",
    "UNSETTLED_CLAIMS",
    "DOUBLE_INSURED",
    "ARREARS_OUTSTANDING",
]


async def ask(window: Window, viewer: Viewer, query: str, **given: Any) -> dict[str, Any]:
    """What the one field of `query` answers."""
    (answer,) = (await window.data(viewer, query, "en", input=given)).values()
    assert isinstance(answer, dict)
    return answer


async def codes(window: Window, viewer: Viewer = CLERK, number: str = VICTIM, **given: Any) -> list[str]:
    answer = await ask(window, viewer, ELIGIBILITY, residentId=number, **IN | given)
    return sorted(each["code"] for each in answer["findings"])


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """The victim has an open transfer from Guangzhou to Shanghai. No agency of Hangzhou has to do with anybody."""
    async with open_window(database) as each:
        cases, db = each.desk.cases, each.desk.db
        await db.execute("delete from commands")
        victim = {"resident_id": VICTIM, "name": "张伟"}
        arrears = {"arrears_fen": "123456", "arrears_from": "2024-01", "arrears_to": "2024-03"}
        await cases.registers(
            ORIGIN | victim | arrears | {"region": GUANGZHOU},
            DESTINATION | victim,
            ORIGIN | {"region": GUANGZHOU, "resident_id": NEIGHBOUR},
        )
        transfer = await cases.apply(resident_id=VICTIM, between=(GUANGZHOU, "319900"), at=MONDAY)
        await each.desk.steps.open_transfer(
            StepOrder(transfer_id=transfer.transfer_id, after_seq=0, command_id=transfer.command_id)
        )
        await db.execute("update enrolments set unsettled_claims = true where arrears_fen > 0")
        yield each


@pytest.mark.parametrize("viewer", [CLERK, SYSTEM], ids=["clerk", "system"])
async def test_an_agency_that_has_nothing_to_do_with_the_person_learns_nothing_of_them(
    window: Window, viewer: Viewer
) -> None:
    before = await snapshot(window.desk.db)
    answers = [
        await ask(window, viewer, ELIGIBILITY, residentId=number, **IN) for number in (VICTIM, NEIGHBOUR, NOBODY)
    ]
    assert answers == [NOTHING | {"findings": [NEEDS_A_TIE, NOT_ENROLLED]}] * 3
    for changes in (
        {"requestStop": True},
        {"name": "张伟"},
        {"fromScheme": "RESIDENT", "toScheme": "RESIDENT"},
        {"certificateNumber": "粤2026000001"},
        {"certificateNumber": "粤2026000001", "certificateCode": "7K3M-0QXZ-9V2C"},
        OUT,
    ):
        about = [
            await ask(window, viewer, ELIGIBILITY, residentId=number, **IN | changes)
            for number in (VICTIM, NEIGHBOUR, NOBODY)
        ]
        assert about == [about[0]] * 3, changes
        assert [each["code"] for each in about[0]["findings"]] == [
            "AGENT_NOT_AUTHORISED",
            "NO_RECORD_AT_ORIGIN" if changes is OUT else "NOT_ENROLLED_AT_DESTINATION",
        ]
        assert {name: about[0][name] for name in NOTHING} == NOTHING
    assert await snapshot(window.desk.db) == before


async def test_its_applications_and_certificates_are_refused_and_recorded_as_those_for_nobody(window: Window) -> None:
    before = await snapshot(window.desk.db)
    for name, query, given in (
        ("in", SUBMIT, IN | {"waitForRegister": True}),
        ("out", SUBMIT, OUT),
        ("certificate", CERTIFICATE, {"region": HANGZHOU, "scheme": "EMPLOYEE"}),
    ):
        victim, nobody = [
            await ask(window, CLERK, query, idempotencyKey=f"{KEY}-{name}-{of}", residentId=of, **given)
            for of in (VICTIM, NOBODY)
        ]
        assert (victim["__typename"], victim["existing"]) == ("NotEligible", None)
        assert victim["findings"] == nobody["findings"]
        expected = {
            "in": ["AGENT_NOT_AUTHORISED", "NOT_ENROLLED_AT_DESTINATION"],
            "out": ["AGENT_NOT_AUTHORISED", "NO_RECORD_AT_ORIGIN"],
            "certificate": ["NO_RECORD_AT_ORIGIN"],
        }
        assert [each["code"] for each in victim["findings"]] == expected[name]
        assert "广州" not in str(victim["findings"])
    # The refusals are on record and wait for nobody; they hold nothing of the person.
    assert changed(before, await snapshot(window.desk.db)) == {"commands"}
    rows = await window.desk.db.fetch("select * from commands where refusal_no is not null")
    assert [row["person_key"] for row in rows] == [None] * 6
    assert "TRANSFER_IN_PROGRESS" not in str([dict(row) for row in rows])
    assert await window.desk.db.fetchval("select count(*) from commands where outcome is null") == 0


async def test_an_agency_of_neither_side_is_refused_whatever_it_holds(window: Window) -> None:
    await window.desk.cases.registers(ORIGIN | {"resident_id": VICTIM, "name": "张伟", "region": "440300"})
    for number in (VICTIM, NOBODY):
        answer = await ask(window, OTHER_CLERK, ELIGIBILITY, residentId=number, **IN)
        assert [(each["code"], each["message"]) for each in answer["findings"]] == [
            ("AGENT_NOT_AUTHORISED", "You have no mandate for this person.")
        ]
        assert {name: answer[name] for name in NOTHING} == NOTHING


@pytest.mark.parametrize("status", ["ACTIVE", "STOPPED"])
async def test_either_sides_agency_whose_register_has_the_person_is_told_everything(
    window: Window, status: str
) -> None:
    enrolled = {"resident_id": VICTIM, "name": "张伟", "region": HANGZHOU, "scheme": "RESIDENT"}
    await window.desk.cases.registers((DESTINATION if status == "ACTIVE" else ORIGIN) | enrolled)
    for viewer in (CLERK, SYSTEM, GUANGZHOU_CLERK, PERSON):
        found = await codes(window, viewer, toScheme="RESIDENT")
        assert [each for each in ALL_OF_IT if each not in found] == (
            ["NOT_ENROLLED_AT_DESTINATION"] if status == "ACTIVE" else []
        ), viewer
    # A terminated enrolment is the agency's own knowledge, and opens no other register.
    await window.desk.db.execute(
        "update enrolments set status = 'TERMINATED', stopped_on = '2026-03-01', retired = true where region = $1",
        HANGZHOU,
    )
    assert await codes(window, toScheme="RESIDENT") == ["AGENT_NOT_AUTHORISED", "NOT_ENROLLED_AT_DESTINATION"]
    assert await codes(window, fromRegion=HANGZHOU, toRegion=GUANGZHOU, fromScheme="RESIDENT") == [
        "AGENT_NOT_AUTHORISED",
        "RETIRED",
    ]


async def certificate_of(window: Window, viewer: Viewer, **given: Any) -> tuple[str, str]:
    """Number and verification code of a certificate that Guangzhou issues."""
    asked = {"idempotencyKey": f"{KEY}-{viewer.subject}", "region": GUANGZHOU, "scheme": "EMPLOYEE"} | given
    assert (await ask(window, viewer, CERTIFICATE, **asked))["__typename"] == "StepPending"
    row = await window.desk.row("select command_id from commands where outcome is null")
    await window.desk.steps.issue_certificate_alone(CertificateOrder(command_id=row["command_id"]))
    certificate = (await ask(window, viewer, CERTIFICATE, **asked))["certificate"]
    return certificate["number"], certificate["verificationCode"]


async def test_the_persons_certificate_with_its_code_opens_the_pre_check_and_nothing_like_it_does(
    window: Window,
) -> None:
    number, code = await certificate_of(window, PERSON)
    another = await certificate_of(window, GUANGZHOU_CLERK, residentId=NEIGHBOUR)

    async def shown(number: str, code: str | None) -> dict[str, Any]:
        given = {"certificateNumber": number, "certificateCode": code}
        return await ask(window, CLERK, ELIGIBILITY, residentId=VICTIM, **IN, **given)

    assert sorted(each["code"] for each in (await shown(number, code))["findings"]) == sorted(ALL_OF_IT)
    assert sorted(each["code"] for each in (await shown(number, code.lower()))["findings"]) == sorted(ALL_OF_IT)
    unknown = await shown("粤2026999999", "7K3M-0QXZ-9V2C")
    assert [each["code"] for each in unknown["findings"]] == ["AGENT_NOT_AUTHORISED", "NOT_ENROLLED_AT_DESTINATION"]
    assert unknown["findings"][0]["message"] == (
        "The number and the verification code are not those of a valid enrolment certificate of this person, and your agency "
        "has no other tie to them: what another register and this platform hold about them is not shown."
    )
    wrong = f"{'8' if code[0] != '8' else '9'}{code[1:]}"
    for given in ((number, wrong), another, (another[0], code)):
        assert await shown(*given) == unknown, given
    without = await shown(number, None)
    assert without == NOTHING | {"findings": [NEEDS_A_TIE, NOT_ENROLLED]}
    await window.desk.db.execute("update documents set valid_until = $1", MONDAY.date() - timedelta(days=1))
    assert await shown(number, code) == unknown
    await window.desk.db.execute("update documents set valid_until = null, voided_at = $1", MONDAY)
    assert await shown(number, code) == unknown


NOT_CERTIFICATES: list[tuple[dict[str, str], str, str]] = [
    ({"certificateCode": "7K3M-0QXZ-9V2C"}, "certificateNumber", "EMPTY"),
    ({"certificateNumber": "京" * 65}, "certificateNumber", "TOO_LONG"),
    ({"certificateNumber": "粤2026000001", "certificateCode": "7" * 65}, "certificateCode", "TOO_LONG"),
    ({"certificateNumber": "粤2026000001", "certificateCode": "a\u0000b"}, "certificateCode", "CONTROL_CHARACTER"),
]


async def test_a_certificate_that_cannot_be_one_is_refused_before_anything_is_read(window: Window) -> None:
    before = await snapshot(window.desk.db)
    for given, field, code in NOT_CERTIFICATES:
        error = await window.error(CLERK, ELIGIBILITY, input={"residentId": VICTIM, **IN, **given})
        violations = error["extensions"]["violations"]
        assert [(each["path"], each["code"]) for each in violations] == [(["input", field], code)]
        failed = await ask(window, CLERK, SUBMIT, idempotencyKey=KEY, residentId=VICTIM, **IN, **given)
        assert [(each["path"], each["code"]) for each in failed["violations"]] == [(["input", field], code)]
    assert await snapshot(window.desk.db) == before


async def test_a_window_whose_register_has_terminated_the_person_lists_no_mandates_of_theirs(window: Window) -> None:
    db, cases = window.desk.db, window.desk.cases
    await cases.registers(ORIGIN | {"resident_id": VICTIM, "name": "张伟", "region": HANGZHOU})
    person = await find_person(db, cases.keyring, VICTIM)
    assert person is not None
    agent = cases.keyring.person_key(NEIGHBOUR)[0]
    command_id = await db.fetchval("select command_id from commands limit 1")
    given = MandateGrant(
        mandate_id=uuid4(),
        person_id=person.person_id,
        agent_keys=(agent.hex(),),
        agent_key_version=cases.keyring.current,
        agent_sealed=seal_agent(person.data_key, "110105********002X").hex(),
        relation=MandateRelation.CHILD,
        valid_until=MONDAY.date(),
    )
    await grant(db, command_id, given, MONDAY - timedelta(days=3))
    listed = "query ($of: ResidentId) { viewer { mandates(residentId: $of) { given { agentMaskedResidentId } } } }"
    shown = [{"agentMaskedResidentId": "110105********002X"}]
    for status, expected in (("STOPPED", shown), ("TERMINATED", [])):
        await db.execute("update enrolments set status = $1 where region = $2", status, HANGZHOU)
        answer = (await window.data(CLERK, listed, of=VICTIM))["viewer"]["mandates"]
        assert answer == {"given": expected}, status
