"""Double entry that the database itself keeps: whatever is posted sums to zero, and no transfer's account is overdrawn."""

import asyncio
import uuid
from uuid import UUID

import asyncpg
import pytest

from activities.ledger.accounts import Account, AccountName, Entry
from activities.ledger.posting import post, reverse
from tests.activities.desk import MONDAY, TUESDAY, changed, open_desk, snapshot
from tests.cases import BALANCE_FEN, BEIJING
from tests.conftest import Database
from workflows.vocabulary import InsuranceScheme

EMPLOYEE = InsuranceScheme.EMPLOYEE


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        ([("FROZEN", 5)], "does not sum to zero: 5 fen"),
        ([("FROZEN", 5), ("PERSONAL_ACCOUNTS", -4)], "does not sum to zero: 1 fen"),
        ([], "does not sum to zero: 0 fen"),
        ([("PERSONAL_ACCOUNTS", 0), ("FROZEN", 0)], "amount_fen_check"),
        ([("FROZEN", -5), ("PERSONAL_ACCOUNTS", 5)], "would be negative: -5 fen"),
        ([("POCKET", 5), ("PERSONAL_ACCOUNTS", -5)], "account_check"),
        ([("FROZEN", 5), ("PERSONAL_ACCOUNTS", -4), ("PERSONAL_ACCOUNTS", -1)], "line_check"),
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
        assert await connection.fetchval("select count(*) from ledger_entries") == 0
        await connection.close()


LATE_ENTRY = """
insert into ledger_entries (posting_id, line, lines, account, region, scheme, transfer_id, amount_fen)
select posting_id, $1, $2, account, region, scheme, transfer_id, amount_fen from ledger_entries where posting_id = 1 and line = 1
"""


@pytest.mark.parametrize(
    ("line", "lines", "refusal"),
    [
        (3, 2, asyncpg.CheckViolationError),
        (3, 3, asyncpg.ForeignKeyViolationError),
        (2, 2, asyncpg.UniqueViolationError),
        (0, 2, asyncpg.CheckViolationError),
    ],
)
async def test_there_is_no_room_for_an_entry_in_an_old_posting(
    database: Database, line: int, lines: int, refusal: type[asyncpg.PostgresError]
) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        before = await snapshot(desk.db)
        # The owner too.
        for connection in (desk.cases.worker_pool, desk.db):
            with pytest.raises(refusal):
                await connection.execute(LATE_ENTRY, line, lines)
        assert changed(before, await snapshot(desk.db)) == set()


async def test_an_entry_in_the_same_transaction_after_the_check_finds_no_room_either(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        before = await snapshot(desk.db)
        connection = await asyncpg.connect(database.worker_url)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await _late_in_its_own_transaction(connection, desk.transfer.transfer_id)
        await connection.close()
        assert changed(before, await snapshot(desk.db)) == set()


async def _late_in_its_own_transaction(connection: asyncpg.Connection, transfer_id: UUID) -> None:
    async with connection.transaction():
        posting_id = await _post(connection, transfer_id, ("PERSONAL_ACCOUNTS", -5), ("FROZEN", 5))
        await connection.execute("set constraints all immediate")
        await connection.execute(LATE_ENTRY.replace("posting_id = 1", f"posting_id = {posting_id}"), 3, 3)


async def test_a_posting_has_as_many_entries_as_its_money_needs(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        transfer_id = desk.transfer.transfer_id
        outside, apart = Account("CLEARING", BEIJING, EMPLOYEE), Account("SUSPENSE", BEIJING, EMPLOYEE)
        frozen, returned = Account("FROZEN", BEIJING, EMPLOYEE), Account("RETURNED", BEIJING, EMPLOYEE)
        entries = [
            Entry(frozen, -9),
            Entry(returned, 4),
            Entry(apart, 5),
            Entry(outside, -3, "B-7"),
            Entry(apart, 3, "B-7"),
        ]
        async with desk.cases.worker_pool.acquire() as connection, connection.transaction():
            posting_id = await post(connection, transfer_id, seq=5, at=TUESDAY, entries=entries, reference="order")
        rows = await desk.db.fetch(
            "select line, lines, account, amount_fen, unmatched, transfer_id from ledger_entries where posting_id = $1 order by 1",
            posting_id,
        )
        assert [tuple(row) for row in rows] == [
            (1, 5, "FROZEN", -9, None, transfer_id),
            (2, 5, "RETURNED", 4, None, transfer_id),
            (3, 5, "SUSPENSE", 5, None, transfer_id),
            (4, 5, "CLEARING", -3, "B-7", None),
            (5, 5, "SUSPENSE", 3, "B-7", None),
        ]


async def test_money_without_a_case_is_its_own_and_never_below_zero(database: Database) -> None:
    async with open_desk(database) as desk:
        connection = await asyncpg.connect(database.worker_url)
        outside, apart = Account("CLEARING", BEIJING, EMPLOYEE), Account("SUSPENSE", BEIJING, EMPLOYEE)
        await post(connection, None, seq=None, at=MONDAY, reference="B-1",
                   entries=[Entry(outside, -8, "B-1"), Entry(apart, 8, "B-1")])  # fmt: skip
        await post(connection, None, seq=None, at=MONDAY, reference="B-2",
                   entries=[Entry(outside, -5, "B-2"), Entry(apart, 5, "B-2")])  # fmt: skip
        before = await snapshot(desk.db)
        # There are 13 fen in the account, of which 5 are this money's.
        with pytest.raises(asyncpg.CheckViolationError, match="SUSPENSE of unmatched B-2 would be negative: -1 fen"):
            await post(connection, None, seq=None, at=MONDAY, reference="B-2",
                       entries=[Entry(apart, -6, "B-2"), Entry(outside, 6, "B-2")])  # fmt: skip
        with pytest.raises(asyncpg.CheckViolationError, match="ledger_entries_owner_check"):
            await post(
                connection, None, seq=None, at=MONDAY, reference="B-2", source=apart, target=outside, amount_fen=1
            )
        with pytest.raises(asyncpg.CheckViolationError, match="ledger_postings_of_an_event_or_of_money"):
            await post(
                connection, None, seq=None, at=MONDAY, entries=[Entry(apart, -1, "B-2"), Entry(outside, 1, "B-2")]
            )
        await connection.close()
        assert changed(before, await snapshot(desk.db)) == set()


async def test_a_correction_is_the_posting_turned_and_names_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        async with desk.cases.worker_pool.acquire() as connection, connection.transaction():
            reversal = await reverse(connection, 1, seq=5, at=TUESDAY)
        row = await desk.row(
            "select transfer_id, seq, posted_at, lines, reverses from ledger_postings where posting_id = $1", reversal
        )
        assert tuple(row) == (desk.transfer.transfer_id, 5, TUESDAY, 2, 1)
        rows = await desk.db.fetch(
            "select account, amount_fen from ledger_entries where posting_id = $1 order by line", reversal
        )
        assert [tuple(row) for row in rows] == [("PERSONAL_ACCOUNTS", BALANCE_FEN), ("FROZEN", -BALANCE_FEN)]
        assert await desk.balances() == {}
        before = await snapshot(desk.db)
        worker = await asyncpg.connect(database.worker_url)
        with pytest.raises(asyncpg.UniqueViolationError, match="ledger_postings_reverses"):
            await reverse(worker, 1, seq=5, at=TUESDAY)
        with pytest.raises(asyncpg.CheckViolationError, match=f"does not reverse posting {reversal}"):
            await reverse(worker, reversal, seq=5, at=TUESDAY)
        with pytest.raises(LookupError, match="there is no posting 99"):
            await reverse(worker, 99, seq=5, at=TUESDAY)
        await worker.close()
        assert changed(before, await snapshot(desk.db)) == set()


async def test_what_was_spent_cannot_be_taken_back_and_a_correction_is_of_the_whole(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.remitted()
        before = await snapshot(desk.db)
        connection = await asyncpg.connect(database.worker_url)
        with pytest.raises(
            asyncpg.CheckViolationError, match=f"FROZEN of transfer .* would be negative: -{BALANCE_FEN} fen"
        ):
            await reverse(connection, 1, seq=5, at=TUESDAY)
        # Half a posting is not undone by half a posting.
        with pytest.raises(asyncpg.CheckViolationError, match="does not reverse posting 2"):
            await _half_a_reversal(connection)
        await connection.close()
        assert changed(before, await snapshot(desk.db)) == set()


async def _half_a_reversal(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        posting_id = await connection.fetchval(
            """insert into ledger_postings (transfer_id, seq, posted_at, reverses)
               select transfer_id, seq, posted_at, 2 from ledger_postings where posting_id = 2 returning posting_id"""
        )
        await connection.execute(
            """insert into ledger_entries (posting_id, line, account, region, scheme, transfer_id, amount_fen)
               select $1, line, account, region, scheme, transfer_id, -sign(amount_fen)::int from ledger_entries where posting_id = 2""",
            posting_id,
        )


async def test_an_entry_of_another_transfer_is_refused(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        before = await snapshot(desk.db)
        connection = await asyncpg.connect(database.worker_url)
        with pytest.raises(asyncpg.CheckViolationError, match="has an entry of another transfer"):
            await _post_by_hand(connection, desk.transfer.transfer_id, [("FROZEN", 5), ("FROZEN", -5)], of=uuid.uuid4())
        await connection.close()
        assert changed(before, await snapshot(desk.db)) == set()


async def test_two_that_draw_on_one_account_at_once_do_not_overdraw_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        both = [await asyncpg.connect(database.worker_url) for _ in range(2)]
        taken: list[tuple[AccountName, int]] = [("FROZEN", -BALANCE_FEN), ("IN_TRANSIT", BALANCE_FEN)]
        transactions = [connection.transaction() for connection in both]
        for connection, transaction in zip(both, transactions, strict=True):
            await transaction.start()
            # Neither locks the transfer, as steps do: the ledger by itself must hold.
            await _post(connection, desk.transfer.transfer_id, *taken)
        # The first is checked and not committed; the second's check must wait for it.
        await both[0].execute("set constraints all immediate")
        second = asyncio.create_task(transactions[1].commit())
        await asyncio.sleep(0.3)
        assert not second.done()
        await transactions[0].commit()
        with pytest.raises(asyncpg.CheckViolationError, match=f"would be negative: -{BALANCE_FEN} fen"):
            await second
        assert await desk.balances() == {
            ("IN_TRANSIT", BEIJING): BALANCE_FEN,
            ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
        }
        for connection in both:
            await connection.close()


async def _post(connection: asyncpg.Connection, transfer_id: UUID, *moves: tuple[AccountName, int]) -> int:
    entries = [Entry(Account(name, BEIJING, EMPLOYEE), fen) for name, fen in moves]
    return await post(connection, transfer_id, seq=1, at=MONDAY, entries=entries)


async def _post_by_hand(
    connection: asyncpg.Connection, transfer_id: UUID, entries: list[tuple[str, int]], *, of: UUID | None = None
) -> None:
    async with connection.transaction():
        posting_id = await connection.fetchval(
            "insert into ledger_postings (transfer_id, seq, posted_at) values ($1, 1, $2) returning posting_id",
            transfer_id, MONDAY,
        )  # fmt: skip
        for line, (account, amount_fen) in enumerate(entries, 1):
            await connection.execute(
                "insert into ledger_entries values ($1, $2, $3, '110000', 'EMPLOYEE', $4, $5)",
                posting_id, line, account, of or transfer_id, amount_fen,
            )  # fmt: skip
