"""One way to each ending of a transfer, as both agencies walk it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from activities.dispatch import PendingCommand
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, PERSON, R_CLERK, SHANGHAI_POOL, staff
from tests.office import BY_POST, DAILY, PAYING_OUT, RETAINING, WITH_CHECKER, Office
from tests.workflows.money_endings import MONEY_ENDINGS
from workflows import commands as c
from workflows.deadlines import start_of
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import (
    CorrectionReason,
    FundsStatus,
    MailItem,
    RefusalCode,
    ReturnReason,
    Role,
    TransferStepKind,
)

Ending = Callable[[Office], Awaitable[PendingCommand]]


async def completed_money_first(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def completed_with_local_bookkeeping(office: Office) -> PendingCommand:
    """The bank's word is noted in a local activity: the histories of earlier cases have an ordinary one."""
    return await completed_money_first(office)


async def completed_record_first(office: Office) -> PendingCommand:
    """The record is continued first; a first advice of the bank does not match."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer, amount_fen=1)
    state = await office.cases.state(transfer.transfer_id)
    assert state.funds_status is FundsStatus.MISMATCHED
    await office.confirm_receipt(transfer, note="银行更正")
    return transfer


async def completed_after_temporal_lost_it(office: Office) -> PendingCommand:
    """The workflow is gone after the form; the next step grows it again from its state."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.handle(transfer).terminate("lost")
    await office.remit(transfer)
    await office.confirm_continuation(transfer)
    await office.confirm_receipt(transfer)
    return transfer


async def completed_without_money(office: Office) -> PendingCommand:
    transfer = await office.submit(personal_account_fen="0")
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def completed_after_stopping_coverage_late(office: Office) -> PendingCommand:
    """Coverage is stopped after its date was missed; the certificate is lost and reissued; a step is refused."""
    transfer = await office.submit(request_stop=True, status="ACTIVE", stopped_on="", personal_account_fen="0")
    await office.skip_to(transfer, office.now(transfer) + timedelta(days=40))
    await office.until(transfer, lambda state: state.step(TransferStepKind.STOP_COVERAGE).missed_noted)
    await office.take(transfer, c.StopCoverage(stopped_on=office.today(transfer)), O_CLERK)
    await office.take(transfer, c.ReissueCertificate(reason="遗失"), PERSON)
    await office.confirm_continuation(transfer)
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def declined_by_the_destination(office: Office) -> PendingCommand:
    transfer = await office.submit(manual=True)
    await office.take(transfer, c.DeclineTransfer(reasons=(RefusalCode.SPECIAL_PERSONNEL,)), R_CLERK)
    return transfer


async def declined_by_the_origins_return(office: Office) -> PendingCommand:
    transfer = await office.submit(manual=True)
    await office.take(transfer, c.AcceptTransfer(), R_CLERK)
    await office.take(transfer, c.ReturnTransfer(reason=ReturnReason.NO_RECORD, note="查无此人"), O_CLERK)
    return transfer


async def declined_as_it_opens(office: Office) -> PendingCommand:
    transfer = await office.apply()
    await office.note_at_origin(transfer, "retired")
    await office.carry_out(transfer)
    return transfer


async def withdrawn(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.take(transfer, c.WithdrawTransfer(reason="不转了"), PERSON)
    return transfer


# ------------------------------------------------------------------ the paper route (94号)


async def form_asked_for_by_post(office: Office, between: tuple[str, str]) -> PendingCommand:
    """Accepted by R, its letter has arrived at O: O's clock runs."""
    transfer = await office.submit(between=between)
    await office.accept(transfer)
    await office.issue_letter(transfer)
    today = office.today(transfer)
    await office.record_mail(transfer, MailItem.CONTACT_LETTER, sent_on=today)
    await office.record_mail(transfer, MailItem.CONTACT_LETTER, arrived_on=today)
    return transfer


async def _completed_by_post(office: Office, between: tuple[str, str]) -> PendingCommand:
    transfer = await form_asked_for_by_post(office, between)
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    today = office.today(transfer)
    await office.record_mail(transfer, MailItem.INFORMATION_FORM, sent_on=today, arrived_on=today)
    await office.confirm_continuation(transfer)
    return transfer


async def completed_by_post_from_an_unconnected_origin(office: Office) -> PendingCommand:
    return await _completed_by_post(office, (BY_POST, SHANGHAI_POOL))


async def completed_by_post_to_an_unconnected_destination(office: Office) -> PendingCommand:
    return await _completed_by_post(office, (BEIJING, BY_POST))


async def declined_on_the_paper_route(office: Office) -> PendingCommand:
    transfer = await office.submit(between=(BEIJING, BY_POST))
    decline = c.DeclineTransfer(reasons=(RefusalCode.IDENTITY_MISMATCH,))
    await office.take(transfer, decline, staff(Role.CLERK, BEIJING))
    return transfer


# ------------------------------------------------------------------ corrections


async def completed_after_a_correction(office: Office) -> PendingCommand:
    """R disputes the years; its clock stands still until O answers."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.request_correction(transfer)
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_continuation(transfer)
    await office.confirm_receipt(transfer)
    return transfer


async def completed_with_a_second_remittance(office: Office) -> PendingCommand:
    """Too little was sent: a linked order makes up the difference."""
    transfer = await office.submit()
    await office.deliver_form(transfer, balance_fen=BALANCE_FEN - 100_000, note="部分余额待核")
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.request_correction(transfer, CorrectionReason.AMOUNT_DISPUTED)
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def completed_after_a_part_came_home(office: Office) -> PendingCommand:
    """Too much was sent: a supervisor approves that the difference goes back."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.request_correction(transfer, CorrectionReason.AMOUNT_DISPUTED)
    await office.deliver_form(transfer, balance_fen=BALANCE_FEN - 100_000, note="多划十万分")
    await office.approve_reverse(transfer)
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def completed_with_a_correction_after_the_continuation(office: Office) -> PendingCommand:
    """The second statement supersedes the first."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.request_correction(transfer)
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    return transfer


async def completed_with_a_checked_form(office: Office) -> PendingCommand:
    transfer = await office.submit(between=(WITH_CHECKER, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.take(transfer, c.CheckInformationForm(), staff(Role.CHECKER, WITH_CHECKER))
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    return transfer


# ------------------------------------------------------------------ other ends of the money


async def completed_with_the_balance_paid_out(office: Office) -> PendingCommand:
    """The balance goes to the person, who says where; the bank's word is its end."""
    transfer = await office.submit(between=(PAYING_OUT, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.provide_account(transfer)
    await office.remit(transfer)
    return transfer


async def completed_with_the_balance_retained(office: Office) -> PendingCommand:
    transfer = await office.submit(between=(RETAINING, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    return transfer


# ------------------------------------------------------------------ termination


async def terminated_before_the_money_left(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.terminate(transfer)
    return transfer


async def terminated_with_the_money_home_again(office: Office) -> PendingCommand:
    """The money was with R: a reverse remittance brings it home before the case closes."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.terminate(transfer)
    await office.approve_reverse(transfer)
    await office.confirm_receipt(transfer)
    return transfer


async def terminated_while_the_money_was_on_its_way(office: Office) -> PendingCommand:
    """What is on its way arrives first, and goes home then."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.terminate(transfer)
    await office.confirm_receipt(transfer)
    await office.approve_reverse(transfer)
    await office.confirm_receipt(transfer)
    return transfer


# ------------------------------------------------------------------ batches, and what follows a completed case


async def completed_with_a_batch(office: Office) -> PendingCommand:
    """The order waits for the next working day, and goes to the bank then."""
    transfer = await office.submit(between=(DAILY, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.remit(transfer)
    order = (await office.cases.state(transfer.transfer_id)).on_its_way
    assert order is not None
    assert order.send_on is not None
    await office.confirm_continuation(transfer)
    await office.skip_to(transfer, start_of(order.send_on))
    await office.confirm_receipt(transfer)
    return transfer


async def completed_again_after_a_late_contribution(office: Office) -> PendingCommand:
    """What was paid at O after the case was completed follows it."""
    transfer = await completed_money_first(office)
    await office.ending(transfer)
    await office.late_contribution(transfer)
    await office.confirm_receipt(transfer)
    return transfer


# ------------------------------------------------------------------ waiting for the registers

# R's register knows the person from before, and does not cover them now.
NOT_COVERED = {
    "status": "STOPPED",
    "stopped_on": "2014-12-31",
    "enrolled_on": "",
    "contribution_months": "201401-201412",
}


async def accepted_after_waiting(office: Office) -> PendingCommand:
    """R has enrolled the person meanwhile: asked again, the case goes on by itself."""
    transfer = await office.submit(wait=True, destination=NOT_COVERED, personal_account_fen="0")
    await office.register(office.residents[transfer.transfer_no], origin={"personal_account_fen": "0"})
    await office.handle(transfer).signal(TransferWorkflow.recheck)
    await office.until(transfer, lambda state: state.certificate is not None)
    return transfer


async def completed_after_waiting(office: Office) -> PendingCommand:
    transfer = await accepted_after_waiting(office)
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def declined_after_waiting(office: Office) -> PendingCommand:
    """While the case waits, the person retires: on the next day it is asked again, and ends."""
    transfer = await office.submit(wait=True, destination=NOT_COVERED)
    await office.note_at_origin(transfer, "retired")
    await office.skip_to(transfer, office.now(transfer) + timedelta(days=1))
    return transfer


async def withdrawn_while_waiting(office: Office) -> PendingCommand:
    transfer = await office.submit(wait=True, destination=NOT_COVERED)
    await office.take(transfer, c.WithdrawTransfer(reason="不等了"), PERSON)
    return transfer


ENDINGS: tuple[Ending, ...] = (
    completed_money_first,
    completed_with_local_bookkeeping,
    completed_record_first,
    completed_without_money,
    completed_after_temporal_lost_it,
    completed_after_stopping_coverage_late,
    declined_by_the_destination,
    declined_by_the_origins_return,
    declined_as_it_opens,
    withdrawn,
    completed_by_post_from_an_unconnected_origin,
    completed_by_post_to_an_unconnected_destination,
    declined_on_the_paper_route,
    completed_after_a_correction,
    completed_with_a_second_remittance,
    completed_after_a_part_came_home,
    completed_with_a_correction_after_the_continuation,
    completed_with_a_checked_form,
    completed_with_the_balance_paid_out,
    completed_with_the_balance_retained,
    terminated_before_the_money_left,
    terminated_with_the_money_home_again,
    terminated_while_the_money_was_on_its_way,
    completed_with_a_batch,
    completed_again_after_a_late_contribution,
    completed_after_waiting,
    declined_after_waiting,
    withdrawn_while_waiting,
    *MONEY_ENDINGS,
)
