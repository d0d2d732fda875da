"""What a region decides for itself, set on the command line and met by applicants and clerks through the API."""

from typing import Any

import pytest

from activities.calendar_data import published_calendar
from tests.e2e.books import nothing_changes
from tests.e2e.case import APPLICATION, Case, Desks, done
from tests.e2e.people import Registers, today
from tests.e2e.system import System
from workflows.vocabulary import Role

# Regions of this file alone: the whole system is shared with the other files.
TIANJIN, CHONGQING, NANNING = "120000", "500000", "450100"
FROM_TIANJIN = APPLICATION | {"fromRegion": TIANJIN, "toRegion": CHONGQING}
FROM_NANNING = APPLICATION | {"fromRegion": NANNING, "toRegion": CHONGQING}
ELIGIBILITY = (
    """query ($input: EligibilityInput!) { eligibility(input: $input) { eligible route findings { code class } } }"""
)


@pytest.fixture
def desks(system: System) -> Desks:
    """Tianjin's clerk sends, Chongqing's receives."""
    desks = Desks(system)
    desks.o_clerk, desks.r_clerk = system.caller(Role.CLERK, TIANJIN), system.caller(Role.CLERK, CHONGQING)
    return desks


async def set_policy(system: System, code: str, *changes: str) -> None:
    ended = await system.cli("region", "set", code, *changes)
    assert (ended.code, ended.err) == (0, ""), ended


async def applied(
    system: System, registers: Registers, desks: Desks, asked: dict[str, str], **origin: str
) -> tuple[Case, dict[str, Any]]:
    """A new person's application between the two regions, and the answer to it."""
    person = await registers.person({"region": asked["fromRegion"]} | origin, {"region": asked["toRegion"]})
    case = Case(system, person, desks)
    answer = await case.applicant.submit(**asked)
    if answer["__typename"] == "SubmitTransferPayload":
        case.id, case.no = answer["transfer"]["id"], answer["transfer"]["no"]
    return case, answer


async def limits(case: Case) -> dict[str, tuple[int, str]]:
    """(working days, last day) of every step that has a deadline."""
    steps = (await case.read())["steps"]
    return {
        each["kind"]: (each["deadline"]["workingDays"], each["deadline"]["dueOn"]) for each in steps if each["deadline"]
    }


def within(working_days: int) -> tuple[int, str]:
    return working_days, published_calendar().add_working_days(today(), working_days).isoformat()


async def test_a_case_keeps_the_shortened_periods_of_its_acceptance(
    system: System, registers: Registers, desks: Desks
) -> None:
    await set_policy(system, TIANJIN, "shortened_periods.DELIVER_INFORMATION_FORM=7")
    await set_policy(system, CHONGQING, "shortened_periods.CONFIRM_CONTINUATION=3")
    earlier, answer = await applied(system, registers, desks, FROM_TIANJIN)
    assert answer["transfer"]["status"] == "TRANSFERRING_OUT"
    assert await limits(earlier) == {"DELIVER_INFORMATION_FORM": within(7)}

    await set_policy(system, TIANJIN, "shortened_periods.DELIVER_INFORMATION_FORM=5")
    await set_policy(system, CHONGQING, "shortened_periods.CONFIRM_CONTINUATION=2")
    later, _ = await applied(system, registers, desks, FROM_TIANJIN)
    assert await limits(later) == {"DELIVER_INFORMATION_FORM": within(5)}
    assert await limits(earlier) == {"DELIVER_INFORMATION_FORM": within(7)}
    # R's step opens under the new edition, and has the days of the one at acceptance.
    await done(earlier.deliver())
    await done(later.deliver())
    assert (await limits(earlier))["CONFIRM_CONTINUATION"] == within(3)
    assert (await limits(later))["CONFIRM_CONTINUATION"] == within(2)

    await set_policy(system, TIANJIN, "shortened_periods=default")
    by_the_law, _ = await applied(system, registers, desks, FROM_TIANJIN)
    assert await limits(by_the_law) == {"DELIVER_INFORMATION_FORM": within(10)}


async def test_a_period_shorter_than_the_paper_route_s_only_leaves_the_platform_s_as_it_is(
    system: System, registers: Registers, desks: Desks
) -> None:
    await set_policy(system, TIANJIN, "shortened_periods.DELIVER_INFORMATION_FORM=12")
    case, _ = await applied(system, registers, desks, FROM_TIANJIN)
    assert await limits(case) == {"DELIVER_INFORMATION_FORM": within(10)}
    await set_policy(system, TIANJIN, "shortened_periods=default")


async def test_arrears_block_where_the_region_says_so(system: System, registers: Registers, desks: Desks) -> None:
    owed = {"arrears_fen": "50000", "arrears_from": "2026-01", "arrears_to": "2026-02"}
    warned, answer = await applied(system, registers, desks, FROM_NANNING, **owed)
    assert answer["__typename"] == "SubmitTransferPayload"
    await set_policy(system, NANNING, "arrears=block")
    person = await registers.person({"region": NANNING} | owed, {"region": CHONGQING})
    applicant = system.caller(Role.INSURED_PERSON, resident_id=person.resident_id)
    dry = (await applicant.ask(ELIGIBILITY, input=FROM_NANNING))["eligibility"]
    assert dry == {
        "eligible": False,
        "route": "PLATFORM",
        "findings": [{"code": "ARREARS_OUTSTANDING", "class": "BLOCKS"}],
    }
    # The refusal itself is recorded, and nothing else.
    async with nothing_changes(system, but={"commands"}):
        refused = await applicant.submit(**FROM_NANNING)
    assert refused["__typename"] == "NotEligible"
    assert [(each["code"], each["class"]) for each in refused["findings"]] == [("ARREARS_OUTSTANDING", "BLOCKS")]
    assert (await warned.read())["status"] == "TRANSFERRING_OUT"
    await set_policy(system, NANNING, "arrears=default")
    assert (await applicant.submit(**FROM_NANNING))["__typename"] == "SubmitTransferPayload"


async def test_a_region_that_is_not_connected_is_on_the_paper_route(system: System, registers: Registers) -> None:
    person = await registers.person({"region": NANNING}, {"region": CHONGQING})
    applicant = system.caller(Role.INSURED_PERSON, resident_id=person.resident_id)

    async def route() -> str:
        return str((await applicant.ask(ELIGIBILITY, input=FROM_NANNING))["eligibility"]["route"])

    assert await route() == "PLATFORM"
    await set_policy(system, NANNING, "connected=no")
    assert await route() == "PAPER"
    await set_policy(system, NANNING, "connected=default")
    await set_policy(system, CHONGQING, "connected=no")
    assert await route() == "PAPER"
    await set_policy(system, CHONGQING, "connected=default")
    assert await route() == "PLATFORM"
