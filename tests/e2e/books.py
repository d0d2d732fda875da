"""What must be true in the database whatever happened: events, money, registers, commands; and a digest of all of it."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import date
from typing import Any

import asyncpg

from activities.register_show import show_person
from tests.activities.desk import broken_link
from tests.e2e.case import Case
from tests.e2e.people import (
    BALANCE_FEN,
    BEIJING,
    SHANGHAI,
    Person,
    last_of_previous_month,
    months_after_transfer,
    months_at_destination,
    months_at_origin,
    today,
)
from tests.e2e.system import System
from workflows.events import TransferEvent
from workflows.fold import fold
from workflows.state import TransferState

Digest = dict[str, str]
# Orders of which the bank's word is due: one that waits for its region's batch day has none before.
AT_THE_BANK_SQL = """
select exists (select from transfers cross join lateral jsonb_array_elements(state->'remittances') r
                where r->>'status' = 'ORDERED' and r->>'send_on' is null)
"""


async def digest(connection: asyncpg.Connection) -> Digest:
    """Every row of every table, as one hash for each table; of a notice its key, for it is delivered meanwhile.

    What the bank says of other cases comes when it likes: its messages are not looked at. That somebody looked is noted meanwhile.
    """
    tables = await connection.fetch(
        """select tablename from pg_tables where schemaname = 'public' and tablename not like all (array['bank\\_%', 'access\\_lo%'])
            order by 1"""
    )
    rows = {name: "t" for (name,) in tables} | {"notices": "(transfer_id, seq, recipient)"}
    return {
        name: await connection.fetchval(f"select md5(string_agg({row}::text, '|' order by {row}::text)) from {name} t")  # noqa: S608 - our own tables' names
        for name, row in rows.items()
    }


def changed(before: Digest, after: Digest) -> set[str]:
    """The tables that differ."""
    return {name for name in after if before[name] != after[name]}


async def register(system: System, person: Person) -> dict[str, dict[str, Any]]:
    """What the registers hold about a person, by region, as `yibao register show --json` prints it."""
    async with system.database() as connection:
        shown = await show_person(connection, system.keyring, person.resident_id)
    said = json.loads(json.dumps([asdict(each) for each in shown.enrolments] if shown else [], default=date.isoformat))
    return {each.pop("region"): each for each in said}


async def register_printed(system: System, person: Person) -> dict[str, dict[str, Any]]:
    """The same from the command line itself."""
    said = await system.cli("register", "show", "--resident-id", person.resident_id, "--json")
    assert (said.code, said.err) == (0, "")
    return {each.pop("region"): each for each in json.loads(said.out)["enrolments"]}


def enrolment(**differs: Any) -> dict[str, Any]:
    standard = {"scheme": "EMPLOYEE", "stopped_on": None, "personal_account_fen": 0, "frozen_fen": 0}
    return standard | differs


def origin(balance_fen: int = BALANCE_FEN, **differs: Any) -> dict[str, Any]:
    """The standard person in O's register, as loaded."""
    on = last_of_previous_month().isoformat()
    loaded = {"status": "STOPPED", "stopped_on": on, "personal_account_fen": balance_fen}
    return enrolment(**loaded | {"contribution_months": months_at_origin()} | differs)


def destination(**differs: Any) -> dict[str, Any]:
    """The standard person in R's register, as loaded."""
    return enrolment(**{"status": "ACTIVE", "contribution_months": months_at_destination()} | differs)


def untouched() -> dict[str, dict[str, Any]]:
    return {BEIJING: origin(), SHANGHAI: destination()}


def transferred(balance_fen: int = BALANCE_FEN, **at_origin: Any) -> dict[str, dict[str, Any]]:
    """What both registers hold when the transfer is done, to the fen and to the month."""
    return {
        BEIJING: origin(0, **at_origin),
        SHANGHAI: destination(personal_account_fen=balance_fen, contribution_months=months_after_transfer()),
    }


def stopped_today() -> dict[str, Any]:
    return {"stopped_on": today().isoformat()}


async def require_whole(connection: asyncpg.Connection, case: Case, *, steps: int) -> None:
    """Events without holes, each of `steps` commands carried out once, money that sums to zero and lies in no between."""
    rows = await connection.fetch(
        """select e.seq, e.command_id from transfer_events e join transfers t using (transfer_id)
            where t.no = $1 order by 1""",
        case.no,
    )
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    commands = await connection.fetch(
        "select command_id, kind, outcome, released from commands where transfer_no = $1", case.no
    )
    assert sorted(row["command_id"] for row in commands) == sorted({row["command_id"] for row in rows} - {None})
    assert len(commands) == steps
    assert all(json.loads(row["outcome"])["kind"] == "DONE" and not row["released"] for row in commands)
    money = await connection.fetch(
        """select account, region, sum(amount_fen)::bigint, count(*) from ledger_entries
            join transfers using (transfer_id) where no = $1 group by 1, 2 order by 1, 2""",
        case.no,
    )
    between = {(account, total) for account, _, total, _ in money if account != "PERSONAL_ACCOUNTS"}
    assert all(total == 0 for _, total in between), money
    assert await connection.fetchval("select coalesce(sum(amount_fen), 0) from ledger_entries") == 0


async def require_paid_once(connection: asyncpg.Connection, case: Case, balance_fen: int = BALANCE_FEN) -> None:
    """One order, one debit at O, one credit at R, and the bank knows it once."""
    booked = await connection.fetch(
        """select region, amount_fen from ledger_entries join transfers using (transfer_id)
            where no = $1 and account = 'PERSONAL_ACCOUNTS' order by region""",
        case.no,
    )
    assert [tuple(row) for row in booked] == [(BEIJING, -balance_fen), (SHANGHAI, balance_fen)]
    orders = await connection.fetch(
        "select reference, amount_fen, r.status from remittances r join transfers using (transfer_id) where no = $1",
        case.no,
    )
    assert [tuple(row) for row in orders] == [(f"{case.no}-01", balance_fen, "CREDITED")]
    with sqlite3.connect(case.system.data_dir / "bank.sqlite3") as bank:
        kept = bank.execute("select document from orders where reference = ?", (f"{case.no}-01",)).fetchall()
    assert [json.loads(document)["amount_fen"] for (document,) in kept] == [balance_fen]


async def ledger(connection: asyncpg.Connection, case: Case) -> dict[tuple[str, str], int]:
    """Fen by account and region for the case, accounts at zero left out."""
    rows = await connection.fetch(
        """select account, region, sum(amount_fen)::bigint as fen from ledger_entries join transfers using (transfer_id)
            where no = $1 group by 1, 2 having sum(amount_fen) <> 0""",
        case.no,
    )
    return {(row["account"], row["region"]): row["fen"] for row in rows}


async def require_sound(system: System, case: Case, *, booked: dict[tuple[str, str], int]) -> None:
    """Events without holes, every hash right, the state what they add up to, and the ledger of the case as `booked`."""
    async with system.database() as connection:
        row = await connection.fetchrow("select * from transfers where no = $1", case.no)
        assert row is not None
        events = await connection.fetch(
            "select * from transfer_events where transfer_id = $1 order by seq", row["transfer_id"]
        )
        assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
        assert broken_link(events) is None
        state = fold(TransferEvent.model_validate_json(each["event"]) for each in events)
        assert TransferState.model_validate_json(row["state"]) == state
        assert await ledger(connection, case) == booked
        assert sum(booked.values()) == 0
        assert await connection.fetchval("select coalesce(sum(amount_fen), 0) from ledger_entries") == 0


async def require_ended(system: System, case: Case, *, booked: dict[tuple[str, str], int]) -> None:
    """A sound case that is closed: nobody's work, and no money of it in between."""
    await require_sound(system, case, booked=booked)
    assert {account for account, _ in booked} <= {"PERSONAL_ACCOUNTS", "PAID_OUT"}
    async with system.database() as connection:
        counted = """select (select count(*) from work_items w where w.transfer_id = t.transfer_id) as work,
                            (select count(*) from remittances r where r.transfer_id = t.transfer_id
                              and r.status not in ('CREDITED', 'RETURNED')) as orders
                       from transfers t where no = $1 and closed_at is not null"""
        row = await connection.fetchrow(counted, case.no)
    assert row is not None
    assert tuple(row) == (0, 0)


@asynccontextmanager
async def nothing_changes(system: System, *, but: set[str] | None = None) -> AsyncIterator[None]:
    """No row of any table is another after the block, `but` those of these tables."""
    async with system.database() as connection:
        # The bank's word about an earlier case may still be on its way.
        async with asyncio.timeout(20):
            while await connection.fetchval(AT_THE_BANK_SQL):
                await asyncio.sleep(0.05)
        before = await digest(connection)
        yield
        assert changed(before, await digest(connection)) == (but or set())
