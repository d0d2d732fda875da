"""Every way out before 已办结, through the API: nothing stays frozen, half paid or in force, and nothing more may be done."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.e2e.books import (
    destination,
    enrolment,
    nothing_changes,
    origin,
    register,
    register_printed,
    require_ended,
    require_sound,
)
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import certificate, checked, kinds, open_steps, working_days_later
from tests.e2e.people import (
    BALANCE_FEN,
    BEIJING,
    SHANGHAI,
    SHENZHEN,
    Registers,
    active,
    months_at_origin,
    today,
)
from tests.e2e.system import System
from workflows.vocabulary import Role

TERMINATE = {"reason": "the person was transferred twice"}
DISPUTE = {"reason": "IDENTITY_DOUBT", "note": "is this the same person?"}
RETURN = {"reason": "IDENTITY_DOUBT", "note": "it is not the same person"}
WHOLE = {BEIJING: origin(), SHANGHAI: destination()}
EVERY_STEP: tuple[tuple[str, dict[str, Any]], ...] = (
    ("withdrawTransfer", {"reason": "too late"}),
    ("acceptTransfer", {}),
    ("declineTransfer", {"reasons": ["DECEASED"]}),
    ("stopCoverage", {"stoppedOn": "2026-01-31"}),
    ("reissueCertificate", {"reason": "lost"}),
    ("issueContactLetter", {}),
    ("recordMail", {"item": "CERTIFICATE", "carrier": "EMS", "trackingNo": "E1"}),
    ("deliverInformationForm", {}),
    ("checkInformationForm", {}),
    ("returnTransfer", RETURN),
    ("requestCorrection", DISPUTE),
    ("remitPersonalAccount", {}),
    ("providePayoutAccount", {"bankName": "示例银行", "accountName": "林晓舟", "accountNumber": "6222020000000000123"}),
    ("confirmReceipt", {"amount": 1, "bankReference": "B1", "receivedOn": "2026-01-31"}),
    ("confirmContinuation", {}),
    ("approveReverseRemittance", {"remittanceReference": "ZY-1-01"}),
    ("terminateTransfer", TERMINATE),
)


async def _opened(system: System, registers: Registers, desks: Desks) -> Case:
    case = Case(system, await registers.person(), desks)
    await case.submits()
    return case


def _everybody(case: Case) -> dict[str, Any]:
    desks = case.desks
    return {
        "withdrawTransfer": case.applicant,
        "reissueCertificate": case.applicant,
        "providePayoutAccount": case.applicant,
        "acceptTransfer": desks.r_clerk,
        "declineTransfer": desks.r_clerk,
        "issueContactLetter": desks.r_clerk,
        "recordMail": desks.r_clerk,
        "requestCorrection": desks.r_clerk,
        "confirmContinuation": desks.r_clerk,
        "confirmReceipt": desks.r_finance,
        "stopCoverage": desks.o_clerk,
        "deliverInformationForm": desks.o_clerk,
        "checkInformationForm": desks.o_checker,
        "returnTransfer": desks.o_clerk,
        "remitPersonalAccount": desks.o_finance,
        "approveReverseRemittance": desks.o_supervisor,
        "terminateTransfer": desks.o_supervisor,
    }


async def _nothing_more(system: System, case: Case, status: str) -> None:
    """The case has ended so: no step of anybody's is taken any more, and nothing is in force or anybody's work."""
    read = await case.read()
    assert (read["status"], read["currentStep"], read["closedAt"] is not None) == (status, None, True)
    assert {each["state"] for each in read["steps"]} <= {"DONE", "SKIPPED"}
    assert all(each["void"] for each in read["documents"] if each["kind"] == "ENROLMENT_CERTIFICATE")
    callers = _everybody(case)
    async with nothing_changes(system):
        for mutation, given in EVERY_STEP:
            answer = await case.asks(callers[mutation], mutation, **given)
            assert (answer["__typename"], answer["allowedActions"]) == ("StepNotAllowed", []), mutation
            assert answer["message"] == "The transfer is closed."


async def _again(case: Case) -> None:
    """An ended case bars nobody from applying again."""
    again = Case(case.system, case.person, case.desks)
    assert (await again.submits())["transfer"]["status"] == "TRANSFERRING_OUT"
    await again.take(again.applicant, "withdrawTransfer", reason="only tried")


# ------------------------------------------------------------------ the agencies and the person


async def test_o_returns_a_case_during_a_correction_and_unfreezes_the_account(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    issued = await certificate(system, case)
    await case.take(desks.o_clerk, "deliverInformationForm")
    await case.take(desks.r_clerk, "requestCorrection", **DISPUTE)
    assert (await register(system, case.person))[BEIJING]["frozen_fen"] == BALANCE_FEN
    returned = await case.take(desks.o_clerk, "returnTransfer", **RETURN)
    assert (returned["event"]["kind"], returned["transfer"]["status"]) == ("DECLINED", "DECLINED")
    assert await register_printed(system, case.person) == WHOLE
    assert [each["code"] for each in (await case.read())["refusals"]] == ["IDENTITY_MISMATCH"]
    assert await checked(system, *issued) == (False, True)
    await require_ended(system, case, booked={})
    await _nothing_more(system, case, "DECLINED")
    await _again(case)


async def test_o_returns_a_case_before_its_form(system: System, registers: Registers, desks: Desks) -> None:
    case = await _opened(system, registers, desks)
    issued = await certificate(system, case)
    returned = await case.take(desks.o_clerk, "returnTransfer", reason="WRONG_REGION", note="never insured here")
    assert (returned["event"]["kind"], returned["transfer"]["status"]) == ("DECLINED", "DECLINED")
    assert await register(system, case.person) == WHOLE
    assert await checked(system, *issued) == (False, True)
    await _nothing_more(system, case, "DECLINED")


async def test_after_a_withdrawal_nothing_more_may_be_done(system: System, registers: Registers, desks: Desks) -> None:
    case = await _opened(system, registers, desks)
    await case.take(case.applicant, "withdrawTransfer", reason="staying after all")
    await require_ended(system, case, booked={})
    await _nothing_more(system, case, "WITHDRAWN")
    await _again(case)


async def test_coverage_that_was_stopped_stays_stopped(system: System, registers: Registers, desks: Desks) -> None:
    case = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    await case.submits()
    await case.take(desks.o_clerk, "stopCoverage", stoppedOn=today().isoformat())
    too_late = await case.asks(case.applicant, "withdrawTransfer", reason="staying after all")
    assert too_late["__typename"] == "StepNotAllowed"
    await case.take(desks.o_supervisor, "terminateTransfer", **TERMINATE)
    at_origin = origin(stopped_on=today().isoformat())
    assert await register(system, case.person) == {BEIJING: at_origin, SHANGHAI: destination()}
    await _nothing_more(system, case, "TERMINATED")
    await _again(case)


# ------------------------------------------------------------------ the supervisor


async def _no_money(case: Case) -> None:
    assert case.no


async def _frozen(case: Case) -> None:
    await case.take(case.desks.o_clerk, "deliverInformationForm")


async def _disputed(case: Case) -> None:
    await _frozen(case)
    await case.take(case.desks.r_clerk, "requestCorrection", **DISPUTE)


@pytest.mark.parametrize("stands", [_no_money, _frozen, _disputed], ids=["no money", "frozen", "disputed"])
async def test_a_supervisor_terminates_before_any_order_of_money(
    system: System, registers: Registers, desks: Desks, stands: Callable[[Case], Awaitable[None]]
) -> None:
    case = await _opened(system, registers, desks)
    issued = await certificate(system, case)
    await stands(case)
    assert "TERMINATE_TRANSFER" in (await case.read(desks.r_supervisor))["allowedActions"]
    ended = await case.take(desks.r_supervisor, "terminateTransfer", **TERMINATE)
    assert (ended["event"]["kind"], ended["transfer"]["status"]) == ("TERMINATED", "TERMINATED")
    read = await case.read()
    assert kinds(read)[-1] == "TERMINATED"
    assert TERMINATE["reason"] in read["events"]["edges"][-1]["node"]["message"]
    assert read["progress"]["money"] == "No money was moved; the balance is still in 北京市."
    assert await register_printed(system, case.person) == WHOLE
    assert await checked(system, *issued) == (False, True)
    await require_ended(system, case, booked={})
    await _nothing_more(system, case, "TERMINATED")
    await _again(case)


async def _ordered(case: Case) -> None:
    await _frozen(case)
    await case.take(case.desks.o_finance, "remitPersonalAccount")


async def _remitted(case: Case) -> None:
    await _frozen(case)
    await case.remits()


async def _credited(case: Case) -> None:
    await _remitted(case)
    await case.receives(case.desks.r_finance, BALANCE_FEN)


async def _credited_and_disputed(case: Case) -> None:
    await _credited(case)
    await case.take(case.desks.r_clerk, "requestCorrection", **DISPUTE)


@pytest.mark.parametrize(
    "stands",
    [_ordered, _remitted, _credited, _credited_and_disputed],
    ids=["ordered", "remitted", "credited", "credited and disputed"],
)
async def test_a_termination_brings_all_money_home_before_the_case_ends(
    system: System, registers: Registers, desks: Desks, stands: Callable[[Case], Awaitable[None]]
) -> None:
    case = await _opened(system, registers, desks)
    issued = await certificate(system, case)
    await stands(case)
    ordered = await case.take(desks.o_supervisor, "terminateTransfer", **TERMINATE)
    assert (ordered["event"]["kind"], ordered["transfer"]["status"]) == ("NEEDS_ATTENTION", "TRANSFERRING_IN")
    assert await checked(system, *issued) == (False, True)
    lost = await case.asks(case.applicant, "reissueCertificate", reason="lost")
    assert lost["__typename"] == "StepNotAllowed"
    if stands in (_ordered, _remitted):
        # What is on its way arrives first.
        await case.reaches(fundsStatus="REMITTED")
        assert open_steps(await case.read()) == [("CONFIRM_RECEIPT", 1, working_days_later(10))]
        await case.receives(desks.r_finance, BALANCE_FEN)
    read = await case.read(desks.o_supervisor)
    assert read["allowedActions"] == ["APPROVE_REVERSE_REMITTANCE"]
    assert (read["remittances"][-1]["kind"], read["remittances"][-1]["status"]) == ("REVERSE", "AWAITING_RELEASE")
    assert (read["status"], read["closedAt"]) == ("TRANSFERRING_IN", None)
    reference = read["remittances"][-1]["reference"]
    await case.take(desks.o_supervisor, "approveReverseRemittance", remittanceReference=reference)
    await case.reaches(fundsStatus="REMITTED")
    in_between = {("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN, ("IN_TRANSIT", SHANGHAI): BALANCE_FEN}
    await require_sound(system, case, booked=in_between)
    ended = await case.receives(desks.o_finance, BALANCE_FEN)
    assert ended["transfer"]["status"] == "TERMINATED"
    assert await register_printed(system, case.person) == WHOLE
    read = await case.read()
    assert read["progress"]["money"] == "8,642.05 yuan are back on your personal account in 北京市."
    await require_ended(system, case, booked={})
    await _nothing_more(system, case, "TERMINATED")
    await _again(case)


async def test_what_is_continued_and_what_is_another_areas_is_not_terminated(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _opened(system, registers, desks)
    other = system.caller(Role.SUPERVISOR, SHENZHEN)
    whole_province = system.caller(Role.SUPERVISOR, "310000")
    async with nothing_changes(system):
        for mutation, given in [("terminateTransfer", TERMINATE), ("approveReverseRemittance", EVERY_STEP[-2][1])]:
            assert (await case.asks(other, mutation, **given))["__typename"] == "TransferNotFound"
    assert "TERMINATE_TRANSFER" in (await case.read(whole_province))["allowedActions"]
    await case.take(desks.o_clerk, "deliverInformationForm")
    await case.take(desks.r_clerk, "confirmContinuation")
    async with nothing_changes(system):
        refused = await case.asks(whole_province, "terminateTransfer", **TERMINATE)
        assert refused["__typename"] == "StepNotAllowed"


async def test_r_declines_for_a_manual_finding_and_coverage_is_untouched(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(
        system, await registers.person(origin=active() | {"special_personnel": "true"}), desks, request_stop=True
    )
    await case.submits()
    await case.take(desks.r_clerk, "declineTransfer", reasons=["SPECIAL_PERSONNEL"])
    still = enrolment(status="ACTIVE", personal_account_fen=BALANCE_FEN, contribution_months=months_at_origin())
    assert await register(system, case.person) == {BEIJING: still, SHANGHAI: destination()}
    await _nothing_more(system, case, "DECLINED")
