"""An application that comes in wrong is answered by its type and in words, and changes nothing."""

import json
from typing import Any

import pytest

from tests.e2e.books import nothing_changes
from tests.e2e.caller import SUBMIT, new_key
from tests.e2e.case import APPLICATION
from tests.e2e.people import (
    BEIJING,
    SHANGHAI,
    SHENZHEN,
    Person,
    Registers,
    active,
    new_resident_id,
)
from tests.e2e.standing_cases import Scene
from tests.e2e.system import System
from workflows.vocabulary import Role

VIEWER = "{ viewer { roles } }"
ELIGIBILITY = """
query ($input: EligibilityInput!) { eligibility(input: $input) { eligible findings { code side message } } }
"""


def _off_by_one(number: str) -> str:
    return number[:-1] + ("1" if number[-1] == "0" else "0")


@pytest.mark.parametrize(
    ("given", "path", "code"),
    [
        ({"fromRegion": "999999"}, "fromRegion", "UNKNOWN_REGION"),
        ({"toRegion": "31"}, "toRegion", "UNKNOWN_REGION"),
        ({"toRegion": "３１９９００"}, "toRegion", "UNKNOWN_REGION"),
        ({"toRegion": ""}, "toRegion", "UNKNOWN_REGION"),
        ({"name": "林\x00晓舟"}, "name", "CONTROL_CHARACTER"),
        ({"name": "林\u202e晓舟"}, "name", "CONTROL_CHARACTER"),
        ({"name": "林\n晓舟"}, "name", "CONTROL_CHARACTER"),
        ({"name": "林\ufffd舟"}, "name", "NOT_A_CHARACTER"),
        ({"name": "林" * 101}, "name", "TOO_LONG"),
        ({"name": " · "}, "name", "EMPTY"),
        ({"name": ""}, "name", "EMPTY"),
        ({"idempotencyKey": "short"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
        ({"idempotencyKey": "e" * 65}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
        ({"idempotencyKey": "spaces are not allowed"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
        ({"residentId": None}, "residentId", "RESIDENT_ID_REQUIRED"),
    ],
)
async def test_an_application_with_a_wrong_field_is_a_violation_of_that_field(
    system: System, scene: Scene, given: dict[str, Any], path: str, code: str
) -> None:
    application = APPLICATION | {"residentId": new_resident_id()} | given
    async with nothing_changes(system):
        answer = await scene.desks.r_clerk.submit(**application)
    assert (answer["__typename"], answer["code"]) == ("ValidationFailed", "VALIDATION_FAILED")
    assert [(each["path"], each["code"]) for each in answer["violations"]] == [(["input", path], code)]
    assert answer["violations"][0]["message"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_off_by_one, "check digit"),
        (lambda number: "11010519491231002x", "capital X"),  # noqa: ARG005
        (lambda number: number[:6] + number[8:17], "15-digit"),
        (lambda number: "".join(chr(ord(each) + 0xFEE0) for each in number), "full-width"),
        (lambda number: number[:6] + "19900230" + number[14:], "date of birth"),
        (lambda number: number[:6] + "29990101" + number[14:], "date of birth"),
        (lambda number: number[:-1], "18 characters"),
        (lambda number: number + " ", "18 characters"),
        (lambda number: "' or 1=1 --       ", "not digits"),  # noqa: ARG005
    ],
)
async def test_a_wrong_number_is_refused_with_what_is_wrong_and_never_echoed(
    system: System, scene: Scene, spoil: Any, said: str
) -> None:
    number = spoil(new_resident_id())
    given = APPLICATION | {"residentId": number}
    async with nothing_changes(system, but={"commands"}):
        answer = await scene.desks.r_clerk.submit(**given)
    assert (answer["__typename"], answer["code"], answer["existing"]) == ("NotEligible", "NOT_ELIGIBLE", None)
    (finding,) = answer["findings"]
    assert (finding["code"], finding["class"], finding["side"]) == ("RESIDENT_ID_INVALID", "BLOCKS", "PLATFORM")
    assert said in finding["message"]
    assert answer["refusalNo"].startswith(f"BY-{SHANGHAI}-")
    assert number not in json.dumps(answer, ensure_ascii=False)
    async with nothing_changes(system):
        dry = (await scene.desks.r_clerk.ask(ELIGIBILITY, input=given))["eligibility"]
    assert (dry["eligible"], [each["code"] for each in dry["findings"]]) == (False, ["RESIDENT_ID_INVALID"])


async def test_a_transfer_to_the_same_pool_is_refused_and_nothing_else_is_said(system: System, scene: Scene) -> None:
    given = APPLICATION | {"toRegion": BEIJING, "residentId": scene.opened.person.resident_id}
    async with nothing_changes(system, but={"commands"}):
        answer = await scene.desks.o_clerk.submit(**given)
    assert [each["code"] for each in answer["findings"]] == ["SAME_POOLING_REGION"]


@pytest.mark.parametrize(
    ("registered", "given"),
    [
        ("林晓舟", " 林 晓 舟 "),
        ("阿卜杜拉·买买提", "阿卜杜拉•买买提"),
        ("阿卜杜拉·买买提", "阿卜杜拉 . 买买提"),
        ("𠮷田㛃", "𠮷田㛃"),
        ("O'Brien Ａnn", "o'brien ann"),
    ],
)
async def test_a_name_may_be_written_in_many_ways_and_is_one_name(
    system: System, registers: Registers, scene: Scene, registered: str, given: str
) -> None:
    person = await registers.person(name=registered)
    async with nothing_changes(system):
        answer = await scene.desks.r_clerk.ask(
            ELIGIBILITY, input=APPLICATION | {"residentId": person.resident_id, "name": given}
        )
        other = await scene.desks.r_clerk.ask(
            ELIGIBILITY, input=APPLICATION | {"residentId": person.resident_id, "name": "另有其人"}
        )
    assert answer["eligibility"] == {"eligible": True, "findings": []}
    assert {each["code"] for each in other["eligibility"]["findings"]} == {"IDENTITY_MISMATCH"}


REFUSALS: dict[str, tuple[Person, set[str]]] = {
    "still insured": (Person(new_resident_id(), origin=active()), {"COVERAGE_STILL_ACTIVE"}),
    "not enrolled": (Person(new_resident_id(), destination=None), {"NOT_ENROLLED_AT_DESTINATION"}),
    "unpaid": (Person(new_resident_id(), destination={"current_month_unpaid": "true"}), {"CURRENT_MONTH_UNPAID"}),
    "no record": (Person(new_resident_id(), origin=None), {"NO_RECORD_AT_ORIGIN"}),
    "the other scheme": (Person(new_resident_id(), origin={"scheme": "RESIDENT"}), {"SCHEME_MISMATCH"}),
    "retired, deceased, unsettled": (
        Person(new_resident_id(), origin={"retired": "true", "deceased": "true", "unsettled_claims": "true"}),
        {"RETIRED", "DECEASED", "UNSETTLED_CLAIMS"},
    ),
    "insured elsewhere": (
        Person(new_resident_id(), elsewhere=({"region": SHENZHEN, "enrolled_on": "2020-01-01"},)),
        {"DOUBLE_INSURED"},
    ),
    "two names": (Person(new_resident_id(), destination={"name": "林小舟"}), {"IDENTITY_MISMATCH"}),
    "all at once": (
        Person(new_resident_id(), origin=active() | {"retired": "true"}, destination=None),
        {"COVERAGE_STILL_ACTIVE", "RETIRED", "NOT_ENROLLED_AT_DESTINATION"},
    ),
}


@pytest.fixture(scope="module")
async def refusable(registers: Registers) -> None:
    await registers.know(*(person for person, _ in REFUSALS.values()))


@pytest.mark.usefixtures("refusable")
@pytest.mark.parametrize("name", list(REFUSALS))
async def test_who_may_not_transfer_is_told_every_reason_and_the_refusal_is_recorded(system: System, name: str) -> None:
    person, codes = REFUSALS[name]
    applicant = system.caller(Role.INSURED_PERSON, resident_id=person.resident_id)
    given = APPLICATION | {"idempotencyKey": new_key()}
    async with nothing_changes(system, but={"commands"}):
        answer = await applicant.submit(**given)
    assert answer["__typename"] == "NotEligible"
    assert {each["code"] for each in answer["findings"]} == codes
    assert all(each[text] for each in answer["findings"] for text in ("message", "fix", "where", "legalBasis"))
    # What was refused binds its key, even when the registers say otherwise by now.
    async with nothing_changes(system):
        again = await applicant.submit(**given)
    assert again == answer


CONSENT = """
mutation ($input: RecordConsentInput!) { recordConsent(input: $input) { ... on RecordConsentPayload { consent { id } } } }
"""
CONSENTS = "{ viewer { consents { id reason agency { region { code } } } } }"


@pytest.mark.usefixtures("refusable")
async def test_an_agency_is_shown_another_register_once_the_person_consents_at_its_window(system: System) -> None:
    person, _ = REFUSALS["retired, deceased, unsettled"]
    clerk = system.caller(Role.CLERK, SHENZHEN)
    asked = APPLICATION | {"toRegion": SHENZHEN}

    async def codes(number: str) -> list[str]:
        answer = await clerk.ask(ELIGIBILITY, input=asked | {"residentId": number})
        return sorted(each["code"] for each in answer["eligibility"]["findings"])

    for number in (person.resident_id, new_resident_id()):
        assert await codes(number) == ["AGENT_NOT_AUTHORISED", "NOT_ENROLLED_AT_DESTINATION"]
    given = {"idempotencyKey": new_key(), "residentId": person.resident_id, "reason": "本人到窗口咨询"}
    async with nothing_changes(system, but={"commands"}):
        consent = (await clerk.ask(CONSENT, input=given))["recordConsent"]["consent"]
    assert {"RETIRED", "DECEASED", "UNSETTLED_CLAIMS", "DOUBLE_INSURED"} <= set(await codes(person.resident_id))
    own = system.caller(Role.INSURED_PERSON, resident_id=person.resident_id)
    assert (await own.ask(CONSENTS))["viewer"]["consents"] == [
        {"id": consent["id"], "reason": "本人到窗口咨询", "agency": {"region": {"code": SHENZHEN}}}
    ]


@pytest.mark.usefixtures("refusable")
async def test_a_refusal_is_explained_by_its_number_on_the_command_line(system: System) -> None:
    person, codes = REFUSALS["all at once"]
    answer = await system.caller(Role.INSURED_PERSON, resident_id=person.resident_id).submit(**APPLICATION)
    said = await system.cli("why", answer["refusalNo"])
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert all(code in said.err for code in codes)


async def test_nobody_submits_for_a_person_they_may_not_act_for(system: System, scene: Scene) -> None:
    number = scene.opened.person.resident_id
    strangers = {
        "another person": scene.stopping.applicant,
        "another agency": system.caller(Role.CLERK, SHENZHEN),
        "another employer": system.caller(Role.EMPLOYER, subject="911100006000373499"),
    }
    for name, caller in strangers.items():
        async with nothing_changes(system, but={"commands"}):
            answer = await caller.submit(**APPLICATION, residentId=number)
        assert [each["code"] for each in answer["findings"]] == ["AGENT_NOT_AUTHORISED"], name
        assert answer["existing"] is None
        assert scene.opened.no not in json.dumps(answer)
    for caller in (scene.desks.o_finance, system.caller(Role.SUPERVISOR, "310000"), system.caller(Role.OPERATOR)):
        async with nothing_changes(system):
            assert await caller.fault(SUBMIT, input=APPLICATION | {"idempotencyKey": new_key()}) == "FORBIDDEN"
