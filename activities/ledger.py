"""Double entry in whole fen. A posting moves an amount between two accounts; nothing is ever changed or deleted.

Accounts of one transfer hold what it set aside (FROZEN), sent (IN_TRANSIT), received (RECEIVED) and paid to the person's
own bank account (PAID_OUT), and are never negative. PERSONAL_ACCOUNTS of a region and scheme is what that agency owes its insured, derived over all transfers.
The database refuses a posting that does not sum to zero.
"""

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from activities.database import Connection
from workflows.vocabulary import InsuranceScheme

AccountName = Literal["PERSONAL_ACCOUNTS", "FROZEN", "IN_TRANSIT", "RECEIVED", "PAID_OUT"]


class Account(NamedTuple):
    name: AccountName
    region: str
    scheme: InsuranceScheme


async def post(
    connection: Connection,
    transfer_id: UUID,
    *,
    seq: int,
    amount_fen: int,
    source: Account,
    target: Account,
    at: datetime,
) -> None:
    """Move `amount_fen` from `source` to `target` for the transfer's event `seq`.

    Raises `asyncpg.CheckViolationError` at commit when an account of the transfer would go below zero.
    """
    await connection.execute(
        """with posting as (
               insert into ledger_postings (transfer_id, seq, posted_at) values ($1, $2, $3) returning posting_id)
           insert into ledger_entries (posting_id, line, account, region, scheme, transfer_id, amount_fen)
           select posting_id, line, account, region, scheme, $1, amount_fen
             from posting, (values (1, $4, $5, $6, -$10::bigint), (2, $7, $8, $9, $10::bigint))
                  as entry (line, account, region, scheme, amount_fen)""",
        transfer_id, seq, at, *source, *target, amount_fen,
    )  # fmt: skip
