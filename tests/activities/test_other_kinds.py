"""Kinds beside employee to employee, carried by their steps to the end: what the registers hold before and after."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import pytest

from activities.steps import Steps
from tests.activities.desk import MONDAY, TUESDAY, WEDNESDAY, Desk
from tests.cases import BEIJING, DESTINATION, O_CLERK, ORIGIN, R_CLERK, SHANGHAI_POOL, open_cases
from tests.conftest import Database
from workflows import commands as c
from workflows.continuation import WaitingRule
from workflows.vocabulary import InsuranceScheme, TransferStatus

EMPLOYEE, RESIDENT = InsuranceScheme.EMPLOYEE, InsuranceScheme.RESIDENT
NO_MONEY = {"personal_account_fen": "0"}
PAID = {"contribution_months": "202201-202602"}
# In the resident scheme of Beijing this year, and in earlier years of Shanghai's.
THIS_YEAR = ORIGIN | NO_MONEY | PAID | {"scheme": "RESIDENT", "status": "ACTIVE", "stopped_on": "", "employer_id": ""}
EARLIER = DESTINATION | {
    "scheme": "RESIDENT",
    "status": "STOPPED",
    "stopped_on": "2021-12-31",
    "enrolled_on": "",
    "employer_id": "",
    "contribution_months": "202001-202112",
}


@asynccontextmanager
async def desk_of(
    database: Database,
    origin: dict[str, str],
    destination: dict[str, str],
    schemes: tuple[InsuranceScheme, InsuranceScheme],
    *,
    request_stop: bool = False,
) -> AsyncIterator[Desk]:
    async with open_cases(database) as cases:
        await cases.registers(origin, destination)
        transfer = await cases.apply(schemes=schemes, request_stop=request_stop, at=MONDAY)
        yield Desk(cases, Steps(cases.worker_pool, cases.keyring), transfer)


@pytest.mark.parametrize("request_stop", [False, True])
async def test_resident_to_resident_is_continued_while_o_s_year_still_runs(
    database: Database, request_stop: bool
) -> None:
    async with desk_of(database, THIS_YEAR, EARLIER, (RESIDENT, RESIDENT), request_stop=request_stop) as desk:
        await desk.db.execute("update enrolments set next_year_enrolled = true where region = $1", SHANGHAI_POOL)
        await desk.form_delivered()
        state = await desk.state()
        assert (state.stop_needed, state.stopped_on) == (False, date(2026, 12, 31))
        await desk.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)
        state = await desk.state()
        assert state.status is TransferStatus.COMPLETED
        assert state.continuation is not None
        assert (state.continuation.total_months, state.continuation.waiting_period.rule) == (74, WaitingRule.NO_WAIT)
        # The cover that ends by itself was not stopped by us.
        origin, destination = await desk.enrolment(BEIJING), await desk.enrolment(SHANGHAI_POOL)
        assert (origin["status"], origin["stopped_on"]) == ("ACTIVE", None)
        periods = json.loads(destination["contribution_periods"])
        assert [(each["region"], each["first_month"], each["last_month"]) for each in periods] == [
            (SHANGHAI_POOL, "2020-01", "2021-12"),
            (BEIJING, "2022-01", "2026-02"),
        ]
        await desk.verify()


@pytest.mark.parametrize(
    ("paid", "rule", "months"),
    [
        ("202301-202510", WaitingRule.NO_WAIT_SWITCHING, 0),
        ("202401-202510", WaitingRule.WAIT_AFTER_SWITCHING, 3),
    ],
)
async def test_employee_to_resident_is_continued_by_the_two_years_before_the_stop(
    database: Database, paid: str, rule: WaitingRule, months: int
) -> None:
    origin = ORIGIN | NO_MONEY | {"contribution_months": paid}
    destination = DESTINATION | {"scheme": "RESIDENT", "employer_id": ""}
    async with desk_of(database, origin, destination, (EMPLOYEE, RESIDENT)) as desk:
        await desk.form_delivered()
        await desk.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)
        state = await desk.state()
        assert state.status is TransferStatus.COMPLETED
        assert state.continuation is not None
        wait = state.continuation.waiting_period
        assert (wait.gap_months, wait.rule, wait.months) == (0, rule, months)
        await desk.verify()


async def test_months_that_come_home_are_actual_in_r_s_register_again(database: Database) -> None:
    """Shanghai's months of 2010 went to Beijing, which holds them as deemed, and come back."""
    origin = ORIGIN | NO_MONEY | {"contribution_months": "201101-202510"}
    async with desk_of(database, origin, DESTINATION, (EMPLOYEE, EMPLOYEE)) as desk:
        recognised = {
            "first_month": "2010-01",
            "last_month": "2010-12",
            "deemed": True,
            "region": SHANGHAI_POOL,
            "scheme": "EMPLOYEE",
        }
        held = json.loads((await desk.enrolment(BEIJING))["contribution_periods"])
        await desk.db.execute(
            "update enrolments set contribution_periods = $2 where region = $1",
            BEIJING,
            json.dumps([recognised, *held]),
        )
        await desk.accepted()
        await desk.take(c.DeliverInformationForm(), O_CLERK, TUESDAY)
        await desk.take(c.ConfirmContinuation(), R_CLERK, WEDNESDAY)
        state = await desk.state()
        assert state.form is not None
        assert state.continuation is not None
        assert [each.deemed for each in state.form.periods] == [True, False]
        assert (state.continuation.actual_months, state.continuation.deemed_months) == (191, 0)
        periods = json.loads((await desk.enrolment(SHANGHAI_POOL))["contribution_periods"])
        assert periods[0] == recognised | {"deemed": False}
