"""A way home that a supervisor has yet to approve: who holds the case, and on whose worklist it is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from stack.why import read_case, screen
from tests.activities.desk import RECEIPT, THURSDAY
from tests.cases import BALANCE_FEN, R_FINANCE
from tests.conftest import Database
from tests.gateway.test_windows import BUREAU_OF_BEIJING, BUREAU_OF_HANGZHOU
from tests.gateway.window import O_FINANCE, PERSON, R_CLERK, SUPERVISOR, Window, open_window
from tests.gateway.window import R_FINANCE as R_FINANCE_VIEWER
from workflows import commands as c
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.vocabulary import MatchDecision, Role

WORKLIST = """query ($filter: WorklistFilter, $after: String) { viewer { worklist(first: 1, after: $after, filter: $filter) {
  counts { open dueToday overdue } pageInfo { hasNextPage endCursor }
  edges { node { id dueOn transfer { no } step { kind round state label doneAt agency { code } deadline { dueOn } } } } } } }"""
TOLD = """query ($no: TransferNo!) { transfer(no: $no) { currentStep { kind } steps { kind round state doneAt }
  progress { headline holder { code } holderRole heldSince dueOn } } }"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
BUREAU = Actor(subject="bureau-310000", region="310000", roles=(Role.SUPERVISOR,))
SINCE = THURSDAY.isoformat()
NOTHING = {
    "counts": {"open": 0, "dueToday": 0, "overdue": 0},
    "pageInfo": {"hasNextPage": False, "endCursor": None},
    "edges": [],
}
APPROVAL = {
    "kind": "APPROVE_REVERSE_REMITTANCE",
    "round": 1,
    "state": "OPEN",
    "label": "批准资金退回（主管部门）",
    "doneAt": None,
    "agency": {"code": "YB319900"},
    "deadline": None,
}


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Where R's finance has sent home what came one fen short, of a case that is continued."""
    async with open_window(database) as window:
        desk = window.desk
        await desk.continued()
        await desk.take(RECEIPT.model_copy(update={"amount_fen": BALANCE_FEN - 1}), R_FINANCE, THURSDAY)
        reference = f"{window.no}-01"
        match = c.MatchFunds(remittance_reference=reference, decision=MatchDecision.SEND_HOME, reason="金额不符")
        await desk.take(match, R_FINANCE, THURSDAY)
        window.now[0] = THURSDAY + timedelta(hours=1)
        yield window


async def _approved(window: Window) -> None:
    approve = c.ApproveReverseRemittance(remittance_reference=f"{window.no}-02")
    await window.desk.take(approve, BUREAU, THURSDAY + timedelta(hours=2))


async def _worklist(window: Window, viewer: Any, after: str | None = None, **narrowed: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await window.data(viewer, WORKLIST, filter=narrowed, after=after))["viewer"]["worklist"]
    return found


async def test_it_is_on_the_worklist_of_either_sides_bureau_and_of_nobody_else(window: Window) -> None:
    for bureau in (SUPERVISOR, BUREAU_OF_BEIJING):
        found = await _worklist(window, bureau)
        assert found["counts"] == {"open": 1, "dueToday": 0, "overdue": 0}, bureau
        (edge,) = found["edges"]
        node = edge["node"]
        assert (node["transfer"]["no"], node["dueOn"], node["step"]) == (
            window.no,
            str(shanghai_date(THURSDAY)),
            APPROVAL,
        )
        assert (await window.data(bureau, NODE, id=node["id"]))["node"] == {"__typename": "WorkItem", "id": node["id"]}
        # Behind its place there is nothing more.
        assert (await _worklist(window, bureau, found["pageInfo"]["endCursor"]))["edges"] == []
    for viewer in (R_CLERK, R_FINANCE_VIEWER, O_FINANCE, BUREAU_OF_HANGZHOU):
        assert await _worklist(window, viewer) == NOTHING, viewer
        assert (await window.data(viewer, NODE, id=node["id"]))["node"] is None


async def test_its_filter_finds_it_and_without_a_period_it_is_never_overdue(window: Window) -> None:
    # The bureau of 319900 looks at 110000.
    for narrowed, count in (
        ({"steps": ["APPROVE_REVERSE_REMITTANCE"]}, 1),
        ({"steps": ["CONFIRM_RECEIPT"]}, 0),
        ({"counterpartRegion": "110000"}, 1),
        ({"counterpartRegion": "319900"}, 0),
        ({"dueOnOrBefore": str(shanghai_date(THURSDAY))}, 1),
        ({"dueOnOrBefore": str(shanghai_date(THURSDAY) - timedelta(days=1))}, 0),
        ({"overdueOnly": True}, 0),
    ):
        found = await _worklist(window, SUPERVISOR, **narrowed)
        assert (found["counts"]["open"], len(found["edges"])) == (count, count), narrowed
    window.now[0] = THURSDAY + timedelta(days=60)
    found = await _worklist(window, SUPERVISOR)
    assert found["counts"] == {"open": 1, "dueToday": 0, "overdue": 0}
    assert (await _worklist(window, SUPERVISOR, overdueOnly=True))["edges"] == []


async def test_the_case_says_that_the_supervisor_of_the_region_holds_it(window: Window) -> None:
    read = (await window.data(PERSON, TOLD, no=window.no))["transfer"]
    assert read["progress"] == {
        "headline": "关系已转入，个人账户待到账（待上海市本级医保主管部门批准资金退回）",
        "holder": {"code": "YB319900"},
        "holderRole": "SUPERVISOR",
        "heldSince": SINCE,
        "dueOn": None,
    }
    en = (await window.data(PERSON, TOLD, "en", no=window.no))["transfer"]
    assert en["progress"]["headline"] == (
        "The record has moved; the personal-account money is still on its way (waiting for the supervising authority of "
        "上海市本级 to approve the return of the money)"
    )
    assert read["currentStep"] == {"kind": "APPROVE_REVERSE_REMITTANCE"}
    assert read["steps"][-1] == {"kind": "APPROVE_REVERSE_REMITTANCE", "round": 1, "state": "OPEN", "doneAt": None}
    lines = screen(await read_case(window.desk.db, window.no, THURSDAY), THURSDAY)
    place = lines.index("谁在办理，依据什么期限") + 1
    assert lines[place].startswith("  批准资金退回（主管部门）：上海市")
    assert lines[place + 1] == ""


async def test_once_it_is_approved_o_holds_the_case_and_the_bureau_is_done(window: Window) -> None:
    await _approved(window)
    read = (await window.data(PERSON, TOLD, no=window.no))["transfer"]
    assert (read["progress"]["holder"], read["progress"]["holderRole"]) == ({"code": "YB110000"}, None)
    assert read["progress"]["headline"] == "关系已转入，个人账户待到账"
    done_at = (THURSDAY + timedelta(hours=2)).isoformat()
    assert read["steps"][-1] == {"kind": "APPROVE_REVERSE_REMITTANCE", "round": 1, "state": "DONE", "doneAt": done_at}
    assert await _worklist(window, SUPERVISOR) == NOTHING
    (edge,) = (await _worklist(window, BUREAU_OF_BEIJING))["edges"]
    assert edge["node"]["step"]["kind"] == "CONFIRM_RECEIPT"
