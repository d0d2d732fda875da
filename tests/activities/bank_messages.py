"""A real set of the bank's messages for the tests, made by its own side of the border, and what the tables say after them."""

import json
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from activities.bank import Payment, PaymentOrder, Posted
from activities.bank.advising import advice_of
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.inbox import Tally, take_in
from activities.bank.kept import read_entry
from activities.bank.reports import report_of
from activities.bank.sending_home import COMMAND
from activities.keyring import Keyring
from tests.activities.desk import TUESDAY, Desk
from tests.cases import R_FINANCE
from workflows.deadlines import SHANGHAI

AT = datetime(2026, 3, 4, 10, 0, tzinfo=SHANGHAI)
DAY = date(2026, 3, 4)
PAYER_NAME = "北京市医疗保障事务中心医疗保障基金收入户"


def entry(kind: EntryKind, name: str, account: str, amount_fen: int, reference: str | None, **more: Any) -> BankEntry:
    """A booking of the day; `name` is the bank's own reference of it."""
    given = {"booked_on": DAY, "value_on": DAY} | more
    return BankEntry(
        kind=kind, entry_reference=name, account=account, amount_fen=amount_fen, end_to_end_id=reference, **given
    )


def advice(message_id: str, *entries: BankEntry) -> Posted:
    return Posted("0", message_id, advice_of(message_id, entries, AT))


def report(message_id: str, reference: str, *lines: tuple[str, str, str | None]) -> Posted:
    return Posted("0", message_id, report_of(message_id, reference, lines, AT))


def order(reference: str, *, amount_fen: int = 1) -> PaymentOrder:
    """Beijing pays Shanghai, in one payment."""
    return PaymentOrder(
        reference=reference,
        amount_fen=amount_fen,
        execute_on=DAY,
        payments=(Payment(end_to_end_id=reference, amount_fen=amount_fen),),
        payer_agency="110000-YB",
        payer_name="北京市医疗保障事务中心",
        payer_bank="示例银行",
        payer_account="87654321",
        payee_name="上海市医疗保险事业管理中心",
        payee_bank="示例银行",
        payee_bank_code=None,
        payee_account="12345678",
    )


class Inbox:
    """The desk's database, and the messages that are put into it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._pool = desk.cases.worker_pool
        self._place = 0

    @property
    def keyring(self) -> Keyring:
        return self.desk.cases.keyring

    async def takes(self, *posted: Posted) -> Tally:
        """Take a batch in, at the place where the outbox is."""
        before, self._place = self._place, self._place + 1
        placed = [each._replace(cursor=str(self._place)) for each in posted]
        tally = await take_in(self._pool, self.keyring, str(before) if before else "", placed)
        assert tally is not None
        return tally

    async def entries(self) -> dict[str, tuple[str, str | None]]:
        """State and why of every entry, by the bank's own reference."""
        rows = await self.desk.db.fetch("select entry_reference, state, why from bank_entries")
        return {row["entry_reference"]: (row["state"], row["why"]) for row in rows}

    async def words(self) -> list[tuple[str, int, str | None, str | None]]:
        """(said, amount, reason, bank's reference) in the order in which a case is told."""
        rows = await self.desk.db.fetch(
            """select said, amount_fen, reason, bank_reference from bank_words
                order by array_position(array['TAKEN', 'CREDITED', 'RETURNED'], said)"""
        )
        return [tuple(row) for row in rows]

    async def messages(self) -> list[tuple[str, str, str | None]]:
        rows = await self.desk.db.fetch("select message_id, state, fault from bank_messages order by 1, digest")
        return [tuple(row) for row in rows]

    async def suspense(self) -> dict[tuple[str, str], int]:
        """Fen under search, and the world outside, by region."""
        rows = await self.desk.db.fetch(
            """select account, region, sum(amount_fen)::bigint as fen from ledger_entries
                where account in ('SUSPENSE', 'CLEARING') group by 1, 2 having sum(amount_fen) <> 0"""
        )
        return {(row["account"], row["region"]): row["fen"] for row in rows}

    async def clear(self) -> None:
        """As if the bank had said nothing yet."""
        await self.desk.db.execute(
            """truncate bank_messages, bank_entries, bank_entry_conflicts, bank_words;
               alter table ledger_entries disable trigger user; alter table ledger_postings disable trigger user;
               delete from ledger_entries where transfer_id is null; delete from ledger_postings where transfer_id is null;
               alter table ledger_entries enable trigger user; alter table ledger_postings enable trigger user;
               update bank_cursors set place = ''"""
        )
        self._place = 0


async def ask_home(desk: Desk, entry_id: UUID) -> None:
    """Shanghai's finance asks on Tuesday, under the command C, that the entry goes home."""
    asked = {"entry_id": str(entry_id), "reason": "付款行重复入账"}
    await desk.cases.gateway_pool.execute(
        """insert into commands (command_id, key_hash, input_hash, kind, actor, input, received_at)
           values ('C', 'C', '', $1, $2, $3, $4)""",
        *(COMMAND, R_FINANCE.model_dump_json(), json.dumps(asked), TUESDAY),
    )


async def canonical(connection: asyncpg.Connection, keyring: Keyring) -> bytes:
    """All that the bank's messages have left behind, opened and in one order; without the instants at which it came."""
    rows = await connection.fetch("select * from bank_entries order by entry_id")
    entries = [
        read_entry(keyring, row).model_dump(mode="json")
        | {name: str(row[name]) for name in ("entry_id", "region", "reference", "state", "why")}
        for row in rows
    ]
    messages = await connection.fetch("select message_id, digest, kind, state, fault from bank_messages order by 1, 2")
    words = await connection.fetch(
        "select reference, said, amount_fen, reason, bank_reference, said_on from bank_words order by 1, 2"
    )
    balances = await connection.fetch(
        "select account, region, unmatched, sum(amount_fen)::bigint from ledger_entries group by 1, 2, 3 having sum(amount_fen) <> 0 order by 1, 2, 3"
    )
    plain = [[[str(value) for value in row] for row in table] for table in (messages, words, balances)]
    return json.dumps([entries, *plain], ensure_ascii=False, sort_keys=True).encode()
