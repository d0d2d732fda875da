"""One transfer, carried to each of its endings by the real worker."""

import asyncio

from tests.cases import O_CLERK, O_FINANCE, PERSON, R_CLERK
from tests.office import Office
from workflows import commands as c
from workflows.messages import CommandOutcome
from workflows.vocabulary import FundsStatus, RefusalCode, ReturnReason, TransferStatus, TransferStepKind

OPENED = ["submitted", "accepted", "step_opened", "certificate_issued"]
FORM = ["form_delivered", "step_opened", "step_opened"]
ORDER = ["remittance_ordered", "funds_ordered", "step_opened", "funds_remitted"]


async def test_completed_with_the_money_credited_before_the_record_is_continued(office: Office) -> None:
    transfer = await office.submit()
    assert await office.deliver_form(transfer) == CommandOutcome(kind="DONE", seq=5)
    assert await office.remit(transfer) == CommandOutcome(kind="DONE", seq=8)
    await office.confirm_receipt(transfer)
    state = await office.cases.state(transfer.transfer_id)
    assert (state.status, state.funds_status) == (TransferStatus.TRANSFERRING_IN, FundsStatus.CREDITED)
    assert await office.confirm_continuation(transfer) == CommandOutcome(kind="DONE", seq=15)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    last = ["receipt_confirmed", "funds_received", "funds_credited", "continuation_confirmed", "completed"]
    assert await office.types(transfer) == OPENED + FORM + ORDER + last


async def test_completed_with_the_record_continued_before_the_money_is_credited(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.remit(transfer)
    assert (await office.cases.state(transfer.transfer_id)).status is TransferStatus.AWAITING_FUNDS
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    last = ["receipt_confirmed", "funds_received", "funds_credited", "completed"]
    assert await office.types(transfer) == OPENED + FORM + ["continuation_confirmed"] + ORDER + last


async def test_completed_without_money_when_the_balance_is_zero(office: Office) -> None:
    transfer = await office.submit(personal_account_fen="0")
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert (await office.cases.state(transfer.transfer_id)).funds_status is FundsStatus.NOT_REQUIRED
    form = ["form_delivered", "funds_not_required", "step_opened"]
    last = ["continuation_confirmed", "completed"]
    assert await office.types(transfer) == OPENED + form + last


async def test_completed_after_coverage_was_stopped_on_the_applicants_wish(office: Office) -> None:
    transfer = await office.submit(request_stop=True, status="ACTIVE", stopped_on="", personal_account_fen="0")
    state = await office.cases.state(transfer.transfer_id)
    assert (state.status, state.certificate) == (TransferStatus.SUBMITTED, None)
    await office.take(transfer, c.StopCoverage(stopped_on=office.today(transfer)), O_CLERK)
    assert (await office.cases.state(transfer.transfer_id)).certificate is not None
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED


async def test_declined_by_the_destinations_clerk(office: Office) -> None:
    transfer = await office.submit(manual=True)
    state = await office.cases.state(transfer.transfer_id)
    assert [step.kind for step in state.open_steps] == [TransferStepKind.ACCEPT_APPLICATION]
    await office.take(transfer, c.DeclineTransfer(reasons=(RefusalCode.SPECIAL_PERSONNEL,), note="另有规定"), R_CLERK)
    assert await office.ending(transfer) is TransferStatus.DECLINED
    assert await office.types(transfer) == ["submitted", "step_opened", "declined"]


async def test_accepted_by_the_destinations_clerk_and_declined_by_the_origins_return(office: Office) -> None:
    transfer = await office.submit(manual=True)
    await office.take(transfer, c.AcceptTransfer(), R_CLERK)
    await office.take(transfer, c.ReturnTransfer(reason=ReturnReason.IDENTITY_DOUBT, note="存疑"), O_CLERK)
    assert await office.ending(transfer) is TransferStatus.DECLINED
    state = await office.cases.state(transfer.transfer_id)
    assert state.returned is ReturnReason.IDENTITY_DOUBT
    assert await office.types(transfer) == [
        "submitted",
        "step_opened",
        "application_accepted",
        "accepted",
        "step_opened",
        "certificate_issued",
        "declined",
    ]


async def test_declined_as_it_opens_when_a_register_changed_after_the_application(office: Office) -> None:
    transfer = await office.apply()
    await office.note_at_origin(transfer, "retired")
    assert await office.carry_out(transfer) == CommandOutcome(kind="DONE", seq=1)
    assert await office.ending(transfer) is TransferStatus.DECLINED
    assert await office.types(transfer) == ["submitted", "declined"]


async def test_withdrawn_by_the_person(office: Office) -> None:
    transfer = await office.submit()
    await office.take(transfer, c.WithdrawTransfer(reason="不转了"), PERSON)
    assert await office.ending(transfer) is TransferStatus.WITHDRAWN
    assert await office.types(transfer) == [*OPENED, "withdrawn"]


async def test_a_refused_step_is_answered_and_the_case_goes_on(office: Office) -> None:
    transfer = await office.submit()
    refused = await office.remit(transfer)
    assert refused == CommandOutcome(kind="NOT_ALLOWED", why="NOT_YET")
    assert await office.types(transfer) == OPENED
    assert (await office.deliver_form(transfer)).kind == "DONE"


async def test_twelve_steps_at_once_are_all_answered(office: Office) -> None:
    """Temporal admits ten updates at a time to one workflow; the client asks again for the others."""
    transfer = await office.submit()
    asks = [await office.cases.ask(transfer, c.ReissueCertificate(reason=str(n)), PERSON) for n in range(12)]
    outcomes = await asyncio.gather(*(office.carry_out(ask) for ask in asks))
    assert sorted(outcome.seq or 0 for outcome in outcomes) == list(range(5, 17))
    assert await office.types(transfer) == [*OPENED, *["certificate_reissued"] * 12]


async def test_both_tracks_at_once_do_not_race(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    asks = [
        await office.cases.ask(transfer, c.RemitPersonalAccount(), O_FINANCE),
        await office.cases.ask(transfer, c.ConfirmContinuation(), R_CLERK),
    ]
    outcomes = await asyncio.gather(*(office.carry_out(ask) for ask in asks))
    assert [outcome.kind for outcome in outcomes] == ["DONE", "DONE"]
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    await office.types(transfer)
