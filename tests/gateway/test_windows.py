"""Employers, windows and bureaus: whose application they may make, which cases they find, and how little they learn of others."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.auth import Viewer
from gateway.types.reference import node_id
from tests.activities.desk import changed, snapshot
from tests.activities.register_extracts import LI, WANG
from tests.cases import DESTINATION, ORIGIN
from tests.conftest import Database
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    O_FINANCE,
    OTHER_CLERK,
    PERSON,
    R_CLERK,
    SUPERVISOR,
    Window,
    open_window,
)
from workflows.actors import Actor, ActorKind
from workflows.messages import StepOrder
from workflows.vocabulary import Role

# R's employer of the standard person, and one of nobody.
NEW_EMPLOYER = Viewer(DESTINATION["employer_id"], (Role.EMPLOYER,))
STRANGE_EMPLOYER = Viewer("91310000600037341X", (Role.EMPLOYER,))
# A second person of the same registers who works for others, and a number of nobody.
COLLEAGUE = "110101199003077213"
NOBODY = "110101195001010033"
BUREAU_OF_SHANGHAI_POOL = Viewer("bureau-319900", (Role.SUPERVISOR,), region="319900")
BUREAU_OF_BEIJING = Viewer("bureau-110000", (Role.SUPERVISOR,), region="110000")
BUREAU_OF_HANGZHOU = Viewer("bureau-330100", (Role.SUPERVISOR,), region="330100")
BUREAU_OF_SHANGHAI_DISTRICT = Viewer("bureau-310100", (Role.SUPERVISOR,), region="310100")
KEY = "key-0123456789-abcdef"
REGIONS = {"fromRegion": "110000", "toRegion": "319900", "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}

ERRORS = "... on UserError { code message } ... on NotEligible { findings { code message fix } existing { no } }"
SUBMIT = f"""mutation ($input: SubmitTransferInput!) {{ submitTransfer(input: $input) {{ __typename
    ... on SubmitTransferPayload {{ transfer {{ id no status }} }} {ERRORS} }} }}"""
WITHDRAW = """mutation ($input: ReasonInput!) { withdrawTransfer(input: $input) { __typename
    ... on StepPayload { transfer { status } } ... on UserError { code message } } }"""
ELIGIBILITY = """query ($input: EligibilityInput!) { eligibility(input: $input) { eligible waitingPeriod { months }
    findings { code message fix } } }"""
FOUND = "query ($of: ResidentId) { transfers(filter: {residentId: $of}) { edges { node { no } } pageInfo { hasNextPage startCursor } } }"
BY_NO = "query ($no: TransferNo!) { transfer(no: $no) { no documents { id } } }"
NODE = "query ($id: ID!) { node(id: $id) { id } }"
WORKLIST = (
    "{ viewer { worklist { counts { open dueToday overdue } edges { node { step { kind } transfer { no } } } } } }"
)
FOLLOW = "subscription ($id: ID!) { transferProgress(transferId: $id) { seq } }"
NOTHING_FOUND = {"transfers": {"edges": [], "pageInfo": {"hasNextPage": False, "startCursor": None}}}


async def ask(window: Window, viewer: Viewer, query: str, **given: Any) -> dict[str, Any]:
    """What the one field of `query` answers."""
    (answer,) = (await window.data(viewer, query, "en", input=given)).values()
    assert isinstance(answer, dict)
    return answer


async def carry_out(window: Window) -> None:
    """What the sweeper does with the one command that waits."""
    row = await window.desk.row("select * from commands where outcome is null")
    order = StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=row["command_id"])
    steps = window.desk.steps
    await (steps.open_transfer if row["kind"] == "SUBMIT_TRANSFER" else steps.carry_out)(order)


async def done(window: Window, viewer: Viewer, query: str, **given: Any) -> dict[str, Any]:
    """The answer once what was recorded has been carried out, as the same key then gives it."""
    assert (await ask(window, viewer, query, **given))["__typename"] == "StepPending"
    await carry_out(window)
    return await ask(window, viewer, query, **given)


async def apply(window: Window, viewer: Viewer, number: int = 1, **given: Any) -> dict[str, Any]:
    return await done(window, viewer, SUBMIT, idempotencyKey=f"{KEY}-{number}", **REGIONS, **given)


async def found(window: Window, viewer: Viewer, of: str | None = None) -> list[str]:
    edges = (await window.data(viewer, FOUND, of=of))["transfers"]["edges"]
    return [edge["node"]["no"] for edge in edges]


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Nothing applied for. The colleague is insured in the same regions, for other employers."""
    async with open_window(database) as each:
        await each.desk.db.execute("delete from commands")
        other = {"resident_id": COLLEAGUE, "name": "张伟"}
        await each.desk.cases.registers(
            ORIGIN | other | {"employer_id": "91110000100037341A"},
            DESTINATION | other | {"employer_id": "91310000100037341B"},
        )
        yield each


# ------------------------------------------------------------------ employers


@pytest.mark.parametrize("employer", [EMPLOYER, NEW_EMPLOYER], ids=["of the origin", "of the destination"])
async def test_an_employer_of_either_side_checks_applies_follows_and_withdraws(
    window: Window, employer: Viewer
) -> None:
    answer = await ask(window, employer, ELIGIBILITY, residentId=WANG, **REGIONS)
    # The waiting period tells how long the person was without cover.
    assert (answer["eligible"], answer["findings"], answer["waitingPeriod"]) == (True, [], None)
    transfer = (await apply(window, employer, residentId=WANG))["transfer"]
    # The origin's employer stopped being it before: it sees what it did, and nothing of what followed.
    assert transfer["status"] == ("SUBMITTED" if employer is EMPLOYER else "TRANSFERRING_OUT")
    for viewer in (EMPLOYER, NEW_EMPLOYER):
        assert await found(window, viewer) == await found(window, viewer, WANG) == [transfer["no"]]
        # Documents show the number in full: they are not an employer's to read.
        seen = await window.data(viewer, BY_NO, no=transfer["no"])
        assert seen == {"transfer": {"no": transfer["no"], "documents": []}}
        assert (await window.data(viewer, NODE, id=transfer["id"]))["node"] == {"id": transfer["id"]}
        bodies = window.bodies(viewer, FOLLOW, id=transfer["id"])
        assert (await anext(bodies))["data"]["transferProgress"]["seq"] == 1
        await bodies.aclose()  # type: ignore[attr-defined]
    given = {"idempotencyKey": f"{KEY}-w", "transferId": transfer["id"], "reason": "改期"}
    assert (await done(window, employer, WITHDRAW, **given))["transfer"]["status"] == "WITHDRAWN"
    actors = [Actor.model_validate_json(row[0]) for row in await window.desk.db.fetch("select actor from commands")]
    assert {(actor.subject, actor.kind) for actor in actors} == {(employer.subject, ActorKind.EMPLOYER)}


async def test_another_employer_learns_nothing_of_whom_it_does_not_employ(window: Window) -> None:
    before = await snapshot(window.desk.db)
    answers = [
        await ask(window, employer, ELIGIBILITY, residentId=number, **REGIONS)
        for employer, number in ((STRANGE_EMPLOYER, WANG), (EMPLOYER, COLLEAGUE), (EMPLOYER, NOBODY), (EMPLOYER, LI))
    ]
    assert answers == [answers[0]] * 4
    assert [each["code"] for each in answers[0]["findings"]] == ["AGENT_NOT_AUTHORISED"]
    assert (answers[0]["eligible"], answers[0]["waitingPeriod"]) == (False, None)
    assert await snapshot(window.desk.db) == before
    refusals = [
        await ask(window, EMPLOYER, SUBMIT, idempotencyKey=f"{KEY}-{of}", residentId=of, **REGIONS)
        for of in (COLLEAGUE, NOBODY)
    ]
    for each in refusals:
        assert (each["__typename"], each["existing"]) == ("NotEligible", None)
        assert [finding["code"] for finding in each["findings"]] == ["AGENT_NOT_AUTHORISED"]
    assert refusals[0]["findings"] == refusals[1]["findings"]
    # Both refusals are on record, and nothing else is.
    assert changed(before, await snapshot(window.desk.db)) == {"commands"}
    assert await window.desk.db.fetchval("select count(*) from commands where outcome is null") == 0


async def test_an_employer_finds_its_staffs_cases_alone_and_the_unseen_like_the_absent(window: Window) -> None:
    staff = (await apply(window, EMPLOYER, residentId=WANG))["transfer"]
    other = (await apply(window, O_CLERK, 2, residentId=COLLEAGUE))["transfer"]
    assert await found(window, EMPLOYER) == await found(window, EMPLOYER, WANG) == [staff["no"]]
    for number in (COLLEAGUE, LI, NOBODY):
        assert await window.data(EMPLOYER, FOUND, of=number) == NOTHING_FOUND, number
    assert await window.data(STRANGE_EMPLOYER, FOUND, of=WANG) == NOTHING_FOUND
    assert await window.data(STRANGE_EMPLOYER, FOUND, of=None) == NOTHING_FOUND
    absent = node_id("Transfer", "0192f0c1-2222-7000-8000-000000000001")
    before = await snapshot(window.desk.db)
    unseen, missing = [
        [
            await window.data(EMPLOYER, BY_NO, no=no),
            await window.data(EMPLOYER, NODE, id=identifier),
            await ask(window, EMPLOYER, WITHDRAW, idempotencyKey=KEY, transferId=identifier, reason="x"),
            [each["errors"][0]["extensions"] async for each in window.bodies(EMPLOYER, FOLLOW, id=identifier)],
        ]
        for no, identifier in ((other["no"], other["id"]), ("ZY-319900-20260302-999999", absent))
    ]
    assert unseen == missing
    assert unseen[0] == {"transfer": None}
    assert await snapshot(window.desk.db) == before


async def test_whom_the_register_does_not_name_any_more_sees_neither_the_new_case_nor_the_old_one(
    window: Window,
) -> None:
    old = (await apply(window, EMPLOYER, residentId=WANG))["transfer"]
    given = {"idempotencyKey": f"{KEY}-w", "transferId": old["id"], "reason": "改期"}
    await done(window, EMPLOYER, WITHDRAW, **given)
    await window.desk.db.execute(
        "update enrolments set employer_id = '91110000100037341A' where employer_id = $1", EMPLOYER.subject
    )
    # Newest first is by the instant of the application.
    window.now[0] += timedelta(minutes=1)
    new = (await apply(window, PERSON, 2))["transfer"]
    assert await found(window, EMPLOYER, WANG) == []
    for case in (old, new):
        assert await window.data(EMPLOYER, BY_NO, no=case["no"]) == {"transfer": None}
        assert (await window.data(EMPLOYER, NODE, id=case["id"]))["node"] is None
    refused = await ask(window, EMPLOYER, ELIGIBILITY, residentId=WANG, **REGIONS)
    assert [each["code"] for each in refused["findings"]] == ["AGENT_NOT_AUTHORISED"]
    assert await found(window, NEW_EMPLOYER, WANG) == [new["no"], old["no"]]
    assert await found(window, Viewer("91110000100037341A", (Role.EMPLOYER,)), WANG) == [new["no"]]


@pytest.mark.parametrize("change", ["flexible_employment = true", "scheme = 'RESIDENT'"])
async def test_flexible_workers_and_residents_apply_themselves(window: Window, change: str) -> None:
    await window.desk.db.execute(
        f"update enrolments set {change} where employer_id = $1",  # noqa: S608 - our own columns
        EMPLOYER.subject,
    )
    given = REGIONS | ({"fromScheme": "RESIDENT"} if "RESIDENT" in change else {})
    refused = await ask(window, EMPLOYER, ELIGIBILITY, residentId=WANG, **given)
    assert [each["code"] for each in refused["findings"]] == ["AGENT_NOT_AUTHORISED"]
    transfer = (await done(window, PERSON, SUBMIT, idempotencyKey=KEY, **given))["transfer"]
    assert transfer["status"] == "TRANSFERRING_OUT"
    assert await window.data(EMPLOYER, FOUND, of=WANG) == NOTHING_FOUND
    assert await found(window, NEW_EMPLOYER, WANG) == [transfer["no"]]


async def test_who_stopped_being_the_employer_meanwhile_has_no_part_in_what_comes_of_the_application(
    window: Window,
) -> None:
    given = {"idempotencyKey": KEY, "residentId": WANG, **REGIONS}
    assert (await ask(window, EMPLOYER, SUBMIT, **given))["__typename"] == "StepPending"
    await window.desk.db.execute(
        "update enrolments set employer_id = '91110000100037341A' where employer_id = $1", EMPLOYER.subject
    )
    await carry_out(window)
    row = await window.desk.row("select no, status from transfers")
    assert row["status"] == "DECLINED"
    assert (await window.error(EMPLOYER, SUBMIT, input=given))["extensions"] == {"code": "NOT_FOUND"}
    assert await found(window, EMPLOYER) == []
    assert (await window.data(PERSON, BY_NO, no=row["no"]))["transfer"]["no"] == row["no"]


# ------------------------------------------------------------------ windows and bureaus


async def test_a_clerk_finds_a_case_by_the_persons_number_in_their_own_region_alone(window: Window) -> None:
    first = (await apply(window, PERSON))["transfer"]["no"]
    second = (await apply(window, O_CLERK, 2, residentId=COLLEAGUE))["transfer"]["no"]
    for viewer in (O_CLERK, O_FINANCE, R_CLERK):
        assert await found(window, viewer, WANG) == [first], viewer
        assert await found(window, viewer, COLLEAGUE) == [second], viewer
        assert await window.data(viewer, FOUND, of=NOBODY) == NOTHING_FOUND
    for number in (WANG, NOBODY):
        assert await window.data(OTHER_CLERK, FOUND, of=number) == NOTHING_FOUND
    for number in ("", WANG[:-1], "110101199003071234"):
        error = await window.error(O_CLERK, FOUND, of=number)
        violations = [(each["path"], each["code"]) for each in error["extensions"]["violations"]]
        assert violations == [(["filter", "residentId"], "RESIDENT_ID_INVALID")]
        assert WANG[:-1] not in str(error)


async def test_a_bureau_sees_the_worklist_and_the_cases_of_its_whole_area(window: Window) -> None:
    no = (await apply(window, PERSON))["transfer"]["no"]
    nothing = {"counts": {"open": 0, "dueToday": 0, "overdue": 0}, "edges": []}
    form = {
        "counts": {"open": 1, "dueToday": 0, "overdue": 0},
        "edges": [{"node": {"step": {"kind": "DELIVER_INFORMATION_FORM"}, "transfer": {"no": no}}}],
    }
    # The step is Beijing's; the case is both sides'.
    assert (await window.data(BUREAU_OF_BEIJING, WORKLIST))["viewer"]["worklist"] == form
    for bureau in (BUREAU_OF_BEIJING, SUPERVISOR, BUREAU_OF_SHANGHAI_POOL):
        assert await found(window, bureau) == await found(window, bureau, WANG) == [no], bureau
        assert (await window.data(bureau, BY_NO, no=no))["transfer"]["no"] == no
    for bureau in (SUPERVISOR, BUREAU_OF_SHANGHAI_POOL, BUREAU_OF_HANGZHOU):
        assert (await window.data(bureau, WORKLIST))["viewer"]["worklist"] == nothing, bureau
    # Another bureau, and one of a single region of the province, find what is not theirs as little as what is not there.
    for bureau in (BUREAU_OF_HANGZHOU, BUREAU_OF_SHANGHAI_DISTRICT):
        for number in (WANG, NOBODY):
            assert await window.data(bureau, FOUND, of=number) == NOTHING_FOUND, bureau
        assert await window.data(bureau, BY_NO, no=no) == {"transfer": None}


async def test_what_waits_at_a_pool_of_the_province_is_on_the_lists_of_its_province_wide_bureaus(
    window: Window,
) -> None:
    # R's clerk has to look at a soldier's application.
    await window.desk.db.execute("update enrolments set special_personnel = true where region = '110000'")
    no = (await apply(window, PERSON))["transfer"]["no"]
    review = [{"node": {"step": {"kind": "ACCEPT_APPLICATION"}, "transfer": {"no": no}}}]
    for bureau in (SUPERVISOR, BUREAU_OF_SHANGHAI_POOL):
        assert (await window.data(bureau, WORKLIST))["viewer"]["worklist"]["edges"] == review, bureau
    for bureau in (BUREAU_OF_BEIJING, BUREAU_OF_SHANGHAI_DISTRICT, BUREAU_OF_HANGZHOU):
        assert (await window.data(bureau, WORKLIST))["viewer"]["worklist"]["edges"] == [], bureau


async def test_an_employer_is_not_told_what_another_side_or_a_hospital_knows(window: Window) -> None:
    await window.desk.db.execute(
        "update enrolments set unsettled_claims = true, arrears_fen = 123456, arrears_from = '2025-01', arrears_to = '2025-02' "
        "where region = $1",
        REGIONS["fromRegion"],
    )
    answers = {
        name: await ask(window, employer, ELIGIBILITY, residentId=WANG, **REGIONS)
        for name, employer in (("of the origin", EMPLOYER), ("of the destination", NEW_EMPLOYER))
    }
    codes = {name: [each["code"] for each in answer["findings"]] for name, answer in answers.items()}
    assert codes == {
        "of the origin": ["AGENT_NOT_AUTHORISED", "ARREARS_OUTSTANDING"],
        "of the destination": ["AGENT_NOT_AUTHORISED"],
    }
    assert [answer["eligible"] for answer in answers.values()] == [False, False]
    given = {"idempotencyKey": KEY, "residentId": WANG} | REGIONS
    refused = await ask(window, NEW_EMPLOYER, SUBMIT, **given)
    assert [each["code"] for each in refused["findings"]] == ["AGENT_NOT_AUTHORISED"]
