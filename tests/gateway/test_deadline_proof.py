"""What callers see of a deadline: the date in force, at once, and its proof day by day."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from activities.calendar_data import published_editions, statutory_days
from activities.reference import add_edition, set_policy
from gateway import case_proof
from tests.activities.desk import MONDAY, TUESDAY
from tests.activities.register_extracts import LI
from tests.cases import BEIJING, DESTINATION, ORIGIN, SHANGHAI_POOL
from tests.conftest import Database
from tests.gateway.window import O_CLERK, PERSON, R_CLERK, Window, open_window
from tests.workflows.deadline_oracle import Oracle, in_force, published
from workflows.deadlines import SHANGHAI, PauseReason, pause, resume
from workflows.policy import RegionPolicy
from workflows.state import TransferState
from workflows.vocabulary import TransferStepKind
from workflows.workdays import CalendarYear, DayOff, WorkingCalendar

K = TransferStepKind
SECOND = timedelta(seconds=1)
DEADLINE = """deadline { startsOn dueOn workingDays remainingWorkingDays state provisional calendarEdition
    proof { legalBasis startsOn startEventSeq workingDays dueOn provisional
            days { date counted number reason words } editions { edition notice publishedOn }
            pauses { from to reason words } } }"""
CASE = f"""query ($no: TransferNo!) {{ transfer(no: $no) {{ currentStep {{ kind }} progress {{ dueOn provisional }}
    steps {{ kind state {DEADLINE} }} }} }}"""
WORKLIST = """{ viewer { worklist { edges { node { dueOn step { deadline { dueOn } }
    transfer { progress { dueOn } } } } } } }"""


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        yield each


async def told(window: Window, no: str | None = None, **changes: Any) -> Any:
    return (await window.data(O_CLERK, CASE, no=no or window.no, **changes))["transfer"]


def deadline_of(case: Any, kind: K) -> Any:
    return next(step["deadline"] for step in case["steps"] if step["kind"] == kind)


def counted(deadline: Any) -> list[str]:
    return [each["date"] for each in deadline["proof"]["days"] if each["counted"]]


def edition(name: str, *off: date) -> CalendarYear:
    first = next(each for each in published_editions() if each.edition == "2026.1")
    days_off = sorted((*first.days_off, *(DayOff(date=day, name="调整") for day in off)), key=lambda each: each.date)
    return first.model_copy(update={"edition": name, "days_off": tuple(days_off)})


def own_days(*days: date) -> RegionPolicy:
    return RegionPolicy(regional_holidays=tuple(DayOff(date=day, name="本地节日") for day in days))


async def test_a_deadline_is_proven_day_by_day_as_the_oracle_counts(window: Window) -> None:
    await window.desk.accepted()
    deadline = deadline_of(await told(window, language="en"), K.DELIVER_INFORMATION_FORM)
    said = Oracle(in_force(published())).deadline(MONDAY.date(), 10)
    assert counted(deadline) == [each.isoformat() for each in said.counted]
    proof = deadline["proof"]
    days = proof.pop("days")
    assert proof == {
        "legalBasis": "医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》",
        "startsOn": "2026-03-02",
        "startEventSeq": proof["startEventSeq"],
        "workingDays": 10,
        "dueOn": "2026-03-16",
        "provisional": False,
        "editions": [{"edition": "2026.1", "notice": "国办发明电〔2025〕7号", "publishedOn": "2025-11-04"}],
        "pauses": [],
    }
    assert [each["date"] for each in days] == [f"2026-03-{day:02}" for day in range(3, 17)]
    assert days[3:6] == [
        {"date": "2026-03-06", "counted": True, "number": 4, "reason": "WORKING_DAY", "words": "Working day, number 4"},
        {"date": "2026-03-07", "counted": False, "number": None, "reason": "WEEKEND", "words": "Weekend, not counted"},
        {"date": "2026-03-08", "counted": False, "number": None, "reason": "WEEKEND", "words": "Weekend, not counted"},
    ]


async def test_nothing_is_counted_for_who_does_not_ask_for_a_proof(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    await window.desk.accepted()

    def prove(*_: object) -> None:
        raise AssertionError("nobody asked")

    monkeypatch.setattr(case_proof, "prove", prove)
    query = CASE.replace(DEADLINE, "deadline { dueOn }")
    transfer = (await window.data(O_CLERK, query, no=window.no))["transfer"]
    assert deadline_of(transfer, K.DELIVER_INFORMATION_FORM) == {"dueOn": "2026-03-16"}


async def test_a_new_edition_is_shown_within_a_second_everywhere_before_the_case_has_noted_it(window: Window) -> None:
    await window.desk.form_delivered()
    done = deadline_of(await told(window), K.DELIVER_INFORMATION_FORM)
    await add_edition(window.desk.db, edition("2026.2", date(2026, 3, 10)))
    window.now[0] += SECOND
    case = await told(window)
    assert deadline_of(case, K.DELIVER_INFORMATION_FORM) == done, "what is done stays as it was counted"
    continuation = deadline_of(case, K.CONFIRM_CONTINUATION)
    # Five days from Tuesday 3 March, Tuesday the 10th not among them any more.
    assert {name: continuation[name] for name in ("dueOn", "remainingWorkingDays", "calendarEdition")} == {
        "dueOn": "2026-03-11",
        "remainingWorkingDays": 6,
        "calendarEdition": "2026.2",
    }
    assert case["progress"] == {"dueOn": "2026-03-11", "provisional": False}
    assert continuation["proof"]["dueOn"] == "2026-03-11"
    assert continuation["proof"]["editions"][0]["edition"] == "2026.2"
    assert [each["words"] for each in continuation["proof"]["days"] if each["date"] == "2026-03-10"] == [
        "调整放假，不计"
    ]
    (edge,) = (await window.data(R_CLERK, WORKLIST))["viewer"]["worklist"]["edges"]
    assert edge["node"] == {
        "dueOn": "2026-03-11",
        "step": {"deadline": {"dueOn": "2026-03-11"}},
        "transfer": {"progress": {"dueOn": "2026-03-11"}},
    }
    stored = (await window.desk.state()).step(K.CONFIRM_CONTINUATION).deadline
    assert stored is not None
    assert stored.due_on == date(2026, 3, 10)


async def test_the_step_due_first_is_that_of_the_dates_in_force(window: Window) -> None:
    await window.desk.form_delivered()
    assert (await told(window))["currentStep"] == {"kind": "CONFIRM_CONTINUATION"}
    days = [date(2026, 3, day) for day in (4, 5, 6, 9, 10, 11, 12)]
    await set_policy(window.desk.db, SHANGHAI_POOL, own_days(*days), MONDAY.date())
    window.now[0] += SECOND
    case = await told(window)
    assert case["currentStep"] == {"kind": "REMIT_PERSONAL_ACCOUNT"}
    assert case["progress"]["dueOn"] == "2026-03-16"
    deadline = deadline_of(case, K.CONFIRM_CONTINUATION)
    assert (deadline["dueOn"], deadline["remainingWorkingDays"]) == ("2026-03-19", 6)
    said = Oracle(in_force(published()), days).deadline(TUESDAY.date(), 5)
    assert counted(deadline) == [each.isoformat() for each in said.counted]
    assert deadline["proof"]["days"][0] == {
        "date": "2026-03-04",
        "counted": False,
        "number": None,
        "reason": "REGIONAL_HOLIDAY",
        "words": "本地放假（本地节日），不计",
    }


async def test_a_policy_of_a_later_day_is_shown_from_that_day_on(window: Window) -> None:
    await window.desk.accepted()
    await set_policy(window.desk.db, BEIJING, own_days(date(2026, 3, 12)), date(2026, 3, 9))
    window.now[0] = datetime(2026, 3, 8, 23, 59, 59, tzinfo=SHANGHAI)
    assert (await told(window))["progress"]["dueOn"] == "2026-03-16"
    window.now[0] += SECOND
    assert (await told(window))["progress"]["dueOn"] == "2026-03-17"


async def test_the_pauses_of_a_clock_are_proven(window: Window) -> None:
    await window.desk.accepted()
    calendar = WorkingCalendar.of(published_editions(), statutory_days())
    state = await window.desk.state()
    before = state.step(K.DELIVER_INFORMATION_FORM).deadline
    assert before is not None
    paused = pause(before, date(2026, 3, 4), PauseReason.CORRECTION)
    for stored, dates in (
        (paused, {"from": "2026-03-04", "to": None}),
        (resume(paused, date(2026, 3, 9), calendar), {"from": "2026-03-04", "to": "2026-03-09"}),
    ):
        await _store(window, state, stored)
        deadline = deadline_of(await told(window), K.DELIVER_INFORMATION_FORM)
        assert deadline["proof"]["pauses"] == [dates | {"reason": "CORRECTION", "words": "信息核对"}]
    spans = [(date(2026, 3, 4), date(2026, 3, 9))]
    said = Oracle(in_force(published())).deadline(MONDAY.date(), 10, pauses=spans)
    assert counted(deadline) == [each.isoformat() for each in said.counted]
    assert deadline["dueOn"] == said.due_on.isoformat() == "2026-03-19"
    left_out = [each for each in deadline["proof"]["days"] if each["reason"] == "PAUSED"]
    assert [each["date"][-2:] for each in left_out] == ["05", "06", "09"]
    assert {each["words"] for each in left_out} == {"中止计时（信息核对），不计"}


async def test_an_unpublished_year_is_provisional_wherever_it_is_shown_and_firm_by_itself(window: Window) -> None:
    cases, begins = window.desk.cases, datetime(2026, 12, 18, 10, 0, tzinfo=SHANGHAI)
    await cases.registers(*({"resident_id": LI, "name": "李娜"} | side for side in (ORIGIN, DESTINATION)))
    window.desk.transfer = await cases.apply(resident_id=LI, at=begins)
    await window.desk.open()
    await window.desk.steps.issue_certificate(await window.desk.clock(begins))
    window.now[0] = begins
    case = await told(window)
    deadline = deadline_of(case, K.DELIVER_INFORMATION_FORM)
    assert case["progress"] == {"dueOn": "2027-01-04", "provisional": True}
    assert (deadline["provisional"], deadline["proof"]["provisional"]) == (True, True)
    assert deadline["proof"]["days"][13]["words"] == "元旦放假，不计"
    assert (await _messages(window))[2] == (
        "北京市医疗保障事务中心开始办理“生成并上传信息表”，应于2027年1月4日（暂定，该年度工作日安排尚未公布）前办结。"
    )

    first = DayOff(date=date(2027, 1, 1), name="元旦")
    fields = {"notice": "国办发明电〔2026〕9号", "published_on": date(2026, 12, 20), "source": "synthetic"}
    await add_edition(
        window.desk.db, CalendarYear(year=2027, edition="2027.1", days_off=(first,), make_up_days=(), **fields)
    )
    window.now[0] += SECOND
    case = await told(window)
    deadline = deadline_of(case, K.DELIVER_INFORMATION_FORM)
    assert case["progress"] == {"dueOn": "2027-01-04", "provisional": False}
    assert [each["edition"] for each in deadline["proof"]["editions"]] == ["2026.1", "2027.1"]
    await window.desk.steps.note_deadlines(await window.desk.clock(window.now[0]))
    assert (await _messages(window))[-1] == "工作日安排已公布，“生成并上传信息表”的期限确定为2027年1月4日。"


@pytest.mark.parametrize(
    ("today", "due_on", "provisional"), [("2026-12-07", "2026-12-28", False), ("2026-12-18", "2027-01-11", True)]
)
async def test_what_an_application_would_take_is_provisional_too(
    window: Window, today: str, due_on: str, provisional: bool
) -> None:
    window.now[0] = datetime.fromisoformat(f"{today}T10:00:00+08:00")
    await window.desk.db.execute("delete from commands")
    query = """{ eligibility(input: {fromRegion: "110000", toRegion: "319900", fromScheme: EMPLOYEE, toScheme: EMPLOYEE})
        { eligible dueOn provisional } }"""
    answer = await window.data(PERSON, query)
    assert answer["eligibility"] == {"eligible": True, "dueOn": due_on, "provisional": provisional}


async def test_a_deadline_whose_edition_came_after_the_last_look_is_proven_all_the_same(window: Window) -> None:
    await window.desk.accepted()
    await told(window)
    await add_edition(window.desk.db, edition("2026.2", date(2026, 3, 10)))
    await window.desk.steps.note_deadlines(await window.desk.clock(MONDAY))
    # Not a second later: what is known is the calendar before, and the case rests on the new one.
    deadline = deadline_of(await told(window), K.DELIVER_INFORMATION_FORM)
    assert (deadline["dueOn"], deadline["proof"]["dueOn"]) == ("2026-03-17", "2026-03-17")
    assert [each["edition"] for each in deadline["proof"]["editions"]] == ["2026.2"]


async def test_the_person_may_ask_for_the_proofs_of_a_whole_case_and_of_a_page(window: Window) -> None:
    await window.desk.accepted()
    page = """{ viewer { transfers(first: 20) { edges { node { currentStep {
        deadline { proof { dueOn days { date counted reason words } } } } } } } } }"""
    (edge,) = (await window.data(PERSON, page))["viewer"]["transfers"]["edges"]
    assert edge["node"]["currentStep"]["deadline"]["proof"]["dueOn"] == "2026-03-16"
    too_much = page.replace("first: 20", "first: 50").replace(
        "{ proof", "{ more: proof { days { words reason } } proof"
    )
    with pytest.raises(Exception, match="cost"):
        await window.post(PERSON, too_much)


async def _messages(window: Window) -> list[str]:
    query = "query ($no: TransferNo!) { transfer(no: $no) { events { edges { node { message } } } } }"
    edges = (await window.data(O_CLERK, query, no=window.no))["transfer"]["events"]["edges"]
    return [edge["node"]["message"] for edge in edges]


async def _store(window: Window, state: TransferState, deadline: Any) -> None:
    steps = tuple(
        step.model_copy(update={"deadline": deadline}) if step.kind is K.DELIVER_INFORMATION_FORM else step
        for step in state.steps
    )
    document = state.model_copy(update={"steps": steps}).model_dump_json()
    await window.desk.db.execute("update transfers set state = $1", document)
