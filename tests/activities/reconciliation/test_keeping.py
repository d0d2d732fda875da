"""Runs over real cases: what is in order, what is found, and how long it stays."""

import asyncio
from datetime import UTC, date, datetime

import asyncpg
import pytest

from activities.database import open_pool
from activities.migrate import migrations
from activities.reconciliation.daily import day_to_reconcile, reconcile_daily
from activities.reconciliation.keeping import RUN_SQL, NotOpenError, clear, first_day, open_differences
from activities.reconciliation.kinds import DifferenceKind as Kind
from activities.reconciliation.kinds import Party
from activities.reconciliation.lines import BankDirection
from activities.reconciliation.sources import Page, pages
from tests.activities.desk import RECEIPT, THURSDAY, Desk, changed, open_desk, snapshot
from tests.activities.reconciliation.statements import SINCE, bank_says, run
from tests.cases import BALANCE_FEN, BEIJING, R_FINANCE, SHANGHAI_POOL
from tests.conftest import Database

DEBIT, CREDIT, RETURN = BankDirection
ORDERED_ON, CREDITED_ON, UNTIL = date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 20)
TABLES = ("register_movements", "reconciliation_runs", "reconciliation_differences", "reconciliation_clearings")


async def _reference(desk: Desk) -> str:
    return str(await desk.db.fetchval("select reference from remittances"))


async def _debited(desk: Desk, *, entry: str = "D-1") -> None:
    await bank_says(desk, DEBIT, BEIJING, BALANCE_FEN, ORDERED_ON, await _reference(desk), entry)


async def _credited(desk: Desk, *, entry: str = "C-1") -> None:
    await bank_says(desk, CREDIT, SHANGHAI_POOL, BALANCE_FEN, CREDITED_ON, await _reference(desk), entry)


async def _open(desk: Desk) -> list[tuple[Kind, Party, str | None, int, int]]:
    return [
        (each.kind, each.party, each.region, each.expected_fen, each.found_fen)
        for each in await open_differences(desk.db)
    ]


async def test_a_case_that_is_in_order_gives_nothing_and_every_line_of_it_was_looked_at(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        await _debited(desk)
        await _credited(desk)
        done = await run(desk, UNTIL)
        # Ordered, remitted, received, received no more, credited.
        assert (done.ledger_lines, done.bank_lines, done.register_lines) == (5, 2, 2)
        assert (done.found, done.new, done.gone) == (0, 0, 0)
        kept = await desk.row("select * from reconciliation_runs")
        assert {name: kept[name] for name in done.model_dump()} == done.model_dump()


async def test_the_registers_keep_for_which_order_they_moved(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        rows = await desk.db.fetch(
            "select reference, region, scheme, direction, amount_fen, moved_on from register_movements order by movement_id"
        )
        reference = await _reference(desk)
        assert [tuple(row) for row in rows] == [
            (reference, BEIJING, "EMPLOYEE", "OUT", BALANCE_FEN, ORDERED_ON),
            (reference, SHANGHAI_POOL, "EMPLOYEE", "IN", BALANCE_FEN, CREDITED_ON),
        ]
        assert (await desk.enrolment(BEIJING))["frozen_fen"] == 0
        assert (await desk.enrolment(SHANGHAI_POOL))["personal_account_fen"] == 10_000 + BALANCE_FEN


async def test_what_was_moved_before_there_was_a_table_for_it_is_read_from_the_ledger(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        (sql,) = (sql for name, sql in migrations() if name.startswith("0011"))
        statement = sql[sql.index("insert into register_movements") :].partition(";")[0]
        before = await desk.db.fetch("select * from register_movements order by movement_id")
        await desk.db.execute(statement)
        after = await desk.db.fetch("select * from register_movements order by movement_id")
        assert [tuple(row)[1:] for row in after] == 2 * [tuple(row)[1:] for row in before]


async def test_money_that_the_bank_says_nothing_of_is_found(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        # From these on the bank tells us of both accounts.
        await bank_says(desk, CREDIT, BEIJING, 5, date(2026, 3, 2), None, "C-0")
        await bank_says(desk, CREDIT, SHANGHAI_POOL, 6, date(2026, 3, 2), "NOTPROVIDED", "C-0")
        assert (await run(desk, UNTIL)).found == 4
        assert sorted(await _open(desk)) == [
            (Kind.CREDITED_WITHOUT_BANK, Party.R_FINANCE, SHANGHAI_POOL, BALANCE_FEN, 0),
            (Kind.CREDIT_WITHOUT_ORDER, Party.R_FINANCE, BEIJING, 0, 5),
            (Kind.CREDIT_WITHOUT_ORDER, Party.R_FINANCE, SHANGHAI_POOL, 0, 6),
            (Kind.REMITTED_NOT_DEBITED, Party.BANK, BEIJING, BALANCE_FEN, 0),
        ]


async def test_an_account_that_the_bank_has_never_told_us_of_is_held_against_nothing(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        assert (await run(desk, UNTIL)).found == 0


async def test_a_payment_made_twice_is_one_difference_however_many_runs_find_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        await _debited(desk)
        await _debited(desk, entry="D-2")
        await _credited(desk)
        first, second = await run(desk, UNTIL), await run(desk, date(2026, 3, 21))
        assert [(each.found, each.new, each.gone) for each in (first, second)] == [(1, 1, 0), (1, 0, 0)]
        (one,) = await open_differences(desk.db)
        assert (one.kind, one.party, one.expected_fen, one.found_fen) == (
            Kind.PAID_TWICE, Party.BANK, BALANCE_FEN, 2 * BALANCE_FEN,
        )  # fmt: skip
        assert (one.stands_since, one.ordered_on, one.found_on) == (CREDITED_ON, ORDERED_ON, UNTIL)
        assert [each for each in one.basis if each.startswith("bank")] == [
            "bank 110000 DEBIT 420000 2026-03-04 D-1",
            "bank 110000 DEBIT 420000 2026-03-04 D-2",
            "bank 319900 CREDIT 420000 2026-03-05 C-1",
        ]


async def test_what_is_gone_is_cleared_by_the_run_that_finds_it_so_and_stays_on_record(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        await _debited(desk)
        await _credited(desk)
        await run(desk, UNTIL)
        assert await _open(desk) == [(Kind.CREDIT_NOT_BOOKED, Party.R_FINANCE, SHANGHAI_POOL, BALANCE_FEN, BALANCE_FEN)]
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        again = await run(desk, UNTIL)
        assert (again.found, again.new, again.gone) == (0, 0, 1)
        assert await _open(desk) == []
        cleared = await desk.row("select * from reconciliation_clearings")
        assert (cleared["how"], cleared["cleared_by"], cleared["run_id"]) == (
            "CLEARED_BY_RUN",
            "platform",
            again.run_id,
        )
        assert await desk.db.fetchval("select count(*) from reconciliation_differences") == 1


@pytest.mark.parametrize(("since", "until"), [(date(2026, 3, 6), UNTIL), (SINCE, date(2026, 3, 19))])
async def test_a_run_over_fewer_days_clears_nothing_that_lies_outside_them(
    database: Database, since: date, until: date
) -> None:
    async with open_desk(database) as desk:
        await desk.continued()
        await _debited(desk)
        await _credited(desk)
        await run(desk, UNTIL)
        await desk.take(RECEIPT, R_FINANCE, THURSDAY)
        assert (await run(desk, until, since=since)).gone == 0
        assert len(await _open(desk)) == 1


async def test_the_lines_of_an_order_are_all_read_when_anything_happened_to_it(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        await _debited(desk)
        await _credited(desk)
        late = date(2026, 3, 18)
        assert (await run(desk, UNTIL, since=late)).ledger_lines == 0
        await bank_says(desk, RETURN, BEIJING, BALANCE_FEN, late, await _reference(desk), "R-1")
        done = await run(desk, date(2026, 3, 25), since=late)
        assert (done.ledger_lines, done.bank_lines, done.register_lines) == (5, 3, 2)
        assert await _open(desk) == [(Kind.RETURN_NOT_BOOKED, Party.O_FINANCE, BEIJING, BALANCE_FEN, BALANCE_FEN)]


async def test_a_difference_that_a_person_cleared_is_not_opened_again_and_is_cleared_once(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await bank_says(desk, CREDIT, BEIJING, 5, date(2026, 3, 2), None, "C-0")
        await run(desk, UNTIL)
        (one,) = await open_differences(desk.db)
        await clear(desk.db, one.difference_id, reason="a donation", cleared_by="finance-1")
        before = await snapshot(desk.db)
        for number, reason in ((one.difference_id, "cleared before"), (999, "there is no difference 999")):
            with pytest.raises(NotOpenError, match=reason):
                await clear(desk.db, number, reason="again", cleared_by="finance-2")
        assert changed(before, await snapshot(desk.db)) == set()
        again = await run(desk, UNTIL)
        assert (again.found, again.new, again.gone) == (1, 0, 0)
        assert await _open(desk) == []


async def test_what_was_gone_and_is_there_again_is_a_difference_of_its_own(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await bank_says(desk, CREDIT, BEIJING, 5, date(2026, 3, 2), None, "C-0")
        first = await run(desk, UNTIL)
        await desk.db.execute(
            """insert into reconciliation_clearings (difference_id, how, reason, cleared_by, run_id)
               select difference_id, 'CLEARED_BY_RUN', 'gone', 'platform', run_id from reconciliation_differences"""
        )
        assert (await run(desk, UNTIL)).new == 1
        rows = await desk.db.fetch("select occurrence, run_id from reconciliation_differences order by 1")
        assert [row["occurrence"] for row in rows] == [1, 2]
        assert rows[0]["run_id"] == first.run_id


async def test_pages_of_any_size_give_the_same_lines(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        await _debited(desk)
        await _credited(desk)
        for number in range(4):
            await bank_says(desk, CREDIT, BEIJING, 5, CREDITED_ON, None, f"N-{number}")
            await bank_says(desk, DEBIT, BEIJING, 5, CREDITED_ON, f"ZZ-{number % 2}", f"Z-{number}")
        whole = await _read(desk, 2_000)
        assert [len(each) for each in whole] == [5, 10, 2]
        for size in (1, 2, 3, 5):
            read = await _read(desk, size)
            assert [sorted(map(str, each)) for each in read] == [sorted(map(str, each)) for each in whole]


async def _read(desk: Desk, size: int) -> Page:
    """Everything in one page; no reference was in two."""
    read = Page([], [], [])
    last = ""
    async with desk.cases.worker_pool.acquire() as reader, reader.transaction(isolation="repeatable_read"):
        async for page in pages(reader, SINCE, UNTIL, size=size):
            references = sorted({each.reference for lines in page for each in lines} - {""})
            assert not references or last < references[0]
            last = references[-1] if references else last
            for whole, lines in zip(read, page, strict=True):
                whole.extend(lines)  # type: ignore[attr-defined] # each of its own stream
    return read


async def test_two_workers_make_the_run_of_a_day_once(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await bank_says(desk, CREDIT, BEIJING, 5, date(2026, 3, 2), None, "C-0")
        workers = [await open_pool(database.worker_url) for _ in range(2)]
        runs = await asyncio.gather(*(reconcile_daily(each, UNTIL) for each in workers for _ in range(2)))
        assert len([each for each in runs if each is not None]) == 1
        assert [await reconcile_daily(each, UNTIL) for each in workers] == [None, None]
        row = await desk.row("select why, until, since, started_by, new from reconciliation_runs")
        assert tuple(row) == ("DAILY", UNTIL, date(2025, 12, 18), "platform", 1)
        assert await reconcile_daily(workers[0], date(2026, 3, 21)) is not None
        for each in workers:
            await each.close()


async def test_a_run_that_fails_keeps_nothing_and_is_made_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        await bank_says(desk, CREDIT, BEIJING, 5, date(2026, 3, 2), None, "C-0")
        before = await snapshot(desk.db)
        with monkeypatch.context() as broken:
            # The last statement of a run: its days are the wrong way round.
            broken.setattr("activities.reconciliation.keeping.RUN_SQL", RUN_SQL.replace("$3, $4", "$4, $3"))
            with pytest.raises(asyncpg.CheckViolationError):
                await reconcile_daily(desk.cases.worker_pool, UNTIL)
        assert changed(before, await snapshot(desk.db)) == set()
        done = await reconcile_daily(desk.cases.worker_pool, UNTIL)
        assert done is not None
        assert (done.found, done.new) == (1, 1)


async def test_a_run_looks_back_to_whatever_stands_open(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.accepted()
        assert await first_day(desk.db, UNTIL) == date(2025, 12, 18)
        await bank_says(desk, CREDIT, BEIJING, 5, date(2025, 6, 1), None, "C-0")
        await run(desk, UNTIL, since=date(2025, 1, 1))
        assert await first_day(desk.db, UNTIL) == date(2025, 6, 1)


@pytest.mark.parametrize(
    ("now", "day"),
    [("2026-03-20T16:29:59", date(2026, 3, 19)), ("2026-03-20T16:30:00", date(2026, 3, 20))],
)
def test_a_day_is_reconciled_half_an_hour_after_it_is_over_in_shanghai(now: str, day: date) -> None:
    assert day_to_reconcile(datetime.fromisoformat(now).replace(tzinfo=UTC)) == day


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
async def test_nobody_rewrites_what_was_found_or_how_it_was_cleared(database: Database, role: str) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        await bank_says(desk, CREDIT, BEIJING, 5, date(2026, 3, 2), None, "C-0")
        await run(desk, UNTIL)
        one, *_ = await open_differences(desk.db)
        await clear(desk.db, one.difference_id, reason="a donation", cleared_by="finance-1")
        before = await snapshot(desk.db)
        connection = await asyncpg.connect(getattr(database, f"{role}_url"))
        for table in TABLES:
            column = {"register_movements": "reference", "reconciliation_runs": "why"}.get(table, "difference_id")
            for statement in (
                f"update {table} set {column} = {column}",  # noqa: S608 - our own tables' names
                f"delete from {table}",  # noqa: S608
                f"truncate {table} cascade",
            ):
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute(statement)
        await connection.close()
        assert changed(before, await snapshot(desk.db)) == set()
