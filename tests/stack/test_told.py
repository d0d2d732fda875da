"""What `yibao why` says of notices and of silence, on a real database."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from stack.why import read_case, screen
from tests.activities.desk import MONDAY, TUESDAY, Desk, open_desk
from tests.cases import O_CLERK, PERSON
from tests.conftest import Database
from workflows import commands as c
from workflows.deadlines import SHANGHAI

OVERDUE_SINCE = datetime(2026, 3, 17, 0, 0, tzinfo=SHANGHAI)
AGENCY, OTHER = "北京市医疗保障事务中心", "上海市本级医疗保障事务中心"


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        await desk.accepted()
        yield desk


async def section(desk: Desk, title: str) -> list[str]:
    """The lines under a title of the screen, as it is when the form is overdue."""
    lines = screen(await read_case(desk.db, desk.transfer.transfer_no), OVERDUE_SINCE)
    after = lines[lines.index(title) + 1 :]
    return after[: after.index("")]


async def test_who_was_told_is_a_line_for_each_event_with_when_each_had_it(desk: Desk) -> None:
    await desk.steps.note_deadlines(await desk.clock(OVERDUE_SINCE))
    await desk.db.execute("update notices set delivered_at = '2026-03-17 00:00:02+08', last_error = 'earlier'")
    await desk.db.execute(
        """insert into notices (transfer_id, seq, recipient, kind, step, attempts, last_error)
           select transfer_id, seq, 'province:110000', kind, step, 3, 'ConnectError: All connection attempts failed'
             from notices where kind = 'deadline_due_soon'"""
    )
    accepted, due_soon, missed = (await section(desk, "谁被告知"))[:3]
    assert accepted == (
        f"  #2 受理通知 → {AGENCY}（2026-03-17 00:00 送达）；{OTHER}（2026-03-17 00:00 送达）；"
        "参保人本人（2026-03-17 00:00 送达）"
    )
    assert due_soon == (
        f"  #5 到期提醒：生成并上传信息表 → {AGENCY}（2026-03-17 00:00 送达）；"
        "北京市医疗保障局（未送达，已试 3 次：ConnectError: All connection attempts failed）"
    )
    assert missed.startswith(f"  #6 逾期催办：生成并上传信息表 → {AGENCY}（2026-03-17 00:00 送达）")


async def test_a_notice_on_its_way_is_said_to_be(desk: Desk) -> None:
    await desk.db.execute("update notices set created_at = '2026-03-02 09:00+08'")
    (line,) = await section(desk, "谁被告知")
    assert line.count("（2026-03-02 09:00 记录，待送达）") == 3


async def test_an_agency_that_never_did_anything_is_silent_since_the_step_was_given_to_it(desk: Desk) -> None:
    # What the other side or the person did is no word of the holder's.
    await desk.take(c.ReissueCertificate(reason="遗失"), PERSON, TUESDAY)
    (problem,) = await section(desk, "出了什么问题")
    assert problem.endswith(f"未在 2026-03-16 前办结，自 {MONDAY:%Y-%m-%d %H:%M} 交办以来从未收到该机构的任何办理")


async def test_an_agency_that_was_heard_is_silent_since_its_last_event(desk: Desk) -> None:
    await desk.take(c.DeliverInformationForm(), O_CLERK, TUESDAY)
    problems = await section(desk, "出了什么问题")
    (remittance,) = [line for line in problems if "划转" in line]
    form = next(
        event for event in await desk.cases.events(desk.transfer.transfer_id) if event.fact.type == "form_delivered.1"
    )
    assert remittance.endswith(f"自 {TUESDAY:%Y-%m-%d %H:%M}（#{form.seq}）以来未收到该机构的任何办理")
    (continuation,) = [line for line in problems if OTHER in line]
    assert continuation.endswith("自 2026-03-03 09:00 交办以来从未收到该机构的任何办理")
