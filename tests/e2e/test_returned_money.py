"""Money that a bank refuses or that comes with a wrong amount, and orders that another person releases: over the public API."""

from typing import Any

import pytest

from stack.bank_faults import BankFault, FaultFile, FaultKind
from tests.e2e.books import nothing_changes, register_printed
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import decides, kinds, open_steps, step, working_days_later
from tests.e2e.people import BALANCE_FEN, Registers, at
from tests.e2e.system import System
from workflows.vocabulary import Role

# Regions that no other test asks about.
FROM, RELEASES, TO = "230100", "230200", "220200"


@pytest.fixture(scope="module", autouse=True)
async def _policies(system: System) -> None:
    await decides(system, RELEASES, release_threshold_fen=BALANCE_FEN - 1)


async def _formed(system: System, registers: Registers, region: str) -> Case:
    case = Case(system, await registers.person(at(region), at(TO)), Desks(system, region, TO))
    await case.submits()
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    await case.take(case.desks.r_clerk, "confirmContinuation")
    return case


async def test_a_refused_order_is_said_plainly_and_given_again(system: System, registers: Registers) -> None:
    case = await _formed(system, registers, FROM)
    faults = FaultFile(system.data_dir)
    faults.write([*faults.faults(), BankFault(kind=FaultKind.REFUSE, reference=f"{case.no}-01", code="AC04")])
    await case.take(case.desks.o_finance, "remitPersonalAccount")
    back = await case.reaches(fundsStatus="RETURNED")
    assert back["status"] == "AWAITING_FUNDS"
    assert "The bank sent 8,642.05 yuan back (the account is closed)." in back["progress"]["money"]
    assert "FUNDS_RETURNED" in kinds(back)
    assert open_steps(back) == [("REMIT_PERSONAL_ACCOUNT", 2, working_days_later(5))]
    assert step(back, "CONFIRM_RECEIPT")["state"] == "SKIPPED"
    read = await case.desks.o_finance.ask(
        "query ($no: TransferNo!) { transfer(no: $no) { allowedActions remittances { returnReason } } }", no=case.no
    )
    assert "REMIT_PERSONAL_ACCOUNT" in read["transfer"]["allowedActions"]
    assert read["transfer"]["remittances"][0]["returnReason"].startswith("the account is closed. ")
    await case.remits()
    ended = await case.receives(case.desks.r_finance, BALANCE_FEN)
    assert ended["transfer"]["status"] == "COMPLETED"
    orders = [(each["reference"], each["status"], each["corrects"]) for each in (await case.read())["remittances"]]
    assert orders == [(f"{case.no}-01", "RETURNED", None), (f"{case.no}-02", "CREDITED", f"{case.no}-01")]
    held = await register_printed(system, case.person)
    assert (held[FROM]["personal_account_fen"], held[FROM]["frozen_fen"]) == (0, 0)
    assert held[TO]["personal_account_fen"] == BALANCE_FEN


async def test_money_that_came_short_is_matched_with_a_reason_and_the_rest_is_sent(
    system: System, registers: Registers
) -> None:
    case = await _formed(system, registers, FROM)
    await case.remits()
    await case.receives(case.desks.r_finance, BALANCE_FEN - 1)
    match: dict[str, Any] = {
        "remittanceReference": f"{case.no}-01",
        "decision": "ACCEPT_AMOUNT",
        "reason": "以对账单为准",
    }
    # The bank's own advices come in meanwhile: the case itself must not change.
    before = await case.read()
    assert (await case.asks(case.desks.o_finance, "matchFunds", **match))["__typename"] == "StepNotAllowed"
    blank = await case.asks(case.desks.r_finance, "matchFunds", **match | {"reason": " "})
    assert [(each["path"], each["code"]) for each in blank["violations"]] == [(["input", "reason"], "EMPTY")]
    assert (await case.read())["events"] == before["events"]
    matched = await case.take(case.desks.r_finance, "matchFunds", **match)
    assert matched["event"]["kind"] == "FUNDS_MATCHED"
    assert "以对账单为准" in matched["event"]["message"]
    read = await case.read()
    assert (read["status"], read["fundsStatus"]) == ("AWAITING_FUNDS", "PENDING")
    assert "0.01 yuan less than ordered arrived" in read["progress"]["money"]
    await case.remits()
    ended = await case.receives(case.desks.r_finance, 1)
    assert ended["transfer"]["status"] == "COMPLETED"
    assert (await register_printed(system, case.person))[TO]["personal_account_fen"] == BALANCE_FEN


async def test_what_came_short_is_told_apart_from_what_a_correction_adds(system: System, registers: Registers) -> None:
    case = Case(system, await registers.person(at(FROM), at(TO)), Desks(system, FROM, TO))
    await case.submits()
    form = {"personalAccountBalance": BALANCE_FEN - 100, "note": "as of the last statement"}
    await case.take(case.desks.o_clerk, "deliverInformationForm", **form)
    await case.take(case.desks.r_clerk, "confirmContinuation")
    await case.remits()
    await case.receives(case.desks.r_finance, BALANCE_FEN - 101)
    match = {"remittanceReference": f"{case.no}-01", "decision": "ACCEPT_AMOUNT", "reason": "以对账单为准"}
    await case.take(case.desks.r_finance, "matchFunds", **match)
    await case.take(
        case.desks.r_clerk, "requestCorrection", reason="AMOUNT_DISPUTED", note="the last salary is missing"
    )
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    told = (await case.read())["progress"]["money"]
    assert "0.01 yuan less than ordered arrived" in told
    assert "it has yet to remit 1.01 yuan" in told
    await case.remits()
    await case.receives(case.desks.r_finance, 101)
    await case.take(case.desks.r_clerk, "confirmContinuation")
    assert (await case.read())["status"] == "COMPLETED"
    assert (await register_printed(system, case.person))[TO]["personal_account_fen"] == BALANCE_FEN


async def test_nobody_releases_their_own_order_and_a_system_says_for_whom_it_acts(
    system: System, registers: Registers
) -> None:
    case = await _formed(system, registers, RELEASES)
    program = system.caller(Role.AGENCY_SYSTEM, RELEASES)
    prepared = await case.take(program, "remitPersonalAccount", actingPerson="li-01")
    assert prepared["event"]["kind"] == "REMITTANCE_PREPARED"
    assert "another person there has yet to release it" in (await case.read())["progress"]["money"]
    release = {"remittanceReference": f"{case.no}-01"}
    async with nothing_changes(system):
        own = await case.asks(program, "releaseRemittance", actingPerson="li-01", **release)
        assert own["__typename"] == "StepNotAllowed"
        claimed = await case.asks(case.desks.o_finance, "releaseRemittance", actingPerson="wang-02", **release)
        assert [each["code"] for each in claimed["violations"]] == ["ONLY_AN_AGENCY_SYSTEM"]
    released = await case.take(program, "releaseRemittance", actingPerson="wang-02", **release)
    assert released["transfer"]["fundsStatus"] in ("ORDERED", "REMITTED")
    await case.reaches(fundsStatus="REMITTED")
    assert (await case.receives(case.desks.r_finance, BALANCE_FEN))["transfer"]["status"] == "COMPLETED"
