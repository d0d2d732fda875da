"""The supervisor's counts: how often each member of staff of the area looked at persons' data, and who stands out."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from itertools import islice
from typing import Any

import pytest

from activities.keyring import Keyring
from gateway.access_log import AccessLog
from gateway.access_looks import Look
from gateway.access_outliers import outliers
from gateway.auth import Viewer
from tests.activities.desk import MONDAY
from tests.activities.register_extracts import resident_ids
from tests.cases import BEIJING, ORIGIN, SHANGHAI_POOL
from tests.conftest import Database
from tests.gateway.window import EMPLOYER, O_CLERK, OPERATOR, PERSON, SUPERVISOR, Window, open_window
from workflows.vocabulary import Role

COUNTS = """query ($from: Date!, $to: Date!, $first: Int! = 20, $after: String) { viewer { accessCounts(
    firstDay: $from, lastDay: $to, first: $first, after: $after) {
    edges { node { agency { region { code } } role subject actingPerson looks persons outlier } }
    pageInfo { hasNextPage endCursor } } } }"""
SUNDAY: dict[str, Any] = {"from": "2026-03-01", "to": "2026-03-01"}
WEEK: dict[str, Any] = {"from": "2026-03-02", "to": "2026-03-08"}


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        await each.desk.accepted()
        yield each


async def counts(window: Window, viewer: Viewer = SUPERVISOR, **variables: Any) -> list[tuple[Any, ...]]:
    """(region, role, subject, acting person, looks, persons, outlier) of each."""
    page = (await window.data(viewer, COUNTS, **(WEEK | variables)))["viewer"]["accessCounts"]
    nodes = [edge["node"] for edge in page["edges"]]
    shown = ("role", "subject", "actingPerson", "looks", "persons", "outlier")
    return [(each["agency"]["region"]["code"], *(each[name] for name in shown)) for each in nodes]


def clerk(number: int, region: str = SHANGHAI_POOL, role: Role = Role.CLERK) -> Viewer:
    return Viewer(f"clerk-{number}", (role,), region=region)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([], []),
        ([1_000], [False]),
        ([10, 12, 11, 13, 12], [False] * 5),
        # Median 12, median absolute deviation 1: more than 15 stands out, and 19 is too few.
        ([10, 12, 11, 13, 12, 13, 19], [False] * 7),
        ([10, 12, 11, 13, 12, 13, 20], [False] * 6 + [True]),
        # Deviation 0: any more than the others, from 20 on.
        ([5, 5, 5, 5, 20], [False] * 4 + [True]),
        # Median 30, deviation 10: 60 is three deviations above, and no more.
        ([20, 30, 40, 60, 10], [False] * 5),
        ([20, 30, 40, 61, 10], [False, False, False, True, False]),
        # One that stands out far does not hide another.
        ([20, 21, 22, 23, 24, 200, 100_000], [False] * 5 + [True, True]),
    ],
)
def test_who_stands_out_is_far_above_the_median_of_the_others(looks: list[int], expected: list[bool]) -> None:
    assert outliers(looks) == expected


async def test_a_supervisor_sees_counts_by_clerk_of_their_area_and_who_stands_out(window: Window) -> None:
    numbers = islice(resident_ids(), 3)
    await window.desk.cases.registers(*(ORIGIN | {"resident_id": number} for number in numbers))
    persons = [row[0] for row in await window.desk.db.fetch("select person_id from persons order by person_id")]
    log = window.services.access_log
    for number, looks in ((1, 3), (2, 4), (3, 3), (4, 25)):
        for turn in range(looks):
            log.note(Look(MONDAY + timedelta(minutes=turn), clerk(number), "transfer", persons[turn % 3]))
    log.note(Look(MONDAY, clerk(1, role=Role.FINANCE), "transfer", persons[0]))
    # By another role, agency, kind of caller, week.
    log.note(Look(MONDAY, O_CLERK, "transfer", persons[0]))
    log.note(Look(MONDAY, SUPERVISOR, "transfer", persons[0]))
    log.note(Look(MONDAY, PERSON, "transfer", persons[0]))
    log.note(Look(MONDAY, EMPLOYER, "transfer", persons[0]))
    log.note(Look(MONDAY - timedelta(days=1), clerk(1), "transfer", persons[0]))
    log.note(Look(MONDAY + timedelta(days=7), clerk(1), "transfer", persons[0]))
    system = Viewer("core", (Role.AGENCY_SYSTEM,), region=SHANGHAI_POOL)
    log.note(Look(MONDAY, system, "acceptTransfer", persons[0], acting_person="lee"))
    assert await log.flush()
    assert await counts(window) == [
        (SHANGHAI_POOL, "CLERK", "clerk-4", None, 25, 3, True),
        (SHANGHAI_POOL, "CLERK", "clerk-2", None, 4, 3, False),
        (SHANGHAI_POOL, "CLERK", "clerk-1", None, 3, 3, False),
        (SHANGHAI_POOL, "CLERK", "clerk-3", None, 3, 3, False),
        (SHANGHAI_POOL, "AGENCY_SYSTEM", "core", "lee", 1, 1, False),
        (SHANGHAI_POOL, "FINANCE", "clerk-1", None, 1, 1, False),
    ]
    beijing = Viewer("bureau-110000", (Role.SUPERVISOR,), region=BEIJING)
    assert await counts(window, beijing) == [(BEIJING, "CLERK", "clerk-110000", None, 1, 1, False)]
    assert await counts(window, Viewer("bureau-440000", (Role.SUPERVISOR,), region="440000")) == []
    assert [row[2] for row in await counts(window, **SUNDAY)] == ["clerk-1"]
    page = (await window.data(SUPERVISOR, COUNTS, first=2, **WEEK))["viewer"]["accessCounts"]["pageInfo"]
    assert page["hasNextPage"] is True
    assert [row[2] for row in await counts(window, first=2, after=page["endCursor"])] == ["clerk-1", "clerk-3"]


async def test_a_clerk_is_one_whatever_version_of_the_keyring_their_looks_were_written_under(window: Window) -> None:
    older = window.services.keyring
    newer = Keyring("2", {"2": bytes(32), older.current: older._keys[older.current]})
    persons = await window.desk.db.fetchval("select person_id from persons")
    for keyring in (older, newer):
        log = AccessLog(window.desk.cases.gateway_pool, keyring)
        log.note(Look(MONDAY, clerk(1), "transfer", persons))
        assert await log.flush()
    assert await window.desk.db.fetchval("select count(distinct looker_key) from access_log") == 2
    object.__setattr__(window.services, "keyring", newer)
    assert await counts(window) == [(SHANGHAI_POOL, "CLERK", "clerk-1", None, 2, 1, False)]


async def test_nobody_else_sees_counts_and_a_period_is_bounded(window: Window) -> None:
    for viewer in (PERSON, EMPLOYER, O_CLERK, OPERATOR):
        assert (await window.error(viewer, COUNTS, **WEEK))["extensions"]["code"] == "FORBIDDEN"
    first = date(2026, 3, 2)
    for last in (first - timedelta(days=1), first + timedelta(days=92), date(2199, 12, 31)):
        error = await window.error(SUPERVISOR, COUNTS, **{"from": first.isoformat(), "to": last.isoformat()})
        assert [each["code"] for each in error["extensions"]["violations"]] == ["ACCESS_PERIOD"]
    for day in (date(1900, 1, 1), date(2199, 12, 31)):
        error = await window.error(SUPERVISOR, COUNTS, **{"from": day.isoformat(), "to": day.isoformat()})
        assert [each["code"] for each in error["extensions"]["violations"]] == ["ACCESS_PERIOD"]
    assert await counts(window, to=(first + timedelta(days=91)).isoformat()) == []
    for after in ("x", "WzFd", "WyJhIiwiIiwiIiwiIiwiIl0"):
        assert (await window.error(SUPERVISOR, COUNTS, after=after, **WEEK))["extensions"][
            "code"
        ] == "VALIDATION_FAILED"
