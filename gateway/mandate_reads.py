"""What the gateway reads of mandates: by whom it is asked is part of every question."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from activities.database import Connection
from activities.mandates import in_force
from gateway.loaders import SealedIdentity
from workflows.vocabulary import MandateRelation

AT_MOST = 50

COLUMNS = """m.mandate_id, m.person_id, m.relation, m.granted_at, m.valid_until, m.revoked_at, m.entered_in, m.agent_sealed,
       m.starts_at, m.paper_reference, p.person_key,
       p.wrapped_key, p.resident_id_sealed,
       (select e.name_sealed from enrolments e where e.person_id = m.person_id order by e.region, e.scheme limit 1) as name_sealed"""
FROM = "from mandates m join persons p using (person_id)"
# The window of a region speaks for whom its register has, covered or stopped.
IN_REGION = """exists (select from enrolments e where e.person_id = m.person_id and e.region = {}
                          and e.status in ('ACTIVE', 'STOPPED'))"""


class MandateRow(NamedTuple):
    mandate_id: UUID
    person_id: UUID
    relation: MandateRelation
    granted_at: datetime
    valid_until: date
    revoked_at: datetime | None
    entered_in: str | None
    agent_sealed: bytes
    starts_at: datetime | None
    paper_reference: str | None
    # The giver's.
    person_key: bytes
    giver: SealedIdentity


async def is_insured_in(connection: Connection, person_keys: list[bytes], region: str) -> bool:
    """Whether the register of `region` has the person, covered or stopped: its window may then speak for them."""
    found: bool = await connection.fetchval(
        """select exists (select from persons p join enrolments e using (person_id)
                           where p.person_key = any($1::bytea[]) and e.region = $2 and e.status in ('ACTIVE', 'STOPPED'))""",
        person_keys, region,
    )  # fmt: skip
    return found


async def mandates_given(pool: asyncpg.Pool, person_keys: list[bytes], region: str | None) -> list[MandateRow]:
    """The mandates that the person has given, newest first; with `region`, if its register has the person."""
    asked = f"$2::text is null or {IN_REGION.format('$2')}"
    rows = await pool.fetch(
        f"""select {COLUMNS} {FROM} where p.person_key = any($1::bytea[]) and ({asked})
             order by m.granted_at desc, m.mandate_id limit {AT_MOST}""",
        person_keys, region,
    )  # fmt: skip
    return [_mandate(row) for row in rows]


async def mandates_held(pool: asyncpg.Pool, agent_keys: list[bytes], at: datetime) -> list[MandateRow]:
    """The mandates in force at `at` by which the agent acts for others, newest first."""
    rows = await pool.fetch(
        f"""select {COLUMNS} {FROM} where m.agent_key = any($1::bytea[]) and {in_force("$2")}
             order by m.granted_at desc, m.mandate_id limit {AT_MOST}""",
        agent_keys, at,
    )  # fmt: skip
    return [_mandate(row) for row in rows]


async def mandate_by_id(pool: asyncpg.Pool, mandate_id: UUID) -> MandateRow:
    """The mandate that a command of the caller's names. Raises LookupError when there is none."""
    row = await pool.fetchrow(f"select {COLUMNS} {FROM} where m.mandate_id = $1", mandate_id)
    if row is None:
        raise LookupError(f"there is no mandate {mandate_id}")
    return _mandate(row)


async def mandate_seen(
    connection: Connection | asyncpg.Pool, mandate_id: UUID, person_keys: list[bytes], region: str | None, at: datetime
) -> MandateRow | None:
    """The mandate, for who gave it, for its agent while it is in force, and for a window of the giver's region."""
    row = await connection.fetchrow(
        f"""select {COLUMNS} {FROM}
             where m.mandate_id = $1
               and (p.person_key = any($2::bytea[])
                    or (m.agent_key = any($2::bytea[]) and {in_force("$4")})
                    or {IN_REGION.format("$3::text")})""",
        mandate_id, person_keys, region, at,
    )  # fmt: skip
    return _mandate(row) if row is not None else None


def _mandate(row: asyncpg.Record) -> MandateRow:
    giver = SealedIdentity(row["wrapped_key"], row["resident_id_sealed"], row["name_sealed"])
    columns = {name: row[name] for name in MandateRow._fields if name != "giver"}
    return MandateRow(**columns | {"relation": MandateRelation(row["relation"]), "giver": giver})
