"""Writing to the ledger: a posting is two or more entries that sum to zero; nothing is ever changed or deleted."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import overload
from uuid import UUID

from activities.database import Connection
from activities.ledger.accounts import Account, Entry
from activities.ledger.orders import OrderMark, set_order

POST_SQL = """
with posting as (
    insert into ledger_postings (transfer_id, seq, posted_at, reference, lines) values ($1, $2, $3, $4, $5) returning posting_id),
entries as (
    insert into ledger_entries (posting_id, line, lines, account, region, scheme, amount_fen, unmatched, transfer_id)
    select posting_id, line, $5, account, region, scheme, amount_fen, unmatched, case when unmatched is null then $1 end
      from posting, (values {entries}) as entry (line, account, region, scheme, amount_fen, unmatched)){marked}
select posting_id from posting
"""

# What the posting makes of its order, in the same statement.
MARKED_SQL = """,
marked as (update remittances set {set_order} where reference = $4)"""

REVERSE_SQL = """
with posting as (
    insert into ledger_postings (transfer_id, seq, posted_at, reference, lines, reverses)
    select transfer_id, $2, $3, reference, lines, posting_id from ledger_postings where posting_id = $1
    returning posting_id),
entries as (
    insert into ledger_entries (posting_id, line, lines, account, region, scheme, amount_fen, unmatched, transfer_id)
    select posting.posting_id, line, lines, account, region, scheme, -amount_fen, unmatched, transfer_id
      from posting, ledger_entries wrong where wrong.posting_id = $1)
select posting_id from posting
"""


@overload
async def post(
    connection: Connection,
    transfer_id: UUID | None,
    *,
    seq: int | None,
    at: datetime,
    entries: Sequence[Entry],
    reference: str | None = None,
    marked: OrderMark | None = None,
) -> int: ...


@overload
async def post(
    connection: Connection,
    transfer_id: UUID | None,
    *,
    seq: int | None,
    at: datetime,
    amount_fen: int,
    source: Account,
    target: Account,
    reference: str | None = None,
) -> int: ...


async def post(
    connection: Connection,
    transfer_id: UUID | None,
    *,
    seq: int | None,
    at: datetime,
    entries: Sequence[Entry] = (),
    amount_fen: int = 0,
    source: Account | None = None,
    target: Account | None = None,
    reference: str | None = None,
    marked: OrderMark | None = None,
) -> int:
    """Write `entries` for the transfer's event `seq`, or move `amount_fen` from `source` to `target`; the posting's id.

    `reference` is the order of money that the posting belongs to, which is `marked` as it is written. Without a transfer there is no event either (`seq` is
    None), `reference` is the bank's id of the money and every entry is `unmatched`.

    Raises `asyncpg.CheckViolationError` at commit when the entries do not sum to zero or an account that may not would
    be below zero.
    """
    if source is not None and target is not None:
        entries = (Entry(source, -amount_fen), Entry(target, amount_fen))
    values = [value for entry in entries for value in (*entry.account, entry.amount_fen, entry.unmatched)]
    posting_id: int = await connection.fetchval(
        _post_sql(len(entries), marks=marked is not None),
        *(transfer_id, seq, at, reference, len(entries), *values, *(marked or ())),
    )
    return posting_id


@cache
def _post_sql(lines: int, *, marks: bool) -> str:
    """The statement for so many entries: plain values cost PostgreSQL less than arrays."""
    places = [[f"${5 * line + number}" for number in range(1, 6)] for line in range(1, lines + 1)]
    entries = (
        f"({line}, {account}, {region}, {scheme}, {amount_fen}::bigint, {unmatched}::text)"
        for line, (account, region, scheme, amount_fen, unmatched) in enumerate(places, 1)
    )
    marked = MARKED_SQL.format(set_order=set_order(6 + 5 * lines)) if marks else ""
    return POST_SQL.format(entries=", ".join(entries), marked=marked)


async def reverse(connection: Connection, posting_id: int, *, seq: int | None, at: datetime) -> int:
    """Undo the posting by one with every entry's sign turned; the new posting's id. A posting is reversed once.

    `seq` is the event that corrects, of the same transfer. Raises LookupError when there is no such posting,
    `asyncpg.UniqueViolationError` when it was reversed before, and `asyncpg.CheckViolationError` at commit when it is itself a
    reversal, or when what it brought has been spent.
    """
    reversal: int | None = await connection.fetchval(REVERSE_SQL, posting_id, seq, at)
    if reversal is None:
        raise LookupError(f"there is no posting {posting_id}")
    return reversal
