"""The agencies' directories of staff, read: under which names a person is known, and who is in service."""

from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from activities.database import Connection
from workflows.staff_identity import canonical_identity

# Who is known by a name, with each person who shares a subject with them: of an agency's own directory by any of their names,
# and of all directories by the subject of a token, which the issuer gives to one person alone.
KNOWN_SQL = """
with recursive known (region, staff_key) as (
    select region, staff_key from (
        select region, staff_key from staff_subjects where subject_key = $1
         union select region, staff_key from staff where region = $2 and staff_key = any($3::text[])
         union select region, staff_key from staff_subjects where region = $2 and subject_key = any($3::text[])) named
     union
    select other.region, other.staff_key
      from known join staff_subjects own using (region, staff_key)
      join staff_subjects other on other.subject_key = own.subject_key)
select region, staff_key, staff_id, ends_on,
       array(select subject_key from staff_subjects s
              where s.region = staff.region and s.staff_key = staff.staff_key) as subject_keys
  from known join staff using (region, staff_key)
 order by region, staff_key
"""
SHOW_SQL = """
select staff_id, valid_from, ends_on, loaded_at,
       array(select subject from staff_subjects s
              where s.region = staff.region and s.staff_key = staff.staff_key order by subject) as subjects
  from staff where region = $1 order by staff_key
"""


@dataclass(frozen=True)
class StaffMember:
    """A person of an agency's directory. `names`: the canonical forms of the staff id and of each subject."""

    region: str
    staff_id: str
    names: frozenset[str]
    ends_on: date | None

    def in_service(self, day: date) -> bool:
        """Whether the person still works there on `day`; `ends_on` is the last day."""
        return self.ends_on is None or day <= self.ends_on


@dataclass(frozen=True)
class ShownMember:
    """A person of a directory as the agency loaded them."""

    staff_id: str
    subjects: tuple[str, ...]
    valid_from: date
    ends_on: date | None
    loaded_at: datetime


async def known_staff(
    connection: Connection | asyncpg.Pool, subject: str | None, region: str | None, named: list[str]
) -> tuple[StaffMember, ...]:
    """The entries of all directories that are one person with the token's `subject` or with `named` at the agency of `region`.

    `subject` is None for a token that is a system's alone. Spelling does not count.
    """
    subject_key = canonical_identity(subject) if subject is not None else None
    keys = [canonical_identity(each) for each in named]
    rows = await connection.fetch(KNOWN_SQL, subject_key, region, keys)
    return tuple(
        StaffMember(row["region"], row["staff_id"], frozenset((row["staff_key"], *row["subject_keys"])), row["ends_on"])
        for row in rows
    )


async def has_directory(connection: Connection | asyncpg.Pool, region: str) -> bool:
    """Whether the agency of `region` has loaded a directory of its staff."""
    found: bool = await connection.fetchval("select exists (select from staff where region = $1)", region)
    return found


async def staff_of(connection: Connection, region: str) -> tuple[ShownMember, ...]:
    """The directory of `region`, in the order of the staff ids."""
    rows = await connection.fetch(SHOW_SQL, region)
    return tuple(
        ShownMember(row["staff_id"], tuple(row["subjects"]), row["valid_from"], row["ends_on"], row["loaded_at"])
        for row in rows
    )
