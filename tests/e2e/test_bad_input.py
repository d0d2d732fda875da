"""Whatever comes in wrong is answered by its type and in words, and changes nothing: held by a digest of every table."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.exceptions import ConnectionClosedError

from stack.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from tests.e2e.books import changed, digest
from tests.e2e.caller import INPUT_OF, PROGRESS, STEP, SUBMIT, Caller, new_key
from tests.e2e.case import APPLICATION, Case, Desks, done
from tests.e2e.people import (
    BALANCE_FEN,
    BEIJING,
    SHANGHAI,
    SHENZHEN,
    Person,
    Registers,
    active,
    new_resident_id,
    today,
)
from tests.e2e.system import System
from workflows.vocabulary import Role

VIEWER = "{ viewer { roles } }"
ELIGIBILITY = """
query ($input: EligibilityInput!) { eligibility(input: $input) { eligible findings { code side message } } }
"""


@asynccontextmanager
async def nothing_changes(system: System, *, but: set[str] | None = None) -> AsyncIterator[None]:
    """No row of any table is another after the block, `but` those of these tables."""
    async with system.database() as connection:
        # The bank's word about an earlier case may still be on its way.
        async with asyncio.timeout(20):
            while await connection.fetchval("select exists (select from remittances where status = 'ORDERED')"):
                await asyncio.sleep(0.05)
        before = await digest(connection)
        yield
        assert changed(before, await digest(connection)) == (but or set())


@dataclass
class Scene:
    """Cases that stand still at one step each; every bad input is held against one of them."""

    system: System
    desks: Desks
    opened: Case
    stopping: Case
    remitted: Case
    completed: Case

    def callers(self) -> dict[str, Caller]:
        caller = self.system.caller
        return {
            "person": self.opened.applicant,
            "another person": self.stopping.applicant,
            "O clerk": self.desks.o_clerk,
            "O finance": self.desks.o_finance,
            "R clerk": self.desks.r_clerk,
            "R finance": self.desks.r_finance,
            "another agency": caller(Role.CLERK, SHENZHEN),
            "another agency's finance": caller(Role.FINANCE, SHENZHEN),
            "supervisor": caller(Role.SUPERVISOR, "310000"),
            "operator": caller(Role.OPERATOR),
            "nobody": self.system.bearer(None),
        }

    def case(self, name: str) -> Case:
        found: Case = getattr(self, name)
        return found


@pytest.fixture(scope="module")
async def scene(system: System, registers: Registers, desks: Desks) -> Scene:
    plain = await registers.persons(3)
    insured = await registers.person(origin=active())
    cases = [Case(system, person, desks) for person in plain]
    cases.insert(1, Case(system, insured, desks, request_stop=True))
    for case in cases:
        await done(case.submit())
    for case in cases[2:]:
        await done(case.deliver())
        await done(case.remit())
        await case.reaches(fundsStatus="REMITTED")
    await done(cases[3].continue_())
    await done(cases[3].receive())
    return Scene(system, desks, *cases)


# ------------------------------------------------------------------ applications


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


# ------------------------------------------------------------------ steps: whose, when


ADVICE = {"amount": BALANCE_FEN, "bankReference": "BK-bad-input", "receivedOn": "2026-11-22"}
REASON = {"reason": "changed my mind"}
RETURN = {"reason": "WRONG_REGION", "note": "another pool"}
STOP = {"stoppedOn": "2026-11-01"}


@pytest.mark.parametrize(
    ("case", "who", "mutation", "given", "answer"),
    [
        # Out of order.
        ("opened", "R clerk", "confirmContinuation", {}, "StepNotAllowed"),
        ("opened", "O finance", "remitPersonalAccount", {}, "StepNotAllowed"),
        ("opened", "R finance", "confirmReceipt", ADVICE, "StepNotAllowed"),
        ("opened", "R clerk", "acceptTransfer", {}, "StepNotAllowed"),
        ("opened", "R clerk", "declineTransfer", {"reasons": ["IDENTITY_MISMATCH"]}, "StepNotAllowed"),
        ("opened", "O clerk", "stopCoverage", STOP, "StepNotAllowed"),
        ("stopping", "O clerk", "deliverInformationForm", {}, "StepNotAllowed"),
        ("stopping", "O clerk", "reissueCertificate", REASON, "StepNotAllowed"),
        # Twice.
        ("remitted", "O clerk", "deliverInformationForm", {}, "StepNotAllowed"),
        ("remitted", "O finance", "remitPersonalAccount", {}, "StepNotAllowed"),
        ("completed", "R clerk", "confirmContinuation", {}, "StepNotAllowed"),
        ("completed", "R finance", "confirmReceipt", ADVICE, "StepNotAllowed"),
        # Too late.
        ("remitted", "O clerk", "returnTransfer", RETURN, "StepNotAllowed"),
        # By the wrong side.
        ("opened", "R clerk", "deliverInformationForm", {}, "StepNotAllowed"),
        ("opened", "R clerk", "returnTransfer", RETURN, "StepNotAllowed"),
        ("stopping", "R clerk", "stopCoverage", STOP, "StepNotAllowed"),
        ("remitted", "O clerk", "confirmContinuation", {}, "StepNotAllowed"),
        ("remitted", "O finance", "confirmReceipt", ADVICE, "StepNotAllowed"),
        # By another agency, or another person: it does not exist for them.
        ("opened", "another agency", "deliverInformationForm", {}, "TransferNotFound"),
        ("remitted", "another agency's finance", "confirmReceipt", ADVICE, "TransferNotFound"),
        ("completed", "another agency", "confirmContinuation", {}, "TransferNotFound"),
        ("opened", "another person", "withdrawTransfer", REASON, "TransferNotFound"),
        ("opened", "another person", "reissueCertificate", REASON, "TransferNotFound"),
        # By the wrong role.
        ("opened", "O finance", "deliverInformationForm", {}, "FORBIDDEN"),
        ("opened", "person", "deliverInformationForm", {}, "FORBIDDEN"),
        ("opened", "O clerk", "withdrawTransfer", REASON, "FORBIDDEN"),
        ("opened", "supervisor", "returnTransfer", RETURN, "FORBIDDEN"),
        ("opened", "operator", "deliverInformationForm", {}, "FORBIDDEN"),
        ("remitted", "O clerk", "remitPersonalAccount", {}, "FORBIDDEN"),
        ("remitted", "R clerk", "confirmReceipt", ADVICE, "FORBIDDEN"),
        ("remitted", "R finance", "confirmContinuation", {}, "FORBIDDEN"),
        ("opened", "nobody", "deliverInformationForm", {}, "UNAUTHENTICATED"),
    ],
)
async def test_a_step_out_of_order_or_by_the_wrong_one_is_refused(
    system: System, scene: Scene, case: str, who: str, mutation: str, given: dict[str, Any], answer: str
) -> None:
    transfer = scene.case(case)
    caller = scene.callers()[who]
    async with nothing_changes(system):
        if answer in {"FORBIDDEN", "UNAUTHENTICATED"}:
            document = STEP % (INPUT_OF[mutation], mutation)
            asked = {"idempotencyKey": new_key(), "transferId": transfer.id} | given
            assert await caller.fault(document, input=asked) == answer
            return
        said = await caller.step(mutation, transfer.id, **given)
    assert said["__typename"] == answer, said
    assert said["message"]
    if answer == "StepNotAllowed":
        assert said["transfer"]["no"] == transfer.no
        assert said["allowedActions"] == (await transfer.read(caller))["allowedActions"]


async def test_what_a_caller_may_not_see_is_told_like_what_does_not_exist(system: System, scene: Scene) -> None:
    stranger = system.caller(Role.CLERK, SHENZHEN)
    read = "query ($no: TransferNo!, $id: ID!) { transfer(no: $no) { no } node(id: $id) { id } }"
    nothing = {"transfer": None, "node": None}
    async with nothing_changes(system):
        assert await stranger.ask(read, no=scene.opened.no, id=scene.opened.id) == nothing
        assert await stranger.ask(read, no="ZY-319900-20200101-999999", id="VHJhbnNmZXI6bm9uZQ") == nothing
        unseen = await stranger.step("deliverInformationForm", scene.opened.id)
        for absent in ("", "x", "VHJhbnNmZXI6bm9uZQ", "QWdlbmN5OjExMDAwMA", "🙂" * 50, "a" * 5000):
            assert await stranger.step("deliverInformationForm", absent) == unseen


async def test_nobody_follows_a_case_that_they_may_not_see(system: System, scene: Scene) -> None:
    who = {
        "NOT_FOUND": system.caller(Role.CLERK, SHENZHEN),
        "UNAUTHENTICATED": system.bearer(None),
    }
    for code, caller in who.items():
        headers = caller.headers | {"accept": "text/event-stream"}
        request = {"query": PROGRESS, "variables": {"id": scene.opened.id}}
        answer = await system.http.post(f"{caller.gateway}/graphql", json=request, headers=headers)
        (data,) = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data: ")]
        assert [error["extensions"]["code"] for error in json.loads(data)["errors"]] == [code]
        async with caller.socket() as socket:
            payload = {"query": PROGRESS, "variables": {"id": scene.opened.id}}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            message = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert message["type"] == "error"
        assert [error["extensions"]["code"] for error in message["payload"]] == [code]
    with pytest.raises(ConnectionClosedError, match="4403"):
        async with system.bearer("garbage").socket():
            pass


# ------------------------------------------------------------------ steps: their fields


@pytest.mark.parametrize(
    ("case", "who", "mutation", "given", "path", "code"),
    [
        ("stopping", "O clerk", "stopCoverage", {"stoppedOn": "2199-01-01"}, "stoppedOn", "IN_THE_FUTURE"),
        ("stopping", "O clerk", "stopCoverage", {"stoppedOn": "2014-06-30"}, "stoppedOn", "BEFORE_COVERAGE"),
        ("remitted", "R finance", "confirmReceipt", ADVICE | {"receivedOn": "2199-01-01"}, "receivedOn", "IN_THE_FUTURE"),
        ("remitted", "R finance", "confirmReceipt", ADVICE | {"receivedOn": "2020-01-01"}, "receivedOn", "BEFORE_THE_ORDER"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": ""}, "bankReference", "EMPTY"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": "B" * 65}, "bankReference", "TOO_LONG"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": "B\x00"}, "bankReference", "CONTROL_CHARACTER"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": "used"}, "bankReference", "ALREADY_USED"),
        ("remitted", "R finance", "confirmReceipt", {"remittanceReference": "other"}, "remittanceReference", "UNKNOWN_REFERENCE"),
        ("opened", "O clerk", "deliverInformationForm", {"personalAccountBalance": 1}, "personalAccountBalance", "DIFFERS_FROM_REGISTER"),
        (
            "opened",
            "O clerk",
            "deliverInformationForm",
            {"personalAccountBalance": BALANCE_FEN + 1, "note": "found more"},
            "personalAccountBalance",
            "MORE_THAN_THE_ACCOUNT_HOLDS",
        ),
        ("opened", "O clerk", "deliverInformationForm", {"contributionPeriods": []}, "contributionPeriods", "EMPTY"),
        (
            "opened",
            "O clerk",
            "deliverInformationForm",
            {"contributionPeriods": [{"firstMonth": "2015-01", "lastMonth": "2015-12"}]},
            "contributionPeriods",
            "DIFFERS_FROM_REGISTER",
        ),
        ("opened", "O clerk", "returnTransfer", RETURN | {"note": " "}, "note", "EMPTY"),
        ("opened", "O clerk", "returnTransfer", RETURN | {"note": "x" * 501}, "note", "TOO_LONG"),
        ("opened", "person", "withdrawTransfer", {"reason": ""}, "reason", "EMPTY"),
        ("opened", "person", "withdrawTransfer", {"reason": "a\x00b"}, "reason", "CONTROL_CHARACTER"),
        ("opened", "R clerk", "declineTransfer", {"reasons": []}, "reasons", "EMPTY"),
        ("opened", "O clerk", "deliverInformationForm", {"idempotencyKey": "short"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
        ("opened", "O clerk", "deliverInformationForm", {"expectedRevision": -1}, "expectedRevision", "NEGATIVE"),
    ],
)  # fmt: skip
async def test_a_step_with_a_wrong_field_is_a_violation_of_that_field_and_binds_no_key(
    system: System, scene: Scene, case: str, who: str, mutation: str, given: dict[str, Any], path: str, code: str
) -> None:
    transfer = scene.case(case)
    given = {"idempotencyKey": new_key()} | given
    if mutation == "confirmReceipt":
        given = ADVICE | {"receivedOn": today().isoformat(), "bankReference": "BK-fresh"} | given
        if given["bankReference"] == "used":
            given["bankReference"] = f"BK-{scene.completed.no}"
    for _ in range(2):
        # What the registers had against it is on record as a released command; nothing else is.
        async with nothing_changes_but_released_commands(system):
            answer = await scene.callers()[who].step(mutation, transfer.id, **given)
        assert answer["__typename"] == "ValidationFailed", answer
        assert (answer["violations"][0]["path"], answer["violations"][0]["code"]) == (["input", path], code)
        assert answer["violations"][0]["message"]


@asynccontextmanager
async def nothing_changes_but_released_commands(system: System) -> AsyncIterator[None]:
    bound = "select count(*) from commands where not released"
    async with system.database() as connection:
        before, kept = await digest(connection), await connection.fetchval(bound)
        yield
        assert changed(before, await digest(connection)) <= {"commands"}
        assert await connection.fetchval(bound) == kept


@pytest.mark.parametrize(
    "amount",
    [-1, 2**53, 2**63, 1e300, 1.5, 864205.0, "864205", "8642.05", True, None, [1], {"fen": 1}],
    ids=str,
)
async def test_an_amount_that_is_no_whole_number_of_fen_is_refused_before_anything(
    system: System, scene: Scene, amount: Any
) -> None:
    asked = ADVICE | {"idempotencyKey": new_key(), "transferId": scene.remitted.id, "amount": amount}
    async with nothing_changes(system):
        answer = await scene.desks.r_finance.post(STEP % ("ConfirmReceiptInput", "confirmReceipt"), input=asked)
    body = answer.json()
    assert body.get("data") in (None, {"confirmReceipt": None})
    assert {error["extensions"]["code"] for error in body["errors"]} == {"VALIDATION_FAILED"}


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("stopCoverage", {"stoppedOn": "2026-02-30"}),
        ("stopCoverage", {"stoppedOn": "2026-1-1"}),
        ("stopCoverage", {"stoppedOn": "01/02/2026"}),
        ("stopCoverage", {"stoppedOn": 20260101}),
        ("stopCoverage", {"stoppedOn": "0000-01-01"}),
        ("stopCoverage", {}),
        ("deliverInformationForm", {"contributionPeriods": [{"firstMonth": "2015-13", "lastMonth": "2016-01"}]}),
        ("returnTransfer", {"reason": "BECAUSE", "note": "x"}),
        ("declineTransfer", {"reasons": ["NO_SUCH_CODE"]}),
        ("deliverInformationForm", {"expectedRevision": "1"}),
        ("deliverInformationForm", {"expectedRevision": 2**31}),
        ("deliverInformationForm", {"unknownField": 1}),
        ("deliverInformationForm", {"transferId": None}),
    ],
)
async def test_an_input_that_is_not_of_its_type_is_refused_before_anything(
    system: System, scene: Scene, mutation: str, given: dict[str, Any]
) -> None:
    asked = {"idempotencyKey": new_key(), "transferId": scene.stopping.id} | given
    async with nothing_changes(system):
        answer = await scene.desks.o_clerk.post(STEP % (INPUT_OF[mutation], mutation), input=asked)
    assert answer.status_code in {200, 400}
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"VALIDATION_FAILED"}


# ------------------------------------------------------------------ keys and revisions


async def test_the_same_key_with_the_same_input_gives_the_same_event_and_with_other_input_a_conflict(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    first = await done(case.submit())
    async with nothing_changes(system):
        again = await done(case.submit())
        key = case.keys["submit"]
        other = await case.applicant.submit(**APPLICATION | {"fromRegion": SHENZHEN, "idempotencyKey": key})
        as_step = await case.applicant.step("withdrawTransfer", case.id, idempotencyKey=key, reason="other")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["transfer"]["no"] == first["transfer"]["no"]
    assert other["__typename"] == as_step["__typename"] == "IdempotencyConflict"

    key = new_key()
    delivered = await done(desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key))
    await done(case.continue_())
    async with nothing_changes(system):
        replayed = await done(desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key))
        with_note = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key, note="x")
    assert replayed["replayed"] is True
    assert replayed["event"] == delivered["event"]
    # The event as it was, the transfer as it is now.
    assert (delivered["transfer"]["status"], replayed["transfer"]["status"]) == ("TRANSFERRING_IN", "AWAITING_FUNDS")
    assert (with_note["__typename"], with_note["code"]) == ("IdempotencyConflict", "IDEMPOTENCY_CONFLICT")
    # A key is its caller's own: another caller's same key is another key.
    assert (await done(desks.o_finance.step("remitPersonalAccount", case.id, idempotencyKey=key)))["replayed"] is False


async def test_a_key_is_free_again_after_a_step_that_was_not_allowed_or_had_a_wrong_field(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    await done(case.submit())
    key = new_key()
    refused = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key)
    invalid = await desks.o_clerk.step("stopCoverage", case.id, idempotencyKey=key, stoppedOn="2199-01-01")
    before = await desks.o_clerk.step("stopCoverage", case.id, idempotencyKey=key, stoppedOn="2001-01-01")
    assert [refused["__typename"], invalid["__typename"], before["__typename"]] == [
        "StepNotAllowed",
        "ValidationFailed",
        "ValidationFailed",
    ]
    stale = await desks.o_clerk.step(
        "stopCoverage", case.id, idempotencyKey=key, stoppedOn="2026-11-01", expectedRevision=1
    )
    assert stale["__typename"] == "StaleRevision"
    stopped = await done(desks.o_clerk.step("stopCoverage", case.id, idempotencyKey=key, stoppedOn=today().isoformat()))
    assert stopped["replayed"] is False
    async with nothing_changes(system):
        # Bound now, and to this.
        answer = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key)
    assert answer["__typename"] == "IdempotencyConflict"


async def test_a_revision_is_stale_only_when_what_the_step_rests_on_has_changed(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    await done(case.submit())
    seen = (await case.read())["revision"]
    async with nothing_changes(system):
        ahead = await desks.o_clerk.step("deliverInformationForm", case.id, expectedRevision=seen + 1)
    assert (ahead["__typename"], ahead["transfer"]["revision"]) == ("StaleRevision", seen)
    await done(desks.o_clerk.step("deliverInformationForm", case.id, expectedRevision=seen))
    delivered = (await case.read())["revision"]
    async with nothing_changes(system):
        late = await desks.o_clerk.step("deliverInformationForm", case.id, expectedRevision=seen)
        before_the_form = await desks.r_clerk.step("confirmContinuation", case.id, expectedRevision=seen)
    assert (late["__typename"], late["code"]) == ("StaleRevision", "STALE_REVISION")
    assert before_the_form["__typename"] == "StaleRevision"
    # The other track's steps do not make it stale.
    await done(case.remit())
    await case.reaches(fundsStatus="REMITTED")
    answer = await desks.r_clerk.step("confirmContinuation", case.id, expectedRevision=delivered)
    assert answer["__typename"] == "StepPayload"


# ------------------------------------------------------------------ at once


async def test_of_fifty_applications_at_once_one_becomes_a_case_and_the_others_name_it(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    async with nothing_changes_for_others(system, "transfers", added=1):
        answers = await asyncio.gather(*(case.applicant.submit(**APPLICATION) for _ in range(50)))
    taken = [each["transfer"]["no"] for each in answers if each["__typename"] == "SubmitTransferPayload"]
    refused = [each for each in answers if each["__typename"] == "NotEligible"]
    assert (len(taken), len(refused)) == (1, 49), {each["__typename"] for each in answers}
    for each in refused:
        assert [finding["code"] for finding in each["findings"]] == ["TRANSFER_IN_PROGRESS"]
        assert taken[0] in each["findings"][0]["message"]
    # The case may not be open yet for the first of those that name it; asked again, each shows it.
    assert {each["existing"]["no"] for each in refused if each["existing"]} <= set(taken)
    assert len({each["refusalNo"] for each in refused}) == 49


@asynccontextmanager
async def nothing_changes_for_others(system: System, table: str, *, added: int) -> AsyncIterator[None]:
    async with system.database() as connection:
        before = await connection.fetchval(f"select count(*) from {table}")  # noqa: S608 - our own table's name
        yield
        assert await connection.fetchval(f"select count(*) from {table}") == before + added  # noqa: S608


@pytest.mark.parametrize("one_key", [True, False], ids=["with one key", "with different keys"])
async def test_of_fifty_presses_of_one_step_at_once_one_is_carried_out(
    system: System, registers: Registers, desks: Desks, one_key: bool
) -> None:
    case = Case(system, await registers.person(), desks)
    await done(case.submit())
    before = (await case.read())["revision"]
    shared = new_key()

    async def press() -> dict[str, Any]:
        key = shared if one_key else new_key()
        while True:
            answer = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key)
            if answer["__typename"] != "StepPending":
                return answer

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(press() for _ in range(50)))
    payloads = [each for each in answers if each["__typename"] == "StepPayload"]
    assert len({each["event"]["seq"] for each in payloads}) == 1
    assert sum(not each["replayed"] for each in payloads) == 1
    assert len(payloads) == (50 if one_key else 1)
    assert {each["__typename"] for each in answers} <= {"StepPayload", "StepNotAllowed"}
    assert (await case.read())["revision"] == before + 3
    async with system.database() as connection:
        kept = await connection.fetchval(
            "select count(*) from commands where transfer_no = $1 and not released", case.no
        )
    assert kept == 2


# ------------------------------------------------------------------ tokens


def _claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    standard = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "clerk-110000",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "roles": ["CLERK"],
        "region": BEIJING,
    }
    return {name: value for name, value in (standard | changes).items() if value is not None}


def _token(system: System, kind: str) -> str:
    issuer = DevelopmentIssuer.of(system.data_dir, make=False)
    header = {"kid": jwt.get_unverified_header(issuer.token(Role.OPERATOR))["kid"]}
    other_key = Ed25519PrivateKey.generate()
    long_ago = datetime.now(UTC) - timedelta(seconds=1)
    ours: dict[str, dict[str, Any]] = {
        "good": {},
        "expired": {"exp": long_ago},
        "without an end": {"exp": None},
        "of another issuer, by our key": {"iss": "https://issuer.example"},
        "for another audience": {"aud": "another"},
        "without a subject": {"sub": None},
        "not valid yet": {"nbf": datetime.now(UTC) + timedelta(hours=1)},
        "of a clerk without a region": {"region": None},
    }
    if kind in ours:
        return jwt.encode(_claims(**ours[kind]), issuer.key, algorithm="EdDSA", headers=header)
    signed = jwt.encode(_claims(), issuer.key, algorithm="EdDSA", headers=header)
    head, payload, signature = signed.split(".")
    public = issuer.key.public_key().public_bytes_raw()
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    made: dict[str, Callable[[], str]] = {
        "of another issuer": lambda: jwt.encode(_claims(iss="https://issuer.example"), other_key, algorithm="EdDSA"),
        "by another key under our kid": lambda: jwt.encode(_claims(), other_key, algorithm="EdDSA", headers=header),
        "alg=none": lambda: f"{unsigned}.{payload}.",
        "unsigned": lambda: f"{head}.{payload}.",
        "HMAC by the public key": lambda: jwt.encode(_claims(), public, algorithm="HS256", headers=header),
        "with changed claims": lambda: f"{head}.{payload[:-2]}AA.{signature}",
        "garbage": lambda: "not-a-token",
        "endless": lambda: "e" * 10_000,
    }
    return made[kind]()


BAD_TOKENS = [
    "expired",
    "without an end",
    "of another issuer, by our key",
    "for another audience",
    "without a subject",
    "not valid yet",
    "of a clerk without a region",
    "of another issuer",
    "by another key under our kid",
    "alg=none",
    "unsigned",
    "HMAC by the public key",
    "with changed claims",
    "garbage",
    "endless",
]


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_token_that_is_not_good_is_unauthenticated(system: System, scene: Scene, kind: str) -> None:
    assert (await system.bearer(_token(system, "good")).ask(VIEWER))["viewer"] == {"roles": ["CLERK"]}
    bad = system.bearer(_token(system, kind))
    async with nothing_changes(system):
        reading = await bad.post(VIEWER)
        step = {"idempotencyKey": new_key(), "transferId": scene.opened.id}
        acting = await bad.post(STEP % ("DeliverInformationFormInput", "deliverInformationForm"), input=step)
        strict = {"accept": "application/graphql-response+json"}
        as_http = await system.http.post(f"{bad.gateway}/graphql", json={"query": VIEWER}, headers=bad.headers | strict)
    for answer in (reading, acting, as_http):
        (error,) = answer.json()["errors"]
        assert (error["extensions"]["code"], bool(error["message"])) == ("UNAUTHENTICATED", True)
        assert answer.json().get("data") is None
    assert as_http.status_code == 401


# ------------------------------------------------------------------ requests


async def test_a_body_of_10_mb_is_refused_and_the_gateway_goes_on(system: System, scene: Scene) -> None:
    async with nothing_changes(system):
        began = asyncio.get_running_loop().time()
        answer = await scene.desks.o_clerk.post(VIEWER, padding="x" * 10_000_000)
        took = asyncio.get_running_loop().time() - began
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["extensions"]["code"] == "VALIDATION_FAILED"
    assert took < 10
    assert (await scene.desks.o_clerk.ask(VIEWER))["viewer"]["roles"] == ["CLERK"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": "{ viewer {"}',
        b'{"query": "{ viewer { nothing } }"}',
        b'{"query": "{ viewer { roles } } query Two { viewer { roles } }"}',
        b'{"query": "{ viewer { roles } }", "variables": 1}',
        b'{"query": "query ($a: Int!) { viewer { roles } }"}',
        b'{"query": "{ \\u0000 }"}',
        b'{"query": "\xff"}',
        b'{"query": "' + b"{ viewer " * 200 + b'"}',
        b'{"query": "{ ' + b"a: viewer { roles } " * 2000 + b'}"}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
async def test_graphql_that_is_none_is_refused_in_one_line(system: System, scene: Scene, body: bytes) -> None:
    headers = scene.desks.o_clerk.headers | {"content-type": "application/json"}
    async with nothing_changes(system):
        answer = await system.http.post(f"{scene.desks.o_clerk.gateway}/graphql", content=body, headers=headers)
    assert answer.status_code in {200, 400}
    said = answer.json()
    assert said.get("data") is None
    assert said["errors"]
    for error in said["errors"]:
        assert error["extensions"]["code"] == "VALIDATION_FAILED"
        assert "Traceback" not in error["message"]
