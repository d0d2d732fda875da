"""Reference data from PostgreSQL: pooling regions, their policies, the working-day tables in force."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, TypeAdapter

from activities.calendar_data import published_editions, statutory_days
from activities.database import Connection
from activities.directory import DirectoryRegion, shipped_directory
from workflows.policy import RegionPolicy
from workflows.workdays import CalendarYear, DayOff, WorkingCalendar


class RegionEntry(BaseModel, frozen=True):
    """A pooling region as the directory has it on a day, with the policy in force and the account money goes to."""

    code: str
    name: str
    province: str
    agency_code: str
    agency_name: str
    service_phone: str | None
    address: str | None
    receiving_account_name: str | None
    receiving_bank: str | None
    receiving_bank_code: str | None
    receiving_account: str | None
    policy: RegionPolicy


# The regions `r` for which `which` holds, on `day`: both in the words of the statement around it.
REGIONS_SQL = """
select distinct on (r.code) r.code, r.name, r.province, r.agency_code, r.agency_name, r.service_phone, r.address,
       r.receiving_account_name, r.receiving_bank, r.receiving_bank_code, r.receiving_account,
       coalesce((select p.policy from region_policies p where p.region = r.code and p.effective_from <= {day}
                 order by p.effective_from desc, p.edition desc limit 1), '{{}}') as policy
  from pooling_regions r
 where r.effective_from <= {day} and (r.effective_to is null or r.effective_to > {day}) and {which}
 order by r.code, r.effective_from desc
"""
# In one value, so that a statement that reads something else anyway brings them along, and the same answer is parsed once.
REGIONS_TEXT_SQL = f"select coalesce(json_agg(region), '[]')::text from ({REGIONS_SQL}) region"  # noqa: S608 - our own statement
SOME_REGIONS_SQL = REGIONS_TEXT_SQL.format(day="$1::date", which="r.code = any($2::text[])")
ALL_REGIONS_SQL = REGIONS_TEXT_SQL.format(day="$1::date", which="true")
_ENTRIES: TypeAdapter[tuple[RegionEntry, ...]] = TypeAdapter(tuple[RegionEntry, ...])


async def regions_on(connection: Connection, day: date, codes: list[str] | None = None) -> dict[str, RegionEntry]:
    """The regions of the directory on `day`, all or those of `codes`, by code."""
    asked = (
        connection.fetchval(ALL_REGIONS_SQL, day)
        if codes is None
        else connection.fetchval(SOME_REGIONS_SQL, day, codes)
    )
    return dict(regions_of(await asked))


@lru_cache(maxsize=1024)
def regions_of(text: str) -> Mapping[str, RegionEntry]:
    """The regions that `REGIONS_TEXT_SQL` has answered with, by code. The same answer, which most are, is parsed once."""
    return MappingProxyType({entry.code: entry for entry in _ENTRIES.validate_json(text)})


# What the calendar of a day rests on: the tables, and the policies of regions that have or had days off of their own.
# A policy edition that takes effect on a later day is another answer on that day.
# `day` is as the statement around it has it: one that reads something else anyway brings the key along.
CALENDAR_KEY_SQL = """
select current_database() || ': ' || (select count(*) || ' editions, newest ' || max(loaded_at) from calendar_editions) || '; ' || count(*) || ' policies, '
       || count(*) filter (where effective_from <= {day}) || ' in force, newest ' || coalesce(max(edition), 0)
  from region_policies where region in (select region from region_policies where policy ? 'regional_holidays')
"""
KEY_OF_DAY_SQL = CALENDAR_KEY_SQL.format(day="$1::date")
# Every edition, in the order of taking effect, of the regions that have or had days off of their own.
REGIONAL_SQL = """
select region, effective_from, coalesce(policy->'regional_holidays', '[]') as days_off from region_policies
 where effective_from <= $1 and region in (select region from region_policies where policy ? 'regional_holidays')
 order by region, effective_from, edition
"""
_DAYS_OFF: TypeAdapter[tuple[DayOff, ...]] = TypeAdapter(tuple[DayOff, ...])


@dataclass
class CalendarCache:
    """The calendar in force, parsed once for each change: whether there was one is looked at in every transaction.

    `editions` are all that were ever published: a deadline is proven by those that it names.
    """

    key: str | None = None
    calendar: WorkingCalendar | None = None
    editions: tuple[CalendarYear, ...] = ()

    async def in_force(self, connection: Connection, day: date, key: str | None = None) -> WorkingCalendar:
        """The newest edition of every year, the statutory days beyond, and the regions' own days off as known on `day`.

        One short query when nothing changed; none when `key` is what `CALENDAR_KEY_SQL` has just said of `day`.
        """
        key = key or await connection.fetchval(KEY_OF_DAY_SQL, day)
        if self.calendar is None or key != self.key:
            documents = await connection.fetch("select document from calendar_editions")
            editions = tuple(CalendarYear.model_validate_json(each["document"]) for each in documents)
            national = WorkingCalendar.of(editions, statutory_days())
            regional = await _regional_days_off(connection, day)
            self.calendar = national.model_copy(update={"regional": regional})
            self.key, self.editions = key, editions
        return self.calendar


async def _regional_days_off(connection: Connection, day: date) -> dict[str, tuple[DayOff, ...]]:
    """The days off that each region gives itself, by the policies in force up to `day`, that of `day` holding on."""
    by_region: dict[str, list[tuple[date, tuple[DayOff, ...]]]] = {}
    for row in await connection.fetch(REGIONAL_SQL, day):
        policies = by_region.setdefault(row["region"], [])
        policies.append((row["effective_from"], _DAYS_OFF.validate_json(row["days_off"])))
    return {region: _days_off_of(policies) for region, policies in by_region.items()}


def _days_off_of(policies: list[tuple[date, tuple[DayOff, ...]]]) -> tuple[DayOff, ...]:
    """Each day as the policy in force on it has it: next year's list, without this year's days, takes none of them back."""
    until = (*(since for since, _ in policies[1:]), date.max)
    kept = {
        off.date: off
        for (since, days_off), before in zip(policies, until, strict=True)
        for off in days_off
        if since <= off.date < before
    }
    return tuple(kept[day] for day in sorted(kept))


_CACHE = CalendarCache()


async def calendar_in_force(connection: Connection, day: date, key: str | None = None) -> WorkingCalendar:
    """The calendar in force on `day`, from a cache that one short query keeps true, or `key`, read already."""
    return await _CACHE.in_force(connection, day, key)


_REGION_COLUMNS = tuple(DirectoryRegion.model_fields)
INSERT_REGION_SQL = (
    f"insert into pooling_regions ({', '.join(_REGION_COLUMNS)})"  # noqa: S608 - our own model's field names
    f" values ({', '.join(f'${n}' for n in range(1, len(_REGION_COLUMNS) + 1))})"
)


def _row(region: DirectoryRegion) -> tuple[Any, ...]:
    return tuple(getattr(region, column) for column in _REGION_COLUMNS)


async def directory_region(connection: Connection, code: str, day: date) -> DirectoryRegion:
    """The directory's row of `code` on `day`. Raises LookupError when there is none."""
    row = await connection.fetchrow(
        """select * from pooling_regions where code = $1 and effective_from <= $2
              and (effective_to is null or effective_to > $2) order by effective_from desc limit 1""",
        code, day,
    )  # fmt: skip
    if row is None:
        raise LookupError(f"{code} is no pooling region of the directory on {day}")
    return DirectoryRegion.model_validate(dict(row))


async def put_region(connection: Connection, region: DirectoryRegion) -> None:
    """Store a row of the directory, in the place of one of the same code and first day."""
    changes = ", ".join(f"{column} = excluded.{column}" for column in _REGION_COLUMNS)
    await connection.execute(
        f"{INSERT_REGION_SQL} on conflict (code, effective_from) do update set {changes}", *_row(region)
    )


async def seed_reference(connection: Connection) -> None:
    """Load the directory and the working-day tables that come with the package, where the database lacks them."""
    await connection.executemany(
        f"{INSERT_REGION_SQL} on conflict do nothing", [_row(each) for each in shipped_directory()]
    )
    await connection.executemany(
        """insert into calendar_editions (year, edition, document, loaded_at) values ($1, $2, $3, now())
           on conflict do nothing""",
        [(edition.year, edition.edition, edition.model_dump_json()) for edition in published_editions()],
    )


async def set_policy(connection: Connection, region: str, policy: RegionPolicy, effective_from: date) -> None:
    """Put a new edition of a region's policy in force from a day on."""
    document = json.dumps(policy.model_dump(mode="json", exclude_defaults=True))
    await connection.execute(
        "insert into region_policies (region, effective_from, policy) values ($1, $2, $3)",
        region,
        effective_from,
        document,
    )


async def add_edition(connection: Connection, edition: CalendarYear) -> bool:
    """Publish an edition of a year's working days; False when it is published already."""
    done = await connection.execute(
        """insert into calendar_editions (year, edition, document, loaded_at) values ($1, $2, $3, clock_timestamp())
           on conflict do nothing""",
        edition.year, edition.edition, edition.model_dump_json(),
    )  # fmt: skip
    return done == "INSERT 0 1"


async def editions_of(connection: Connection, year: int) -> list[CalendarYear]:
    """The editions of `year`, the newest last."""
    rows = await connection.fetch("select document from calendar_editions where year = $1", year)
    editions = [CalendarYear.model_validate_json(row["document"]) for row in rows]
    return sorted(editions, key=lambda edition: edition.edition_number)
