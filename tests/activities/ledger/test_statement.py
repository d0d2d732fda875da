"""Statements at past instants: to the fen, in the order of what counts, and the same again however late others were written."""

from datetime import datetime, timedelta

import asyncpg

from activities.ledger.accounts import Account
from activities.ledger.posting import post
from activities.ledger.statement import AccountStatement, Scope, Statement, draw_statement
from tests.activities.desk import MONDAY, THURSDAY, TUESDAY, WEDNESDAY, Desk, open_desk
from tests.cases import BALANCE_FEN, BEIJING, SHANGHAI_POOL
from tests.conftest import Database
from workflows.vocabulary import InsuranceScheme

USABLE = Account("PERSONAL_ACCOUNTS", BEIJING, InsuranceScheme.EMPLOYEE)
FROZEN = Account("FROZEN", BEIJING, InsuranceScheme.EMPLOYEE)
SECOND = timedelta(seconds=1)


def _figures(statement: Statement) -> dict[tuple[str, str], tuple[int, list[int], int]]:
    """(account, region) → opening, amounts, closing."""
    return {
        (each.account, each.region): (each.opening_fen, [line.amount_fen for line in each.lines], each.closing_fen)
        for each in statement.accounts
    }


async def test_the_balance_of_every_account_at_every_instant_of_a_case(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        by_transfer = Scope(transfer_id=desk.transfer.transfer_id)
        held = {
            "monday": _figures(await draw_statement(desk.db, by_transfer, at=MONDAY)),
            "before the form": _figures(await draw_statement(desk.db, by_transfer, at=TUESDAY - SECOND)),
            "form": _figures(await draw_statement(desk.db, by_transfer, at=TUESDAY)),
            "order": _figures(await draw_statement(desk.db, by_transfer, at=WEDNESDAY)),
            "since": _figures(await draw_statement(desk.db, by_transfer, at=THURSDAY, since=TUESDAY)),
            "after": _figures(await draw_statement(desk.db, by_transfer, at=THURSDAY + SECOND, since=THURSDAY)),
        }
        left, fen = ("PERSONAL_ACCOUNTS", BEIJING), BALANCE_FEN
        assert held == {
            "monday": {},
            "before the form": {},
            "form": {("FROZEN", BEIJING): (0, [fen], fen), left: (0, [-fen], -fen)},
            "order": {
                ("FROZEN", BEIJING): (0, [fen, -fen], 0),
                ("IN_TRANSIT", BEIJING): (0, [fen], fen),
                left: (0, [-fen], -fen),
            },
            "since": {
                ("FROZEN", BEIJING): (fen, [-fen], 0),
                ("IN_TRANSIT", BEIJING): (0, [fen, -fen], 0),
                left: (-fen, [], -fen),
                ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): (0, [fen], fen),
                ("RECEIVED", SHANGHAI_POOL): (0, [fen, -fen], 0),
            },
            "after": {left: (-fen, [], -fen), ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): (fen, [], fen)},
        }


async def test_a_statement_is_of_one_agency_scheme_and_purpose(database: Database) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        scope = Scope(region=SHANGHAI_POOL, scheme=InsuranceScheme.EMPLOYEE, account="RECEIVED")
        (account,) = (await draw_statement(desk.db, scope, at=THURSDAY)).accounts
        assert (account.account, account.region, account.closing_fen) == ("RECEIVED", SHANGHAI_POOL, 0)
        came, went = account.lines
        assert (came.posting_id, came.line, came.posted_at, came.balance_fen) == (3, 2, THURSDAY, BALANCE_FEN)
        assert (went.posting_id, went.line, went.posted_at, went.balance_fen) == (4, 1, THURSDAY, 0)
        assert {line.transfer_no for line in account.lines} == {desk.transfer.transfer_no}
        assert {line.reference for line in account.lines} == {f"{desk.transfer.transfer_no}-01"}
        resident = Scope(region=SHANGHAI_POOL, scheme=InsuranceScheme.RESIDENT)
        assert (await draw_statement(desk.db, resident, at=THURSDAY)).accounts == ()


async def test_what_is_written_later_counts_from_its_day_and_the_old_statement_is_drawn_again(
    database: Database,
) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        slow, quick = await asyncpg.connect(database.worker_url), await asyncpg.connect(database.worker_url)
        transaction = slow.transaction()
        await transaction.start()
        # The earlier posting is committed later, into a day that has had its statement.
        await _give_back(slow, desk, 30, TUESDAY + SECOND)
        await _give_back(quick, desk, 7, WEDNESDAY)
        scope = Scope(account="FROZEN")
        drawn = await draw_statement(desk.db, scope, at=WEDNESDAY)
        assert _amounts(drawn) == [BALANCE_FEN, -7]
        await transaction.commit()
        now = await draw_statement(desk.db, scope, at=WEDNESDAY)
        assert _amounts(now) == [BALANCE_FEN, -30, -7]
        again = await draw_statement(desk.db, scope, at=WEDNESDAY, drawn_by=drawn.drawn_by)
        assert again.model_dump_json() == drawn.model_dump_json()
        opened = await draw_statement(desk.db, scope, at=WEDNESDAY, since=TUESDAY + SECOND, drawn_by=drawn.drawn_by)
        assert _one(opened).opening_fen == BALANCE_FEN
        # The whole story lies in the past of the clock on the wall.
        assert all(line.late for line in _one(now).lines)
        await slow.close()
        await quick.close()


async def _give_back(connection: asyncpg.Connection, desk: Desk, amount_fen: int, at: datetime) -> None:
    await post(connection, desk.transfer.transfer_id, seq=5, at=at, amount_fen=amount_fen, source=FROZEN, target=USABLE)


def _one(statement: Statement) -> AccountStatement:
    (account,) = statement.accounts
    return account


def _amounts(statement: Statement) -> list[int]:
    return [line.amount_fen for line in _one(statement).lines]
