"""`yibao why NO --proof`: every deadline counted again by hand, and an exit code for one that does not hold."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest
from click.testing import CliRunner, Result

from activities.calendar_data import published_editions
from activities.keyring import Keyring
from activities.reference import add_edition
from stack.cli import yibao
from stack.errors import StackError
from tests.activities.desk import Desk, open_desk
from tests.conftest import Database
from workflows.vocabulary import TransferStepKind
from workflows.workdays import DayOff


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        yield desk


async def why(desk: Desk, *options: str) -> Result:
    environment = {"YIBAO_DATABASE_URL": desk.cases.database.owner_url, "YIBAO_KEYRING": Keyring.generate_text()}
    words = ["why", desk.transfer.transfer_no, *options]
    return await asyncio.to_thread(CliRunner().invoke, yibao, words, env=environment)


async def test_every_open_and_done_step_is_counted_day_by_day(desk: Desk) -> None:
    without, shown = await why(desk), await why(desk, "--proof")
    assert (shown.exit_code, shown.exception) == (0, None)
    assert "期限逐日核算" not in without.output
    lines = shown.output[shown.output.index("期限逐日核算") :].splitlines()
    begins = next(index for index, line in enumerate(lines) if line.startswith("  确认接续："))
    assert lines[begins + 1 : begins + 11] == [
        "    依据 医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》",
        "    工作日历 2026.1：国办发明电〔2025〕7号，2025-11-04 公布",
        "    2026-03-04 周三  工作日，第1日",
        "    2026-03-05 周四  工作日，第2日",
        "    2026-03-06 周五  工作日，第3日",
        "    2026-03-07 周六  周末，不计",
        "    2026-03-08 周日  周末，不计",
        "    2026-03-09 周一  工作日，第4日",
        "    2026-03-10 周二  工作日，第5日",
        "    核算至 2026-03-10 24:00，与记录一致",
    ]
    # O's form is done, its money and R's continuation are open.
    assert sum("与记录一致" in line for line in lines) == 3


async def test_a_date_that_moved_is_shown_by_both_tables_and_holds(desk: Desk) -> None:
    first = next(each for each in published_editions() if each.edition == "2026.1")
    more = DayOff(date=date(2026, 3, 10), name="调整")
    days_off = sorted((*first.days_off, more), key=lambda each: each.date)
    await add_edition(desk.db, first.model_copy(update={"edition": "2026.2", "days_off": tuple(days_off)}))
    shown = await why(desk, "--proof")
    assert shown.exit_code == 0
    assert "自 2026-03-03 次日起算，至 2026-03-11 24:00" in shown.output
    assert (
        "    核算至 2026-03-10 24:00，与记录一致\n    按现行日历：至 2026-03-11 24:00，案件即将记入\n" in shown.output
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (('"2026-03-11"', "due_on"), "核算至 2026-03-10 24:00，与记录不一致：记录为 2026-03-11 24:00"),
        (('["2026.7"]', "editions"), "无法核算：no edition 2026.7 of the working-day table is at hand"),
    ],
)
async def test_a_deadline_that_does_not_hold_is_named_and_the_command_fails(
    desk: Desk, wrong: tuple[str, str], said: str
) -> None:
    value, name = wrong
    place = [step.kind for step in (await desk.state()).steps].index(TransferStepKind.CONFIRM_CONTINUATION)
    await desk.db.execute(
        "update transfers set state = jsonb_set(state, $1::text[], $2::jsonb)",
        ["steps", str(place), "deadline", name],
        value,
    )
    shown = await why(desk, "--proof")
    assert said in shown.output
    assert isinstance(shown.exception, StackError)
    assert str(shown.exception) == (
        f"counted again, these deadlines are not what {desk.transfer.transfer_no} has stored: 确认接续"
    )
