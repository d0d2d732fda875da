"""The worklist's dates by the calendar in force, before the case itself has noted them."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from activities.calendar_data import published_editions
from activities.reference import add_edition, set_policy
from activities.worklist import redate_worklist
from tests.activities.desk import MONDAY, TUESDAY, Desk, changed, open_desk, snapshot
from tests.cases import BEIJING, SHANGHAI_POOL
from tests.conftest import Database
from workflows.events import DeadlineRevised
from workflows.policy import RegionPolicy
from workflows.vocabulary import TransferStepKind
from workflows.workdays import CalendarYear, DayOff

TODAY = MONDAY.date()


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        yield desk


def edition(name: str, *off: date) -> CalendarYear:
    first = next(each for each in published_editions() if each.edition == "2026.1")
    days_off = sorted((*first.days_off, *(DayOff(date=day, name="调整") for day in off)), key=lambda each: each.date)
    return first.model_copy(update={"edition": name, "days_off": tuple(days_off)})


async def test_a_new_edition_redates_the_worklist_and_nothing_else_until_the_case_notes_it(desk: Desk) -> None:
    await desk.accepted()
    assert await redate_worklist(desk.db, TODAY) == 0
    await add_edition(desk.db, edition("2026.2", date(2026, 3, 10)))
    before = await snapshot(desk.db)
    assert await redate_worklist(desk.db, TODAY) == 1
    assert changed(before, await snapshot(desk.db)) == {"work_items"}
    assert await desk.worklist() == [("DELIVER_INFORMATION_FORM", BEIJING, "2026-03-17")]
    assert await redate_worklist(desk.db, TODAY) == 0

    # Another edition before the case has noted the first.
    await add_edition(desk.db, edition("2026.3", date(2026, 3, 10), date(2026, 3, 11)))
    assert await redate_worklist(desk.db, TODAY) == 1
    result = await desk.steps.note_deadlines(await desk.clock(TUESDAY))
    (noted,) = [event.fact for event in result.events]
    assert isinstance(noted, DeadlineRevised)
    assert (noted.before.due_on, noted.after.due_on) == (date(2026, 3, 16), date(2026, 3, 18))
    await desk.verify()
    assert await redate_worklist(desk.db, TODAY) == 0


async def test_a_region_s_own_days_off_redate_its_own_steps_alone(desk: Desk) -> None:
    await desk.form_delivered()
    assert await desk.worklist() == [
        ("CONFIRM_CONTINUATION", SHANGHAI_POOL, "2026-03-10"),
        ("REMIT_PERSONAL_ACCOUNT", BEIJING, "2026-03-16"),
    ]
    own = RegionPolicy(regional_holidays=(DayOff(date=date(2026, 3, 9), name="本地"),))
    await set_policy(desk.db, SHANGHAI_POOL, own, TODAY + timedelta(days=2))
    assert await redate_worklist(desk.db, TODAY) == 0
    assert await redate_worklist(desk.db, TODAY + timedelta(days=2)) == 1
    assert await desk.worklist() == [
        ("CONFIRM_CONTINUATION", SHANGHAI_POOL, "2026-03-11"),
        ("REMIT_PERSONAL_ACCOUNT", BEIJING, "2026-03-16"),
    ]


async def test_a_case_that_cannot_be_read_holds_back_no_other(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.form_delivered()
    place = [step.kind for step in (await desk.state()).steps].index(TransferStepKind.CONFIRM_CONTINUATION)
    await desk.db.execute(f"update transfers set state = jsonb_set(state, '{{steps,{place},region}}', '7')")  # noqa: S608
    await desk.db.execute("update work_items set due_on = '2026-01-05'")
    assert await redate_worklist(desk.db, TODAY) == 1
    assert await desk.worklist() == [
        ("CONFIRM_CONTINUATION", SHANGHAI_POOL, "2026-01-05"),
        ("REMIT_PERSONAL_ACCOUNT", BEIJING, "2026-03-16"),
    ]
    assert f"a step of case {desk.transfer.transfer_id} cannot be read" in caplog.text
