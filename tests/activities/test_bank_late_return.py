"""A late return at an honest bank: both accounts are as before, the case is open again, and nothing of it is a difference."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.bank.telling import Words
from activities.funds import send_to_bank
from activities.reconciliation.keeping import open_differences
from activities.reopening import open_again
from stack import bank as sandbox
from stack.bank_books import BankBooks
from stack.bank_faults import BankFault, FaultFile, FaultKind
from tests.activities.bank_messages import Inbox
from tests.activities.desk import Desk, open_desk
from tests.activities.reconciliation.statements import run
from tests.cases import BALANCE_FEN, BEIJING, SHANGHAI_POOL, sandbox_bank
from tests.conftest import Database
from workflows.deadlines import shanghai_date
from workflows.messages import BankOrder, BankSaid, CommandOutcome
from workflows.vocabulary import FundsStatus, TransferStatus


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 0.0)


class _Nobody:
    async def tell(self, no: str, said: BankSaid) -> None:
        raise AssertionError(f"{no} is closed, and was told {said}")


async def _closing(desk: Desk, books: BankBooks, region: str) -> tuple[int, list[tuple[str, int]]]:
    """What the account holds at the end of the day, and everything that was booked on it."""
    account = await desk.db.fetchval("select receiving_account from pooling_regions where code = $1", region)
    now = time.time()
    statement = books.statement(account, shanghai_date(datetime.fromtimestamp(now, UTC)), now)
    return statement.closing_fen, [(each.kind, each.amount_fen) for each in statement.entries]


@pytest.mark.parametrize("spent", [False, True])
async def test_money_that_comes_back_late_leaves_the_account_that_it_had_come_to(
    database: Database, tmp_path: Path, spent: bool
) -> None:
    async with open_desk(database) as desk, sandbox_bank(tmp_path) as bank:
        pool, keyring = desk.cases.worker_pool, desk.cases.keyring
        await desk.completed()
        reference = f"{desk.transfer.transfer_no}-01"
        FaultFile(tmp_path).write(
            [BankFault(kind=FaultKind.RETURN, reference=reference, code="AC04", after_credit=True)]
        )
        await send_to_bank(pool, keyring, bank, BankOrder(transfer_id=desk.transfer.transfer_id, reference=reference))
        if spent:
            await desk.db.execute("update enrolments set personal_account_fen = 1 where region = $1", SHANGHAI_POOL)

        async def reopen(said: BankSaid) -> CommandOutcome:
            return (await open_again(pool, keyring, said, datetime.now(UTC))).outcome

        inbox, words = Inbox(desk), Words(pool, _Nobody(), reopen)
        await inbox.takes(*await bank.messages("", 100))
        await desk.db.execute("update bank_words set next_attempt_at = now() - interval '1 second'")
        for _ in range(3):
            await words.tell_due()
        books = BankBooks(tmp_path / "bank.sqlite3")
        assert await _closing(desk, books, BEIJING) == (0, [("DEBIT", BALANCE_FEN), ("RETURN", BALANCE_FEN)])
        assert await _closing(desk, books, SHANGHAI_POOL) == (0, [("CREDIT", BALANCE_FEN), ("DEBIT", BALANCE_FEN)])
        assert [each[:2] for each in await inbox.words()] == [
            (said, BALANCE_FEN) for said in ("TAKEN", "CREDITED", "RETURNED")
        ]
        state = await desk.state()
        # Late enough that what were missing would be a difference.
        await run(desk, shanghai_date(datetime.now(UTC)) + timedelta(days=14))
        differences = [each.kind for each in await open_differences(desk.db)]
        if spent:
            # The books hold what the bank has taken back: that is the supervisor's matter, and stays in sight.
            assert (state.status, differences) == (TransferStatus.COMPLETED, ["RETURN_NOT_BOOKED"])
        else:
            assert (state.status, state.funds_status) == (TransferStatus.AWAITING_FUNDS, FundsStatus.RETURNED)
            assert differences == []
        await desk.verify()
