"""R disputes the form and O answers, before the money and after it, before continuation and after: nothing is edited."""

from typing import Any

from tests.e2e.books import (
    destination,
    nothing_changes,
    origin,
    register,
    register_printed,
    require_ended,
    require_sound,
    transferred,
)
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import kinds, open_steps, papers, pdf, step, working_days_later
from tests.e2e.people import (
    BALANCE_FEN,
    BEIJING,
    SHANGHAI,
    Registers,
    last_of_previous_month,
    months_after_transfer,
    today,
)
from tests.e2e.system import System

DISPUTE = {"reason": "AMOUNT_DISPUTED", "note": "the last salary is missing"}
WORKLIST = "{ viewer { worklist(first: 50) { edges { node { step { kind round } transfer { no } } } } } }"
# The second half of the months is disputed: what O answers with.
FEWER = [{"firstMonth": "2014-07", "lastMonth": f"{last_of_previous_month():%Y-%m}"}]


async def _delivered(system: System, registers: Registers, desks: Desks, **first_form: Any) -> Case:
    case = Case(system, await registers.person(), desks)
    await case.submits()
    await case.take(desks.o_clerk, "deliverInformationForm", **first_form)
    return case


async def _corrected(case: Case, **second_form: Any) -> dict[str, Any]:
    """R disputes the form; O answers with another one."""
    await case.take(case.desks.r_clerk, "requestCorrection", **DISPUTE)
    return await case.take(case.desks.o_clerk, "deliverInformationForm", **second_form)


async def _work(caller: Any, case: Case) -> list[str]:
    edges = (await caller.ask(WORKLIST))["viewer"]["worklist"]["edges"]
    mine = [edge["node"]["step"] for edge in edges if edge["node"]["transfer"]["no"] == case.no]
    return sorted(f"{each['kind']} {each['round']}" for each in mine)


def _orders(transfer: dict[str, Any]) -> list[tuple[str, str, int, str, str | None]]:
    no = transfer["no"]
    return [
        (
            each["reference"].removeprefix(no),
            each["kind"],
            each["amount"]["fen"],
            each["status"],
            each["corrects"] and each["corrects"].removeprefix(no),
        )
        for each in transfer["remittances"]
    ]


def _moved(amount_fen: int) -> dict[tuple[str, str], int]:
    return {("PERSONAL_ACCOUNTS", BEIJING): -amount_fen, ("PERSONAL_ACCOUNTS", SHANGHAI): amount_fen}


def _frozen(amount_fen: int) -> dict[tuple[str, str], int]:
    return {("PERSONAL_ACCOUNTS", BEIJING): -amount_fen, ("FROZEN", BEIJING): amount_fen}


# ------------------------------------------------------------------ R's clock, O's turn


async def test_a_correction_stops_rs_clock_opens_os_step_and_is_answered_by_another_version(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    assert sorted(await _work(desks.r_clerk, case)) == ["CONFIRM_CONTINUATION 1"]
    asked = await case.take(desks.r_clerk, "requestCorrection", **DISPUTE)
    assert (asked["event"]["kind"], asked["transfer"]["status"]) == ("CORRECTION_REQUESTED", "CORRECTION_REQUESTED")
    assert "the last salary is missing" in asked["event"]["message"]
    read = await case.read(desks.r_clerk)
    waiting = step(read, "CONFIRM_CONTINUATION")["deadline"]
    assert (waiting["state"], waiting["workingDays"], waiting["dueOn"]) == ("PAUSED", 5, working_days_later(5))
    assert open_steps(read) == [
        ("REMIT_PERSONAL_ACCOUNT", 1, working_days_later(10)),
        ("CONFIRM_CONTINUATION", 1, working_days_later(5)),
        ("DELIVER_INFORMATION_FORM", 2, working_days_later(5)),
    ]
    assert "94号" in step(read, "DELIVER_INFORMATION_FORM")["deadline"]["legalBasis"]
    assert read["allowedActions"] == []
    assert await _work(desks.r_clerk, case) == []
    assert await _work(desks.o_clerk, case) == ["DELIVER_INFORMATION_FORM 2", "REMIT_PERSONAL_ACCOUNT 1"]
    assert read["progress"]["holder"]["code"] == "YB110000"
    async with nothing_changes(system):
        for mutation, given in [("confirmContinuation", {}), ("requestCorrection", DISPUTE)]:
            answer = await case.asks(desks.r_clerk, mutation, **given)
            assert answer["__typename"] == "StepNotAllowed", mutation
    answered = await case.take(desks.o_clerk, "deliverInformationForm")
    assert answered["transfer"]["status"] == "TRANSFERRING_IN"
    read = await case.read()
    assert "CORRECTION_ANSWERED" in kinds(read)
    running = step(read, "CONFIRM_CONTINUATION")["deadline"]
    assert (running["state"], running["dueOn"]) == ("ON_TRACK", working_days_later(5))
    assert await _work(desks.r_clerk, case) == ["CONFIRM_CONTINUATION 1"]
    assert papers(read) == [
        ("ACCEPTANCE_NOTICE", 1, False),
        ("ENROLMENT_CERTIFICATE", 1, False),
        ("INFORMATION_FORM", 1, True),
        ("CORRECTION_REQUEST", 1, False),
        ("INFORMATION_FORM", 2, False),
    ]
    said = await pdf(system, read["documents"][3])
    assert "thelastsalaryismissing" in said
    # A second dispute is another round, of the second version.
    await _corrected(case)
    read = await case.read()
    assert [each[:2] for each in papers(read) if not each[2]][-2:] == [
        ("CORRECTION_REQUEST", 2),
        ("INFORMATION_FORM", 3),
    ]
    await require_sound(system, case, booked=_frozen(BALANCE_FEN))
    await case.take(desks.r_clerk, "confirmContinuation")
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    assert (await case.read())["status"] == "COMPLETED"
    assert await register_printed(system, case.person) == transferred()
    await require_ended(system, case, booked=_moved(BALANCE_FEN))


async def test_an_amount_that_is_corrected_before_the_order_is_frozen_anew_and_sent_once(
    system: System, registers: Registers, desks: Desks
) -> None:
    for first, second in [(BALANCE_FEN - 4_205, BALANCE_FEN), (BALANCE_FEN, BALANCE_FEN - 4_205)]:
        case = await _delivered(system, registers, desks, personalAccountBalance=first, note="as of the last statement")
        await require_sound(system, case, booked=_frozen(first))
        await _corrected(case, personalAccountBalance=second, note="the salary of the last month")
        await require_sound(system, case, booked=_frozen(second))
        held = (await register(system, case.person))[BEIJING]
        assert (held["personal_account_fen"], held["frozen_fen"]) == (BALANCE_FEN - second, second)
        await case.remits()
        await case.receives(desks.r_finance, second)
        ended = await case.take(desks.r_clerk, "confirmContinuation")
        assert ended["transfer"]["status"] == "COMPLETED"
        assert _orders(await case.read()) == [("-01", "TRANSFER", second, "CREDITED", None)]
        await require_ended(system, case, booked=_moved(second))


async def test_more_than_was_ordered_is_sent_by_a_second_order_that_names_the_first(
    system: System, registers: Registers, desks: Desks
) -> None:
    first = BALANCE_FEN - 4_205
    case = await _delivered(system, registers, desks, personalAccountBalance=first, note="as of the last statement")
    await case.remits()
    await _corrected(case)
    # One order at a time: the difference waits until the first has arrived.
    assert (await case.asks(desks.o_finance, "remitPersonalAccount"))["__typename"] == "StepNotAllowed"
    credited = await case.receives(desks.r_finance, first)
    assert credited["transfer"]["fundsStatus"] == "PENDING"
    read = await case.read()
    assert ("REMIT_PERSONAL_ACCOUNT", 2, working_days_later(5)) in open_steps(read)
    await case.take(desks.r_clerk, "confirmContinuation")
    assert (await case.read())["status"] == "AWAITING_FUNDS"
    await case.remits()
    ended = await case.receives(desks.r_finance, 4_205)
    assert (ended["transfer"]["status"], ended["transfer"]["fundsStatus"]) == ("COMPLETED", "CREDITED")
    read = await case.read()
    assert _orders(read) == [
        ("-01", "TRANSFER", first, "CREDITED", None),
        ("-02", "TRANSFER", 4_205, "CREDITED", "-01"),
    ]
    assert "8,642.05" in read["progress"]["money"]
    notice = next(each for each in read["documents"] if each["kind"] == "COMPLETION_NOTICE")
    assert "8,642.05" in await pdf(system, notice)
    assert await register_printed(system, case.person) == transferred()
    await require_ended(system, case, booked=_moved(BALANCE_FEN))


async def test_less_than_was_credited_comes_home_once_a_supervisor_approves(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    less = BALANCE_FEN - 4_205
    await _corrected(case, personalAccountBalance=less, note="4205 fen were another person's")
    await case.take(desks.r_clerk, "confirmContinuation")
    read = await case.read()
    assert (read["status"], read["fundsStatus"]) == ("AWAITING_FUNDS", "PENDING")
    assert _orders(read)[1:] == [("-02", "REVERSE", 4_205, "AWAITING_RELEASE", "-01")]
    assert "42.05" in read["progress"]["money"]
    reference = f"{case.no}-02"
    # Nobody's receipt, and nobody's approval but a supervisor's of either area.
    async with nothing_changes(system):
        answer = await case.asks(
            desks.o_finance, "confirmReceipt", amount=4_205, bankReference="B", receivedOn=today().isoformat()
        )
        assert answer["__typename"] == "StepNotAllowed"
    wrong = await case.asks(desks.o_supervisor, "approveReverseRemittance", remittanceReference=f"{case.no}-01")
    assert [each["code"] for each in wrong["violations"]] == ["UNKNOWN_REFERENCE"]
    assert "APPROVE_REVERSE_REMITTANCE" in (await case.read(desks.r_supervisor))["allowedActions"]
    await case.take(desks.r_supervisor, "approveReverseRemittance", remittanceReference=reference)
    read = await case.reaches(fundsStatus="REMITTED")
    assert open_steps(read) == [("CONFIRM_RECEIPT", 2, working_days_later(10))]
    assert step(read, "CONFIRM_RECEIPT")["agency"]["code"] == "YB110000"
    assert await _work(desks.o_finance, case) == ["CONFIRM_RECEIPT 2"]
    held = await register(system, case.person)
    assert (held[BEIJING]["personal_account_fen"], held[SHANGHAI]["personal_account_fen"]) == (0, less)
    by_r = await case.asks(
        desks.r_finance, "confirmReceipt", amount=4_205, bankReference="B-r", receivedOn=today().isoformat()
    )
    assert by_r["__typename"] == "StepNotAllowed"
    ended = await case.receives(desks.o_finance, 4_205)
    assert (ended["transfer"]["status"], ended["transfer"]["fundsStatus"]) == ("COMPLETED", "CREDITED")
    assert "北京" in ended["event"]["message"]
    read = await case.read()
    # What the person is told is what they have at R, and the first receipt is still R's.
    assert "8,600.00" in read["progress"]["money"]
    receipts = [
        edge["node"]["message"] for edge in read["events"]["edges"] if edge["node"]["step"] == "CONFIRM_RECEIPT"
    ]
    assert ["上海" in each for each in receipts if "bank" in each.lower() or "advice" in each.lower()][:1] == [True]
    assert await register_printed(system, case.person) == {
        BEIJING: origin(4_205),
        SHANGHAI: destination(personal_account_fen=less, contribution_months=months_after_transfer()),
    }
    await require_ended(system, case, booked=_moved(less))


async def _reversed(case: Case, amount_fen: int) -> dict[str, Any]:
    """The money that is to come home, approved, sent and received."""
    reference = (await case.read())["remittances"][-1]["reference"]
    await case.take(case.desks.r_supervisor, "approveReverseRemittance", remittanceReference=reference)
    await case.reaches(fundsStatus="REMITTED")
    return await case.receives(case.desks.o_finance, amount_fen)


async def test_less_than_was_ordered_comes_home_after_the_order_has_arrived(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    await case.remits()
    await _corrected(case, personalAccountBalance=0, note="the whole balance was another person's")
    read = await case.read()
    assert _orders(read) == [("-01", "TRANSFER", BALANCE_FEN, "REMITTED", None)]
    await case.receives(desks.r_finance, BALANCE_FEN)
    await case.take(desks.r_clerk, "confirmContinuation")
    ended = await _reversed(case, BALANCE_FEN)
    assert ended["transfer"]["status"] == "COMPLETED"
    assert "8,642.05" in (await case.read())["progress"]["money"]
    held = await register_printed(system, case.person)
    assert (held[BEIJING]["personal_account_fen"], held[SHANGHAI]["personal_account_fen"]) == (BALANCE_FEN, 0)
    await require_ended(system, case, booked={})


async def test_what_was_to_come_home_and_is_owed_after_all_stays_where_it_is(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    await _corrected(case, personalAccountBalance=BALANCE_FEN - 4_205, note="4205 fen were another person's")
    reference = (await case.read())["remittances"][-1]["reference"]
    # The supervisor's approval waits beside R's step, and the case is in R's hands.
    approval = "APPROVE_REVERSE_REMITTANCE 1"
    read = await case.read()
    assert (read["currentStep"], read["steps"][-1]["state"]) == ({"kind": "CONFIRM_CONTINUATION"}, "OPEN")
    assert approval in await _work(desks.r_supervisor, case)
    answered = await _corrected(case, personalAccountBalance=BALANCE_FEN, note="they were this person's after all")
    assert answered["transfer"]["fundsStatus"] == "CREDITED"
    given_up = await case.asks(desks.r_supervisor, "approveReverseRemittance", remittanceReference=reference)
    assert given_up["__typename"] == "StepNotAllowed"
    assert approval not in await _work(desks.r_supervisor, case)
    assert (await case.read())["steps"][-1]["state"] == "SKIPPED"
    assert (await case.take(desks.r_clerk, "confirmContinuation"))["transfer"]["status"] == "COMPLETED"
    read = await case.read()
    assert [each[:4] for each in _orders(read)] == [
        ("-01", "TRANSFER", BALANCE_FEN, "CREDITED"),
        ("-02", "REVERSE", 4_205, "RETURNED"),
    ]
    assert "8,642.05" in read["progress"]["money"]
    assert await register_printed(system, case.person) == transferred()
    await require_ended(system, case, booked=_moved(BALANCE_FEN))


async def test_what_comes_home_and_is_owed_after_all_is_frozen_and_sent_again(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    await _corrected(case, personalAccountBalance=BALANCE_FEN - 4_205, note="4205 fen were another person's")
    reference = (await case.read())["remittances"][-1]["reference"]
    await case.take(desks.r_supervisor, "approveReverseRemittance", remittanceReference=reference)
    await case.reaches(fundsStatus="REMITTED")
    await _corrected(case, personalAccountBalance=BALANCE_FEN, note="they were this person's after all")
    await case.receives(desks.o_finance, 4_205)
    held = (await register(system, case.person))[BEIJING]
    assert (held["personal_account_fen"], held["frozen_fen"]) == (0, 4_205)
    assert (await case.read())["fundsStatus"] == "PENDING"
    await case.remits()
    await case.receives(desks.r_finance, 4_205)
    assert (await case.take(desks.r_clerk, "confirmContinuation"))["transfer"]["status"] == "COMPLETED"
    assert [each[:4] for each in _orders(await case.read())] == [
        ("-01", "TRANSFER", BALANCE_FEN, "CREDITED"),
        ("-02", "REVERSE", 4_205, "CREDITED"),
        ("-03", "TRANSFER", 4_205, "CREDITED"),
    ]
    assert await register_printed(system, case.person) == transferred()
    await require_ended(system, case, booked=_moved(BALANCE_FEN))


async def test_a_case_that_is_partly_sent_is_terminated_whole(
    system: System, registers: Registers, desks: Desks
) -> None:
    first = BALANCE_FEN - 4_205
    case = await _delivered(system, registers, desks, personalAccountBalance=first, note="as of the last statement")
    await case.remits()
    await case.receives(desks.r_finance, first)
    await _corrected(case)
    ordered = await case.take(desks.o_supervisor, "terminateTransfer", reason="transferred twice")
    assert ordered["event"]["kind"] == "NEEDS_ATTENTION"
    held = (await register(system, case.person))[BEIJING]
    assert (held["personal_account_fen"], held["frozen_fen"]) == (4_205, 0)
    assert (await _reversed(case, first))["transfer"]["status"] == "TERMINATED"
    assert await register_printed(system, case.person) == {BEIJING: origin(), SHANGHAI: destination()}
    await require_ended(system, case, booked={})


async def test_money_that_comes_home_in_another_amount_is_a_mismatch_until_it_is_explained(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    await case.take(desks.o_supervisor, "terminateTransfer", reason="transferred twice")
    reference = (await case.read())["remittances"][-1]["reference"]
    await case.take(desks.o_supervisor, "approveReverseRemittance", remittanceReference=reference)
    await case.reaches(fundsStatus="REMITTED")
    short = await case.receives(desks.o_finance, BALANCE_FEN - 1)
    assert (short["event"]["kind"], short["transfer"]["fundsStatus"]) == ("FUNDS_MISMATCHED", "MISMATCHED")
    assert (await register(system, case.person))[BEIJING]["personal_account_fen"] == 0
    ended = await case.receives(desks.o_finance, BALANCE_FEN, note="the bank's fee was refunded")
    assert ended["transfer"]["status"] == "TERMINATED"
    await require_ended(system, case, booked={})


async def test_r_cannot_send_home_what_the_account_does_not_hold(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    await _corrected(case, personalAccountBalance=0, note="the whole balance was another person's")
    spend = """update enrolments set personal_account_fen = personal_account_fen + $3 where region = $2 and person_id =
               (select person_id from transfers where no = $1)"""
    async with system.database() as connection:
        await connection.execute(spend, case.no, SHANGHAI, -5)
    reference = (await case.read())["remittances"][-1]["reference"]
    refused = await case.asks(desks.r_supervisor, "approveReverseRemittance", remittanceReference=reference)
    assert [(each["path"], each["code"]) for each in refused["violations"]] == [
        (["input", "remittanceReference"], "ACCOUNT_HOLDS_LESS")
    ]
    async with system.database() as connection:
        await connection.execute(spend, case.no, SHANGHAI, 5)
    await _reversed(case, BALANCE_FEN)
    assert (await case.take(desks.r_clerk, "confirmContinuation"))["transfer"]["status"] == "COMPLETED"
    await require_ended(system, case, booked={})


# ------------------------------------------------------------------ after continuation


async def test_a_correction_after_continuation_supersedes_it_and_corrects_the_months_at_r(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    first = (await case.read())["continuation"]
    await case.take(desks.r_clerk, "confirmContinuation")
    assert (await register(system, case.person))[SHANGHAI]["contribution_months"] == months_after_transfer()
    asked = await case.take(
        desks.r_clerk, "requestCorrection", reason="YEARS_DISPUTED", note="the deemed years have no proof"
    )
    assert asked["transfer"]["status"] == "CORRECTION_REQUESTED"
    deemed_months = 54
    await case.take(desks.o_clerk, "deliverInformationForm", contributionPeriods=FEWER, note="no proof was found")
    read = await case.read()
    assert read["status"] == "TRANSFERRING_IN"
    # R's own month alone is added to O's: what R had taken over from the first form is not counted again.
    assert read["continuation"]["overlappingMonths"] == 0
    assert (read["continuation"]["totalMonths"], read["continuation"]["deemedMonths"]) == (
        first["totalMonths"] - deemed_months,
        0,
    )
    assert open_steps(read) == [
        ("REMIT_PERSONAL_ACCOUNT", 1, working_days_later(10)),
        ("CONFIRM_CONTINUATION", 2, working_days_later(5)),
    ]
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    ended = await case.take(desks.r_clerk, "confirmContinuation")
    assert ended["transfer"]["status"] == "COMPLETED"
    read = await case.read()
    statements = [each for each in papers(read) if each[0] == "CONTINUATION_STATEMENT"]
    assert statements == [("CONTINUATION_STATEMENT", 1, True), ("CONTINUATION_STATEMENT", 2, False)]
    assert read["continuation"]["totalMonths"] == first["totalMonths"] - deemed_months
    printed = await register_printed(system, case.person)
    assert printed[SHANGHAI]["contribution_months"] == f"201407-{today():%Y%m}"
    await require_ended(system, case, booked=_moved(BALANCE_FEN))


async def test_a_completed_case_is_not_disputed_any_more(system: System, registers: Registers, desks: Desks) -> None:
    case = await _delivered(system, registers, desks)
    await case.remits()
    await case.receives(desks.r_finance, BALANCE_FEN)
    await case.take(desks.r_clerk, "confirmContinuation")
    async with nothing_changes(system):
        answer = await case.asks(desks.r_clerk, "requestCorrection", **DISPUTE)
    assert (answer["__typename"], answer["allowedActions"]) == ("StepNotAllowed", [])


async def test_a_record_that_was_continued_is_corrected_and_neither_returned_nor_terminated(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = await _delivered(system, registers, desks)
    await case.take(desks.r_clerk, "confirmContinuation")
    await case.take(desks.r_clerk, "requestCorrection", reason="IDENTITY_DOUBT", note="another person's record")
    assert (await case.read(desks.o_clerk))["allowedActions"] == ["REISSUE_CERTIFICATE", "DELIVER_INFORMATION_FORM"]
    async with nothing_changes(system):
        returned = await case.asks(desks.o_clerk, "returnTransfer", reason="IDENTITY_DOUBT", note="another person's")
        terminated = await case.asks(desks.o_supervisor, "terminateTransfer", reason="another person's record")
    assert (returned["__typename"], terminated["__typename"]) == ("StepNotAllowed", "StepNotAllowed")
    await case.take(desks.o_clerk, "deliverInformationForm")
    await case.take(desks.r_clerk, "confirmContinuation")
    await require_sound(system, case, booked=_frozen(BALANCE_FEN))
