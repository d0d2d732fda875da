"""From a mutation to the log and back: what is taken is recorded once for ever, what is refused changes nothing."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from temporalio.client import Client

from activities.worker import at_work
from gateway.auth import Viewer
from stack.errors import StackError
from stack.why import read_case
from tests.activities.desk import MONDAY, TUESDAY, snapshot
from tests.activities.register_extracts import LI, WANG
from tests.cases import O_CLERK as O_CLERK_ACTOR
from tests.cases import sandbox_bank
from tests.conftest import Database
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    O_FINANCE,
    PERSON,
    R_CLERK,
    R_FINANCE,
    STRANGER,
    Window,
    open_window,
)
from workflows import commands as c
from workflows.messages import CertificateOrder, StepOrder

ERRORS = """... on UserError { code message } ... on ValidationFailed { violations { path code message } }
    ... on NotEligible { refusalNo findings { code class message retryOn } existing { no } }
    ... on StepPending { retryAfterSeconds }"""
SUBMIT = f"""mutation ($input: SubmitTransferInput!) {{ submitTransfer(input: $input) {{ __typename
    ... on SubmitTransferPayload {{ replayed transfer {{ id no status revision }} }} {ERRORS} }} }}"""
CERTIFICATE = f"""mutation ($input: RequestCertificateInput!) {{ requestCertificate(input: $input) {{ __typename
    ... on RequestCertificatePayload {{ replayed certificate {{ number verificationCode document {{ kind number void }} }} }}
    {ERRORS} }} }}"""
KEY = "key-0123456789-abcdef"


def step(mutation: str, given: str) -> str:
    return f"""mutation ($input: {given}!) {{ {mutation}(input: $input) {{ __typename
    ... on StepPayload {{ replayed event {{ seq kind step }} transfer {{ status revision }} }}
    ... on StepNotAllowed {{ allowedActions transfer {{ no }} }} ... on StaleRevision {{ transfer {{ revision }} }}
    {ERRORS.replace("... on NotEligible { refusalNo findings { code class message retryOn } existing { no } }", "")} }} }}"""


DELIVER = step("deliverInformationForm", "DeliverInformationFormInput")
REMIT = step("remitPersonalAccount", "TransferInput")
CONTINUE = step("confirmContinuation", "TransferInput")
RECEIVE = step("confirmReceipt", "ConfirmReceiptInput")
STOP = step("stopCoverage", "StopCoverageInput")
WITHDRAW = step("withdrawTransfer", "ReasonInput")
DECLINE = step("declineTransfer", "DeclineTransferInput")


def application(**changes: Any) -> dict[str, Any]:
    given = {"fromRegion": "110000", "toRegion": "319900", "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}
    return {"idempotencyKey": KEY} | given | changes


async def ask(window: Window, viewer: Viewer, query: str, **given: Any) -> dict[str, Any]:
    """What the one mutation of `query` answers."""
    (answer,) = (await window.data(viewer, query, input=given)).values()
    assert isinstance(answer, dict)
    return answer


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person has applied for nothing."""
    async with open_window(database) as each:
        await each.desk.db.execute("delete from commands")
        yield each


@pytest.fixture
async def accepted(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case waits for O's form."""
    async with open_window(database) as each:
        await each.desk.accepted()
        yield each


@pytest.fixture
async def working(database: Database, temporal_client: Client, tmp_path: Path) -> AsyncIterator[Window]:
    """A worker on real Temporal; nothing applied for. Numbers begin anywhere, for Temporal outlives the database."""
    async with open_window(database, temporal=temporal_client) as each:
        await each.desk.db.execute("delete from commands")
        await each.desk.db.execute("select setval('transfer_serial', $1)", random.randrange(1, 900_000))
        cases = each.desk.cases
        async with (
            sandbox_bank(tmp_path) as bank,
            at_work(temporal_client, cases.worker_pool, cases.keyring, bank),
        ):
            yield each


async def only(window: Window, query: str) -> asyncpg.Record:
    """The one row of `query`."""
    (row,) = await window.desk.db.fetch(query)
    return row


async def carry_out(window: Window) -> None:
    """What the sweeper does with the one command that waits."""
    row = await only(window, "select * from commands where outcome is null")
    steps = window.desk.steps
    if row["kind"] == "REQUEST_CERTIFICATE":
        await steps.issue_certificate_alone(CertificateOrder(command_id=row["command_id"]))
        return
    order = StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=row["command_id"])
    await (steps.open_transfer if row["kind"] == "SUBMIT_TRANSFER" else steps.carry_out)(order)


# ------------------------------------------------------------------ applications


async def test_an_application_is_recorded_though_temporal_is_away_and_answered_later(window: Window) -> None:
    pending = await ask(window, PERSON, SUBMIT, **application())
    assert pending == {
        "__typename": "StepPending",
        "code": "STEP_PENDING",
        "message": "请求已可靠记录，正在办理，请于5秒后用同一幂等键查询结果。",
        "retryAfterSeconds": 5,
    }
    row = await only(window, "select * from commands")
    assert (row["kind"], row["transfer_no"], row["outcome"]) == ("SUBMIT_TRANSFER", "ZY-319900-20260302-000001", None)
    assert row["received_at"] == MONDAY
    assert WANG not in str(dict(row))
    await carry_out(window)
    answer = await ask(window, PERSON, SUBMIT, **application())
    assert (answer["__typename"], answer["replayed"]) == ("SubmitTransferPayload", True)
    assert (answer["transfer"]["no"], answer["transfer"]["status"]) == (row["transfer_no"], "TRANSFERRING_OUT")
    assert await window.desk.db.fetchval("select count(*) from commands") == 1


async def test_a_refused_application_leaves_its_number_and_no_workflow(window: Window) -> None:
    given = application(residentId=WANG, toScheme="RESIDENT", name="王小明")
    refused = await ask(window, O_CLERK, SUBMIT, **given)
    assert refused["__typename"] == "NotEligible"
    assert refused["refusalNo"] == "BY-319900-20260302-000001"
    codes = [each["code"] for each in refused["findings"]]
    assert sorted(codes) == ["IDENTITY_MISMATCH", "SCHEME_MISMATCH"]
    assert refused["existing"] is None
    assert await ask(window, O_CLERK, SUBMIT, **given) == refused
    shown = f"{refused['refusalNo']} is a refusal of 2026-03-02: {'、'.join(codes)}; no case was opened"
    with pytest.raises(StackError, match=shown):
        await read_case(window.desk.db, refused["refusalNo"])
    rows = await window.desk.db.fetch("select * from commands")
    assert [(row["refusal_no"], row["transfer_id"], row["released"]) for row in rows] == [
        (refused["refusalNo"], None, False)
    ]
    assert not any(clear in str(dict(rows[0])) for clear in (WANG, "王小明", "王思琪"))
    assert await window.desk.db.fetchval("select count(*) from transfers") == 0


async def test_a_second_application_names_the_first_and_shows_it_to_who_may_see_it(accepted: Window) -> None:
    refused = await ask(accepted, PERSON, SUBMIT, **application())
    assert [each["code"] for each in refused["findings"]] == ["TRANSFER_IN_PROGRESS"]
    assert accepted.no in refused["findings"][0]["message"]
    assert refused["existing"] == {"no": accepted.no}


async def test_of_two_applications_at_once_one_is_taken(window: Window) -> None:
    answers = await asyncio.gather(
        *(ask(window, PERSON, SUBMIT, **application(idempotencyKey=f"{KEY}-{number}")) for number in range(4))
    )
    assert sorted(each["__typename"] for each in answers) == ["NotEligible"] * 3 + ["StepPending"]
    assert await window.desk.db.fetchval("select count(*) from commands where outcome is null") == 1


async def test_the_same_application_at_once_is_one_command(window: Window) -> None:
    answers = await asyncio.gather(*(ask(window, PERSON, SUBMIT, **application()) for _ in range(4)))
    assert {each["__typename"] for each in answers} == {"StepPending"}
    assert await window.desk.db.fetchval("select count(*) from commands") == 1


OTHER_INPUT: list[dict[str, Any]] = [
    {"requestStop": True},
    {"toRegion": "440300"},
    {"name": "王思琪"},
    {"residentId": LI},
    {"toScheme": "RESIDENT"},
]


async def test_a_key_with_other_input_is_a_conflict_and_changes_nothing(window: Window) -> None:
    for changes in OTHER_INPUT:
        await ask(window, PERSON, SUBMIT, **application())
        before = await snapshot(window.desk.db)
        conflict = await ask(window, PERSON, SUBMIT, **application(**changes))
        assert (conflict["__typename"], conflict["code"]) == ("IdempotencyConflict", "IDEMPOTENCY_CONFLICT")
        assert await snapshot(window.desk.db) == before


async def test_a_key_belongs_to_its_caller(window: Window) -> None:
    await ask(window, PERSON, SUBMIT, **application())
    other = await ask(window, O_CLERK, SUBMIT, **application(residentId=WANG))
    assert (other["__typename"], other["findings"][0]["code"]) == ("NotEligible", "TRANSFER_IN_PROGRESS")


WRONG_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"idempotencyKey": "short"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
    ({"idempotencyKey": "x" * 65}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
    ({"idempotencyKey": "0123456789 abcdef"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
    ({"toRegion": "999999"}, "toRegion", "UNKNOWN_REGION"),
    ({"fromRegion": ""}, "fromRegion", "UNKNOWN_REGION"),
    ({"residentId": None}, "residentId", "RESIDENT_ID_REQUIRED"),
    ({"name": "王\u200b思琪"}, "name", "CONTROL_CHARACTER"),
    ({"name": "王" * 101}, "name", "TOO_LONG"),
    ({"certificateNumber": "x" * 65}, "certificateNumber", "TOO_LONG"),
]


async def test_a_wrong_field_is_named_and_nothing_is_recorded(window: Window) -> None:
    for changes, path, code in WRONG_FIELDS:
        before = await snapshot(window.desk.db)
        failed = await ask(window, O_CLERK, SUBMIT, **application(residentId=WANG) | changes)
        assert failed["__typename"] == "ValidationFailed"
        assert [(each["path"], each["code"]) for each in failed["violations"]] == [(["input", path], code)]
        assert await snapshot(window.desk.db) == before


async def test_names_with_dots_and_rare_characters_are_no_violation(window: Window) -> None:
    for number, name in enumerate(["阿卜杜拉·买买提", "王𠮷琪", "王 思 琪"]):
        answer = await ask(
            window, O_CLERK, SUBMIT, **application(residentId=WANG, name=name, idempotencyKey=f"{KEY}-{number}")
        )
        assert answer["__typename"] in {"NotEligible", "StepPending"}, answer


# ------------------------------------------------------------------ steps


async def test_a_step_is_recorded_once_and_every_replay_gives_the_same_event(accepted: Window) -> None:
    given = {"idempotencyKey": KEY, "transferId": await accepted.node_id()}
    assert (await ask(accepted, O_CLERK, DELIVER, **given))["__typename"] == "StepPending"
    accepted.now[0] = TUESDAY
    assert (await ask(accepted, O_CLERK, DELIVER, **given))["__typename"] == "StepPending"
    await carry_out(accepted)
    first = await ask(accepted, O_CLERK, DELIVER, **given)
    assert first == {
        "__typename": "StepPayload",
        "replayed": True,
        "event": {"seq": 5, "kind": "STEP_DONE", "step": "DELIVER_INFORMATION_FORM"},
        "transfer": {"status": "TRANSFERRING_IN", "revision": 7},
    }
    assert await ask(accepted, O_CLERK, DELIVER, **given) == first
    row = await only(accepted, "select received_at, kind from commands where kind <> 'SUBMIT_TRANSFER'")
    # A step counts as taken when it was first asked.
    assert (row["received_at"], row["kind"]) == (MONDAY, "DELIVER_INFORMATION_FORM")


OUT_OF_TURN: list[tuple[Viewer, str, dict[str, Any], str]] = [
    (R_CLERK, DELIVER, {}, "此项由另一方经办机构办理。"),
    (O_CLERK, CONTINUE, {}, "此项由另一方经办机构办理。"),
    (R_CLERK, CONTINUE, {}, "现在还不能办理此项，请先完成前面的步骤。"),
    (O_FINANCE, REMIT, {}, "现在还不能办理此项，请先完成前面的步骤。"),
    (O_CLERK, STOP, {"stoppedOn": "2026-03-01"}, "现在还不能办理此项，请先完成前面的步骤。"),
    (R_CLERK, DECLINE, {"reasons": ["RETIRED"]}, "现在还不能办理此项，请先完成前面的步骤。"),
]


async def test_a_step_of_the_other_side_or_out_of_order_is_refused_and_not_recorded(accepted: Window) -> None:
    for viewer, query, more, message in OUT_OF_TURN:
        before = await snapshot(accepted.desk.db)
        refused = await ask(accepted, viewer, query, idempotencyKey=KEY, transferId=await accepted.node_id(), **more)
        assert (refused["__typename"], refused["message"]) == ("StepNotAllowed", message)
        assert refused["transfer"] == {"no": accepted.no}
        assert await snapshot(accepted.desk.db) == before


async def test_a_step_that_is_done_cannot_be_done_twice(accepted: Window) -> None:
    await accepted.desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR, TUESDAY)
    before = await snapshot(accepted.desk.db)
    identifier = await accepted.node_id()
    refused = await ask(accepted, O_CLERK, DELIVER, idempotencyKey=KEY, transferId=identifier)
    assert (refused["__typename"], refused["allowedActions"]) == ("StepNotAllowed", ["REISSUE_CERTIFICATE"])
    late = await ask(accepted, PERSON, WITHDRAW, idempotencyKey=KEY, transferId=identifier, reason="不转了")
    assert late["message"] == "此项已经办理，不能重复或撤回。"
    assert await snapshot(accepted.desk.db) == before


async def test_a_stale_revision_is_refused_with_the_present_one_and_not_recorded(accepted: Window) -> None:
    before = await snapshot(accepted.desk.db)
    given = {"idempotencyKey": KEY, "transferId": await accepted.node_id()}
    for revision in (1, 99):
        stale = await ask(accepted, O_CLERK, DELIVER, expectedRevision=revision, **given)
        assert (stale["__typename"], stale["transfer"]) == ("StaleRevision", {"revision": 4})
    assert await snapshot(accepted.desk.db) == before


WRONG_STEP_FIELDS: list[tuple[Viewer, str, dict[str, Any], list[str], str]] = [
    (O_CLERK, DELIVER, {"expectedRevision": -1}, ["expectedRevision"], "NEGATIVE"),
    (O_CLERK, DELIVER, {"note": " "}, ["note"], "EMPTY"),
    (O_CLERK, DELIVER, {"note": "注" * 501}, ["note"], "TOO_LONG"),
    (O_CLERK, DELIVER, {"note": "a\u0000b"}, ["note"], "CONTROL_CHARACTER"),
    (O_CLERK, DELIVER, {"contributionPeriods": []}, ["contributionPeriods"], "EMPTY"),
    (PERSON, WITHDRAW, {"reason": ""}, ["reason"], "EMPTY"),
    (R_CLERK, DECLINE, {"reasons": []}, ["reasons"], "EMPTY"),
    (
        R_FINANCE,
        RECEIVE,
        {"amount": 1, "bankReference": "", "receivedOn": "2026-03-02"},
        ["bankReference"],
        "EMPTY",
    ),
    *(
        (
            R_FINANCE,
            RECEIVE,
            {"amount": 1, "bankReference": "BK1", "receivedOn": "2026-03-02"} | {field: reference},
            [field],
            code,
        )
        for field in ("bankReference", "remittanceReference")
        for reference, code in [
            ("BK1 ", "REFERENCE_FORM"),
            ("BK1\n", "REFERENCE_FORM"),
            ("BK１", "REFERENCE_FORM"),
            ("B" * 65, "TOO_LONG"),
            ("BK\u0000", "CONTROL_CHARACTER"),
        ]
    ),
]


async def test_a_wrong_field_of_a_step_is_named_and_nothing_is_recorded(accepted: Window) -> None:
    for viewer, query, more, path, code in WRONG_STEP_FIELDS:
        before = await snapshot(accepted.desk.db)
        failed = await ask(accepted, viewer, query, idempotencyKey=KEY, transferId=await accepted.node_id(), **more)
        assert failed["__typename"] == "ValidationFailed"
        assert [(each["path"], each["code"]) for each in failed["violations"]] == [(["input", *path], code)]
        assert await snapshot(accepted.desk.db) == before


async def test_a_row_that_postgresql_refuses_is_not_quoted_in_the_log(
    window: Window, caplog: pytest.LogCaptureFixture
) -> None:
    await window.desk.db.execute("alter table commands add constraint none_today check (kind <> 'SUBMIT_TRANSFER')")
    error = await window.error(PERSON, SUBMIT, input=application())
    assert error["extensions"]["code"] == "INTERNAL"
    assert "none_today" in caplog.text
    assert "Failing row" not in caplog.text
    assert "person-1" not in caplog.text


NO_AMOUNTS: list[object] = [-1, 2**53, 1.5, "1", True, None]


async def test_an_amount_that_is_no_whole_fen_is_an_error_of_the_request(accepted: Window) -> None:
    for amount in NO_AMOUNTS:
        before = await snapshot(accepted.desk.db)
        given = {
            "idempotencyKey": KEY,
            "transferId": await accepted.node_id(),
            "bankReference": "B",
            "receivedOn": "2026-03-02",
        }
        error = await accepted.error(R_FINANCE, RECEIVE, input=given | {"amount": amount})
        assert error["extensions"]["code"] == "VALIDATION_FAILED"
        assert await snapshot(accepted.desk.db) == before


async def test_what_the_registers_refuse_frees_the_key(database: Database) -> None:
    async with open_window(database, request_stop=True, origin={"status": "ACTIVE", "stopped_on": ""}) as window:
        await window.desk.open()
        given = {"idempotencyKey": KEY, "transferId": await window.node_id()}
        assert (await ask(window, O_CLERK, STOP, stoppedOn="2014-01-01", **given))["__typename"] == "StepPending"
        await carry_out(window)
        # Released: the same key serves the corrected input.
        assert (await ask(window, O_CLERK, STOP, stoppedOn="2026-02-28", **given))["__typename"] == "StepPending"
        await carry_out(window)
        done = await ask(window, O_CLERK, STOP, stoppedOn="2026-02-28", **given)
        assert done["event"] == {"seq": 3, "kind": "STEP_DONE", "step": "STOP_COVERAGE"}
        rows = await window.desk.db.fetch(
            "select command_id, key_hash, released, outcome from commands where kind = 'STOP_COVERAGE' order by received_at, released desc"
        )
        assert [row["released"] for row in rows] == [True, False]
        assert rows[0]["command_id"] == rows[0]["key_hash"] == rows[1]["key_hash"]
        assert rows[1]["command_id"].startswith(f"{rows[0]['key_hash']}.")
        assert json.loads(rows[0]["outcome"])["violations"][0]["code"] == "BEFORE_COVERAGE"


# ------------------------------------------------------------------ certificates


async def test_a_certificate_is_refused_with_its_reason_or_recorded(window: Window) -> None:
    given = {"idempotencyKey": KEY, "region": "110000", "scheme": "EMPLOYEE"}
    for number, (viewer, changes, code) in enumerate(
        [
            (STRANGER, {}, "NO_RECORD_AT_ORIGIN"),
            (STRANGER, {"residentId": WANG}, "AGENT_NOT_AUTHORISED"),
            (R_CLERK, {"residentId": WANG}, "AGENT_NOT_AUTHORISED"),
            (PERSON, {"scheme": "RESIDENT"}, "SCHEME_MISMATCH"),
            (O_CLERK, {"residentId": "110101199003071234"}, "RESIDENT_ID_INVALID"),
        ],
        start=1,
    ):
        refused = await ask(window, viewer, CERTIFICATE, **given | {"idempotencyKey": f"{KEY}-{number}"} | changes)
        assert [each["code"] for each in refused["findings"]] == [code]
        assert refused["refusalNo"] == f"BY-110000-20260302-{number:06d}"
    assert (await ask(window, PERSON, CERTIFICATE, **given))["__typename"] == "StepPending"
    await carry_out(window)
    answer = await ask(window, PERSON, CERTIFICATE, **given)
    assert answer["replayed"] is True
    certificate = answer["certificate"]
    assert certificate["document"] == {"kind": "ENROLMENT_CERTIFICATE", "number": certificate["number"], "void": False}
    assert len(certificate["verificationCode"]) == 14
    assert await ask(window, PERSON, CERTIFICATE, **given) == answer


# ------------------------------------------------------------------ on real Temporal


async def test_a_transfer_goes_from_application_to_completion_by_mutations_alone(working: Window) -> None:
    submitted = await ask(working, EMPLOYER, SUBMIT, **application(residentId=WANG))
    assert (submitted["__typename"], submitted["replayed"]) == ("SubmitTransferPayload", False)
    identifier = submitted["transfer"]["id"]
    follower = asyncio.create_task(follow(working, identifier))
    for viewer, query, more in [
        (O_CLERK, DELIVER, {}),
        (O_FINANCE, REMIT, {}),
        (R_CLERK, CONTINUE, {}),
        (R_FINANCE, RECEIVE, {"amount": 420_000, "bankReference": "B-1", "receivedOn": "2026-03-02"}),
    ]:
        done = await ask(working, viewer, query, idempotencyKey=KEY, transferId=identifier, **more)
        assert (done["__typename"], done["replayed"]) == ("StepPayload", False), done
    assert done["transfer"]["status"] == "COMPLETED"
    seqs, kinds = await asyncio.wait_for(follower, 10)
    assert seqs == list(range(1, done["transfer"]["revision"] + 1))
    assert (kinds[0], kinds[-1]) == ("SUBMITTED", "COMPLETED")
    again = await ask(working, O_CLERK, DELIVER, idempotencyKey=KEY, transferId=identifier)
    assert (again["replayed"], again["event"]["step"]) == (True, "DELIVER_INFORMATION_FORM")
    late = await ask(working, O_CLERK, DELIVER, idempotencyKey=f"{KEY}-2", transferId=identifier)
    assert late["message"] == "这笔业务已经结束，不能再办理。"
    assert await follow(working, identifier, after_seq=seqs[-1]) == ([], [])


async def test_a_certificate_by_itself_is_issued_at_once(working: Window) -> None:
    given = {"idempotencyKey": KEY, "residentId": WANG, "region": "110000", "scheme": "EMPLOYEE"}
    answer = await ask(working, O_CLERK, CERTIFICATE, **given)
    assert (answer["__typename"], answer["replayed"]) == ("RequestCertificatePayload", False)
    again = await ask(working, O_CLERK, CERTIFICATE, **given)
    assert (again["certificate"], again["replayed"]) == (answer["certificate"], True)


async def test_the_registers_objection_comes_back_as_the_field_it_concerns(working: Window) -> None:
    identifier = (await ask(working, PERSON, SUBMIT, **application()))["transfer"]["id"]
    given = {"idempotencyKey": KEY, "transferId": identifier}
    failed = await ask(working, O_CLERK, DELIVER, personalAccountBalance=1, **given)
    assert failed["violations"] == [
        {
            "path": ["input", "personalAccountBalance"],
            "code": "DIFFERS_FROM_REGISTER",
            "message": "与登记的不一致（登记为420000）：请更正，或在 note 中说明原因。",
        }
    ]
    backwards = [{"firstMonth": "2020-02", "lastMonth": "2020-01"}]
    failed = await ask(working, O_CLERK, DELIVER, contributionPeriods=backwards, note="更正", **given)
    assert [(each["path"], each["code"]) for each in failed["violations"]] == [
        (["input", "contributionPeriods"], "MONTHS_RUN_BACKWARDS")
    ]
    assert (await ask(working, O_CLERK, DELIVER, **given))["__typename"] == "StepPayload"


FOLLOW = "subscription ($id: ID!, $after: Int!) { transferProgress(transferId: $id, afterSeq: $after) { seq kind transfer { revision } } }"


async def follow(window: Window, identifier: str, after_seq: int = 0) -> tuple[list[int], list[str]]:
    """Every event that a subscription tells, until it completes."""
    events = [each["transferProgress"] async for each in window.stream(PERSON, FOLLOW, id=identifier, after=after_seq)]
    return [each["seq"] for each in events], [each["kind"] for each in events]


async def test_a_case_that_the_caller_may_not_see_cannot_be_followed(accepted: Window) -> None:
    for viewer, identifier in [(STRANGER, await accepted.node_id()), (PERSON, "nonsense")]:
        (body,) = [each async for each in accepted.bodies(viewer, FOLLOW, id=identifier, after=0)]
        assert body["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
