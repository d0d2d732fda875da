"""What each database role may do, table by table, as the catalog has it; and what nobody may."""

import asyncpg
import pytest

from tests.activities.desk import changed, open_desk, snapshot
from tests.conftest import Database

READ = {"SELECT"}
WORKER = {
    "access_log": set[str](),
    "access_lookers": set(),
    "bank_cursors": {"UPDATE"},
    "bank_entries": {"INSERT", "UPDATE"},
    "bank_entry_conflicts": {"INSERT"},
    "bank_messages": {"INSERT"},
    "bank_payments": {"INSERT"},
    "bank_words": {"INSERT", "UPDATE"},
    "calendar_editions": set(),
    "commands": set(),
    "document_files": set(),
    "documents": {"INSERT", "UPDATE"},
    "enrolments": {"INSERT", "UPDATE"},
    "late_contributions": {"INSERT"},
    "ledger_entries": {"INSERT"},
    "ledger_postings": {"INSERT"},
    "mandate_notices": {"INSERT"},
    "mandates": {"INSERT"},
    "notices": {"INSERT"},
    "payout_accounts": {"INSERT", "UPDATE"},
    "persons": {"INSERT"},
    "pooling_regions": set(),
    "reconciliation_clearings": {"INSERT"},
    "reconciliation_differences": {"INSERT"},
    "reconciliation_runs": {"INSERT"},
    "region_policies": set(),
    "register_movements": {"INSERT"},
    "remittances": {"INSERT", "UPDATE"},
    "schema_migrations": set(),
    "sealed_texts": {"INSERT"},
    "staff": set(),
    "staff_subjects": set(),
    "transfer_events": {"INSERT"},
    "transfers": {"INSERT", "UPDATE"},
    "work_items": {"INSERT", "UPDATE", "DELETE"},
}
APPENDED = {"access_log", "access_lookers", "commands", "document_files", "sealed_texts"}
GATEWAY = {table: {"INSERT"} if table in APPENDED else set() for table in WORKER}
# Where a balance is paid out to is the bank's to know, and the person's: the gateway only seals it.
# Who looked at whose data is no concern of the worker's.
UNREAD = {"yibao_gateway": {"late_contributions", "payout_accounts"}, "yibao_worker": {"access_log", "access_lookers"}}

TABLES_SQL = """
select c.relname as name, array_agg(p.privilege) filter (where has_table_privilege($1, c.oid, p.privilege)) as held
  from pg_class c cross join unnest($2::text[]) as p (privilege)
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') group by 1
"""
PRIVILEGES = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]


@pytest.mark.parametrize(("role", "granted"), [("yibao_worker", WORKER), ("yibao_gateway", GATEWAY)])
async def test_each_role_holds_these_privileges_and_no_others(
    database: Database, role: str, granted: dict[str, set[str]]
) -> None:
    connection = await asyncpg.connect(database.owner_url)
    rows = await connection.fetch(TABLES_SQL, role, PRIVILEGES)
    assert {row["name"]: set(row["held"] or ()) for row in rows} == {
        table: set() if table in UNREAD[role] else READ | privileges for table, privileges in granted.items()
    }
    columns = await connection.fetch(
        """select attrelid::regclass || '.' || attname as name from pg_attribute
            where attrelid = any('{commands,late_contributions,mandate_notices,mandates,notices}'::regclass[]) and attnum > 0
              and has_column_privilege($1, attrelid, attnum, 'UPDATE') order by 1""",
        role,
    )
    outcome = ["commands.carried_out_at", "commands.outcome", "commands.released"]
    sweep = ["late_contributions.seq", "late_contributions.state", "late_contributions.transfer_id"]
    told = [f"mandate_notices.{name}" for name in ("attempts", "delivered_at", "last_error", "next_attempt_at")]
    acts = ["approved_by", "confirmed_by", "revoked_at", "revoked_by", "starts_at", "taken_back_at", "taken_back_by"]
    mandates = [*told, *(f"mandates.{name}" for name in acts)]
    delivery = ["notices.attempts", "notices.delivered_at", "notices.last_error", "notices.next_attempt_at"]
    assert [row["name"] for row in columns] == (
        [*outcome, *sweep, *mandates, *delivery] if role == "yibao_worker" else []
    )
    sequences = await connection.fetch(
        "select sequencename as name from pg_sequences where has_sequence_privilege($1, sequencename::text, 'USAGE') order by 1",
        role,
    )
    expected = {
        "yibao_worker": ["certificate_serial", "contact_letter_serial"],
        "yibao_gateway": ["refusal_serial", "transfer_serial"],
    }
    assert [row["name"] for row in sequences] == expected[role]
    # A certificate's number has no day in it: its serial must not come again.
    wrapping = await connection.fetch("select sequencename as name from pg_sequences where cycle order by 1")
    assert [row["name"] for row in wrapping] == ["refusal_serial", "transfer_serial"]
    attributes = await connection.fetchrow(
        "select rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication from pg_roles where rolname = $1",
        role,
    )
    assert attributes is not None
    assert not any(attributes)
    assert not await connection.fetchval("select has_schema_privilege($1, 'public', 'CREATE')", role)
    await connection.close()


@pytest.mark.parametrize("role", ["owner", "yibao_worker", "yibao_gateway"])
@pytest.mark.parametrize("table", ["transfer_events", "ledger_postings", "ledger_entries", "sealed_texts"])
async def test_nobody_rewrites_events_or_the_ledger(database: Database, role: str, table: str) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        urls = {"owner": database.owner_url, "yibao_worker": database.worker_url, "yibao_gateway": database.gateway_url}
        connection = await asyncpg.connect(urls[role])
        before = await snapshot(desk.db)
        for statement in (
            f"update {table} set transfer_id = transfer_id",  # noqa: S608 - our own tables' names
            f"delete from {table}",  # noqa: S608
            f"truncate {table} cascade",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()
        assert changed(before, await snapshot(desk.db)) == set()
