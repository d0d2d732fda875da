"""Reads the read audit: for the person who has looked, for a supervisor how often each member of staff has."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from activities.keyring import Keyring, KeyringError
from gateway.access_looks import PURPOSE
from gateway.access_outliers import outliers
from gateway.paging import check_page, cursor, cut, invalid, page_info, position
from gateway.scalars import TransferNo
from gateway.telling import Telling
from gateway.types.access_log import (
    AccessCount,
    AccessCountConnection,
    AccessCountEdge,
    AccessLogConnection,
    AccessLogEdge,
    AccessLogEntry,
)
from gateway.visibility import area_of
from workflows.deadlines import start_of
from workflows.vocabulary import AGENCY_STAFF, Role

MAX_DAYS: Final = 92
# Of `ensure_access_log_partition`: there are no looks before or after.
YEARS: Final = range(2020, 2100)
_UNKNOWN: Final = "*"

PAGE_SQL: Final = """
select a.at, a.entry_id, a.region, a.role, a.purpose, a.operation, a.transfer_no, a.looks from access_log a
 where a.person_id = any(array(select p.person_id from persons p where p.person_key = any($1::bytea[]))) and a.own = $2
   and ($3::timestamptz is null or (a.at, a.entry_id) < ($3::timestamptz, $4::uuid))
 order by a.at desc, a.entry_id desc limit $5
"""
LOOKERS_SQL: Final = """
select looker_key, keyring_version, looker_sealed from access_lookers where looker_key in
    (select a.looker_key from access_log a where a.region = any($1::text[]) and a.role = any($2::text[]) and a.at >= $3 and a.at < $4)
"""
# A clerk has another key under another version of the keyring: `who` is the same for all keys of one.
COUNTS_SQL: Final = """
select a.region, a.role, l.who, sum(a.looks)::int as looks, count(distinct a.person_id)::int as persons
  from access_log a join unnest($5::text[], $6::int[]) as l (looker_key, who) using (looker_key)
 where a.region = any($1::text[]) and a.role = any($2::text[]) and a.at >= $3 and a.at < $4
 group by a.region, a.role, l.who
"""


async def page_of_access_log(telling: Telling, first: int, after: str | None, *, own: bool) -> AccessLogConnection:
    """A page of who has looked at the caller's data, or with `own` of the caller's own looks, newest first. Raises `InvalidArguments`."""
    check_page(first, telling.language)
    at, entry_id = position(after, _place, telling.language) or (None, None)
    person_keys = telling.scope.person_keys
    # What this process has noted and not written yet belongs to the answer.
    await telling.context.access_log.flush()
    rows = await telling.context.pool.fetch(PAGE_SQL, person_keys, own, at, entry_id, first + 1)
    telling.note_look("viewer.ownAccessLog" if own else "viewer.accessLog", person_keys=person_keys)
    page, more = cut(rows, first)
    edges = [
        AccessLogEdge(cursor=cursor(row["at"].isoformat(), row["entry_id"]), node=_entry(row, telling, own=own))
        for row in page
    ]
    return AccessLogConnection(
        edges=edges, page_info=page_info([edge.cursor for edge in edges], more=more, after=after)
    )


async def page_of_access_counts(
    telling: Telling, first_day: date, last_day: date, first: int, after: str | None
) -> AccessCountConnection:
    """A page of the counts of the agencies in the supervisor's area, the most looks first. Raises `InvalidArguments`."""
    check_page(first, telling.language)
    if not 0 <= (last_day - first_day).days < MAX_DAYS or first_day.year not in YEARS:
        raise invalid(telling.language, ["lastDay"], "ACCESS_PERIOD", days=MAX_DAYS)
    place = position(after, _count_place, telling.language)
    counts = await _counts(telling, first_day, last_day)
    following = [each for each in counts if place is None or each.place > place]
    page, more = cut(following[: first + 1], first)
    edges = [AccessCountEdge(cursor=cursor(*each.place), node=_told(each, telling)) for each in page]
    return AccessCountConnection(
        edges=edges, page_info=page_info([edge.cursor for edge in edges], more=more, after=after)
    )


class _Who(NamedTuple):
    """A member of staff as their tokens name them."""

    subject: str
    issuer: str
    acting_person: str | None


class _Count(NamedTuple):
    region: str
    role: Role
    who: _Who
    looks: int
    persons: int
    outlier: bool

    @property
    def place(self) -> tuple[int, str, str, str, str]:
        return -self.looks, self.region, self.role, self.who.subject, self.who.acting_person or ""


async def _counts(telling: Telling, first_day: date, last_day: date) -> list[_Count]:
    context = telling.context
    area = sorted(area_of(context.viewer, telling.reference.regions))
    asked = (area, [role.value for role in AGENCY_STAFF], start_of(first_day), start_of(last_day + timedelta(days=1)))
    known = {row["looker_key"]: _opened(context.keyring, row) for row in await context.pool.fetch(LOOKERS_SQL, *asked)}
    names = sorted(set(known.values()), key=str)
    numbers = {name: number for number, name in enumerate(names)}
    rows = await context.pool.fetch(COUNTS_SQL, *asked, list(known), [numbers[name] for name in known.values()])
    groups: dict[tuple[str, str], list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        groups[row["region"], row["role"]].append(row)
    counts = [
        _Count(row["region"], Role(row["role"]), names[row["who"]], row["looks"], row["persons"], stands_out)
        for group in groups.values()
        for row, stands_out in zip(group, outliers([each["looks"] for each in group]), strict=True)
    ]
    return sorted(counts, key=lambda each: each.place)


def _opened(keyring: Keyring, row: asyncpg.Record) -> _Who:
    try:
        said: dict[str, Any] = orjson.loads(keyring.open(PURPOSE, row["keyring_version"], row["looker_sealed"]))
    except KeyringError:
        # Sealed under a key that is gone: the looks still count, for whom nobody can say.
        return _Who(_UNKNOWN, row["looker_key"], None)
    return _Who(said["subject"], said["issuer"], said["acting_person"])


def _told(count: _Count, telling: Telling) -> AccessCount:
    return AccessCount(
        agency=telling.agency(count.region),
        role=count.role,
        subject=count.who.subject,
        acting_person=count.who.acting_person,
        looks=count.looks,
        persons=count.persons,
        outlier=count.outlier,
    )


def _entry(row: asyncpg.Record, telling: Telling, *, own: bool) -> AccessLogEntry:
    role = Role(row["role"])
    # An insured person who looks at another's data does so by a mandate.
    purpose = "MANDATE" if role is Role.INSURED_PERSON and not own else row["purpose"]
    return AccessLogEntry(
        at=row["at"],
        agency=telling.agency(row["region"]) if row["region"] is not None else None,
        role=role,
        purpose=telling.say(f"purpose.{purpose}"),
        operation=row["operation"],
        transfer_no=TransferNo(row["transfer_no"]) if row["transfer_no"] is not None else None,
        looks=row["looks"],
    )


def _place(at: str, entry_id: str) -> tuple[datetime, UUID]:
    instant = datetime.fromisoformat(at)
    if instant.tzinfo is None or instant.year not in YEARS:
        raise ValueError(at)
    return instant, UUID(entry_id)


def _count_place(looks: str, *names: str) -> tuple[int, str, str, str, str]:
    region, role, subject, acting_person = names
    return int(looks), region, role, subject, acting_person
