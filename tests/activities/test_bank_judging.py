"""Of two credits of an order finance says which one pays; the other is nobody's, whichever came first and whatever comes after."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from activities.bank import sending_home
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.judging import leave_confirmed
from activities.bank.unmatched import unmatched_by_id, unmatched_funds
from activities.ledger.auditor import open_auditor
from tests.activities.bank_messages import PAYER_NAME, Inbox, advice, ask_home, entry
from tests.activities.desk import RECEIPT, THURSDAY, Desk, open_desk
from tests.cases import BALANCE_FEN, R_FINANCE
from tests.conftest import Database
from workflows.commands import MatchFunds
from workflows.messages import UnmatchedFundsOrder
from workflows.vocabulary import FundsStatus, MatchDecision

LISTED, PAYS, CONFIRMED = ("UNMATCHED", "DUPLICATE"), ("MATCHED", None), "CONFIRMED"
Act = Callable[[], Awaitable[object]]


class Bank:
    def __init__(self, desk: Desk, payer: str, payee: str, payee_name: str) -> None:
        self.desk, self.inbox = desk, Inbox(desk)
        self._payer, self._payee, self._payee_name = payer, payee, payee_name
        self.reference = f"{desk.transfer.transfer_no}-01"

    def credit(self, name: str, *, named: bool = True) -> BankEntry:
        said = {"own_name": self._payee_name, "other_name": PAYER_NAME, "other_account": "9999110000871090000"}
        reference = self.reference if named else None
        return entry(EntryKind.CREDIT, name, self._payee, BALANCE_FEN, reference, **said)

    def debit(self) -> BankEntry:
        return entry(EntryKind.DEBIT, "D1", self._payer, BALANCE_FEN, self.reference)

    async def leaves(self) -> int:
        return await leave_confirmed(self.desk.cases.worker_pool, self.inbox.keyring)

    async def confirmed(self, name: str, amount_fen: int = BALANCE_FEN) -> None:
        receipt = RECEIPT.model_copy(update={"bank_reference": name, "amount_fen": amount_fen})
        assert (await self.desk.take(receipt, R_FINANCE, THURSDAY)).outcome.kind == "DONE"

    async def listed(self) -> list[str]:
        rows = await unmatched_funds(self.desk.cases.worker_pool, self.inbox.keyring, ["319900"], limit=9)
        return [each.entry.entry_reference for each in rows]


@pytest.fixture
async def bank(database: Database) -> AsyncIterator[Bank]:
    async with open_desk(database) as desk:
        await desk.remitted()
        payer = await desk.row("select receiving_account from pooling_regions where code = '110000'")
        payee = await desk.row("select * from pooling_regions where code = '319900'")
        yield Bank(desk, payer[0], payee["receiving_account"], payee["receiving_account_name"])
        await desk.verify()
        async with open_auditor(database.owner_url, told=False) as auditor:
            assert (await auditor.verify()).broken == ()


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_the_credit_that_finance_confirms_pays_and_the_other_is_on_the_list(
    bank: Bank, order: tuple[int, ...]
) -> None:
    acts: tuple[Act, ...] = (
        lambda: bank.inbox.takes(advice("M1", bank.credit("C1"))),
        lambda: bank.inbox.takes(advice("M2", bank.credit("C2"))),
        lambda: bank.confirmed("C2"),
        bank.leaves,
    )
    for at in order:
        await acts[at]()
    await bank.leaves()
    one_listed = {"C1": LISTED, "C2": ("CONFIRMED", "DUPLICATE")}
    assert await bank.inbox.entries() == one_listed
    assert await bank.listed() == ["C1"]
    assert (await bank.inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN
    await bank.inbox.takes(advice("M3", bank.debit(), bank.credit("C1"), bank.credit("C3")))
    assert await bank.leaves() == 0
    assert await bank.inbox.entries() == one_listed | {"C3": LISTED, "D1": ("MATCHED", None)}
    assert await bank.listed() == ["C1", "C3"]
    assert (await bank.inbox.suspense())["SUSPENSE", "319900"] == 2 * BALANCE_FEN


@pytest.mark.parametrize("advised_first", [False, True])
async def test_money_without_a_reference_that_finance_has_confirmed_pays_for_the_one_that_names_the_order(
    bank: Bank, advised_first: bool
) -> None:
    await bank.inbox.takes(advice("M1", bank.credit("C1", named=False)))
    if advised_first:
        await bank.inbox.takes(advice("M2", bank.credit("C2")))
    await bank.confirmed("C1")
    assert await bank.leaves() == 1
    if not advised_first:
        await bank.inbox.takes(advice("M2", bank.credit("C2")))
    assert await bank.inbox.entries() == {"C1": ("CONFIRMED", "NO_REFERENCE"), "C2": LISTED}
    assert (await bank.inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN
    reference = await bank.desk.row("select reference from bank_entries where entry_reference = 'C1'")
    assert reference["reference"] == bank.reference


async def test_money_that_a_case_is_to_match_does_not_go_home_from_the_list_too(bank: Bank) -> None:
    """The case sends it home: the same money goes once."""
    stray = bank.credit("C1", named=False)
    await bank.inbox.takes(advice("M1", stray))
    await bank.confirmed("C1", BALANCE_FEN - 1)
    assert (await bank.desk.state()).funds_status is FundsStatus.MISMATCHED
    assert await bank.listed() == []
    pool, keyring = bank.desk.cases.worker_pool, bank.inbox.keyring
    assert await unmatched_by_id(pool, keyring, ["319900"], stray.entry_id) is None
    await ask_home(bank.desk, stray.entry_id)
    await sending_home.carry_out(pool, UnmatchedFundsOrder(command_id="C"))
    assert await bank.leaves() == 0
    assert await bank.inbox.entries() == {"C1": ("UNMATCHED", "NO_REFERENCE")}
    home = MatchFunds(remittance_reference=bank.reference, decision=MatchDecision.SEND_HOME, reason="金额不符")
    assert (await bank.desk.take(home, R_FINANCE, THURSDAY)).outcome.kind == "DONE"
    assert await bank.listed() == []
    assert await bank.leaves() == 1
    assert await bank.inbox.entries() == {"C1": ("CONFIRMED", "NO_REFERENCE")}
    # Of the case alone: what was beyond the list's own entry is out of the books.
    apart = await bank.desk.row(
        "select sum(amount_fen)::bigint as fen, bool_and(transfer_id is not null) as of_case from ledger_entries where account = 'SUSPENSE' and region = '319900' and unmatched is null"
    )
    assert tuple(apart) == (BALANCE_FEN - 1, True)
    assert (await bank.inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN - 1


async def test_money_that_was_credited_and_came_back_is_no_longer_anybodys_to_send_home(bank: Bank) -> None:
    """Its advice is late: by then the bank has taken the credit back."""
    await bank.confirmed("C1")
    await bank.desk.db.execute("update remittances set status = 'RETURNED' where reference = $1", bank.reference)
    await bank.inbox.takes(advice("M1", bank.credit("C1", named=False)))
    assert await bank.listed() == []
    assert await bank.leaves() == 1
    assert (await bank.inbox.suspense()).get(("SUSPENSE", "319900"), 0) == 0
    await bank.desk.db.execute("update remittances set status = 'CREDITED' where reference = $1", bank.reference)
