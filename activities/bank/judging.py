"""Lines of the bank that are judged anew: because a further one of their order came, or because finance has said which one pays."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from activities.bank.entries import BankEntry
from activities.bank.kept import read_entry
from activities.bank.matching import Line, Verdict, Why, judged
from activities.bank.orders import orders_of
from activities.bank.suspense import set_aside, take_out
from activities.database import Connection, transaction
from activities.keyring import Keyring

# Each line with its row, by its id.
Kept = dict[UUID, tuple[BankEntry, asyncpg.Record]]

# What came beyond an order is no line of the bank's, until it is confirmed as another order's.
ENTRIES_SQL: Final = """
select * from bank_entries
 where (entry_id = any($1::uuid[]) or reference = any($2::text[])) and (why is distinct from 'EXCESS' or state = 'CONFIRMED')
"""
CHANGE_SQL: Final = (
    "update bank_entries set state = $2, why = $3 where entry_id = $1 and state in ('MATCHED', 'UNMATCHED')"
)
# Lines are judged by one at a time: who takes the bank's messages in holds the outbox's place too.
ALONE_SQL: Final = "select from bank_cursors where bank = 'bank' for update"
# The order is at an end for this money: credited with it, or it was sent home by its case, or the bank has taken it back.
CONFIRMED_SQL: Final = """
select e.entry_id, r.reference from bank_entries e join remittances r on r.bank_reference = e.entry_reference
 where e.state = 'UNMATCHED' and (r.status = 'CREDITED' or r.status = 'RETURNED' and r.received_fen is not null)
 order by r.status = 'CREDITED', r.ordered_at limit 100 for update of e
"""
CONFIRM_SQL: Final = """
update bank_entries set state = 'CONFIRMED', reference = $2, resolved_at = $3 where entry_id = $1 and state = 'UNMATCHED'
"""


async def kept_lines(
    connection: Connection, keyring: Keyring, entry_ids: Sequence[UUID], references: Sequence[str]
) -> Kept:
    """The lines that are kept of these ids, and all those of these orders."""
    rows = await connection.fetch(ENTRIES_SQL, list(entry_ids), list(references))
    return {row["entry_id"]: (read_entry(keyring, row), row) for row in rows}


def line_of(entry: BankEntry, row: asyncpg.Record) -> Line:
    return Line(entry, row["region"], confirmed=row["state"] == "CONFIRMED")


async def change(connection: Connection, row: asyncpg.Record, verdict: Verdict, now: datetime) -> None:
    """A line that is something else now than when it came: of two credits, one pays, and the other is nobody's."""
    if row["why"] == Why.RETURN_AFTER_SPENT:
        return
    if row["state"] in {"MATCHED", "UNMATCHED"} and (row["state"], row["why"]) != verdict:
        await connection.execute(CHANGE_SQL, row["entry_id"], verdict.state, verdict.why)
        if row["state"] == "UNMATCHED":
            await take_out(connection, row["entry_id"], now)
        if verdict.state == "UNMATCHED":
            await set_aside(connection, [(row["entry_id"], row["region"], row["amount_fen"])], now)


async def leave_confirmed(pool: asyncpg.Pool, keyring: Keyring) -> int:
    """Take off the list what finance has confirmed as an order's, and out of SUSPENSE; how many.

    Another credit of the same order, which paid until then, is nobody's from now on, and takes its place on the list.
    """
    now = datetime.now(UTC)
    async with transaction(pool) as connection:
        await connection.execute(ALONE_SQL)
        confirmed = {row["entry_id"]: row["reference"] for row in await connection.fetch(CONFIRMED_SQL)}
        for entry_id, reference in confirmed.items():
            await take_out(connection, entry_id, now)
            await connection.execute(CONFIRM_SQL, entry_id, reference, now)
        orders = await orders_of(connection, sorted(set(confirmed.values())))
        kept = await kept_lines(connection, keyring, [], list(orders))
        for reference, order in orders.items():
            rows = {entry: row for entry, row in kept.values() if row["reference"] == reference}
            verdicts = judged(order, [line_of(entry, row) for entry, row in rows.items()])
            for entry, row in rows.items():
                await change(connection, row, verdicts[entry], now)
    return len(confirmed)
