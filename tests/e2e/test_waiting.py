"""`waitForRegister`: an application whose reasons pass with time waits, is asked about again, and goes on by itself."""

from datetime import date
from typing import Any

import pytest

from tests.e2e.books import nothing_changes, register, require_sound
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import decides, kinds, open_steps, step, working_days_later
from tests.e2e.people import (
    BEIJING,
    SHANGHAI,
    Person,
    Registers,
    active,
    at,
    last_of_previous_month,
    new_resident_id,
    stopped,
    today,
)
from tests.e2e.system import System, until
from workflows.coverage_gap import closes_on

WAIT = {"waitForRegister": True}
# The sweeper asks every fifteen seconds whether a register has changed.
WITHIN_SECONDS = 60.0
REFUSALS = """query ($no: TransferNo!) { transfer(no: $no) { refusals { code class side retryOn fix } } }"""
# Regions whose registers these tests put out of service, and nobody else's do.
SILENT_O, SILENT_R, BESIDE = "210300", "210400", "210500"


async def _waiting(system: System, registers: Registers, desks: Desks, person: Person, **application: Any) -> Case:
    await registers.know(person)
    case = Case(system, person, desks, application=WAIT | application)
    submitted = (await case.submits())["transfer"]
    assert (submitted["status"], submitted["acceptedAt"]) == ("SUBMITTED", None)
    return case


async def _goes_on(case: Case, **wanted: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        transfer = await case.read()
        return transfer if wanted.items() <= transfer.items() else None

    found: dict[str, Any] = await until(there, WITHIN_SECONDS)
    return found


async def _certified(case: Case) -> dict[str, Any] | None:
    """The case once its instant certificate is issued."""
    read = await case.read()
    return read if step(read, "ISSUE_CERTIFICATE")["state"] == "DONE" else None


def _person(origin: dict[str, str] | None = None, destination: dict[str, str] | None = None) -> Person:
    return Person(new_resident_id(), origin=origin or {}, destination={} if destination is None else destination)


NOT_YET_ENROLLED = {"status": "STOPPED", "stopped_on": "2020-01-31"}
REASONS: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    "NOT_ENROLLED_AT_DESTINATION": ({}, NOT_YET_ENROLLED, "TRANSFER_IN", "ENROL_AT_DESTINATION"),
    "CURRENT_MONTH_UNPAID": ({}, {"current_month_unpaid": "true"}, "TRANSFER_IN", "ENROL_AT_DESTINATION"),
    "COVERAGE_STILL_ACTIVE": (active(), {}, "TRANSFER_OUT", "STOP_COVERAGE"),
    "UNSETTLED_CLAIMS": ({"unsettled_claims": "true"}, {}, "TRANSFER_OUT", ""),
}


@pytest.mark.parametrize("code", REASONS)
async def test_what_passes_with_time_is_waited_for_until_a_register_mends_it(
    system: System, registers: Registers, desks: Desks, code: str
) -> None:
    origin, destination, side, action = REASONS[code]
    person = _person(origin, destination)
    await registers.know(person)
    refused = await Case(system, person, desks).submit()
    assert [(each["code"], each["class"]) for each in refused["findings"]] == [(code, "BLOCKS")]
    case = await _waiting(system, registers, desks, person)
    said = (await case.applicant.ask(REFUSALS, no=case.no))["transfer"]["refusals"]
    assert [(each["code"], each["class"], each["side"]) for each in said] == [(code, "RETRIED", side)]
    assert said[0]["retryOn"] == working_days_later(1)
    assert said[0]["fix"]
    read = await case.read()
    assert read["allowedActions"] == ["WITHDRAW_TRANSFER"]
    assert {"WITHDRAW", action} - {""} == set(read["progress"]["actions"])
    assert read["progress"]["headline"] == (
        "Waiting to be accepted: the registers are checked again every day, and it goes on by itself"
    )
    assert (open_steps(read), read["progress"]["holder"], kinds(read)) == ([], None, ["SUBMITTED"])
    why = await system.cli("why", case.no)
    assert (why.code, code in why.out) == (0, True)
    # Nobody can do anything to it but the person, and a second application meets the first.
    async with nothing_changes(system):
        for caller, mutation in [(desks.r_clerk, "acceptTransfer"), (desks.o_clerk, "deliverInformationForm")]:
            assert (await case.asks(caller, mutation))["__typename"] == "StepNotAllowed"
    doubled = await Case(system, person, desks, application=WAIT).submit()
    assert "TRANSFER_IN_PROGRESS" in [each["code"] for each in doubled["findings"]]
    mended = Person(
        person.resident_id,
        origin=stopped() | {"unsettled_claims": "false"},
        destination=active() | {"current_month_unpaid": "false"},
    )
    await registers.know(mended)
    await _goes_on(case, status="TRANSFERRING_OUT")
    read = await until(lambda: _certified(case), WITHIN_SECONDS)
    assert kinds(read)[:3] == ["SUBMITTED", "REGISTER_CHECKED", "ACCEPTED"]
    assert (read["refusals"], read["acceptedAt"] is not None) == ([], True)
    assert open_steps(read) == [("DELIVER_INFORMATION_FORM", 1, working_days_later(10))]
    assert [each["kind"] for each in read["documents"]] == ["ACCEPTANCE_NOTICE", "ENROLMENT_CERTIFICATE"]
    await require_sound(system, case, booked={})


async def test_a_load_that_makes_it_impossible_ends_it_with_the_reason(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = _person(destination={"current_month_unpaid": "true"})
    case = await _waiting(system, registers, desks, person)
    await registers.know(Person(person.resident_id, origin={"deceased": "true"}, destination={}))
    read = await _goes_on(case, status="DECLINED")
    assert "DECEASED" in [each["code"] for each in read["refusals"]]
    assert [each["kind"] for each in read["documents"]] == ["REFUSAL_NOTICE"]
    assert (read["closedAt"] is not None, read["allowedActions"]) == (True, [])
    await require_sound(system, case, booked={})


async def test_another_reason_than_before_is_told_and_the_wait_goes_on(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = _person(origin=active(), destination={"current_month_unpaid": "true"})
    case = await _waiting(system, registers, desks, person)
    codes = [each["code"] for each in (await case.read())["refusals"]]
    assert sorted(codes) == ["COVERAGE_STILL_ACTIVE", "CURRENT_MONTH_UNPAID"]
    await registers.know(Person(person.resident_id, origin=stopped(), destination={"current_month_unpaid": "true"}))

    async def told() -> dict[str, Any] | None:
        read = await case.read()
        return read if "REGISTER_CHECKED" in kinds(read) else None

    read = await until(told, WITHIN_SECONDS)
    assert (read["status"], [each["code"] for each in read["refusals"]]) == ("SUBMITTED", ["CURRENT_MONTH_UNPAID"])
    await require_sound(system, case, booked={})


async def test_a_waiting_application_may_go_on_to_rs_clerk_or_to_the_stop_of_coverage(
    system: System, registers: Registers, desks: Desks
) -> None:
    manual = _person(origin={"special_personnel": "true"}, destination={"current_month_unpaid": "true"})
    stopping = _person(origin=active(), destination={"current_month_unpaid": "true"})
    to_clerk = await _waiting(system, registers, desks, manual)
    to_stop = await _waiting(system, registers, desks, stopping, requestStop=True)
    await registers.know(
        Person(manual.resident_id, origin={"special_personnel": "true"}), Person(stopping.resident_id, origin=active())
    )

    async def opened(case: Case) -> list[tuple[str, int, str | None]]:
        async def any_open() -> list[tuple[str, int, str | None]]:
            return open_steps(await case.read())

        found: list[tuple[str, int, str | None]] = await until(any_open, WITHIN_SECONDS)
        return found

    assert await opened(to_clerk) == [("ACCEPT_APPLICATION", 1, working_days_later(5))]
    assert await opened(to_stop) == [("STOP_COVERAGE", 1, working_days_later(5))]
    await to_clerk.take(desks.r_clerk, "acceptTransfer")
    stop = await to_stop.take(desks.o_clerk, "stopCoverage", stoppedOn=today().isoformat())
    assert stop["transfer"]["status"] == "TRANSFERRING_OUT"


async def test_a_waiting_application_is_withdrawn_and_stays_so(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = _person(destination={"current_month_unpaid": "true"})
    case = await _waiting(system, registers, desks, person)
    withdrawn = await case.take(case.applicant, "withdrawTransfer", reason="another job")
    assert withdrawn["transfer"]["status"] == "WITHDRAWN"
    await registers.know(Person(person.resident_id))
    async with system.database() as connection:
        waiting = "select count(*) from transfers where closed_at is null and no = $1"
        assert await connection.fetchval(waiting, case.no) == 0
    again = Case(system, person, desks)
    assert (await again.submits())["transfer"]["status"] == "TRANSFERRING_OUT"


async def test_without_the_wish_to_wait_and_beside_another_reason_nothing_waits(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = _person(origin={"retired": "true"}, destination={"current_month_unpaid": "true"})
    await registers.know(person)
    refused = await Case(system, person, desks, application=WAIT).submit()
    assert refused["__typename"] == "NotEligible"
    assert [(each["code"], each["class"]) for each in refused["findings"]] == [
        ("RETIRED", "BLOCKS"),
        ("CURRENT_MONTH_UNPAID", "RETRIED"),
    ]


async def test_the_same_application_again_under_its_key_is_the_waiting_case(
    system: System, registers: Registers, desks: Desks
) -> None:
    person = _person(destination={"current_month_unpaid": "true"})
    case = await _waiting(system, registers, desks, person)
    again = await case.submits()
    assert (again["replayed"], again["transfer"]["no"]) == (True, case.no)
    other = await case.applicant.submit(
        idempotencyKey=case.keys["submit"],
        fromRegion=BEIJING,
        toRegion=SHANGHAI,
        fromScheme="EMPLOYEE",
        toScheme="EMPLOYEE",
    )
    assert other["__typename"] == "IdempotencyConflict"


# ------------------------------------------------------------------ a register that is out of service


@pytest.mark.parametrize(("silent", "side"), [(SILENT_O, "TRANSFER_OUT"), (SILENT_R, "TRANSFER_IN")])
async def test_a_register_out_of_service_is_waited_for_whether_asked_to_or_not(
    system: System, registers: Registers, silent: str, side: str
) -> None:
    await decides(system, silent, register_available=False)
    regions = (silent, BESIDE) if side == "TRANSFER_OUT" else (BESIDE, silent)
    person = await registers.person(at(regions[0]), at(regions[1]))
    case = Case(system, person, Desks(system, *regions))
    submitted = (await case.submits())["transfer"]
    assert submitted["status"] == "SUBMITTED"
    said = (await case.applicant.ask(REFUSALS, no=case.no))["transfer"]["refusals"]
    assert [(each["code"], each["class"], each["side"]) for each in said] == [("REGISTER_UNAVAILABLE", "RETRIED", side)]
    await decides(system, silent, register_available=True)
    # The policy that opens the register again has it asked: no row of the person's has changed.
    read = await _goes_on(case, status="TRANSFERRING_OUT")
    assert read["refusals"] == []


# ------------------------------------------------------------------ the person's own clock


async def test_the_coverage_gap_is_shown_while_nobody_covers_the_person_and_ends_with_rs_cover(
    system: System, registers: Registers, desks: Desks
) -> None:
    gap_from = last_of_previous_month()
    person = _person(destination=NOT_YET_ENROLLED)
    case = await _waiting(system, registers, desks, person)
    read = await case.read()
    last_day = closes_on(gap_from, 3)
    assert read["coverageGap"] == {
        "stoppedOn": gap_from.isoformat(),
        "closesOn": last_day.isoformat(),
        "daysLeft": (last_day - today()).days,
    }
    # Who is covered by either side has no gap.
    covered = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    await covered.submits()
    assert (await covered.read())["coverageGap"] is None
    await registers.know(Person(person.resident_id))
    assert (await _goes_on(case, status="TRANSFERRING_OUT"))["coverageGap"] is None


async def test_a_gap_that_closes_within_days_is_warned_of_once_by_the_most_urgent_warning(
    system: System, registers: Registers, desks: Desks
) -> None:
    # Three whole months without cover and the month of the stop: it closes with this month.
    year, month = divmod(today().year * 12 + today().month - 1 - 4, 12)
    gap_from = date(year, month + 1, 15)
    assert closes_on(gap_from, 3).replace(day=1) == today().replace(day=1)
    left = (closes_on(gap_from, 3) - today()).days
    expected = 3 if left <= 3 else 10 if left <= 10 else 30
    months = f"201407-{gap_from:%Y%m}"
    person = _person(
        origin={"stopped_on": gap_from.isoformat(), "contribution_months": months}, destination=NOT_YET_ENROLLED
    )
    case = await _waiting(system, registers, desks, person)

    async def warned() -> dict[str, Any] | None:
        read = await case.read()
        return read if "NEEDS_ATTENTION" in kinds(read) else None

    read = await until(warned, WITHIN_SECONDS)
    assert kinds(read) == ["SUBMITTED", "NEEDS_ATTENTION"]
    message = read["events"]["edges"][-1]["node"]["message"]
    assert "上海" in message
    async with system.database() as connection:
        fact = await connection.fetchval(
            """select (event -> 'fact' ->> 'days_left')::int from transfer_events join transfers using (transfer_id)
                where no = $1 and type = 'gap_warned.1'""",
            case.no,
        )
    assert fact == expected
    assert (await register(system, person))[BEIJING]["stopped_on"] == gap_from.isoformat()
