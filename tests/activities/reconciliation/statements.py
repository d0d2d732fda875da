"""What a bank says of an agency's account, put where its messages are kept; and a run over it."""

from datetime import date

from activities.reconciliation.keeping import Run, reconcile
from activities.reconciliation.lines import BankDirection
from tests.activities.desk import Desk

SINCE = date(2026, 1, 1)


async def bank_says(
    desk: Desk, direction: BankDirection, region: str, amount_fen: int, on: date, payment: str | None, entry: str
) -> None:
    """An entry on the account of the region's agency; one whose reference is an order's is matched to it."""
    await desk.db.execute(
        """insert into bank_entries (entry_id, entry_reference, account, direction, kind, region, amount_fen, end_to_end_id,
                                     reference, booked_on, value_on, words_key, words_sealed, state)
           select gen_random_uuid(), $1, 'account of ' || $2, case $3 when 'DEBIT' then 'DBIT' else 'CRDT' end, $3, $2, $4, $5,
                  (select reference from remittances where reference = split_part($5, '/', 1)), $6, $6, 'k', 'x', 'MATCHED'""",
        entry, region, direction, amount_fen, payment, on,
    )  # fmt: skip


async def run(desk: Desk, until: date, *, since: date = SINCE, started_by: str = "finance-1") -> Run:
    pool = desk.cases.worker_pool
    async with pool.acquire() as reader, pool.acquire() as keeper, keeper.transaction():
        return await reconcile(reader, keeper, since=since, until=until, why="ON_DEMAND", started_by=started_by)
