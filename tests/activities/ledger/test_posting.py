"""Double entry that the database itself keeps: whatever is posted sums to zero, and no transfer's account is overdrawn."""

import asyncio
from collections import Counter
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.ledger.accounts import Account, AccountName
from activities.ledger.posting import post
from tests.activities.desk import MONDAY, open_desk
from tests.cases import BEIJING, SHANGHAI_POOL
from tests.conftest import Database
from workflows.vocabulary import InsuranceScheme

EMPLOYEE = InsuranceScheme.EMPLOYEE
NAMES: tuple[AccountName, ...] = ("PERSONAL_ACCOUNTS", "FROZEN", "IN_TRANSIT", "RECEIVED")
ACCOUNTS = [Account(name, region, EMPLOYEE) for name in NAMES for region in (BEIJING, SHANGHAI_POOL)]
Posting = tuple[Account, Account, int]
POSTINGS = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS), st.integers(1, 5))


async def _post_all(connection: asyncpg.Connection, transfer_id: UUID, postings: list[Posting]) -> None:
    """Post each in a transaction of its own, as steps do; the database refuses exactly those that overdraw an account."""
    balances: Counter[Account] = Counter()
    for source, target, amount_fen in postings:
        after = balances.copy()
        after[source] -= amount_fen
        after[target] += amount_fen
        overdrawn = any(fen < 0 for account, fen in after.items() if account.name != "PERSONAL_ACCOUNTS")
        savepoint = connection.transaction()
        await savepoint.start()
        try:
            await post(connection, transfer_id, seq=1, amount_fen=amount_fen, source=source, target=target, at=MONDAY)
            # What a commit does.
            await connection.execute("set constraints all immediate")
            await connection.execute("set constraints all deferred")
        except asyncpg.CheckViolationError:
            await savepoint.rollback()
            assert overdrawn, f"{source} → {target} {amount_fen} was refused"
        else:
            await savepoint.commit()
            assert not overdrawn, f"{source} → {target} {amount_fen} was taken"
            balances = after
    rows = await connection.fetch(
        "select account, region, sum(amount_fen)::bigint as fen from ledger_entries group by 1, 2 having sum(amount_fen) <> 0"
    )
    kept = {Account(row["account"], row["region"], EMPLOYEE): row["fen"] for row in rows}
    assert kept == {account: fen for account, fen in balances.items() if fen}
    assert sum(kept.values()) == 0


async def test_any_sequence_of_postings_sums_to_zero_and_overdraws_no_account(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        connection = await asyncpg.connect(database.worker_url)
        loop = asyncio.get_running_loop()

        async def example(postings: list[Posting]) -> None:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await _post_all(connection, desk.transfer.transfer_id, postings)
            finally:
                await transaction.rollback()

        @settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(POSTINGS, max_size=8))
        def any_sequence(postings: list[Posting]) -> None:
            asyncio.run_coroutine_threadsafe(example(postings), loop).result(30)

        await asyncio.to_thread(any_sequence)
        await connection.close()


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        ([("FROZEN", 5)], "does not sum to zero: 5 fen"),
        ([("FROZEN", 5), ("PERSONAL_ACCOUNTS", -4)], "does not sum to zero: 1 fen"),
        ([], "does not sum to zero: 0 fen"),
        ([("PERSONAL_ACCOUNTS", 0), ("FROZEN", 0)], "amount_fen_check"),
        ([("FROZEN", -5), ("PERSONAL_ACCOUNTS", 5)], "would be negative: -5 fen"),
        ([("POCKET", 5), ("PERSONAL_ACCOUNTS", -5)], "account_check"),
    ],
)
async def test_a_posting_that_is_not_whole_is_refused_at_commit(
    database: Database, entries: list[tuple[str, int]], refusal: str
) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        connection = await asyncpg.connect(database.worker_url)
        with pytest.raises(asyncpg.CheckViolationError, match=refusal):
            await _post_by_hand(connection, desk.transfer.transfer_id, entries)
        assert await connection.fetchval("select count(*) from ledger_postings") == 0
        await connection.close()


async def test_an_entry_added_to_an_old_posting_is_refused(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        posting_id = await desk.db.fetchval("select posting_id from ledger_postings")
        with pytest.raises(asyncpg.CheckViolationError, match="ledger_entries_line_check"):
            await desk.cases.worker_pool.execute(
                "insert into ledger_entries values ($1, 3, 'FROZEN', '110000', 'EMPLOYEE', $2, 7)",
                posting_id, desk.transfer.transfer_id,
            )  # fmt: skip
        assert await desk.db.fetchval("select count(*) from ledger_entries") == 2


async def _post_by_hand(connection: asyncpg.Connection, transfer_id: UUID, entries: list[tuple[str, int]]) -> None:
    async with connection.transaction():
        posting_id = await connection.fetchval(
            "insert into ledger_postings (transfer_id, seq, posted_at) values ($1, 1, $2) returning posting_id",
            transfer_id, MONDAY,
        )  # fmt: skip
        for line, (account, amount_fen) in enumerate(entries, 1):
            await connection.execute(
                "insert into ledger_entries values ($1, $2, $3, '110000', 'EMPLOYEE', $4, $5)",
                posting_id, line, account, transfer_id, amount_fen,
            )  # fmt: skip
