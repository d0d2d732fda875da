"""The calendar in force: every edition, the regions' own days off as the policy of the day has them, and one look a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest

from activities.calendar_data import published_editions
from activities.reference import CalendarCache, add_edition, set_policy
from tests.conftest import Database
from workflows.policy import RegionPolicy, Treatment
from workflows.workdays import CalendarYear, DayOff

GUANGXI, BEIJING = "450100", "110000"
APRIL = date(2026, 4, 1)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.owner_url)
    yield connection
    await connection.close()


def off(*days: str) -> RegionPolicy:
    return RegionPolicy(regional_holidays=tuple(DayOff(date=date.fromisoformat(day), name="三月三") for day in days))


async def days_of(cache: CalendarCache, owner: asyncpg.Connection, on: str, code: str = GUANGXI) -> list[str]:
    calendar = await cache.in_force(owner, date.fromisoformat(on))
    return [each.date.isoformat() for each in calendar.of_region(code).overlay]


async def test_a_region_s_days_off_are_in_force_from_the_day_of_its_policy_on(owner: asyncpg.Connection) -> None:
    cache = CalendarCache()
    assert await days_of(cache, owner, "2026-04-10") == []
    await set_policy(owner, GUANGXI, off("2026-04-20", "2026-04-21"), date(2026, 4, 10))
    await set_policy(owner, BEIJING, RegionPolicy(arrears=Treatment.BLOCK), APRIL)
    assert await days_of(cache, owner, "2026-04-09") == []
    assert await days_of(cache, owner, "2026-04-10") == ["2026-04-20", "2026-04-21"]
    assert await days_of(cache, owner, "2026-04-10", BEIJING) == []
    # Back on an earlier day, as a step of an outage is carried out later.
    assert await days_of(cache, owner, "2026-04-09") == []


async def test_a_later_policy_corrects_days_to_come_and_takes_back_none_that_were(owner: asyncpg.Connection) -> None:
    cache = CalendarCache()
    await set_policy(owner, GUANGXI, off("2026-04-20", "2026-04-21"), APRIL)
    await set_policy(owner, GUANGXI, off("2026-04-22", "2027-04-09"), date(2026, 4, 21))
    assert await days_of(cache, owner, "2026-04-20") == ["2026-04-20", "2026-04-21"]
    # On the 21st the list of that day counts: the 20th stays, the 21st is given back, the 22nd is off.
    assert await days_of(cache, owner, "2026-04-21") == ["2026-04-20", "2026-04-22", "2027-04-09"]
    await set_policy(owner, GUANGXI, RegionPolicy(), date(2026, 6, 1))
    assert await days_of(cache, owner, "2026-06-01") == ["2026-04-20", "2026-04-22"]
    # Two editions of one day: the later one is in force.
    await set_policy(owner, GUANGXI, off("2027-04-09"), date(2026, 6, 1))
    assert await days_of(cache, owner, "2026-06-01") == ["2026-04-20", "2026-04-22", "2027-04-09"]


async def test_one_short_query_when_nothing_changed(owner: asyncpg.Connection) -> None:
    cache, asked = CalendarCache(), list[object]()
    first = await cache.in_force(owner, APRIL)
    with owner.query_logger(asked.append):
        assert await cache.in_force(owner, APRIL) is first
        assert await cache.in_force(owner, date(2026, 4, 2)) is first
        # The driver tells of a query a moment after it.
        await asyncio.sleep(0.05)
    assert len(asked) == 2
    # What a policy says of other things is no other calendar.
    await set_policy(owner, BEIJING, RegionPolicy(arrears=Treatment.BLOCK), APRIL)
    assert await cache.in_force(owner, APRIL) is first
    assert await add_edition(owner, _newer("2026.1", "2026.2"))
    assert (await cache.in_force(owner, APRIL)).years[-1].edition == "2026.2"


async def test_every_edition_ever_published_is_kept(owner: asyncpg.Connection) -> None:
    cache = CalendarCache()
    await cache.in_force(owner, APRIL)
    assert sorted(each.edition for each in cache.editions) == [each.edition for each in published_editions()]


def _newer(edition: str, name: str) -> CalendarYear:
    found = next(each for each in published_editions() if each.edition == edition)
    return found.model_copy(update={"edition": name})
