"""Each way out beside 已办结 through the bank: paid out, retained, ended by a supervisor; nothing left frozen or half paid."""

import pytest

from tests.cases import BALANCE_FEN, BEIJING, SHANGHAI_POOL, staff
from tests.office import BY_POST, PAYING_OUT, RETAINING, SUPERVISOR, WITH_CHECKER, Office
from tests.workflows import endings
from workflows import commands as c
from workflows.messages import CommandOutcome
from workflows.vocabulary import FundsStatus, RemittanceKind, RemittanceStatus, Role, TransferStatus

FORM = ["submitted", "accepted", "step_opened", "certificate_issued", "form_delivered", "step_opened", "step_opened"]
ORDERED = ["remittance_ordered", "funds_ordered", "step_opened"]
CREDITED = ["receipt_confirmed", "funds_received", "funds_credited"]
HOME = ["funds_ordered", "step_opened", "funds_remitted", *CREDITED, "terminated"]
UNTOUCHED = {BEIJING: (BALANCE_FEN, 0), SHANGHAI_POOL: (10_000, 0)}


async def test_completed_with_the_balance_paid_out_to_the_person_by_the_banks_word(office: Office) -> None:
    transfer = await endings.completed_with_the_balance_paid_out(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert (await office.types(transfer))[7:] == [
        "continuation_confirmed",
        "payout_account_provided",
        "remittance_ordered",
        "funds_ordered",
        "funds_remitted",
        "funds_paid_out",
        "completed",
    ]
    state = await office.cases.state(transfer.transfer_id)
    assert (state.funds_status, state.payout_account) == (FundsStatus.PAID_OUT_TO_PERSON, "****3445")
    assert [(order.kind, order.status) for order in state.remittances] == [
        (RemittanceKind.PAYOUT, RemittanceStatus.CREDITED)
    ]
    assert await office.accounts(transfer) == {PAYING_OUT: (0, 0), SHANGHAI_POOL: (10_000, 0)}
    assert await office.books(transfer) == {
        ("PERSONAL_ACCOUNTS", PAYING_OUT): -BALANCE_FEN,
        ("PAID_OUT", PAYING_OUT): BALANCE_FEN,
    }


async def test_no_money_for_the_person_is_ordered_before_they_have_said_where_to(office: Office) -> None:
    transfer = await office.submit(between=(PAYING_OUT, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    assert await office.remit(transfer) == CommandOutcome(kind="NOT_ALLOWED", why="NOT_YET")
    assert await office.types(transfer) == FORM
    await office.provide_account(transfer)
    assert (await office.remit(transfer)).kind == "DONE"


async def test_what_was_paid_to_the_person_cannot_be_called_back(office: Office) -> None:
    transfer = await office.submit(between=(PAYING_OUT, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.provide_account(transfer)
    await office.remit(transfer)
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.PAID_OUT_TO_PERSON)
    before = await office.types(transfer)
    assert await office.terminate(transfer) == CommandOutcome(kind="NOT_ALLOWED", why="ALREADY_DONE")
    assert await office.types(transfer) == before


async def test_completed_with_the_balance_retained_in_the_province_and_never_frozen(office: Office) -> None:
    transfer = await endings.completed_with_the_balance_retained(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert (await office.types(transfer))[4:] == [
        "form_delivered",
        "funds_retained",
        "step_opened",
        "continuation_confirmed",
        "completed",
    ]
    assert (await office.cases.state(transfer.transfer_id)).funds_status is FundsStatus.RETAINED_IN_PROVINCE
    assert await office.accounts(transfer) == {RETAINING: (BALANCE_FEN, 0), SHANGHAI_POOL: (10_000, 0)}
    assert await office.books(transfer) == {}


async def test_completed_with_a_form_that_another_person_has_checked(office: Office) -> None:
    transfer = await endings.completed_with_a_checked_form(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert (await office.types(transfer))[4:6] == ["form_prepared", "form_delivered"]


async def test_nobody_checks_the_form_that_they_made(office: Office) -> None:
    transfer = await office.submit(between=(WITH_CHECKER, SHANGHAI_POOL))
    checker = staff(Role.CHECKER, WITH_CHECKER)
    await office.take(transfer, c.DeliverInformationForm(), checker)
    refused = await office.take(transfer, c.CheckInformationForm(), checker)
    assert refused == CommandOutcome(kind="NOT_ALLOWED", why="SAME_PERSON")
    assert (await office.types(transfer))[-1] == "form_prepared"
    assert (await office.accounts(transfer))[WITH_CHECKER] == (BALANCE_FEN, 0)


async def test_terminated_before_the_money_left_gives_back_what_was_frozen(office: Office) -> None:
    transfer = await endings.terminated_before_the_money_left(office)
    assert await office.ending(transfer) is TransferStatus.TERMINATED
    assert await office.types(transfer) == [*FORM, "funds_released", "terminated"]
    assert await office.accounts(transfer) == UNTOUCHED
    assert await office.books(transfer) == {}
    assert "ENROLMENT_CERTIFICATE" not in [kind for kind, _ in await office.valid_documents(transfer)]


async def test_terminated_before_acceptance(office: Office) -> None:
    transfer = await office.submit(manual=True)
    await office.terminate(transfer)
    assert await office.ending(transfer) is TransferStatus.TERMINATED
    assert await office.types(transfer) == ["submitted", "step_opened", "terminated"]


async def test_terminated_when_the_money_that_had_been_credited_is_home_again(office: Office) -> None:
    transfer = await endings.terminated_with_the_money_home_again(office)
    assert await office.ending(transfer) is TransferStatus.TERMINATED
    ended = ["termination_ordered", "reverse_proposed"]
    assert await office.types(transfer) == FORM + ORDERED + ["funds_remitted", *CREDITED] + ended + HOME
    assert await office.accounts(transfer) == UNTOUCHED
    assert await office.books(transfer) == {}
    there, back = (await office.cases.state(transfer.transfer_id)).remittances
    assert (back.kind, back.amount_fen, back.corrects) == (RemittanceKind.REVERSE, BALANCE_FEN, there.reference)


async def test_terminated_when_the_money_that_was_on_its_way_has_arrived_and_is_home_again(office: Office) -> None:
    transfer = await endings.terminated_while_the_money_was_on_its_way(office)
    assert await office.ending(transfer) is TransferStatus.TERMINATED
    types = await office.types(transfer)
    # The bank's word may come before the supervisor's.
    assert sorted(types[10:12]) == ["funds_remitted", "termination_ordered"]
    assert types[:10] + types[12:] == FORM + ORDERED + [*CREDITED, "reverse_proposed", *HOME]
    assert await office.accounts(transfer) == UNTOUCHED
    assert await office.books(transfer) == {}


async def test_terminated_when_an_unconnected_destination_has_sent_the_money_back(office: Office) -> None:
    transfer = await endings.form_asked_for_by_post(office, (BEIJING, BY_POST))
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.terminate(transfer)
    await office.approve_reverse(transfer)
    state = await office.cases.state(transfer.transfer_id)
    assert [(order.kind, order.by_post) for order in state.remittances] == [
        (RemittanceKind.TRANSFER, False),
        (RemittanceKind.REVERSE, True),
    ]
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.TERMINATED
    assert await office.accounts(transfer) == {BEIJING: (BALANCE_FEN, 0), BY_POST: (10_000, 0)}


async def test_a_case_that_is_ending_takes_nothing_but_the_money(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.terminate(transfer)
    before = await office.types(transfer)
    for refused in (
        await office.confirm_continuation(transfer),
        await office.request_correction(transfer),
        await office.remit(transfer),
        await office.deliver_form(transfer),
        await office.terminate(transfer),
    ):
        assert refused.kind == "NOT_ALLOWED"
    assert await office.types(transfer) == before


@pytest.mark.parametrize("role", [Role.CLERK, Role.FINANCE, Role.CHECKER])
async def test_only_a_supervisor_ends_a_case_or_lets_money_go_home(office: Office, role: Role) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    official = staff(role, BEIJING)
    refused = await office.take(transfer, c.TerminateTransfer(reason="重复"), official)
    assert refused == CommandOutcome(kind="NOT_ALLOWED", why="WRONG_ROLE")
    await office.terminate(transfer)
    order = (await office.cases.state(transfer.transfer_id)).on_its_way
    assert order is not None
    ask = c.ApproveReverseRemittance(remittance_reference=order.reference)
    assert await office.take(transfer, ask, official) == CommandOutcome(kind="NOT_ALLOWED", why="WRONG_ROLE")
    wrong = await office.take(transfer, c.ApproveReverseRemittance(remittance_reference="another"), SUPERVISOR)
    assert [(each.field, each.code) for each in wrong.violations] == [("remittanceReference", "UNKNOWN_REFERENCE")]
    assert (await office.types(transfer))[-1] == "reverse_proposed"
