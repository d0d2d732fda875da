"""Unmatched money goes home: decided once, paid by the bank once, and out of SUSPENSE when the bank has taken it."""

import json
from pathlib import Path

import pytest

from activities.bank import sending_home
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.sending_home import reference_home, send_due_home
from stack import bank as sandbox
from stack.bank_faults import BankFault, FaultFile, FaultKind
from tests.activities.bank_messages import PAYER_NAME, Inbox, advice, entry
from tests.activities.desk import TUESDAY, Desk, open_desk
from tests.cases import BALANCE_FEN, R_FINANCE, sandbox_bank
from tests.conftest import Database
from workflows.messages import UnmatchedFundsOrder

PAYER_ACCOUNT = "9999110000871090000"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS_TO_TAKE", 0.0)


async def _stray(desk: Desk) -> tuple[Inbox, BankEntry]:
    """Money on Shanghai's account that belongs to nobody, asked to go home by its finance under the command C."""
    payee = await desk.row("select receiving_account from pooling_regions where code = '319900'")
    said = {"other_name": PAYER_NAME, "other_account": PAYER_ACCOUNT}
    stray = entry(EntryKind.CREDIT, "C1", payee["receiving_account"], BALANCE_FEN, None, **said)
    inbox = Inbox(desk)
    await inbox.takes(advice("M1", stray))
    asked = {"entry_id": str(stray.entry_id), "reason": "付款行重复入账"}
    await desk.cases.gateway_pool.execute(
        """insert into commands (command_id, key_hash, input_hash, kind, actor, input, received_at)
           values ('C', 'C', '', $1, $2, $3, $4)""",
        *(sending_home.COMMAND, R_FINANCE.model_dump_json(), json.dumps(asked), TUESDAY),
    )
    return inbox, stray


async def test_it_is_decided_once_paid_once_and_then_off_the_books(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        inbox, stray = await _stray(desk)
        pool, bank = desk.cases.worker_pool, sandbox_bank(tmp_path)
        order = UnmatchedFundsOrder(command_id="C")
        assert await sending_home.carry_out(pool, order) == await sending_home.carry_out(pool, order)
        assert await inbox.entries() == {"C1": ("GOING_HOME", "NO_REFERENCE")}
        assert (await inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN
        assert await send_due_home(pool, inbox.keyring, bank) == 0
        assert await send_due_home(pool, inbox.keyring, bank) == 1
        assert await send_due_home(pool, inbox.keyring, bank) == 0
        assert await inbox.entries() == {"C1": ("SENT_HOME", "NO_REFERENCE")}
        assert await inbox.suspense() == {}
        row = await desk.row("select resolved_by, resolution, resolved_at from bank_entries")
        assert tuple(row) == (R_FINANCE.subject, "付款行重复入账", TUESDAY)
        outbox = await bank.messages("", 10)
        paid = f"<EndToEndId>{reference_home(stray.entry_id)}<".encode()
        assert sum(each.document.count(paid) for each in outbox) == 1
        assert len(reference_home(stray.entry_id)) <= 35


async def test_what_the_bank_refuses_to_take_home_is_on_the_list_again(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        inbox, stray = await _stray(desk)
        pool, bank = desk.cases.worker_pool, sandbox_bank(tmp_path)
        FaultFile(tmp_path).write(
            [BankFault(kind=FaultKind.REFUSE, reference=reference_home(stray.entry_id), code="AC04")]
        )
        await sending_home.carry_out(pool, UnmatchedFundsOrder(command_id="C"))
        for _ in range(2):
            assert await send_due_home(pool, inbox.keyring, bank) == 0
        assert await inbox.entries() == {"C1": ("UNMATCHED", "NO_REFERENCE")}
        assert (await inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN
        assert (await desk.row("select resolution from bank_entries"))["resolution"] == "付款行重复入账 (AC04)"
