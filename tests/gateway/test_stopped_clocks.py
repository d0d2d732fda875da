"""Dates that days pass over: R's clock stopped by corrections, and the clocks of the paper route that the post starts."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from activities.reference import set_policy
from gateway.auth import Viewer
from tests.cases import SHANGHAI_POOL
from tests.conftest import Database
from tests.gateway.test_commands import DELIVER, RECEIVE, REMIT, ask, carry_out, step
from tests.gateway.window import O_CLERK, O_FINANCE, R_CLERK, R_FINANCE, Window, open_window
from workflows.policy import RegionPolicy

CORRECT = step("requestCorrection", "RequestCorrectionInput")
ACCEPT = step("acceptTransfer", "TransferInput")
LETTER = step("issueContactLetter", "TransferInput")
MAIL = step("recordMail", "RecordMailInput")
DISPUTE = {"reason": "YEARS_DISPUTED", "note": "两年没有证明"}
STEPS = """query ($no: TransferNo!) { transfer(no: $no) {
  steps { kind round state deadline { startsOn dueOn state remainingWorkingDays } } } }"""
WORKLIST = "{ viewer { worklist { edges { node { dueOn step { kind round } } } } } }"


def morning(day: str) -> datetime:
    """Ten o'clock of a day of 2026 in Asia/Shanghai."""
    return datetime.fromisoformat(f"2026-{day}T02:00:00").replace(tzinfo=UTC)


@pytest.fixture
async def accepted(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case was accepted on Monday 2026-03-02."""
    async with open_window(database) as each:
        await each.desk.accepted()
        yield each


@pytest.fixture
async def on_paper(database: Database) -> AsyncIterator[Window]:
    """The same with R not connected: the application waits for acceptance."""
    async with open_window(database) as each:
        await set_policy(each.desk.db, SHANGHAI_POOL, RegionPolicy(connected=False), date(2026, 1, 1))
        await each.desk.open()
        yield each


async def take(window: Window, day: str, viewer: Viewer, query: str, **given: Any) -> dict[str, Any]:
    """A step taken on `day`, recorded by the gateway and carried out as the sweeper would."""
    window.now[0] = morning(day)
    asked = {"idempotencyKey": secrets.token_hex(12), "transferId": await window.node_id()} | given
    assert (await ask(window, viewer, query, **asked))["__typename"] == "StepPending"
    await carry_out(window)
    answer = await ask(window, viewer, query, **asked)
    assert answer["__typename"] == "StepPayload", answer
    return answer


async def shown(window: Window, kind: str, day: str) -> tuple[int, str, str, int | None]:
    """Round, due date, state and days left of a step as of `day`."""
    window.now[0] = morning(day)
    data = await window.data(O_CLERK, STEPS, no=window.no)
    latest = [each for each in data["transfer"]["steps"] if each["kind"] == kind][-1]
    deadline = latest["deadline"]
    return latest["round"], deadline["dueOn"], deadline["state"], deadline["remainingWorkingDays"]


async def worklist(window: Window, viewer: Viewer) -> list[tuple[str, int, str]]:
    edges = (await window.data(viewer, WORKLIST))["viewer"]["worklist"]["edges"]
    nodes = [edge["node"] for edge in edges]
    return [(each["step"]["kind"], each["step"]["round"], each["dueOn"]) for each in nodes]


async def test_the_days_of_each_correction_are_left_out_of_rs_days(accepted: Window) -> None:
    await take(accepted, "03-03", O_CLERK, DELIVER)
    assert await shown(accepted, "CONFIRM_CONTINUATION", "03-04") == (1, "2026-03-10", "ON_TRACK", 4)
    await take(accepted, "03-04", R_CLERK, CORRECT, **DISPUTE)
    # Stopped on its first day, and still with the four days that were left, however many pass.
    assert await shown(accepted, "CONFIRM_CONTINUATION", "03-06") == (1, "2026-03-10", "PAUSED", 4)
    assert await shown(accepted, "DELIVER_INFORMATION_FORM", "03-06") == (2, "2026-03-11", "ON_TRACK", 3)
    assert await worklist(accepted, R_CLERK) == []
    await take(accepted, "03-09", O_CLERK, DELIVER)
    assert await shown(accepted, "CONFIRM_CONTINUATION", "03-09") == (1, "2026-03-13", "ON_TRACK", 4)
    assert await worklist(accepted, R_CLERK) == [("CONFIRM_CONTINUATION", 1, "2026-03-13")]
    # Asked and answered on one day: nothing is left out.
    await take(accepted, "03-11", R_CLERK, CORRECT, **DISPUTE)
    await take(accepted, "03-11", O_CLERK, DELIVER)
    assert await shown(accepted, "CONFIRM_CONTINUATION", "03-11") == (1, "2026-03-13", "DUE_SOON", 2)
    # Over a weekend, past the day that had been the last: the pause counts, the weekend never did.
    await take(accepted, "03-12", R_CLERK, CORRECT, **DISPUTE)
    assert await shown(accepted, "CONFIRM_CONTINUATION", "03-16") == (1, "2026-03-13", "PAUSED", 1)
    await take(accepted, "03-16", O_CLERK, DELIVER)
    assert await shown(accepted, "CONFIRM_CONTINUATION", "03-16") == (1, "2026-03-17", "DUE_SOON", 1)
    assert await shown(accepted, "DELIVER_INFORMATION_FORM", "03-16") == (4, "2026-03-19", "MET", None)
    await accepted.desk.verify()


async def test_a_paused_clock_is_never_said_to_be_missed(accepted: Window) -> None:
    await take(accepted, "03-03", O_CLERK, DELIVER)
    await take(accepted, "03-04", R_CLERK, CORRECT, **DISPUTE)
    told = await accepted.desk.steps.note_deadlines(await accepted.desk.clock(morning("03-31")))
    missed = {(each.step, each.fact.type) for each in told.events if each.step == "CONFIRM_CONTINUATION"}
    assert missed == set()
    assert "DELIVER_INFORMATION_FORM" in {each.step for each in told.events}


async def test_on_paper_the_days_of_a_dispute_are_os_whenever_the_money_came(on_paper: Window) -> None:
    window, post = on_paper, {"carrier": "EMS", "trackingNo": "E1", "item": "INFORMATION_FORM"}
    await take(window, "03-05", R_CLERK, ACCEPT)
    await take(window, "03-06", R_CLERK, LETTER)
    await take(window, "03-13", O_CLERK, DELIVER)
    await take(window, "03-16", O_FINANCE, REMIT)
    await take(window, "03-17", O_CLERK, MAIL, arrivedOn="2026-03-17", **post)
    await take(window, "03-18", R_CLERK, CORRECT, **DISPUTE)
    advice = {"amount": 420_000, "bankReference": "B-1", "receivedOn": "2026-03-19"}
    await take(window, "03-20", R_FINANCE, RECEIVE, **advice)
    # Form and money are there, but the form is disputed: the answer must come by post as the first did.
    await take(window, "03-25", O_CLERK, DELIVER)
    assert await worklist(window, R_CLERK) == []
    await take(window, "03-27", R_CLERK, MAIL, arrivedOn="2026-03-27", **post)
    assert await shown(window, "CONFIRM_CONTINUATION", "03-27") == (1, "2026-04-20", "ON_TRACK", 15)
    await window.desk.verify()


async def test_on_paper_each_clock_starts_with_what_the_post_brings(on_paper: Window) -> None:
    window = on_paper
    assert await worklist(window, R_CLERK) == [("ACCEPT_APPLICATION", 1, "2026-03-23")]
    await take(window, "03-05", R_CLERK, ACCEPT)
    assert await worklist(window, R_CLERK) == [("ISSUE_CONTACT_LETTER", 1, "2026-03-26")]
    assert await worklist(window, O_CLERK) == [("ISSUE_CONTACT_LETTER", 1, "2026-03-26")]
    await take(window, "03-06", R_CLERK, LETTER)
    post = {"carrier": "EMS", "trackingNo": "E1"}
    letter, form = post | {"item": "CONTACT_LETTER"}, post | {"item": "INFORMATION_FORM"}
    await take(window, "03-06", R_CLERK, MAIL, sentOn="2026-03-06", **letter)
    assert await worklist(window, O_CLERK) == []
    # Entered two days after it came: the day of its arrival is day 0.
    await take(window, "03-12", O_CLERK, MAIL, arrivedOn="2026-03-10", **letter)
    assert await shown(window, "DELIVER_INFORMATION_FORM", "03-12") == (1, "2026-03-31", "ON_TRACK", 13)
    # Entered wrongly: a later record corrects it.
    await take(window, "03-13", O_CLERK, MAIL, arrivedOn="2026-03-11", **letter)
    assert await worklist(window, O_CLERK) == [("DELIVER_INFORMATION_FORM", 1, "2026-04-01")]
    await take(window, "03-13", O_CLERK, DELIVER)
    assert await worklist(window, O_FINANCE) == [("REMIT_PERSONAL_ACCOUNT", 1, "2026-04-01")]
    await take(window, "03-16", O_FINANCE, REMIT)
    await take(window, "03-18", O_CLERK, MAIL, sentOn="2026-03-13", arrivedOn="2026-03-17", **form)
    advice = {"amount": 420_000, "bankReference": "B-1", "receivedOn": "2026-03-19"}
    await take(window, "03-20", R_FINANCE, RECEIVE, **advice)
    # The later of the two is day 0; 2026-04-06 is a day off.
    assert await shown(window, "CONFIRM_CONTINUATION", "03-20") == (1, "2026-04-10", "ON_TRACK", 14)
    assert await worklist(window, R_CLERK) == [("CONFIRM_CONTINUATION", 1, "2026-04-10")]
    await window.desk.verify()
