"""Reasons of the closed list that no other file meets through the API: what each says, of which side and class, and its fix."""

from typing import Any

import pytest

from tests.e2e.books import nothing_changes
from tests.e2e.case import APPLICATION, Case, Desks, done
from tests.e2e.law_book import decides
from tests.e2e.people import Registers
from tests.e2e.system import System
from workflows.vocabulary import Role

# Regions of this file alone: the whole system is shared with the other files.
ORIGIN, CLOSED, WITHOUT_ACCOUNT, DESTINATION = "220100", "430100", "530100", "610100"
ELIGIBILITY = """query ($input: EligibilityInput!) { eligibility(input: $input) {
    eligible findings { code class side message fix where legalBasis retryOn } } }"""


@pytest.fixture(scope="module", autouse=True)
async def policies(system: System) -> None:
    await decides(system, CLOSED, open_for=[])
    ended = await system.cli("region", "set", WITHOUT_ACCOUNT, "receiving_account=none")
    assert (ended.code, ended.err) == (0, ""), ended


async def findings(
    system: System,
    registers: Registers,
    destination: str,
    *,
    at_origin: dict[str, str] | None = None,
    at_destination: dict[str, str] | None = None,
) -> tuple[bool, list[dict[str, Any]]]:
    """What the person is told before applying; nothing changes by asking."""
    person = await registers.person(
        {"region": ORIGIN} | (at_origin or {}), {"region": destination} | (at_destination or {})
    )
    applicant = system.caller(Role.INSURED_PERSON, resident_id=person.resident_id)
    async with nothing_changes(system):
        answer = await applicant.ask(ELIGIBILITY, input=APPLICATION | {"fromRegion": ORIGIN, "toRegion": destination})
    told = answer["eligibility"]
    assert all(each[text] for each in told["findings"] for text in ("message", "fix", "where", "legalBasis"))
    return told["eligible"], told["findings"]


def said(told: list[dict[str, Any]]) -> list[tuple[str, str, str, str | None]]:
    return [(each["code"], each["class"], each["side"], each["retryOn"]) for each in told]


async def test_a_destination_that_takes_no_such_transfer_blocks(system: System, registers: Registers) -> None:
    eligible, told = await findings(system, registers, CLOSED)
    assert (eligible, said(told)) == (False, [("DESTINATION_NOT_OPEN", "BLOCKS", "PLATFORM", None)])


async def test_a_destination_without_an_account_for_the_money_goes_to_its_clerk(
    system: System, registers: Registers
) -> None:
    eligible, told = await findings(system, registers, WITHOUT_ACCOUNT)
    assert (eligible, said(told)) == (True, [("RECEIVING_ACCOUNT_MISSING", "MANUAL", "TRANSFER_IN", None)])


async def test_an_account_frozen_by_a_court_goes_to_the_destinations_clerk(
    system: System, registers: Registers
) -> None:
    eligible, told = await findings(system, registers, DESTINATION, at_origin={"account_frozen": "true"})
    assert (eligible, said(told)) == (True, [("ACCOUNT_FROZEN", "MANUAL", "TRANSFER_OUT", None)])


async def test_months_that_both_regions_hold_are_named_and_do_not_block(system: System, registers: Registers) -> None:
    both = {"contribution_months": "202001-202012"}
    eligible, told = await findings(system, registers, DESTINATION, at_destination=both)
    assert (eligible, said(told)) == (True, [("OVERLAPPING_MONTHS", "WARNS", "TRANSFER_IN", None)])
    assert told[0]["message"] == (
        "12 month(s) were paid in both regions (January 2020 to December 2020); they count once."
    )


async def test_what_was_carried_to_its_end_is_not_carried_again(system: System, registers: Registers) -> None:
    person = await registers.person({"region": ORIGIN, "personal_account_fen": "0"}, {"region": DESTINATION})
    desks = Desks(system, origin=ORIGIN, destination=DESTINATION)
    case = Case(system, person, desks)
    await case.submits()
    await done(case.deliver())
    await done(case.continue_())
    assert (await case.read())["status"] == "COMPLETED"
    again = Case(system, person, desks)
    async with nothing_changes(system, but={"commands"}):
        answer = await again.submit()
    assert said(answer["findings"]) == [("ALREADY_TRANSFERRED", "BLOCKS", "PLATFORM", None)]
    assert case.no in answer["findings"][0]["message"]
