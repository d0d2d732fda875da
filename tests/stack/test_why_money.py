"""What `yibao why` says of money that is not where it was meant to go, on a real database."""

from collections.abc import AsyncIterator

import pytest

from activities.bank_words import note_bank_word
from stack.why import read_case, screen
from tests.activities.desk import RECEIPT, THURSDAY, Desk, open_desk
from tests.cases import BALANCE_FEN, O_CLERK, R_CLERK, R_FINANCE
from tests.conftest import Database
from tests.office import SUPERVISOR
from workflows import commands as c
from workflows.messages import BankNote, BankSaid
from workflows.vocabulary import BankReturnReason, CorrectionReason


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        yield desk


async def _says(desk: Desk) -> tuple[str, list[str]]:
    """The line of the money, and what went wrong."""
    lines = screen(await read_case(desk.db, desk.transfer.transfer_no), THURSDAY)
    after = lines[lines.index("出了什么问题") + 1 :]
    return next(line for line in lines if "资金：" in line), after[: after.index("")]


async def test_money_that_the_bank_sent_back_is_what_went_wrong(desk: Desk) -> None:
    await desk.remitted()
    assert await _says(desk) == ("  资金：银行已划出，余额 4,200.00 元", ["  无"])
    state = await desk.state()
    said = BankSaid(
        reference=f"{state.no}-01",
        said="RETURNED",
        amount_fen=BALANCE_FEN,
        reason=BankReturnReason.ACCOUNT_CLOSED,
        bank_reference="R-1",
        on=THURSDAY.date(),
    )
    note = BankNote(transfer_id=state.transfer_id, after_seq=state.revision, said=said, now=THURSDAY)
    await note_bank_word(desk.cases.worker_pool, desk.cases.keyring, note)
    assert await _says(desk) == (
        "  资金：银行退汇，余额 4,200.00 元",
        [f"  银行退回 4,200.00 元：收款账户已销户（{state.no}-01）"],
    )


async def test_money_that_is_to_come_home_is_said_with_who_must_approve_it(desk: Desk) -> None:
    await desk.remitted()
    await desk.take(RECEIPT, R_FINANCE, THURSDAY)
    await desk.take(c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note="多划"), R_CLERK, THURSDAY)
    await desk.take(c.DeliverInformationForm(balance_fen=BALANCE_FEN - 100, note="更正"), O_CLERK, THURSDAY)
    home = (await desk.state()).on_its_way
    assert home is not None
    money = f"  资金：待划转，余额 4,199.00 元；退回多划转的 1.00 元（{home.reference}），待主管部门批准"
    assert await _says(desk) == (money, ["  无"])
    await desk.take(c.ApproveReverseRemittance(remittance_reference=home.reference), SUPERVISOR, THURSDAY)
    assert (await _says(desk))[0].endswith("元（" + home.reference + "），已由主管部门批准")
