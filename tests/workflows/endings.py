"""One way to each ending of a transfer, as both agencies walk it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from activities.dispatch import PendingCommand
from stack.temporal import skip_time
from tests.cases import O_CLERK, PERSON, R_CLERK
from tests.office import Office
from workflows import commands as c
from workflows.vocabulary import FundsStatus, RefusalCode, ReturnReason, TransferStepKind

Ending = Callable[[Office], Awaitable[PendingCommand]]


async def completed_money_first(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def completed_record_first(office: Office) -> PendingCommand:
    """The record is continued first; a first advice of the bank does not match."""
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer, amount_fen=1)
    state = await office.cases.state(transfer.transfer_id)
    assert state.funds_status is FundsStatus.MISMATCHED
    await office.correct_receipt(transfer)
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
    await skip_time(office.client, office.handle(transfer).id, timedelta(days=40))
    await office.until(transfer, lambda state: state.step(TransferStepKind.STOP_COVERAGE).missed_noted)
    await office.take(transfer, c.StopCoverage(stopped_on=office.today), O_CLERK)
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


ENDINGS: tuple[Ending, ...] = (
    completed_money_first,
    completed_record_first,
    completed_without_money,
    completed_after_temporal_lost_it,
    completed_after_stopping_coverage_late,
    declined_by_the_destination,
    declined_by_the_origins_return,
    declined_as_it_opens,
    withdrawn,
)
