"""The checker can fail: every kind of damage, done behind the database's own guards, is named."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.faults import checker
from tests.faults.acts import ACTS
from tests.faults.books import Openings
from tests.faults.checker import Report, check
from tests.faults.proving_ground import BANK_FILE, ProvingGround

LAST = next(act for act in ACTS if act.name == "confirm_receipt: the last of the case")

# What is done, and the rules that are broken by it.
DAMAGES = {
    "an entry of another amount": (
        "update ledger_entries set amount_fen = amount_fen + 1 where posting_id = (select max(posting_id) from ledger_postings) and amount_fen > 0",
        {"POSTING_NOT_ZERO", "REGISTER_DISAGREES", "CREDIT_NOT_ONCE"},
    ),
    "half of a posting": (
        "delete from ledger_entries where posting_id = (select max(posting_id) from ledger_postings) and amount_fen < 0",
        {"POSTING_NOT_ZERO", "MONEY_NOT_CONSERVED", "COMPLETED_TOO_EARLY"},
    ),
    "a posting without its head": (
        "delete from ledger_postings where posting_id = (select max(posting_id) from ledger_postings)",
        {
            "ENTRY_WITHOUT_POSTING",
            "REGISTER_DISAGREES",
            "MONEY_NOT_CONSERVED",
            "CREDIT_NOT_ONCE",
            "COMPLETED_TOO_EARLY",
        },
    ),
    "a posting of no event": (
        "update ledger_postings set seq = 99 where posting_id = (select max(posting_id) from ledger_postings)",
        {"POSTING_WITHOUT_EVENT", "CREDIT_NOT_ONCE", "COMPLETED_TOO_EARLY"},
    ),
    "more sent than was frozen": (
        """update ledger_entries set amount_fen = case when amount_fen > 0 then 420001 else -420001 end
            where posting_id = (select posting_id from ledger_entries where account = 'FROZEN' and amount_fen < 0)""",
        {"NEGATIVE_ACCOUNT", "REGISTER_DISAGREES", "MONEY_NOT_CONSERVED", "DEBIT_NOT_ONCE", "COMPLETED_TOO_EARLY"},
    ),
    "a fen too many in R's register": (
        "update enrolments set personal_account_fen = personal_account_fen + 1 where region = '319900'",
        {"REGISTER_DISAGREES", "MONEY_NOT_CONSERVED"},
    ),
    "a fen too few in O's register": (
        "update enrolments set frozen_fen = frozen_fen + 1 where region = '110000'",
        {"REGISTER_DISAGREES", "MONEY_NOT_CONSERVED"},
    ),
    "credited in the register of the wrong side": (
        """update enrolments set personal_account_fen =
                case when region = '319900' then personal_account_fen - 420000 else personal_account_fen + 420000 end""",
        {"REGISTER_DISAGREES"},
    ),
    "an enrolment that is gone with its money": (
        "delete from enrolments where region = '319900'",
        {"REGISTER_DISAGREES", "MONEY_NOT_CONSERVED"},
    ),
    "credited twice": (
        """with again as (insert into ledger_postings (transfer_id, seq, posted_at)
                          select transfer_id, seq, posted_at from ledger_postings order by posting_id desc limit 1
                          returning posting_id)
           insert into ledger_entries (posting_id, line, account, region, scheme, transfer_id, amount_fen)
           select (select posting_id from again), line, account, region, scheme, transfer_id, amount_fen
             from ledger_entries where posting_id = (select max(posting_id) from ledger_entries)""",
        {"NEGATIVE_ACCOUNT", "REGISTER_DISAGREES", "MONEY_NOT_CONSERVED", "CREDIT_NOT_ONCE", "COMPLETED_TOO_EARLY"},
    ),
    "an order that is credited before it came": (
        "update remittances set status = 'REMITTED'",
        {"CREDIT_NOT_ONCE"},
    ),
    "an order that left before it was sent": (
        "update remittances set status = 'ORDERED'",
        {"DEBIT_NOT_ONCE", "CREDIT_NOT_ONCE"},
    ),
    "an order of another amount than the bank's": (
        "update remittances set amount_fen = amount_fen + 1",
        {"DEBIT_NOT_ONCE", "BANK_PAYS_ANOTHER_AMOUNT"},
    ),
    "an order that we lost": (
        "delete from remittances",
        {"BANK_PAYS_UNORDERED"},
    ),
    "shown as completed before its end": (
        """update transfer_events set type = 'completed.1', event = jsonb_set(event, '{fact,type}', '"completed.1"')
            where type = 'funds_remitted.1'""",
        {"COMPLETED_TOO_EARLY", "CHAIN_BROKEN", "DEBIT_NOT_ONCE"},
    ),
    "a read model that is ahead of its events": (
        """update transfer_events set type = 'noted.1' where type like 'completed.%'""",
        {"COMPLETED_TOO_EARLY"},
    ),
    "an event that was rewritten": (
        "update transfer_events set event = jsonb_set(event, '{actor,subject}', '\"somebody\"') where seq = 3",
        {"CHAIN_BROKEN"},
    ),
    "the last event is gone": (
        "delete from transfer_events where seq = (select max(seq) from transfer_events)",
        {"EVENT_MISSING", "COMPLETED_TOO_EARLY"},
    ),
    "a step that was carried out and is not answered": (
        "update commands set outcome = null where kind = 'REMIT_PERSONAL_ACCOUNT'",
        {"COMMAND_NOT_ONCE"},
    ),
    "a step that nobody asked for": (
        "delete from commands where kind = 'REMIT_PERSONAL_ACCOUNT'",
        {"COMMAND_NOT_ONCE"},
    ),
    "a step that was answered and not carried out": (
        """update transfer_events set command_id = null
            where command_id = (select command_id from commands where kind = 'REMIT_PERSONAL_ACCOUNT')""",
        {"COMMAND_NOT_ONCE"},
    ),
}
AT_THE_BANK = {
    "the bank never paid": ("delete from orders", {"BANK_NEVER_PAID"}),
    "the bank pays a fen more": (
        "update orders set document = json_set(document, '$.amount_fen', 420001)",
        {"BANK_PAYS_ANOTHER_AMOUNT"},
    ),
    "the bank pays twice": (
        "insert into orders select reference || '-again', document, handed_in_at from orders",
        {"BANK_PAYS_TWICE"},
    ),
    "the bank pays what nobody ordered": (
        """insert into orders select 'ZY-0-01', json_set(document, '$.reference', 'ZY-0-01'), handed_in_at
             from orders""",
        {"BANK_PAYS_UNORDERED"},
    ),
}


@dataclass(frozen=True)
class Completed:
    """A case that is completed, with nothing to object to."""

    owner: asyncpg.Connection
    bank: Path
    openings: Openings

    async def report(self, bank: Path | None = None) -> Report:
        return await check(self.owner, bank or self.bank, self.openings)

    @asynccontextmanager
    async def damaged(self, statement: str) -> AsyncIterator[None]:
        """While the block lasts; no trigger and no constraint stops it."""
        # As the checker reads, which reads within it.
        damage = self.owner.transaction(isolation="repeatable_read")
        await damage.start()
        try:
            await self.owner.execute("set local session_replication_role = replica")
            await self.owner.execute(statement)
            yield
        finally:
            await damage.rollback()


@pytest.fixture(scope="module")
async def completed(ground: ProvingGround) -> AsyncIterator[Completed]:
    scene = await ground.scene(LAST)
    async with ground.copy_of(scene) as copy:
        assert (await ground.run(scene, copy)).end == 0
        async with ground.owner(copy) as owner:
            case = Completed(owner, ground.bank_dir(copy) / BANK_FILE, scene.openings)
            assert await case.report() == Report([], 0)
            yield case
    await ground.drop(scene)


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_in_the_database_is_named(completed: Completed, damage: str) -> None:
    statement, rules = DAMAGES[damage]
    async with completed.damaged(statement):
        assert (await completed.report()).rules == rules
    assert await completed.report() == Report([], 0)


@pytest.mark.parametrize("damage", AT_THE_BANK)
async def test_damage_at_the_bank_is_named(completed: Completed, damage: str, tmp_path: Path) -> None:
    statement, rules = AT_THE_BANK[damage]
    bank = tmp_path / BANK_FILE
    with sqlite3.connect(completed.bank) as memory, sqlite3.connect(bank) as copy:
        memory.backup(copy)
        copy.execute(statement)
    assert (await completed.report(bank)).rules == rules


async def test_what_is_lost_is_told_to_the_fen(completed: Completed) -> None:
    async with completed.damaged("update enrolments set personal_account_fen = personal_account_fen + 7"):
        assert (await completed.report()).lost_fen == 14


def test_every_rule_is_broken_by_some_damage() -> None:
    source = Path(checker.__file__).read_text("utf-8")
    broken = set[str]().union(*(rules for _, rules in (*DAMAGES.values(), *AT_THE_BANK.values())))
    assert set(re.findall(r'Damage\(\s*"([A-Z_]+)"', source)) == broken
