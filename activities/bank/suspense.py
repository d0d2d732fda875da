"""Money that came and belongs to nobody yet, in the ledger: from the world outside into SUSPENSE of the agency that has it.

It leaves by the reversing entry: because an order takes it as its own, or because it went home. What came beyond an order was
booked with it and leaves by a posting of its own, for what came with the order stays as it was.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from activities.database import Connection
from activities.ledger.accounts import Account, Entry
from activities.ledger.posting import post, reverse
from workflows.vocabulary import InsuranceScheme

# Only the employee scheme keeps personal accounts: money without a case stands under it.
SCHEME = InsuranceScheme.EMPLOYEE
POSTING_SQL = """
select posting_id from ledger_postings p
 where reference = $1 and transfer_id is null and reverses is null
   and not exists (select from ledger_postings undone where undone.reverses = p.posting_id)
 order by posting_id desc limit 1
"""
HELD_SQL = """
select region, scheme, sum(amount_fen)::bigint as fen from ledger_entries
 where unmatched = $1 and account = 'SUSPENSE' group by region, scheme having sum(amount_fen) > 0
"""


async def set_aside(connection: Connection, entries: Iterable[tuple[UUID, str, int]], at: datetime) -> None:
    """Book each: the bank's entry, the region whose account it is on, the amount in fen."""
    for entry_id, region, amount_fen in entries:
        name = str(entry_id)
        booked = (
            Entry(Account("CLEARING", region, SCHEME), -amount_fen, name),
            Entry(Account("SUSPENSE", region, SCHEME), amount_fen, name),
        )
        await post(connection, None, seq=None, at=at, entries=booked, reference=name)


async def take_out(connection: Connection, entry_id: UUID, at: datetime) -> None:
    """Undo what `set_aside` booked, or the excess of an order; nothing when it is not set aside."""
    name = str(entry_id)
    posting_id = await connection.fetchval(POSTING_SQL, name)
    if posting_id is not None:
        await reverse(connection, posting_id, seq=None, at=at)
        return
    for row in await connection.fetch(HELD_SQL, name):
        side = (row["region"], InsuranceScheme(row["scheme"]))
        left = (
            Entry(Account("SUSPENSE", *side), -row["fen"], name),
            Entry(Account("CLEARING", *side), row["fen"], name),
        )
        await post(connection, None, seq=None, at=at, entries=left, reference=name)
