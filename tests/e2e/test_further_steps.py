"""The further mutations, held against whoever may not call them, against a key used twice and a revision gone by."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.books import nothing_changes
from tests.e2e.caller import INPUT_OF, STEP, Caller, new_key
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import decides
from tests.e2e.people import BALANCE_FEN, SHENZHEN, Registers, at, today
from tests.e2e.system import System
from workflows.vocabulary import Role

# Regions whose policies these tests set, and nobody else's do.
ORIGIN, DESTINATION = "130400", "140400"
MAIL = {"item": "CERTIFICATE", "carrier": "EMS", "trackingNo": "E1"}
ACCOUNT = {"bankName": "示例银行", "accountName": "林晓舟", "accountNumber": "6222020000000000123"}
REVERSE = {"remittanceReference": "ZY-140400-20260101-000001-02"}
DISPUTE = {"reason": "FORM_INCOMPLETE", "note": "two years are missing"}
REGIONAL = {"CLERK", "CHECKER", "FINANCE", "AGENCY_SYSTEM", "SUPERVISOR"}
CLERKS = {"CLERK", "AGENCY_SYSTEM"}
FORM_MAKERS = CLERKS | {"CHECKER"}
# The further mutations: their input, and the roles that may call them at all.
FURTHER: dict[str, tuple[dict[str, Any], set[str]]] = {
    "issueContactLetter": ({}, CLERKS),
    "recordMail": (MAIL, CLERKS),
    "checkInformationForm": ({}, {"CHECKER", "AGENCY_SYSTEM"}),
    "requestCorrection": (DISPUTE, FORM_MAKERS),
    "providePayoutAccount": (ACCOUNT, {"INSURED_PERSON"}),
    "approveReverseRemittance": (REVERSE, {"SUPERVISOR"}),
    "terminateTransfer": ({"reason": "transferred twice"}, {"SUPERVISOR"}),
}


@dataclass
class Scene:
    """A paper case that has its form, and a case of another person who may not see it."""

    case: Case
    strangers: Case


@pytest.fixture(scope="module")
async def scene(system: System, registers: Registers) -> Scene:
    await decides(system, ORIGIN, connected=False)
    desks = Desks(system, ORIGIN, DESTINATION)
    cases = [Case(system, await registers.person(at(ORIGIN), at(DESTINATION)), desks) for _ in range(2)]
    for case in cases:
        await case.submits()
        await case.take(desks.r_clerk, "acceptTransfer")
        await case.take(desks.r_clerk, "issueContactLetter")
    await cases[0].take(desks.r_clerk, "deliverInformationForm")
    return Scene(*cases)


def _callers(system: System, case: Case, region: str) -> dict[str, Caller]:
    regional: dict[str, Caller] = {role.value: system.caller(role, region) for role in Role if role.value in REGIONAL}
    return regional | {
        "INSURED_PERSON": case.applicant,
        "EMPLOYER": system.caller(Role.EMPLOYER, subject="91110000600037341L"),
        "OPERATOR": system.caller(Role.OPERATOR),
    }


@pytest.mark.parametrize("mutation", FURTHER)
async def test_a_role_that_the_mutation_is_not_for_is_forbidden_and_changes_nothing(
    system: System, scene: Scene, mutation: str
) -> None:
    given, allowed = FURTHER[mutation]
    document = STEP % (INPUT_OF[mutation], mutation)
    asked = {"idempotencyKey": new_key(), "transferId": scene.case.id} | given
    async with nothing_changes(system):
        for role, caller in _callers(system, scene.case, DESTINATION).items():
            if role not in allowed:
                assert await caller.fault(document, input=asked) == "FORBIDDEN", role
        assert await system.bearer(None).fault(document, input=asked) == "UNAUTHENTICATED"


@pytest.mark.parametrize("mutation", FURTHER)
async def test_who_may_not_see_the_case_is_told_that_there_is_none(system: System, scene: Scene, mutation: str) -> None:
    given, allowed = FURTHER[mutation]
    async with nothing_changes(system):
        for role, caller in _callers(system, scene.strangers, SHENZHEN).items():
            if role in allowed:
                answer = await scene.case.asks(caller, mutation, **given)
                assert (answer["__typename"], answer["code"]) == ("TransferNotFound", "NOT_FOUND"), role
        nobody = await scene.case.applicant.step("withdrawTransfer", "bm9uc2Vuc2U=", reason="x")
        assert nobody["__typename"] == "TransferNotFound"


async def test_the_right_role_of_the_wrong_side_is_not_allowed(system: System, scene: Scene) -> None:
    case, desks = scene.case, scene.case.desks
    async with nothing_changes(system):
        for caller, mutation in [
            (desks.o_clerk, "issueContactLetter"),
            (desks.o_clerk, "requestCorrection"),
            (desks.o_checker, "requestCorrection"),
        ]:
            answer = await case.asks(caller, mutation, **FURTHER[mutation][0])
            assert (answer["__typename"], answer["message"]) == (
                "StepNotAllowed",
                "The other side's agency takes this step.",
            ), mutation


async def test_a_replay_answers_with_the_same_event_and_other_input_under_its_key_is_a_conflict(
    system: System, scene: Scene
) -> None:
    case, clerk, key = scene.strangers, scene.case.desks.r_clerk, new_key()
    letter = {"item": "CONTACT_LETTER", "carrier": "EMS", "trackingNo": "E2", "sentOn": today().isoformat()}
    one = await case.take(clerk, "recordMail", idempotencyKey=key, **letter)
    async with nothing_changes(system):
        two = await case.take(clerk, "recordMail", idempotencyKey=key, **letter)
        other = await case.asks(clerk, "recordMail", idempotencyKey=key, **letter | {"trackingNo": "E3"})
        elsewhere = await case.asks(clerk, "issueContactLetter", idempotencyKey=key)
    assert (one["replayed"], two["replayed"]) == (False, True)
    assert one["event"] == two["event"]
    assert (other["__typename"], elsewhere["__typename"]) == ("IdempotencyConflict", "IdempotencyConflict")


async def test_a_revision_gone_by_is_stale_for_what_rests_on_the_form_and_not_for_the_post(
    system: System, scene: Scene
) -> None:
    case, desks = scene.case, scene.case.desks
    seen = (await case.read())["revision"]
    await case.take(desks.r_clerk, "recordMail", expectedRevision=seen, **MAIL)
    # What the post brought changes nothing of the form.
    dispute = {"expectedRevision": seen} | DISPUTE
    key = new_key()
    asked = await case.take(desks.r_clerk, "requestCorrection", idempotencyKey=key, **dispute)
    assert asked["transfer"]["status"] == "CORRECTION_REQUESTED"
    async with nothing_changes(system):
        for mutation, caller in [("terminateTransfer", desks.r_supervisor), ("recordMail", desks.r_clerk)]:
            given = FURTHER[mutation][0]
            stale = await case.asks(caller, mutation, expectedRevision=seen, **given)
            assert (stale["__typename"], stale["transfer"]["revision"] > seen) == ("StaleRevision", True), mutation
        future = await case.asks(desks.r_clerk, "recordMail", expectedRevision=10_000, **MAIL)
        assert future["__typename"] == "StaleRevision"
        replay = await case.take(desks.r_clerk, "requestCorrection", idempotencyKey=key, **dispute)
    assert (replay["replayed"], replay["event"]["seq"]) == (True, asked["event"]["seq"])
    now = (await case.read())["revision"]
    ended = await case.take(desks.r_supervisor, "terminateTransfer", expectedRevision=now, reason="transferred twice")
    assert ended["transfer"]["status"] == "TERMINATED"


async def test_a_step_asked_for_twice_at_once_is_taken_once(system: System, registers: Registers, desks: Desks) -> None:
    case = Case(system, await registers.person(), desks)
    await case.submits()
    await case.take(desks.o_clerk, "deliverInformationForm", personalAccountBalance=BALANCE_FEN)
    answers = await asyncio.gather(*(case.asks(desks.r_clerk, "requestCorrection", **DISPUTE) for _ in range(4)))
    assert sorted(each["__typename"] for each in answers) == ["StepNotAllowed"] * 3 + ["StepPayload"]
    kinds = [edge["node"]["kind"] for edge in (await case.read())["events"]["edges"]]
    assert kinds.count("CORRECTION_REQUESTED") == 1
