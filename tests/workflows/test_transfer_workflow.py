"""One transfer, carried to each of its endings by the real worker."""

from tests.office import Office
from workflows.state import fold
from workflows.vocabulary import FundsStatus, TransferStatus

DONE = "DONE"


async def _kinds(office: Office, transfer_id: object) -> list[str]:
    events = await office.cases.events(transfer_id)  # type: ignore[arg-type]
    return [event.fact.type for event in events]


async def test_money_first_then_the_record_is_completed(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    assert (await office.confirm_receipt(transfer)).kind == DONE
    state = await office.cases.state(transfer.transfer_id)
    assert (state.status, state.funds_status) == (TransferStatus.TRANSFERRING_IN, FundsStatus.CREDITED)
    assert (await office.confirm_continuation(transfer)).kind == DONE
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    events = await office.cases.events(transfer.transfer_id)
    assert await office.cases.state(transfer.transfer_id) == fold(events)
    assert [event.fact.type for event in events] == [
        "submitted.1",
        "accepted.1",
        "step_opened.1",
        "certificate_issued.1",
        "form_delivered.1",
        "step_opened.1",
        "step_opened.1",
        "remittance_ordered.1",
        "funds_ordered.1",
        "step_opened.1",
        "funds_remitted.1",
        "funds_received.1",
        "funds_credited.1",
        "continuation_confirmed.1",
        "completed.1",
    ]


async def test_the_record_first_then_the_money_is_completed(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.remit(transfer)
    state = await office.cases.state(transfer.transfer_id)
    assert state.status is TransferStatus.AWAITING_FUNDS
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert (await office.cases.state(transfer.transfer_id)).funds_status is FundsStatus.CREDITED
