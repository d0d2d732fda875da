"""Ways to an end on which the money comes back, comes short, is not accepted, has to be released, or comes back too late."""

from activities.dispatch import PendingCommand
from activities.reopening import reopen
from tests.cases import BALANCE_FEN, SHANGHAI_POOL, staff
from tests.office import RELEASING, Office
from workflows import commands as c
from workflows.messages import BankSaid
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import BankReturnReason, FundsStatus, MatchDecision, Role, TransferStatus


def came_back(reference: str, amount_fen: int = BALANCE_FEN) -> BankSaid:
    return BankSaid(
        reference=reference,
        said="RETURNED",
        amount_fen=amount_fen,
        reason=BankReturnReason.ACCOUNT_CLOSED,
        bank_reference=f"R-{reference}",
    )


async def _on_its_way(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.remit(transfer)
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.REMITTED)
    return transfer


async def _match(office: Office, transfer: PendingCommand, decision: MatchDecision) -> None:
    await office.confirm_receipt(transfer, amount_fen=BALANCE_FEN - 1)
    match = c.MatchFunds(remittance_reference=f"{transfer.transfer_no}-01", decision=decision, reason="对账单为准")
    await office.take(transfer, match, staff(Role.FINANCE, SHANGHAI_POOL))


async def completed_after_a_return(office: Office) -> PendingCommand:
    """The bank sends the money back, and says so twice; it goes by a linked order."""
    transfer = await _on_its_way(office)
    for _ in range(2):
        await office.handle(transfer).signal(TransferWorkflow.bank_says, came_back(f"{transfer.transfer_no}-01"))
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.RETURNED)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    return transfer


async def completed_after_a_match(office: Office) -> PendingCommand:
    """One fen is missing: what came is accepted, and the fen is sent again."""
    transfer = await _on_its_way(office)
    await _match(office, transfer, MatchDecision.ACCEPT_AMOUNT)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    return transfer


async def completed_after_sending_home(office: Office) -> PendingCommand:
    """R does not accept what came: it goes home, and all of it is sent anew."""
    transfer = await _on_its_way(office)
    await _match(office, transfer, MatchDecision.SEND_HOME)
    await office.approve_reverse(transfer)
    await office.confirm_receipt(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    return transfer


async def completed_after_a_release(office: Office) -> PendingCommand:
    transfer = await office.submit(between=(RELEASING, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.remit(transfer)
    another = staff(Role.FINANCE, RELEASING).model_copy(update={"subject": "another-of-finance"})
    release = c.ReleaseRemittance(remittance_reference=f"{transfer.transfer_no}-01")
    await office.take(transfer, release, another)
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def completed_again_after_a_late_return(office: Office) -> PendingCommand:
    """The money of a completed case comes back: a workflow of the same id goes on, and completes the case once more."""
    transfer = await _on_its_way(office)
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    said = came_back(f"{transfer.transfer_no}-01")
    await reopen(office.cases.worker_pool, office.cases.keyring, office.client, said)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    return transfer


MONEY_ENDINGS = (
    completed_after_a_return,
    completed_after_a_match,
    completed_after_sending_home,
    completed_after_a_release,
    completed_again_after_a_late_return,
)
