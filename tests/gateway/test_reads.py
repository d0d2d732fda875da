"""What the gateway reads and tells: exact values, one statement for the hot path, and no list that asks row by row."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from activities.reference import set_policy
from gateway.auth import ANONYMOUS
from gateway.faults import Language
from gateway.types.reference import node_id
from tests.activities.desk import MONDAY, RECEIPT, THURSDAY, TUESDAY, WEDNESDAY, snapshot
from tests.activities.register_extracts import LI, WANG, resident_ids
from tests.cases import DESTINATION, ORIGIN
from tests.cases import O_CLERK as O_CLERK_ACTOR
from tests.cases import R_CLERK as R_CLERK_ACTOR
from tests.cases import R_FINANCE as R_FINANCE_ACTOR
from tests.conftest import Database
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    O_FINANCE,
    PERSON,
    R_CLERK,
    STRANGER,
    SUPERVISOR,
    Window,
    open_window,
)
from workflows import commands as c
from workflows.deadlines import SHANGHAI
from workflows.events import FundsReceived
from workflows.free_text import references_in
from workflows.policy import RegionPolicy, WaitingPolicy
from workflows.vocabulary import RefusalCode, ReturnReason

PROGRESS = """query ($no: TransferNo!) { transfer(no: $no) { status fundsStatus
    steps { kind state deadline { dueOn remainingWorkingDays state } }
    progress { headline holder { name } heldSince dueOn provisional expectedOn expectedBy money actions } } }"""


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        yield each


async def told(window: Window, **changes: Any) -> Any:
    return (await window.data(PERSON, PROGRESS, no=window.no, **changes))["transfer"]


async def test_the_progress_query_takes_one_statement(window: Window) -> None:
    await window.desk.continued()
    await told(window)
    window.pool.statements.clear()
    await told(window)
    (statement,) = window.pool.statements
    assert "t.no = wanted.no" in statement
    assert "p.person_key = wanted.person_key" in statement


async def test_progress_is_told_at_every_stage(window: Window) -> None:
    desk, beijing, shanghai = window.desk, "北京市医疗保障事务中心", "上海市本级医疗保障事务中心"
    await desk.accepted()
    assert (await told(window))["progress"] == {
        "headline": f"转出办理中：{beijing}正在核对参保信息并生成信息表",
        "holder": {"name": beijing},
        "heldSince": "2026-03-02T09:00:00+08:00",
        "dueOn": "2026-03-16",
        "provisional": False,
        "expectedOn": None,
        "expectedBy": None,
        "money": "个人账户余额在转出地生成信息表时核定。",
        "actions": ["WITHDRAW", "DOWNLOAD_DOCUMENTS"],
    }
    await desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR, TUESDAY)
    progress = (await told(window))["progress"]
    assert progress["headline"] == f"转入办理中：{shanghai}正在确认接续"
    assert progress["money"] == "个人账户余额4,200.00元已于2026年3月3日在北京市冻结，待划转至上海市本级。"
    assert progress["actions"] == ["DOWNLOAD_DOCUMENTS"]


async def test_money_is_told_at_every_status(window: Window) -> None:
    desk = window.desk
    await desk.remittance_ordered()
    assert (await told(window))["progress"]["money"] == "北京市已于2026年3月4日下达4,200.00元的划转指令，银行正在办理。"
    await desk.steps.note_bank_took_order(await desk.bank_word())
    money = "银行已汇出4,200.00元（2026年3月4日下达指令），待上海市本级确认到账。"
    assert (await told(window))["progress"]["money"] == money
    await desk.take(RECEIPT.model_copy(update={"amount_fen": 419_999}), R_FINANCE_ACTOR, THURSDAY)
    transfer = await told(window)
    assert transfer["fundsStatus"] == "MISMATCHED"
    assert transfer["progress"]["money"] == (
        "到账4,199.99元与应划转的4,200.00元不一致，尚未计入您的个人账户，经办机构正在核对。"
    )
    assert transfer["progress"]["actions"] == ["DOWNLOAD_DOCUMENTS", "CONTACT_AGENCY"]
    await desk.take(RECEIPT.model_copy(update={"note": "银行更正", "bank_reference": "B-2"}), R_FINANCE_ACTOR, THURSDAY)
    transfer = await told(window)
    assert (transfer["status"], transfer["fundsStatus"]) == ("TRANSFERRING_IN", "CREDITED")
    assert transfer["progress"]["money"] == "4,200.00元已于2026年3月5日计入您在上海市本级的个人账户。"
    await desk.take(c.ConfirmContinuation(), R_CLERK_ACTOR, THURSDAY)
    assert (await told(window))["progress"]["headline"] == "已办结：缴费年限已接续，个人账户已结清"


async def test_a_zero_balance_needs_no_money(database: Database) -> None:
    async with open_window(database, origin={"personal_account_fen": "0"}) as window:
        await window.desk.form_delivered()
        transfer = await told(window)
        assert transfer["fundsStatus"] == "NOT_REQUIRED"
        assert transfer["progress"]["money"] == "个人账户余额为零，没有资金需要划转。"
        query = "query ($no: TransferNo!) { transfer(no: $no) { events(first: 50) { edges { node { kind step message } } } } }"
        edges = (await window.data(PERSON, query, "en", no=window.no))["transfer"]["events"]["edges"]
        said = {
            "kind": "FUNDS_NOT_REQUIRED",
            "step": None,
            "message": "The personal account is empty: no money has to move.",
        }
        assert said in [edge["node"] for edge in edges]


async def test_deadlines_count_down_fall_due_and_stay_met(window: Window) -> None:
    await window.desk.accepted()

    async def deadline(now: datetime) -> tuple[str, int | None]:
        window.now[0] = now
        (step,) = [each for each in (await told(window))["steps"] if each["kind"] == "DELIVER_INFORMATION_FORM"]
        return step["deadline"]["state"], step["deadline"]["remainingWorkingDays"]

    assert await deadline(MONDAY) == ("ON_TRACK", 10)
    assert await deadline(datetime(2026, 3, 11, 23, 59, tzinfo=SHANGHAI)) == ("ON_TRACK", 3)
    assert await deadline(datetime(2026, 3, 12, 0, 0, tzinfo=SHANGHAI)) == ("DUE_SOON", 2)
    assert await deadline(datetime(2026, 3, 16, 23, 59, tzinfo=SHANGHAI)) == ("DUE_SOON", 0)
    assert await deadline(datetime(2026, 3, 17, 0, 0, tzinfo=SHANGHAI)) == ("OVERDUE", -1)
    late = datetime(2026, 3, 18, 9, 0, tzinfo=SHANGHAI)
    assert await deadline(late) == ("OVERDUE", -2)
    assert (await told(window))["progress"]["headline"].endswith("（已超过办理期限，已列入主管部门督办清单）")
    assert "CONTACT_AGENCY" in (await told(window))["progress"]["actions"]
    await window.desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR, late)
    assert await deadline(late + timedelta(days=90)) == ("MET_LATE", None)


async def test_a_case_whose_clock_has_spoken_does_not_look_younger_than_its_events(window: Window) -> None:
    await window.desk.accepted()
    later = datetime(2026, 3, 17, 0, 0, tzinfo=SHANGHAI)
    await window.desk.steps.note_deadlines(await window.desk.clock(later))
    window.now[0] = MONDAY
    (step,) = [each for each in (await told(window))["steps"] if each["kind"] == "DELIVER_INFORMATION_FORM"]
    assert step["deadline"] == {"dueOn": "2026-03-16", "remainingWorkingDays": -1, "state": "OVERDUE"}
    query = (
        "query ($no: TransferNo!) { transfer(no: $no) { events(first: 50) { edges { node { kind step message } } } } }"
    )
    edges = (await window.data(PERSON, query, no=window.no))["transfer"]["events"]["edges"]
    assert edges[-1]["node"] == {
        "kind": "DEADLINE_MISSED",
        "step": "DELIVER_INFORMATION_FORM",
        "message": "“生成并上传信息表”已超过2026年3月16日的办理期限，已列入北京市医疗保障事务中心、北京市医保主管部门的督办清单。",
    }
    counts = "{ viewer { worklist(filter: {overdueOnly: true}) { edges { node { dueOn } } counts { open dueToday overdue } } } }"
    assert (await window.data(O_CLERK, counts))["viewer"]["worklist"] == {
        "edges": [{"node": {"dueOn": "2026-03-16"}}],
        "counts": {"open": 1, "dueToday": 0, "overdue": 1},
    }
    overdue = "query ($overdue: Boolean) { transfers(filter: {overdue: $overdue}) { edges { node { no } } } }"
    assert len((await window.data(R_CLERK, overdue, overdue=True))["transfers"]["edges"]) == 1
    assert (await window.data(R_CLERK, overdue, overdue=False))["transfers"]["edges"] == []


async def test_a_declined_case_says_every_reason_with_the_agencys_own(window: Window) -> None:
    await window.desk.accepted()
    await window.desk.take(
        c.ReturnTransfer(reason=ReturnReason.WRONG_REGION, note="参保地为天津"), O_CLERK_ACTOR, TUESDAY
    )
    query = """query ($no: TransferNo!) { transfer(no: $no) { status refusals { code class side message where } closedAt
        progress { money actions holder { name } heldSince dueOn } steps { deadline { dueOn } } allowedActions
        events(first: 50) { edges { node { kind message } } } } }"""
    transfer = (await window.data(PERSON, query, no=window.no))["transfer"]
    assert transfer["status"] == "DECLINED"
    assert transfer["refusals"] == [
        {
            "code": "NO_RECORD_AT_ORIGIN",
            "class": "BLOCKS",
            "side": "TRANSFER_OUT",
            "message": "在北京市没有查到您的参保记录。",
            "where": "北京市医疗保障事务中心，电话010-12393001；或在本平台重新选择转出地",
        }
    ]
    assert transfer["progress"] == {
        "money": "本次没有资金划转，个人账户余额仍在北京市。",
        "actions": ["CORRECT_DETAILS", "DOWNLOAD_DOCUMENTS", "CONTACT_AGENCY"],
        "holder": None,
        "heldSince": transfer["closedAt"],
        "dueOn": None,
    }
    assert [step for step in transfer["steps"] if step["deadline"]] == []
    assert transfer["allowedActions"] == []
    assert transfer["events"]["edges"][-1]["node"] == {
        "kind": "DECLINED",
        "message": "北京市医疗保障事务中心退回申请：选择的转出地有误。本次申请不予受理。经办机构说明：参保地为天津",
    }


async def test_allowed_actions_are_those_of_the_viewers_side_and_role(window: Window) -> None:
    await window.desk.form_delivered()
    query = "query ($no: TransferNo!) { transfer(no: $no) { allowedActions } }"
    allowed = {
        viewer.subject: (await window.data(viewer, query, no=window.no))["transfer"]["allowedActions"]
        for viewer in (PERSON, EMPLOYER, O_CLERK, O_FINANCE, R_CLERK, SUPERVISOR)
    }
    assert allowed == {
        "person-1": ["REISSUE_CERTIFICATE"],
        EMPLOYER.subject: [],
        "clerk-110000": ["REISSUE_CERTIFICATE"],
        "finance-110000": ["REMIT_PERSONAL_ACCOUNT"],
        "clerk-319900": ["REQUEST_CORRECTION", "CONFIRM_CONTINUATION"],
        "bureau-310000": ["TERMINATE_TRANSFER"],
    }


async def test_events_are_paged_by_seq_without_holes_or_repeats(window: Window) -> None:
    await window.desk.completed()
    query = """query ($no: TransferNo!, $after: String) { transfer(no: $no) { revision events(first: 4, after: $after) {
        edges { node { seq } } pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""
    seen: list[int] = []
    after, more = None, True
    while more:
        transfer = (await window.data(PERSON, query, no=window.no, after=after))["transfer"]
        page = transfer["events"]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        seen += [edge["node"]["seq"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert seen == list(range(1, transfer["revision"] + 1))


async def many(window: Window, count: int) -> list[str]:
    """So many more accepted transfers, of as many persons, an hour apart; their numbers, oldest first."""
    ids = [number for number, _ in zip(resident_ids(), range(count), strict=False)]
    rows = [{"resident_id": number} | side for number in ids for side in (ORIGIN, DESTINATION)]
    await window.desk.cases.registers(*rows)
    numbers = []
    for hour, number in enumerate(ids):
        command = await window.desk.cases.apply(resident_id=number, at=MONDAY + timedelta(hours=hour + 1))
        window.desk.transfer, kept = command, window.desk.transfer
        await window.desk.accepted()
        window.desk.transfer = kept
        numbers.append(command.transfer_no)
    return numbers


async def test_lists_of_transfers_are_newest_first_stable_and_without_a_query_for_each_row(window: Window) -> None:
    numbers = await many(window, 6)
    query = """query ($after: String) { transfers(first: 4, after: $after) { pageInfo { hasNextPage endCursor }
        edges { node { no insuredPerson { maskedName maskedResidentId } documents { number } events(first: 2) { edges { node { seq } } } } } } }"""
    await window.data(O_CLERK, query)
    window.pool.statements.clear()
    first = (await window.data(O_CLERK, query))["transfers"]
    assert len(window.pool.statements) == 4
    second = (await window.data(O_CLERK, query, after=first["pageInfo"]["endCursor"]))["transfers"]
    shown = [edge["node"]["no"] for page in (first, second) for edge in page["edges"]]
    assert shown == numbers[::-1]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert all(edge["node"]["insuredPerson"]["maskedName"] == "王*琪" for edge in first["edges"])
    assert len({edge["node"]["insuredPerson"]["maskedResidentId"] for edge in first["edges"]}) > 1
    assert all(len(edge["node"]["documents"]) == 2 for edge in first["edges"])
    assert all([each["node"]["seq"] for each in edge["node"]["events"]["edges"]] == [1, 2] for edge in first["edges"])


async def test_the_worklist_is_due_soonest_first_and_pages_stay_stable_while_work_is_done(window: Window) -> None:
    await many(window, 5)
    query = """query ($first: Int!, $after: String) { viewer { worklist(first: $first, after: $after) {
        counts { open dueToday overdue } pageInfo { hasNextPage endCursor }
        edges { node { id dueOn step { kind label } transfer { no } } } } } }"""
    whole = (await window.data(O_CLERK, query, first=50))["viewer"]["worklist"]
    assert whole["counts"] == {"open": 5, "dueToday": 0, "overdue": 0}
    first = (await window.data(O_CLERK, query, first=2))["viewer"]["worklist"]
    done = first["edges"][0]["node"]["transfer"]["no"]
    transfer_id = await window.desk.db.fetchval("select transfer_id from transfers where no = $1", done)
    await window.desk.db.execute("delete from work_items where transfer_id = $1", transfer_id)
    rest = (await window.data(O_CLERK, query, first=50, after=first["pageInfo"]["endCursor"]))["viewer"]["worklist"]
    assert [*first["edges"], *rest["edges"]] == whole["edges"]
    assert rest["counts"]["open"] == 4
    window.now[0] = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
    assert (await window.data(O_CLERK, query, first=1))["viewer"]["worklist"]["counts"] == {
        "open": 4, "dueToday": 4, "overdue": 0,
    }  # fmt: skip


WORKLIST_FILTERS: list[tuple[dict[str, Any], int]] = [
    ({"steps": ["DELIVER_INFORMATION_FORM"]}, 1),
    ({"steps": ["STOP_COVERAGE"]}, 0),
    ({"steps": []}, 0),
    ({"dueOnOrBefore": "2026-03-16"}, 1),
    ({"dueOnOrBefore": "2026-03-15"}, 0),
    ({"counterpartRegion": "319900"}, 1),
    ({"counterpartRegion": "110000"}, 0),
    ({"overdueOnly": True}, 0),
    ({"overdueOnly": None, "steps": None}, 1),
]


async def test_the_worklists_filter_narrows_it_and_its_counts(window: Window) -> None:
    for filter_, found in WORKLIST_FILTERS:
        await window.desk.accepted()
        query = "query ($filter: WorklistFilter) { viewer { worklist(filter: $filter) { edges { cursor } counts { open } } } }"
        worklist = (await window.data(O_CLERK, query, filter=filter_))["viewer"]["worklist"]
        assert (len(worklist["edges"]), worklist["counts"]["open"]) == (found, found)


TRANSFER_FILTERS: list[tuple[dict[str, Any], int]] = [
    ({"residentId": WANG}, 1),
    ({"residentId": LI}, 0),
    ({"status": ["TRANSFERRING_OUT"]}, 1),
    ({"status": []}, 0),
    ({"fundsStatus": ["CREDITED"]}, 0),
    ({"counterpartRegion": "319900"}, 1),
    ({"counterpartRegion": "110000"}, 0),
    ({"submittedOnOrAfter": "2026-03-02"}, 1),
    ({"submittedOnOrAfter": "2026-03-03"}, 0),
]


async def test_the_filter_of_transfers_narrows_them(window: Window) -> None:
    for filter_, found in TRANSFER_FILTERS:
        await window.desk.accepted()
        query = "query ($filter: TransferFilter) { transfers(filter: $filter) { edges { cursor } } }"
        assert len((await window.data(O_CLERK, query, filter=filter_))["transfers"]["edges"]) == found


UNANSWERABLE = [
    ("{ transfers(first: 51) { pageInfo { hasNextPage } } }", ["first"], "PAGE_SIZE"),
    ("{ transfers(first: 0) { pageInfo { hasNextPage } } }", ["first"], "PAGE_SIZE"),
    ('{ transfers(after: "nonsense") { pageInfo { hasNextPage } } }', ["after"], "CURSOR"),
    ('{ viewer { worklist(after: "WyIxIl0") { pageInfo { hasNextPage } } } }', ["after"], "CURSOR"),
    (
        '{ transfers(filter: {residentId: "11010119900307123x"}) { pageInfo { hasNextPage } } }',
        ["filter", "residentId"],
        "RESIDENT_ID_INVALID",
    ),
]


async def test_arguments_that_cannot_be_answered_are_named(window: Window) -> None:
    for query, path, code in UNANSWERABLE:
        error = await window.error(O_CLERK, query)
        assert error["extensions"]["code"] == "VALIDATION_FAILED"
        (violation,) = error["extensions"]["violations"]
        assert (violation["path"], violation["code"]) == (path, code)


WORKLIST = """query ($code: PoolingRegionCode) {
    viewer { worklist(filter: {counterpartRegion: $code}) { edges { cursor } counts { open } } } }"""
FROM_REGION = "query ($code: PoolingRegionCode) { transfers(filter: {counterpartRegion: $code}) { edges { cursor } } }"
NAMES_OF_NOTHING = ["\u0000", "a\u0000b", "\u001b[0m", "\ud800", "\u200b", "x" * 5_000, ""]


async def test_what_nothing_can_be_called_does_not_exist(window: Window) -> None:
    await window.desk.accepted()
    for name in NAMES_OF_NOTHING:
        assert await window.data(PERSON, "query ($no: TransferNo!) { transfer(no: $no) { id } }", no=name) == {
            "transfer": None
        }
        assert (await window.data(O_CLERK, WORKLIST, code=name))["viewer"]["worklist"] == {
            "edges": [],
            "counts": {"open": 0},
        }
        assert (await window.data(O_CLERK, FROM_REGION, code=name))["transfers"] == {"edges": []}
        certificate = (await window.data(ANONYMOUS, CERTIFICATE, n=name, c="0000-0000-0000"))["certificateCheck"]
        assert certificate == NOTHING
        assert (await window.data(ANONYMOUS, CERTIFICATE, n="京2026000001", c=name))["certificateCheck"] == NOTHING
        if name != "\ud800":  # UTF-8, of which ids are made, has no such thing
            for key in (
                name,
                f"{window.desk.transfer.transfer_id}:{name}:1",
                f"{window.desk.transfer.transfer_id}:A:{name}",
            ):
                for kind in ("WorkItem", "Transfer", "Agency", "TransferDocument"):
                    identifier = node_id(kind, key)
                    query = "query ($id: ID!) { node(id: $id) { id } }"
                    assert await window.data(O_CLERK, query, id=identifier) == {"node": None}, (kind, key)
    for round_ in ("99999999999", "-1"):
        identifier = node_id("WorkItem", f"{window.desk.transfer.transfer_id}:DELIVER_INFORMATION_FORM:{round_}")
        assert await window.data(O_CLERK, "query ($id: ID!) { node(id: $id) { id } }", id=identifier) == {"node": None}


async def test_the_notes_of_a_refusal_and_of_a_corrected_receipt_are_told(database: Database) -> None:
    async with open_window(database) as window:
        await window.desk.accepted()
        returned = c.ReturnTransfer(reason=ReturnReason.NO_RECORD, note="请核对{转出地}。")
        await window.desk.take(returned, O_CLERK_ACTOR, TUESDAY)
        assert (await last_messages(window, 1)) == [
            "北京市医疗保障事务中心退回申请：没有查到参保记录。本次申请不予受理。经办机构说明：请核对{转出地}。"
        ]
        assert (await last_messages(window, 1, "en"))[0].endswith(" The agency's note: 请核对{转出地}。")


async def test_the_reason_of_a_corrected_receipt_is_told(window: Window) -> None:
    await window.desk.remitted()
    await window.desk.take(RECEIPT.model_copy(update={"amount_fen": 1}), R_FINANCE_ACTOR, THURSDAY)
    await window.desk.take(RECEIPT.model_copy(update={"note": "银行更正"}), R_FINANCE_ACTOR, THURSDAY)
    mismatched, confirmed, received, _ = await last_messages(window, 4)
    assert mismatched == "到账0.01元，与应划转的4,200.00元不一致，未计入个人账户，正在核对。"
    assert confirmed == "上海市本级医疗保障事务中心已核对银行到账通知，金额4,200.00元相符。"
    assert received == "4,200.00元已于2026年3月5日到达上海市本级。经办机构说明：银行更正"
    # What people wrote stays in PostgreSQL, sealed; the event has a reference to it, which stays there too.
    stored = (await window.desk.cases.events(window.desk.transfer.transfer_id))[-2]
    assert isinstance(stored.fact, FundsReceived)
    (reference,) = references_in(stored.fact)
    assert stored.fact.note == reference
    assert reference not in stored.without_words().model_dump_json()


async def last_messages(window: Window, count: int, language: Language = "zh-CN") -> list[str]:
    query = "query ($no: TransferNo!) { transfer(no: $no) { events(first: 50) { edges { node { message } } } } }"
    edges = (await window.data(PERSON, query, language, no=window.no))["transfer"]["events"]["edges"]
    return [edge["node"]["message"] for edge in edges][-count:]


CERTIFICATE = "query ($n: String!, $c: String!) { certificateCheck(number: $n, code: $c) { valid issuedOn voidedOn agency { name } } }"
NOTHING = {"valid": False, "issuedOn": None, "voidedOn": None, "agency": None}


async def test_anybody_can_ask_whether_a_certificate_is_genuine(window: Window) -> None:
    await window.desk.accepted()
    (issued,) = await window.desk.db.fetch(
        "select number, verification_code from documents where kind = 'ENROLMENT_CERTIFICATE'"
    )
    number, code = issued

    async def check(number: str, code: str) -> Any:
        return (await window.data(ANONYMOUS, CERTIFICATE, n=number, c=code))["certificateCheck"]

    genuine = {"valid": True, "issuedOn": "2026-03-02", "voidedOn": None, "agency": {"name": "北京市医疗保障事务中心"}}
    assert await check(number, code) == genuine
    assert await check(number, code.lower().replace("-", " ")) == genuine
    assert await check(number, "0000-0000-0000") == NOTHING
    assert await check("京2026999999", code) == NOTHING
    assert await check("x" * 1000, "') or true --") == NOTHING
    await window.desk.take(c.ReissueCertificate(reason="遗失"), O_CLERK_ACTOR, TUESDAY)
    assert await check(number, code) == genuine | {"valid": False, "voidedOn": "2026-03-03"}


ELIGIBILITY = """query ($input: EligibilityInput!) { eligibility(input: $input) { eligible route dueOn waitingPeriod { gapMonths months }
    findings { code class side message fix where legalBasis retryOn } } }"""


def asked(**changes: Any) -> dict[str, Any]:
    return {"fromRegion": "110000", "toRegion": "319900", "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"} | changes


async def test_the_dry_run_says_what_a_submission_would_meet_and_changes_nothing(window: Window) -> None:
    await window.desk.db.execute("delete from commands")
    before = await snapshot(window.desk.db)
    assert (await window.data(PERSON, ELIGIBILITY, input=asked()))["eligibility"] == {
        "eligible": True,
        "route": "PLATFORM",
        "dueOn": "2026-03-23",
        "waitingPeriod": {"gapMonths": 0, "months": 0},
        "findings": [],
    }
    assert await snapshot(window.desk.db) == before


WAIT = """query ($input: EligibilityInput!) { eligibility(input: $input) {
  waitingPeriod { gapMonths months startsOn endsOn rule legalBasis ratio } } }"""


async def test_the_dry_run_says_how_long_the_wait_would_be_by_which_rule_and_what_is_paid_meanwhile(
    window: Window,
) -> None:
    db = window.desk.db

    async def wait() -> Any:
        return (await window.data(PERSON, WAIT, "en", input=asked()))["eligibility"]["waitingPeriod"]

    await db.execute("update enrolments set enrolled_on = '2026-01-01' where region = '319900'")
    assert await wait() == {
        "gapMonths": 2,
        "months": 0,
        "startsOn": None,
        "endsOn": None,
        "rule": "A gap of 2 month(s) is within the limit: benefits start with cover at the destination, without a wait."
        " The 2 month(s) without cover may be paid for at the destination.",
        "legalBasis": "医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》（待遇衔接）",
        "ratio": None,
    }
    await set_policy(db, "319900", RegionPolicy(waiting=WaitingPolicy(months=2, ratio="0.5")), date(2026, 3, 1))
    await db.execute("update enrolments set enrolled_on = '2026-03-02' where region = '319900'")
    assert await wait() == {
        "gapMonths": 4,
        "months": 2,
        "startsOn": "2026-03-02",
        "endsOn": "2026-05-01",
        "rule": "A gap of 4 months is past the limit: pooled-fund benefits start after 2 month(s)."
        " During the wait 50% of the benefits are paid.",
        "legalBasis": "医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》（待遇衔接）",
        "ratio": "0.5",
    }


async def test_the_dry_run_counts_the_steps_before_acceptance_and_the_regions_shorter_periods(window: Window) -> None:
    db = window.desk.db
    await db.execute("delete from commands")

    async def due_on(**changes: Any) -> str:
        answer = (await window.data(PERSON, ELIGIBILITY, input=asked(**changes)))["eligibility"]
        assert answer["eligible"] is True
        return str(answer["dueOn"])

    await db.execute("update enrolments set status = 'ACTIVE', stopped_on = null where region = '110000'")
    assert await due_on(requestStop=True) == "2026-03-30"
    await db.execute("update enrolments set special_personnel = true where region = '110000'")
    assert await due_on(requestStop=True) == "2026-04-07"
    await db.execute("update enrolments set status = 'STOPPED', stopped_on = '2025-10-31' where region = '110000'")
    assert await due_on() == "2026-03-30"


async def test_the_dry_run_names_the_application_that_is_recorded_already(window: Window) -> None:
    answer = (await window.data(PERSON, ELIGIBILITY, "en", input=asked()))["eligibility"]
    assert (answer["eligible"], answer["dueOn"]) == (False, None)
    (finding,) = answer["findings"]
    assert finding["code"] == RefusalCode.TRANSFER_IN_PROGRESS
    assert finding["message"] == f"You have an open transfer already, number {window.no}."


async def test_a_person_asks_for_themself_alone_and_an_agency_for_its_region(window: Window) -> None:
    for viewer, given in [
        (PERSON, asked(residentId=LI)),
        (STRANGER, asked(residentId=WANG)),
        (R_CLERK, asked(residentId=WANG, toRegion="440300")),
    ]:
        answer = (await window.data(viewer, ELIGIBILITY, input=given))["eligibility"]
        assert [each["code"] for each in answer["findings"]] == ["AGENT_NOT_AUTHORISED"], given
        assert answer["waitingPeriod"] is None
    for viewer in (O_CLERK, R_CLERK, EMPLOYER):
        answer = (await window.data(viewer, ELIGIBILITY, input=asked(residentId=WANG)))["eligibility"]
        assert [each["code"] for each in answer["findings"]] == ["TRANSFER_IN_PROGRESS"], viewer


NOBODYS_NUMBERS = [
    "110101199003071234",
    "11010519491231002x",
    "110101900307123",
    "１１０１０１１９９００３０７１２３３",
]


async def test_a_number_that_is_nobodys_ends_the_check(window: Window) -> None:
    for number in NOBODYS_NUMBERS:
        answer = (await window.data(O_CLERK, ELIGIBILITY, input=asked(residentId=number)))["eligibility"]
        assert [(each["code"], each["side"]) for each in answer["findings"]] == [("RESIDENT_ID_INVALID", "PLATFORM")]
        assert number not in str(answer)


UNCHECKABLE: list[tuple[dict[str, Any], list[str], str]] = [
    (asked(residentId=WANG, toRegion="999999"), ["input", "toRegion"], "UNKNOWN_REGION"),
    (asked(residentId=WANG, fromRegion="北京"), ["input", "fromRegion"], "UNKNOWN_REGION"),
    (asked(), ["input", "residentId"], "RESIDENT_ID_REQUIRED"),
    (asked(residentId=WANG, name="王\u0000"), ["input", "name"], "CONTROL_CHARACTER"),
    (asked(residentId=WANG, name=""), ["input", "name"], "EMPTY"),
]


async def test_fields_that_cannot_be_checked_are_named(window: Window) -> None:
    for given, path, code in UNCHECKABLE:
        error = await window.error(O_CLERK, ELIGIBILITY, input=given)
        assert error["extensions"]["code"] == "VALIDATION_FAILED"
        assert [(each["path"], each["code"]) for each in error["extensions"]["violations"]] == [(path, code)]


async def test_regions_are_listed_by_province_and_connection(window: Window) -> None:
    query = "query ($p: String, $c: Boolean) { poolingRegions(province: $p, connected: $c) { code name } }"
    found = (await window.data(PERSON, query, p="上海市"))["poolingRegions"]
    assert {"code": "319900", "name": "上海市本级"} in found
    assert len((await window.data(PERSON, query))["poolingRegions"]) == 407
    assert (await window.data(PERSON, query, c=False))["poolingRegions"] == []


async def test_a_region_is_listed_as_unconnected_while_its_policy_says_so(window: Window) -> None:
    """The clock is Monday's, 2 March 2026; the gateway looks at the directory again after 30 seconds."""
    query = "{ poolingRegions(connected: false) { code connected } }"
    await set_policy(window.desk.db, "319900", RegionPolicy(connected=False), MONDAY.date())
    await set_policy(window.desk.db, "319900", RegionPolicy(), WEDNESDAY.date())
    await set_policy(window.desk.db, "110000", RegionPolicy(connected=False), TUESDAY.date())
    told = []
    for now in (MONDAY, TUESDAY, WEDNESDAY):
        window.now[0] = now
        told.append((await window.data(PERSON, query))["poolingRegions"])
    beijing, shanghai = ({"code": code, "connected": False} for code in ("110000", "319900"))
    assert told == [[shanghai], [beijing, shanghai], [beijing]]
    connected = '{ poolingRegions(connected: true, province: "北京市") { code } }'
    listed = [each["code"] for each in (await window.data(PERSON, connected))["poolingRegions"]]
    assert listed == ["110100", "119900"]


async def test_a_shredded_person_is_nobody_any_more(window: Window) -> None:
    await window.desk.accepted()
    await window.desk.db.execute("update persons set wrapped_key = ''")
    query = "query ($no: TransferNo!) { transfer(no: $no) { insuredPerson { maskedName maskedResidentId } } }"
    person = (await window.data(R_CLERK, query, no=window.no))["transfer"]["insuredPerson"]
    assert person == {"maskedName": "*", "maskedResidentId": "*" * 18}
