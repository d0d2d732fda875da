"""Bring a database to the present schema, once, whoever asks first."""

from importlib.resources import files

import asyncpg

from activities.reference import seed_reference

ROLES = ("yibao_worker", "yibao_gateway")
# Any constant will do: it keeps two migrators from running at once.
MIGRATION_LOCK = 4301


async def migrate(owner_url: str, *, role_passwords: dict[str, str] | None = None) -> list[str]:
    """Apply the migrations that `owner_url`'s database lacks, each in a transaction, and return their names.

    Creates the login roles `yibao_worker` and `yibao_gateway` when the server lacks them; `role_passwords` sets their
    passwords. Raises `asyncpg.PostgresError` and leaves the database as it was before the failing migration.
    """
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute("select pg_advisory_lock($1)", MIGRATION_LOCK)
        await _create_roles(connection, role_passwords or {})
        await connection.execute(
            "create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())"
        )
        applied = {row["name"] for row in await connection.fetch("select name from schema_migrations")}
        pending = [(name, sql) for name, sql in migrations() if name not in applied]
        for name, sql in pending:
            async with connection.transaction():
                await connection.execute(sql)
                await connection.execute("insert into schema_migrations (name) values ($1)", name)
        await seed_reference(connection)
        return [name for name, _ in pending]
    finally:
        await connection.close()


def migrations() -> list[tuple[str, str]]:
    """Every migration shipped, as (name, SQL), in the order in which they apply."""
    found = sorted(files("activities").joinpath("migrations").iterdir(), key=lambda entry: entry.name)
    return [(entry.name, entry.read_text("utf-8")) for entry in found if entry.name.endswith(".sql")]


async def _create_roles(connection: asyncpg.Connection, passwords: dict[str, str]) -> None:
    for role in ROLES:
        if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", role):
            await connection.execute(f"create role {role} login")
        if role in passwords:
            quoted = await connection.fetchval("select quote_literal($1::text)", passwords[role])
            await connection.execute(f"alter role {role} password {quoted}")
