"""The auditor finds each kind of corruption that the database would have refused, and names the posting that broke it."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from activities.ledger import auditor as auditing
from activities.ledger.auditor import Auditor, open_auditor
from activities.ledger.invariants import Broken, Invariant
from tests.activities.desk import Desk, open_desk
from tests.cases import BALANCE_FEN
from tests.conftest import Database


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        yield desk


@pytest.fixture
async def corrupt(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection on which no trigger and no foreign key holds."""
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute("set session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
async def auditor(database: Database) -> AsyncIterator[Auditor]:
    async with open_auditor(database.owner_url, told=True) as auditor:
        yield auditor


async def _broken(auditor: Auditor) -> set[tuple[Invariant, int | None]]:
    return {(each.invariant, each.posting_id) for each in (await auditor.verify()).broken}


@pytest.mark.parametrize(
    "way", ["accepted", "form_delivered", "remittance_ordered", "remitted", "continued", "completed"]
)
async def test_nothing_is_broken_at_any_step_of_a_case(desk: Desk, auditor: Auditor, way: str) -> None:
    await getattr(desk, way)()
    snapshot = await auditor.verify()
    assert snapshot.broken == ()
    assert snapshot.cases == 1


BALANCE = str(BALANCE_FEN)
ONE_MORE_POSTING = """
with again as (insert into ledger_postings (transfer_id, seq, posted_at, reference)
               select transfer_id, seq, posted_at, reference from ledger_postings where posting_id = {posting}
               returning posting_id, transfer_id)
insert into ledger_entries (posting_id, line, account, region, scheme, transfer_id, amount_fen)
select again.posting_id, line, account, region, scheme, again.transfer_id, amount_fen
  from again, ledger_entries e where e.posting_id = {posting}
"""
# Of a completed case: 1 set aside, 2 sent, 3 arrived, 4 credited. What is done to it, and what the auditor must say of which posting.
CORRUPTIONS: list[tuple[str, str, Invariant, int | None]] = [
    ("an entry of another amount", "update ledger_entries set amount_fen = amount_fen + 1 where posting_id = 2 and line = 1",
     Invariant.SUMS_TO_ZERO, 2),
    ("an entry is gone", "delete from ledger_entries where posting_id = 3 and line = 2", Invariant.WHOLE, 3),
    ("both entries are gone", "delete from ledger_entries where posting_id = 3", Invariant.WHOLE, 3),
    ("an entry too many", """insert into ledger_entries (posting_id, line, lines, account, region, scheme, transfer_id, amount_fen)
      select posting_id, 3, 3, account, region, scheme, transfer_id, 7 from ledger_entries where posting_id = 1 and line = 1""",
     Invariant.WHOLE, 1),
    ("an entry of another transfer", "update ledger_entries set transfer_id = gen_random_uuid() where posting_id = 4 and line = 1",
     Invariant.WHOLE, 4),
    ("an entry whose posting is gone", "delete from ledger_postings where posting_id = 2", Invariant.WHOLE, 2),
    ("a posting of no event", "update ledger_postings set seq = 99 where posting_id = 3", Invariant.OF_AN_EVENT, 3),
    ("a posting is gone", "delete from ledger_entries where posting_id = 4; delete from ledger_postings where posting_id = 4",
     Invariant.EVENT_IS_BOOKED, None),
    ("both entries turned", "update ledger_entries set amount_fen = -amount_fen where posting_id = 2", Invariant.NOT_NEGATIVE, 2),
    ("sent with one fen less", "update ledger_entries set amount_fen = amount_fen - sign(amount_fen)::int where posting_id = 2",
     Invariant.IN_TRANSIT_AGREES, 2),
    ("set aside with one fen more", "update ledger_entries set amount_fen = amount_fen + sign(amount_fen)::int where posting_id = 1",
     Invariant.FROZEN_AGREES, 1),
    ("arrived with one fen more", "update ledger_entries set amount_fen = amount_fen + sign(amount_fen)::int where posting_id = 3",
     Invariant.RECEIVED_AGREES, 3),
    ("credited with one fen less", "update ledger_entries set amount_fen = amount_fen - sign(amount_fen)::int where posting_id = 4",
     Invariant.PERSONAL_ACCOUNTS_AGREE, 4),
    ("credited twice", ONE_MORE_POSTING.format(posting=4), Invariant.CREDITED_ONCE, 5),
    ("credited for no order", "update ledger_postings set reference = 'another' where posting_id = 4", Invariant.CREDITED_ONCE, 4),
    ("credited by a posting that undoes nothing", "update ledger_postings set reverses = 3 where posting_id = 4",
     Invariant.REVERSES_WHAT_IT_NAMES, 4),
    ("set aside twice", ONE_MORE_POSTING.format(posting=1), Invariant.COMPLETED_AT_AN_END, 5),
    ("an order of another amount", "update remittances set amount_fen = amount_fen + 1", Invariant.ORDERS_AGREE, None),
    ("an order that the case does not have", """insert into remittances (reference, transfer_id, kind, amount_fen, status, ordered_at, ordered_by)
      select 'another', transfer_id, 'REVERSE', 5, 'CREDITED', ordered_at, ordered_by from remittances""", Invariant.ORDERS_AGREE, None),
    ("a register with money set aside", "update enrolments set frozen_fen = 5 where region = '110000'", Invariant.REGISTER_AGREES, 2),
    ("completed before the money is there", "update transfers set state = jsonb_set(state, '{funds_status}', '\"REMITTED\"')",
     Invariant.COMPLETED_AT_AN_END, None),
    ("a case that nobody can read", "update transfers set state = '{}'", Invariant.CASE_READABLE, None),
]  # fmt: skip


@pytest.mark.parametrize(("corruption", "invariant", "posting_id"), [row[1:] for row in CORRUPTIONS], ids=[row[0] for row in CORRUPTIONS])  # fmt: skip
async def test_each_corruption_is_found_and_its_posting_named(
    desk: Desk,
    corrupt: asyncpg.Connection,
    auditor: Auditor,
    corruption: str,
    invariant: Invariant,
    posting_id: int | None,
) -> None:
    await desk.completed()
    assert (await auditor.verify()).broken == ()
    await corrupt.execute(corruption)
    # Nothing told of it: the round comes by.
    found = [each for each in (await auditor.verify()).broken if each.invariant is invariant]
    assert [each.posting_id for each in found][:1] == [posting_id]
    assert all(each.transfer_no in {desk.transfer.transfer_no, None} for each in found)


async def test_every_invariant_of_the_list_has_a_corruption_that_breaks_it() -> None:
    assert {invariant for *_, invariant, _ in CORRUPTIONS} | BROKEN_ELSEWHERE == set(Invariant)


# Below, by cases that are paid out or returned.
BROKEN_ELSEWHERE = {Invariant.PAID_OUT_AGREES, Invariant.RETURNED_AGREES}


@pytest.mark.parametrize(
    ("account", "invariant"), [("PAID_OUT", Invariant.PAID_OUT_AGREES), ("RETURNED", Invariant.RETURNED_AGREES), ("FROZEN", Invariant.FROZEN_AGREES)]
)  # fmt: skip
async def test_money_that_no_order_of_the_case_explains_is_found(
    desk: Desk, corrupt: asyncpg.Connection, auditor: Auditor, account: str, invariant: Invariant
) -> None:
    await desk.form_delivered()
    await auditor.verify()
    await corrupt.execute("set session_replication_role = origin")
    # Sums to zero and overdraws nothing: the database has no reason to refuse it.
    await corrupt.execute(
        """with posting as (insert into ledger_postings (transfer_id, seq, posted_at)
                    select transfer_id, 3, now() from transfers returning posting_id, transfer_id)
           insert into ledger_entries (posting_id, line, account, region, scheme, transfer_id, amount_fen)
           select posting_id, line, account, '110000', 'EMPLOYEE', transfer_id, amount_fen
             from posting, (values (1, 'PERSONAL_ACCOUNTS', -5), (2, $1, 5)) as e (line, account, amount_fen)""",
        account,
    )
    held = BALANCE_FEN if account == "FROZEN" else 0
    says = f"{account} at 110000 holds {held + 5} fen, the case says {held}"
    broken = [each for each in (await auditor.verify()).broken if each.invariant is invariant]
    assert [(each.posting_id, each.says) for each in broken] == [(2, says)]


async def test_money_without_a_case_is_verified_too(desk: Desk, corrupt: asyncpg.Connection, auditor: Auditor) -> None:
    await desk.accepted()
    await auditor.verify()
    await corrupt.execute(
        """insert into ledger_postings (reference, posted_at) values ('B-9', now()), ('B-8', now());
           insert into ledger_entries (posting_id, line, account, region, scheme, unmatched, amount_fen) values
             (1, 1, 'CLEARING', '310000', 'EMPLOYEE', 'B-9', 5), (1, 2, 'SUSPENSE', '310000', 'EMPLOYEE', 'B-9', -5),
             (2, 1, 'CLEARING', '310000', 'EMPLOYEE', 'B-8', -5), (2, 2, 'SUSPENSE', '310000', 'EMPLOYEE', 'B-8', 4)"""
    )
    assert list((await auditor.verify()).broken) == [
        Broken(Invariant.SUMS_TO_ZERO, 2, None, "it sums to -1 fen"),
        Broken(Invariant.NOT_NEGATIVE, 1, None, "account SUSPENSE of unmatched B-9 at 310000 holds -5 fen"),
    ]


async def test_a_posting_that_commits_after_later_ones_is_seen_by_its_own_commit(
    database: Database, desk: Desk, corrupt: asyncpg.Connection, auditor: Auditor
) -> None:
    await desk.accepted()
    await auditor.verify()
    slow = await asyncpg.connect(database.owner_url)
    await slow.execute("set session_replication_role = replica")
    transaction = slow.transaction()
    await transaction.start()
    one = "insert into ledger_postings (reference, posted_at, lines) values ($1, now(), 2)"
    await slow.execute(one, "slow")
    for number in range(5):
        await corrupt.execute(one, f"quick {number}")
        # The first id is still open: none of these snapshots may pass over it.
        assert await _broken(auditor) == {(Invariant.WHOLE, number + 2)}
    await transaction.commit()
    assert await _broken(auditor) == {(Invariant.WHOLE, 1)}
    # Seen once, it is not new any more.
    assert await _broken(auditor) == set()
    await slow.close()


async def test_a_case_that_tells_of_an_event_is_verified_at_once_however_many_there_are(
    desk: Desk, corrupt: asyncpg.Connection, auditor: Auditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.remitted()
    await auditor.verify()
    # No round: it looks at what it is told of alone.
    monkeypatch.setattr(auditing, "ROUND_CASES", 0)
    while (await auditor.verify()).cases:
        await asyncio.sleep(0.05)
    await corrupt.execute("update remittances set status = 'CREDITED'")
    assert (await auditor.verify()).broken == ()
    await corrupt.execute("select pg_notify('transfer_events', transfer_id || ':9') from transfers")
    await _told(auditor)
    assert await _broken(auditor) == {(Invariant.ORDERS_AGREE, None)}


async def _told(auditor: Auditor) -> None:
    async with asyncio.timeout(10):
        while not auditor.told:
            await asyncio.sleep(0.01)
