"""What the API tells of notices: to whom, of what, when; all of it to the offices of the case, their own to persons."""

from collections.abc import AsyncIterator

import pytest

from gateway.auth import Viewer
from tests.activities.register_extracts import resident_ids
from tests.cases import DESTINATION, ORIGIN
from tests.conftest import Database
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    OPERATOR,
    OTHER_CLERK,
    PERSON,
    R_FINANCE,
    STRANGER,
    SUPERVISOR,
    Window,
    open_window,
)
from workflows.vocabulary import Role, TransferStepKind

QUERY = """query ($no: TransferNo!) { transfer(no: $no) {
    notices { seq kind step label recipient createdAt deliveredAt } } }"""
WHOM = """query ($no: TransferNo!) { transfer(no: $no) { notices { kind recipient } } }"""
BEIJING_AGENCY, SHANGHAI_AGENCY = "北京市医疗保障事务中心", "上海市本级医疗保障事务中心"
ALL = [
    ("ACCEPTED", BEIJING_AGENCY),
    ("ACCEPTED", SHANGHAI_AGENCY),
    ("ACCEPTED", "参保人本人"),
    ("DEADLINE_DUE_SOON", BEIJING_AGENCY),
]


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """A case whose form is due soon."""
    async with open_window(database) as each:
        await each.desk.accepted()
        deadline = (await each.desk.state()).step(TransferStepKind.DELIVER_INFORMATION_FORM).deadline
        assert deadline is not None
        await each.desk.steps.note_deadlines(await each.desk.clock(deadline.due_soon_at))
        yield each


async def whom(window: Window, viewer: Viewer) -> list[tuple[str, str]]:
    notices = (await window.data(viewer, WHOM, no=window.no))["transfer"]["notices"]
    return [(each["kind"], each["recipient"]) for each in notices]


@pytest.mark.parametrize("viewer", [O_CLERK, R_FINANCE, SUPERVISOR, OPERATOR], ids=lambda each: each.subject)
async def test_an_office_of_the_case_sees_everybody_who_was_told(window: Window, viewer: Viewer) -> None:
    assert await whom(window, viewer) == ALL


CLERK_OF_ELSEWHERE = Viewer(
    "person-1", (Role.INSURED_PERSON, Role.CLERK), region="440300", resident_id=PERSON.resident_id
)


@pytest.mark.parametrize("viewer", [PERSON, CLERK_OF_ELSEWHERE], ids=["person", "clerk too"])
async def test_persons_see_what_the_person_was_told_whatever_office_they_hold_elsewhere(
    window: Window, viewer: Viewer
) -> None:
    assert await whom(window, viewer) == [("ACCEPTED", "参保人本人")]


async def test_an_employer_is_not_told_who_was_notified_of_what(window: Window) -> None:
    assert await whom(window, EMPLOYER) == []


@pytest.mark.parametrize("viewer", [STRANGER, OTHER_CLERK], ids=lambda each: each.subject)
async def test_to_all_others_the_case_does_not_exist(window: Window, viewer: Viewer) -> None:
    assert (await window.data(viewer, WHOM, no=window.no)) == {"transfer": None}


async def test_a_notice_is_told_with_its_event_its_words_and_both_instants(window: Window) -> None:
    await window.desk.db.execute(
        """update notices set created_at = '2026-03-12 09:00+08', delivered_at = '2026-03-12 09:00:02+08'
            where kind = 'deadline_due_soon'"""
    )
    zh, en = [
        (await window.data(O_CLERK, QUERY, language, no=window.no))["transfer"]["notices"][-1]
        for language in ("zh-CN", "en")
    ]
    assert zh == {
        "seq": 5,
        "kind": "DEADLINE_DUE_SOON",
        "step": "DELIVER_INFORMATION_FORM",
        "label": "到期提醒",
        "recipient": BEIJING_AGENCY,
        "createdAt": "2026-03-12T09:00:00+08:00",
        "deliveredAt": "2026-03-12T09:00:02+08:00",
    }
    assert (en["label"], en["recipient"]) == ("Due soon", BEIJING_AGENCY)
    first = (await window.data(O_CLERK, QUERY, no=window.no))["transfer"]["notices"][0]
    assert (first["seq"], first["step"], first["deliveredAt"]) == (2, None, None)


async def test_the_notices_of_a_list_of_cases_are_read_in_one_statement(window: Window) -> None:
    another = next(resident_ids())
    await window.desk.cases.registers(*(side | {"resident_id": another} for side in (ORIGIN, DESTINATION)))
    window.desk.transfer = await window.desk.cases.apply(resident_id=another)
    await window.desk.open()
    query = "query { transfers(first: 10) { edges { node { no notices { recipient } } } } }"
    await window.data(O_CLERK, query)
    window.pool.statements.clear()
    edges = (await window.data(O_CLERK, query))["transfers"]["edges"]
    assert [len(edge["node"]["notices"]) for edge in edges] == [3, 4]
    assert len(window.pool.statements) == 2
