"""What an employer sees and does: status, steps and the stop of coverage of its own employee, while it is the employer."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from activities.migrate import migrations
from activities.reference import set_policy
from gateway import visibility
from gateway.auth import Viewer
from tests.activities.desk import MONDAY, THURSDAY, TUESDAY, snapshot
from tests.activities.register_extracts import WANG
from tests.cases import BALANCE_FEN, BEIJING, DESTINATION
from tests.cases import O_CLERK as O_ACTOR
from tests.cases import R_CLERK as R_ACTOR
from tests.conftest import Database
from tests.gateway.window import EMPLOYER, O_CLERK, PERSON, Window, open_window
from tests.workflows.pure_cases import Story
from workflows import commands as c
from workflows.actors import Actor
from workflows.policy import Disposition, DispositionRule, RegionPolicy
from workflows.vocabulary import CorrectionReason, Role, Side

NEW_EMPLOYER = Viewer(DESTINATION["employer_id"], (Role.EMPLOYER,))
NOTE = "王思琪的电话是13800000000"
QUERY = """query ($no: TransferNo!) { transfer(no: $no) {
    status fundsStatus revision closedAt allowedActions personalAccountBalance { fen } contributionPeriods { months }
    continuation { totalMonths } remittances { reference } coverageGap { closesOn } documents { id } notices { seq }
    refusals { code side } steps { kind state } currentStep { kind deadline { state dueOn } } insuredPerson { maskedName }
    progress { headline money actions holderRole }
    events(first: 50) { pageInfo { hasNextPage } edges { node { seq kind message actor actorLabel } } } } }"""
STATUS = "query ($no: TransferNo!) { transfer(no: $no) { status revision } }"
LIST = "query ($filter: TransferFilter) { transfers(filter: $filter) { edges { node { no status } } } }"
FOLLOW = "subscription ($id: ID!) { transferProgress(transferId: $id) { seq kind actor transfer { status } } }"
WITHDRAW = """mutation ($input: ReasonInput!) { withdrawTransfer(input: $input) { __typename
    ... on StepPayload { transfer { status } event { kind actor message } }
    ... on StaleRevision { code } ... on StepNotAllowed { message allowedActions } ... on TransferNotFound { code } ... on StepPending { code } } }"""


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """A person whose cover at the transfer-out region goes on until the transfer stops it; arrears there are a warning."""
    arrears = {"arrears_fen": "120000", "arrears_from": "2025-01", "arrears_to": "2025-03"}
    origin = {"status": "ACTIVE", "stopped_on": "", **arrears}
    async with open_window(database, origin=origin, request_stop=True) as each:
        yield each


async def seen(window: Window, viewer: Viewer, query: str = QUERY, language: str = "zh-CN") -> dict[str, Any]:
    transfer = (await window.data(viewer, query, language, no=window.no))["transfer"]  # type: ignore[arg-type]
    assert isinstance(transfer, dict)
    return transfer


async def stop(window: Window, on: date) -> None:
    await window.desk.take(c.StopCoverage(stopped_on=on), O_ACTOR, TUESDAY)


async def to_correction(window: Window) -> None:
    """Opened, coverage stopped, the form delivered with a note, and disputed with another."""
    await window.desk.open()
    await stop(window, MONDAY.date())
    await window.desk.steps.issue_certificate(await window.desk.clock(TUESDAY))
    await window.desk.take(c.DeliverInformationForm(note=NOTE), O_ACTOR, TUESDAY)
    await window.desk.take(c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note=NOTE), R_ACTOR, TUESDAY)


async def withdraw(window: Window, viewer: Viewer, **given: Any) -> dict[str, Any]:
    asked = {"idempotencyKey": "key-0123456789-abcdef", "transferId": await window.node_id(), "reason": "改期"}
    answer = (await window.data(viewer, WITHDRAW, "en", input=asked | given))["withdrawTransfer"]
    assert isinstance(answer, dict)
    return answer


# ------------------------------------------------------------------ the current employer


async def test_a_current_employer_sees_status_steps_and_the_stop_and_no_amount_month_note_or_reference(
    window: Window,
) -> None:
    await to_correction(window)
    window.now[0] = THURSDAY
    shown = await seen(window, NEW_EMPLOYER)
    assert (shown["status"], shown["revision"]) == ("CORRECTION_REQUESTED", (await window.desk.state()).revision)
    assert {each["kind"]: each["state"] for each in shown["steps"]}["STOP_COVERAGE"] == "DONE"
    assert shown["insuredPerson"] == {"maskedName": "王*琪"}
    hidden = ("personalAccountBalance", "continuation", "coverageGap")
    assert [shown[name] for name in hidden] == [None, None, None]
    empty = ("contributionPeriods", "remittances", "documents", "notices", "refusals", "allowedActions")
    assert [shown[name] for name in empty] == [[]] * 6
    assert shown["fundsStatus"] == "NOT_SHOWN"
    assert shown["progress"]["money"] == "资金信息不向用人单位显示。"
    assert (shown["progress"]["actions"], shown["progress"]["holderRole"]) == (["NONE"], None)
    said = [(each["node"]["kind"], each["node"]["message"]) for each in shown["events"]["edges"]]
    assert ("STEP_DONE", "北京市医疗保障事务中心已确认中止参保，参保至2026年3月2日。") in said
    assert ("STEP_DONE", "北京市医疗保障事务中心已完成：生成并上传信息表。") in said
    assert ("CORRECTION_REQUESTED", "信息表正在核对，转入地的办理期限中止。") in said
    assert {"ARREARS_NOTIFIED", "FORM_PREPARED"}.isdisjoint(kind for kind, _ in said)
    text = str(shown)
    for secret in (NOTE, "13800000000", f"{BALANCE_FEN}", "4,200.00", "1,200.00", "月缴费", "个月"):
        assert secret not in text, secret
    # The person and both agencies are shown all of it.
    for viewer in (PERSON, O_CLERK):
        whole = await seen(window, viewer)
        assert whole["personalAccountBalance"] == {"fen": BALANCE_FEN}
        assert NOTE in str(whole)
        assert len(whole["events"]["edges"]) > len(said)


async def test_an_employer_is_shown_the_refusals_of_its_own_side_alone(window: Window) -> None:
    await window.desk.open()
    assert {each["code"] for each in (await seen(window, PERSON))["refusals"]} == {"ARREARS_OUTSTANDING"}
    assert (await seen(window, EMPLOYER))["refusals"] == [{"code": "ARREARS_OUTSTANDING", "side": "TRANSFER_OUT"}]
    assert (await seen(window, NEW_EMPLOYER))["refusals"] == []


async def test_an_employer_does_not_learn_by_a_clock_that_the_balance_is_paid_to_the_person(window: Window) -> None:
    policy = RegionPolicy(disposition=(DispositionRule(disposition=Disposition.PAY_OUT),))
    await set_policy(window.desk.db, BEIJING, policy, date(2026, 1, 1))
    await window.desk.open()
    await stop(window, MONDAY.date())
    await window.desk.steps.issue_certificate(await window.desk.clock(TUESDAY))
    await window.desk.take(c.DeliverInformationForm(), O_ACTOR, TUESDAY)
    window.now[0] = TUESDAY
    query = "query ($no: TransferNo!) { transfer(no: $no) { steps { kind state deadline { state } } } }"
    for viewer, deadline in ((PERSON, {"state": "PAUSED"}), (NEW_EMPLOYER, None)):
        steps = (await seen(window, viewer, query))["steps"]
        assert {"kind": "REMIT_PERSONAL_ACCOUNT", "state": "OPEN", "deadline": deadline} in steps, viewer


async def test_a_page_of_an_employers_events_is_full_though_others_lie_between(window: Window) -> None:
    await to_correction(window)
    query = """query ($no: TransferNo!, $after: String) { transfer(no: $no) { events(first: 2, after: $after) {
        pageInfo { hasNextPage endCursor } edges { node { seq } } } } }"""
    found, after = [], None
    while True:
        page = (await window.data(NEW_EMPLOYER, query, no=window.no, after=after))["transfer"]["events"]
        found += [each["node"]["seq"] for each in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        assert len(page["edges"]) == 2
        after = page["pageInfo"]["endCursor"]
    whole = (await seen(window, NEW_EMPLOYER))["events"]["edges"]
    assert found == [each["node"]["seq"] for each in whole]


# ------------------------------------------------------------------ the former employer


@pytest.mark.parametrize(("last_day", "status"), [(0, "CORRECTION_REQUESTED"), (-1, "TRANSFERRING_OUT")])
async def test_a_tie_that_ended_yesterday_shows_the_case_as_it_was_then_and_one_that_ends_today_as_it_is(
    window: Window, last_day: int, status: str
) -> None:
    await to_correction(window)
    window.now[0] = TUESDAY + timedelta(hours=8)
    await has_stopped(window, NEW_EMPLOYER, window.now[0].date() + timedelta(days=last_day))
    # It is of the transfer-in side: the stop at the other one lies after its own last day.
    shown = await seen(window, NEW_EMPLOYER, STATUS)
    assert shown["status"] == ("SUBMITTED" if last_day else status)
    # Of the transfer-out side the stop of coverage is the last that it sees, whenever it was confirmed.
    shown = await seen(window, EMPLOYER, STATUS)
    await window.desk.db.execute(
        "update enrolments set stopped_on = $1 where employer_id = $2", MONDAY.date(), EMPLOYER.subject
    )
    shown = await seen(window, EMPLOYER)
    assert [each["node"]["kind"] for each in shown["events"]["edges"]] == ["SUBMITTED", "STEP_OPENED", "STEP_DONE"]
    assert {each["kind"]: each["state"] for each in shown["steps"]}["STOP_COVERAGE"] == "DONE"
    assert shown["closedAt"] is None


async def test_what_happens_after_the_last_day_reaches_a_former_employer_by_no_way(window: Window) -> None:
    await window.desk.open()
    await window.desk.db.execute(
        "update enrolments set status = 'STOPPED', stopped_on = $1 where employer_id = any($2::text[])",
        MONDAY.date() - timedelta(days=1), [EMPLOYER.subject, NEW_EMPLOYER.subject],
    )  # fmt: skip
    first = await seen(window, NEW_EMPLOYER)
    assert (first["status"], first["revision"]) == ("SUBMITTED", 1)
    await window.desk.db.execute("update transfers set status = 'TRANSFERRING_IN', funds_status = 'REMITTED'")
    await window.desk.steps.note_deadlines(await window.desk.clock(MONDAY + timedelta(days=90)))
    window.now[0] = MONDAY + timedelta(days=90)
    assert await seen(window, NEW_EMPLOYER) == first
    for filtered, numbers in (
        ({}, [window.no]),
        ({"residentId": WANG}, [window.no]),
        ({"status": ["SUBMITTED"]}, [window.no]),
        ({"fundsStatus": ["NOT_SHOWN"]}, [window.no]),
        ({"overdue": False}, [window.no]),
        ({"status": ["TRANSFERRING_IN"]}, []),
        ({"fundsStatus": ["REMITTED"]}, []),
        ({"overdue": True}, []),
    ):
        edges = (await window.data(NEW_EMPLOYER, LIST, filter=filtered))["transfers"]["edges"]
        assert [each["node"]["no"] for each in edges] == numbers, filtered
    # The stream tells what there is, and ends.
    told = [each async for each in window.stream(NEW_EMPLOYER, FOLLOW, id=await window.node_id())]
    assert told == [
        {"transferProgress": {"seq": 1, "kind": "SUBMITTED", "actor": "PERSON", "transfer": {"status": "SUBMITTED"}}}
    ]


async def test_a_former_employers_stream_ends_with_the_last_that_is_for_it(window: Window) -> None:
    await window.desk.open()
    await has_stopped(window, NEW_EMPLOYER, MONDAY.date())
    window.now[0] = TUESDAY
    told = [each async for each in window.stream(NEW_EMPLOYER, FOLLOW, id=await window.node_id())]
    assert [each["transferProgress"]["kind"] for each in told] == ["SUBMITTED", "STEP_OPENED"]
    after = "subscription ($id: ID!) { transferProgress(transferId: $id, afterSeq: 3) { seq } }"
    assert [each async for each in window.stream(NEW_EMPLOYER, after, id=await window.node_id())] == []


async def test_an_employer_that_stops_being_it_while_it_follows_is_told_nothing_more(window: Window) -> None:
    await window.desk.open()
    following = window.stream(NEW_EMPLOYER, FOLLOW, id=await window.node_id())
    assert [(await anext(following))["transferProgress"]["seq"] for _ in range(2)] == [1, 3]
    await has_stopped(window, NEW_EMPLOYER, MONDAY.date() - timedelta(days=1))
    await window.desk.steps.note_deadlines(await window.desk.clock(MONDAY + timedelta(days=90)))
    assert [each async for each in following] == []


async def has_stopped(window: Window, employer: Viewer, on: date) -> None:
    await window.desk.db.execute(
        "update enrolments set status = 'STOPPED', stopped_on = $1 where employer_id = $2", on, employer.subject
    )


@pytest.mark.parametrize(
    ("rows", "until", "sides"),
    [
        ([["319900", None]], None, {Side.TRANSFER_IN}),
        ([["319900", "2026-03-03"]], None, {Side.TRANSFER_IN}),
        ([["110000", "2026-03-02"]], date(2026, 3, 2), {Side.TRANSFER_OUT}),
        ([["110000", "2026-02-01"], ["319900", "2026-03-01"]], date(2026, 3, 1), set(Side) - {Side.PLATFORM}),
        ([["110000", "2026-02-01"], ["319900", None]], None, set(Side) - {Side.PLATFORM}),
    ],
)
def test_an_employment_lasts_to_the_end_of_its_last_day(
    rows: list[tuple[str, str | None]], until: date | None, sides: set[Side]
) -> None:
    employment = visibility._employment(rows, Story().state, TUESDAY.date())
    assert employment == visibility.Employment(frozenset(sides), until)


async def test_a_list_of_a_former_employer_reads_the_events_of_all_in_one_statement(window: Window) -> None:
    await window.desk.open()
    await window.desk.db.execute(
        "update enrolments set status = 'STOPPED', stopped_on = '2025-10-31' where employer_id = $1", EMPLOYER.subject
    )
    await window.data(EMPLOYER, LIST)
    window.pool.statements.clear()
    await window.data(EMPLOYER, LIST)
    assert len(window.pool.statements) == 2


# ------------------------------------------------------------------ who withdraws


async def test_an_employer_does_not_withdraw_what_the_person_submitted(window: Window) -> None:
    await window.desk.open()
    before = await snapshot(window.desk.db)
    for viewer in (EMPLOYER, NEW_EMPLOYER):
        assert await withdraw(window, viewer) == {
            "__typename": "StepNotAllowed",
            "message": "An employer withdraws only an application that it submitted itself. "
            "Ask the insured person to withdraw this one.",
            "allowedActions": [],
        }
    assert await snapshot(window.desk.db) == before


async def submitted_by(window: Window, viewer: Viewer) -> None:
    """The desk's application, as `viewer` had made it."""
    actor = Actor(subject=viewer.subject, roles=viewer.roles, region=viewer.region)
    await window.desk.db.execute("update commands set actor = $1", actor.model_dump_json())
    await window.desk.open()


async def test_an_employer_withdraws_what_it_submitted_and_the_event_says_who_did(window: Window) -> None:
    await submitted_by(window, EMPLOYER)
    assert (await seen(window, EMPLOYER))["allowedActions"] == ["WITHDRAW_TRANSFER"]
    assert (await seen(window, EMPLOYER))["progress"]["actions"] == ["WITHDRAW"]
    assert (await withdraw(window, NEW_EMPLOYER))["__typename"] == "StepNotAllowed"
    assert (await withdraw(window, EMPLOYER))["__typename"] == "StepPending"
    await _carry_out(window)
    answer = await withdraw(window, EMPLOYER)
    assert answer["transfer"] == {"status": "WITHDRAWN"}
    assert answer["event"] == {
        "kind": "WITHDRAWN",
        "actor": "EMPLOYER",
        "message": "The employer withdrew the application that it had submitted.",
    }
    last = (await seen(window, PERSON, language="en"))["events"]["edges"][-1]["node"]
    assert (last["actor"], last["actorLabel"]) == ("EMPLOYER", "the employer")
    headline = (await seen(window, PERSON))["progress"]["headline"]
    assert headline == "已撤回：用人单位已撤回其提交的申请"


async def test_a_transfer_that_was_open_before_submitters_were_noted_stays_its_employers_to_withdraw(
    window: Window,
) -> None:
    await submitted_by(window, EMPLOYER)
    noted = await window.desk.state()
    await window.desk.db.execute("update transfers set state = state - 'submitted_by'")
    assert (await seen(window, EMPLOYER))["allowedActions"] == []
    await window.desk.db.execute(dict(migrations())["0026_submitters.sql"])
    assert await window.desk.state() == noted
    assert (await seen(window, EMPLOYER))["allowedActions"] == ["WITHDRAW_TRANSFER"]


async def test_the_person_withdraws_what_the_employer_or_an_agency_submitted(window: Window) -> None:
    await submitted_by(window, O_CLERK)
    first = (await seen(window, PERSON))["events"]["edges"][0]["node"]
    assert (first["actor"], first["message"]) == ("AGENCY", "经办机构已代为提交申请：从北京市转往上海市本级。")
    assert "WITHDRAW_TRANSFER" in (await seen(window, PERSON))["allowedActions"]
    assert (await withdraw(window, PERSON))["__typename"] == "StepPending"
    await _carry_out(window)
    answer = await withdraw(window, PERSON)
    assert answer["event"] == {
        "kind": "WITHDRAWN",
        "actor": "PERSON",
        "message": "The insured person withdrew the application.",
    }


async def test_an_employer_that_the_register_does_not_name_any_more_withdraws_nothing(window: Window) -> None:
    await submitted_by(window, EMPLOYER)
    await window.desk.db.execute(
        "update enrolments set employer_id = '91110000100037341A' where employer_id = $1", EMPLOYER.subject
    )
    before = await snapshot(window.desk.db)
    assert (await withdraw(window, EMPLOYER))["__typename"] == "TransferNotFound"
    assert await snapshot(window.desk.db) == before


async def test_a_former_employer_that_submitted_withdraws_by_the_revision_that_it_was_shown(database: Database) -> None:
    # Its row stopped in October; the acceptance, which makes older revisions stale, is not for it to see.
    async with open_window(database) as window:
        await submitted_by(window, EMPLOYER)
        revision = (await seen(window, EMPLOYER, STATUS))["revision"]
        assert (revision, (await window.desk.state()).case_seq) == (1, 2)
        assert (await withdraw(window, EMPLOYER, expectedRevision=7))["__typename"] == "StaleRevision"
        assert (await withdraw(window, EMPLOYER, expectedRevision=revision))["__typename"] == "StepPending"
        await _carry_out(window)
        answer = await withdraw(window, EMPLOYER, expectedRevision=revision)
        assert (answer["__typename"], answer["transfer"]) == ("StepPayload", {"status": "WITHDRAWN"})


async def test_who_is_insured_and_an_employer_reads_no_documents_of_its_staff(window: Window) -> None:
    await to_correction(window)
    both = Viewer(NEW_EMPLOYER.subject, (Role.INSURED_PERSON, Role.EMPLOYER), resident_id="11010519491231002X")
    shown = await seen(window, both)
    assert (shown["documents"], shown["personalAccountBalance"]) == ([], None)
    query = "query ($no: TransferNo!) { transfer(no: $no) { documents { id } } }"
    document = (await seen(window, PERSON, query))["documents"][0]["id"]
    node = "query ($id: ID!) { node(id: $id) { id } }"
    assert await window.data(both, node, id=document) == {"node": None}
    assert await window.data(PERSON, node, id=document) == {"node": {"id": document}}


async def _carry_out(window: Window) -> None:
    from tests.gateway.test_windows import carry_out

    await carry_out(window)
