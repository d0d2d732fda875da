"""A late contribution under the real worker: reopened, ordered, through the bank, and the case is at its end again."""

from tests.cases import BALANCE_FEN, BEIJING, SHANGHAI_POOL
from tests.office import PAYING_OUT, RETAINING, Office
from tests.workflows import endings
from workflows.vocabulary import FundsStatus, RemittanceKind, RemittanceStatus, TransferStatus

LATE_FEN = 1_250


async def test_what_follows_a_completed_case_completes_it_again(office: Office) -> None:
    transfer = await endings.completed_again_after_a_late_contribution(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    types = await office.types(transfer)
    assert types[types.index("completed") + 1 :] == [
        "reopened",
        "late_contribution",
        "funds_ordered",
        "step_opened",
        "funds_remitted",
        "receipt_confirmed",
        "funds_received",
        "funds_credited",
        "completed",
    ]
    state = await office.cases.state(transfer.transfer_id)
    assert [(order.kind, order.status, order.amount_fen) for order in state.remittances] == [
        (RemittanceKind.TRANSFER, RemittanceStatus.CREDITED, BALANCE_FEN),
        (RemittanceKind.RESIDUAL, RemittanceStatus.CREDITED, LATE_FEN),
    ]
    assert await office.books(transfer) == {
        ("CLEARING", BEIJING): -LATE_FEN,
        ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
        ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN + LATE_FEN,
    }
    assert await office.accounts(transfer) == {BEIJING: (0, 0), SHANGHAI_POOL: (10_000 + BALANCE_FEN + LATE_FEN, 0)}
    assert ("COMPLETION_NOTICE", 2) in await office.valid_documents(transfer)


async def test_what_is_paid_out_ends_with_the_banks_word(office: Office) -> None:
    transfer = await endings.completed_with_the_balance_paid_out(office)
    await office.ending(transfer)
    await office.late_contribution(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    state = await office.cases.state(transfer.transfer_id)
    assert (state.funds_status, [order.amount_fen for order in state.remittances]) == (
        FundsStatus.PAID_OUT_TO_PERSON,
        [BALANCE_FEN, LATE_FEN],
    )
    assert await office.books(transfer) == {
        ("CLEARING", PAYING_OUT): -LATE_FEN,
        ("PERSONAL_ACCOUNTS", PAYING_OUT): -BALANCE_FEN,
        ("PAID_OUT", PAYING_OUT): BALANCE_FEN + LATE_FEN,
    }


async def test_what_a_province_keeps_starts_no_workflow(office: Office) -> None:
    transfer = await endings.completed_with_the_balance_retained(office)
    await office.ending(transfer)
    run = (await office.handle(transfer).describe()).run_id
    await office.late_contribution(transfer)
    assert (await office.cases.state(transfer.transfer_id)).status is TransferStatus.COMPLETED
    assert (await office.handle(transfer).describe()).run_id == run
    assert await office.books(transfer) == {
        ("CLEARING", RETAINING): -LATE_FEN,
        ("PERSONAL_ACCOUNTS", RETAINING): LATE_FEN,
    }
