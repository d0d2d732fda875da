"""Loading the feed of late contributions into a real database. All persons are synthetic."""

import tracemalloc
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from activities.contribution_load import LOAD_LOCK, ContributionLoadError, ContributionReport, load_contributions
from activities.contribution_show import show_contributions
from tests.activities.contribution_feeds import COLUMNS, HEADER, contribution, feed
from tests.activities.desk import THURSDAY, changed, open_desk, snapshot
from tests.activities.register_extracts import LI, WANG, resident_ids
from tests.cases import Cases, open_cases
from tests.conftest import Database
from workflows.deadlines import SHANGHAI
from workflows.residuals import ContributionState, swept_along_until

S = ContributionState


async def load(cases: Cases, path: Path, **options: Any) -> ContributionReport:
    # As the worker's role: a load needs no more.
    return await load_contributions(cases.database.worker_url, cases.keyring, path, **options)


async def states(cases: Cases) -> dict[str, str]:
    rows = await cases.owner.fetch("select contribution_id, state from late_contributions")
    return {row["contribution_id"]: row["state"] for row in rows}


async def test_a_contribution_is_held_under_the_keyed_hash_of_its_person_and_nothing_of_them_is_clear(
    database: Database, tmp_path: Path
) -> None:
    async with open_cases(database) as cases:
        report = await load(cases, feed(tmp_path, contribution(), contribution(contribution_id="BJ-2", month="202601")))
        assert report == ContributionReport(2, Counter({S.NO_TRANSFER: 2}))
        rows = await cases.owner.fetch("select * from late_contributions order by contribution_id")
        assert [
            (row["contribution_id"], row["region"], row["scheme"], row["month"], row["amount_fen"]) for row in rows
        ] == [("BJ-1", "110000", "EMPLOYEE", "2026-02", 1_250), ("BJ-2", "110000", "EMPLOYEE", "2026-01", 1_250)]
        assert {(row["person_key"], row["person_key_version"]) for row in rows} == {cases.keyring.person_key(WANG)}
        text = "".join(await cases.owner.fetchval("select array_agg(c::text) from late_contributions c"))
        assert WANG not in text


async def test_the_same_feed_again_is_skipped_and_counted(database: Database, tmp_path: Path) -> None:
    async with open_cases(database) as cases:
        path = feed(tmp_path, contribution(), contribution())
        assert await load(cases, path) == ContributionReport(2, Counter({S.NO_TRANSFER: 1}), repeated=1)
        before = await snapshot(cases.owner)
        assert await load(cases, path) == ContributionReport(2, Counter(), repeated=2)
        assert changed(before, await snapshot(cases.owner)) == set()


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"amount_fen": "1251"}, "amount_fen"),
        ({"month": "2026-01"}, "month"),
        ({"region": "319900"}, "region"),
        ({"scheme": "RESIDENT"}, "scheme"),
        ({"resident_id": LI}, "resident_id"),
        ({"resident_id": LI, "amount_fen": "1"}, "resident_id, amount_fen"),
    ],
)
async def test_an_id_that_says_something_else_is_refused_by_line_and_nothing_is_loaded(
    database: Database, tmp_path: Path, changes: dict[str, str], differs: str
) -> None:
    async with open_cases(database) as cases:
        within = await load(cases, feed(tmp_path, contribution(), contribution(**changes)))
        assert [str(each) for each in within.errors] == [
            f"line 3, contribution_id: line 2 has this id with another {differs}"
        ]
        assert await states(cases) == {}
        await load(cases, feed(tmp_path, contribution()), at=datetime(2026, 3, 9, 23, 59, tzinfo=SHANGHAI))
        before = await snapshot(cases.owner)
        again = await load(cases, feed(tmp_path, contribution(contribution_id="BJ-2"), contribution(**changes)))
        assert [str(each) for each in again.errors] == [
            f"line 3, contribution_id: the feed of 2026-03-09 has this id with another {differs}"
        ]
        assert changed(before, await snapshot(cases.owner)) == set()


async def test_a_person_held_under_an_older_key_is_the_same_person(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_cases(database) as cases:
        await load(cases, feed(tmp_path, contribution()))
        # As if the keyring had another key now than then.
        key = cases.keyring.person_keys
        monkeypatch.setattr(cases.keyring, "person_keys", lambda number: [b"new" + key(number)[0], *key(number)])
        assert await load(cases, feed(tmp_path, contribution())) == ContributionReport(1, Counter(), repeated=1)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"contribution_id": ""}, ["contribution_id: is empty"]),
        (
            {"contribution_id": "a b"},
            ["contribution_id: 'a b' is not an id: 1 to 64 letters, digits and . _ : / -, the first a letter or digit"],
        ),
        ({"contribution_id": "x" * 65}, [f"contribution_id: '{'x' * 20}' is not an id: 1 to 64 letters, digits and . _ : / -, the first a letter or digit"]),
        ({"contribution_id": f"BJ-{WANG}"}, ["resident_id: is part of the contribution_id: an id must not name the person"]),
        ({"resident_id": "110101199003071234"}, ["resident_id: check digit is wrong: the number ends in 4, 3 would be right"]),
        ({"region": "999999"}, ["region: '999999' is not a pooling region of the directory"]),
        ({"scheme": "employee"}, ["scheme: 'employee' is neither EMPLOYEE nor RESIDENT"]),
        ({"month": ""}, ["month: is empty"]),
        ({"month": "2026-13"}, ["month: there is no month 13"]),
        ({"month": "2026/01"}, ["month: '2026/01' is not a month of the form YYYY-MM"]),
        ({"month": "2026-04"}, ["month: 2026-04 is in the future: the present month is 2026-03"]),
        ({"amount_fen": ""}, ["amount_fen: is empty"]),
        ({"amount_fen": "0"}, ["amount_fen: is zero: no contribution"]),
        ({"amount_fen": "-5"}, ["amount_fen: -5 is negative"]),
        ({"amount_fen": "12.50"}, ["amount_fen: 12.50 is a fraction: amounts are whole fen"]),
        ({"amount_fen": "9" * 17}, ["amount_fen: more than 9007199254740991 fen"]),
        ({"month": "x", "amount_fen": "y"}, ["month: 'x' is not a month of the form YYYY-MM", "amount_fen: 'y' is not a whole number of fen"]),
    ],
)  # fmt: skip
async def test_a_bad_row_is_listed_by_line_field_and_reason_and_nothing_is_loaded(
    database: Database, tmp_path: Path, changes: dict[str, str], reasons: list[str]
) -> None:
    async with open_cases(database) as cases:
        good = contribution(contribution_id="BJ-0")
        report = await load(
            cases, feed(tmp_path, good, contribution(**changes)), at=datetime(2026, 3, 31, 23, 59, tzinfo=SHANGHAI)
        )
        assert [str(each) for each in report.errors] == [f"line 3, {reason}" for reason in reasons]
        assert (report.rows, report.error_count, report.taken) == (2, len(reasons), Counter())
        assert await states(cases) == {}


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", ["line 1: the file is empty"]),
        (f"{HEADER}\n", ["line 1: there is no row below the header"]),
        (f"{HEADER},name\n", ["line 1: unknown column 'name'"]),
        ("contribution_id,resident_id\n", [f"line 1: column {name} is missing" for name in COLUMNS[2:]]),
        (f"{HEADER}\nBJ-1,x\n", ["line 2: 2 fields, but the header names 6"]),
        (f"{HEADER}\nBJ-1,\xa0\n", ["line 2: byte 6 of the line is not UTF-8: save the file as CSV UTF-8"]),
    ],
)
async def test_what_is_no_feed_is_said_so(database: Database, tmp_path: Path, text: str, reasons: list[str]) -> None:
    async with open_cases(database) as cases:
        path = tmp_path / "feed.csv"
        path.write_bytes(text.encode("latin-1"))
        report = await load(cases, path)
        assert [str(each) for each in report.errors] == reasons
        assert await states(cases) == {}


async def test_a_dry_run_says_what_would_be_taken_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    async with open_cases(database) as cases:
        before = await snapshot(cases.owner)
        report = await load(cases, feed(tmp_path, contribution()), dry_run=True)
        assert report == ContributionReport(1, Counter({S.NO_TRANSFER: 1}))
        assert changed(before, await snapshot(cases.owner)) == set()


async def test_two_feeds_are_not_loaded_at_once(database: Database, tmp_path: Path) -> None:
    async with open_cases(database) as cases:
        await cases.owner.execute("select pg_advisory_lock($1)", LOAD_LOCK)
        with pytest.raises(ContributionLoadError, match="another feed of contributions is being loaded"):
            await load(cases, feed(tmp_path, contribution()))


async def test_what_follows_a_case_that_is_not_completed_waits_for_it(database: Database, tmp_path: Path) -> None:
    async with open_desk(database) as desk:
        await desk.form_delivered()
        report = await load(desk.cases, feed(tmp_path, contribution()))
        assert report == ContributionReport(1, Counter({S.WAITS_FOR_COMPLETION: 1}))


async def test_another_region_scheme_or_person_has_no_transfer_that_it_could_follow(
    database: Database, tmp_path: Path
) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        others = (
            contribution(contribution_id="R", region="319900"),
            contribution(contribution_id="S", scheme="RESIDENT"),
            contribution(contribution_id="P", resident_id=LI),
        )
        report = await load(desk.cases, feed(tmp_path, *others, contribution()))
        assert report.taken == Counter({S.NO_TRANSFER: 3, S.AWAITS_SWEEP: 1})


# Completed on Thursday, 5 March 2026.
LAST_DAY = datetime(2029, 3, 5, 23, 59, 59, tzinfo=SHANGHAI)


@pytest.mark.parametrize(("at", "state"), [(LAST_DAY, S.AWAITS_SWEEP), (LAST_DAY + timedelta(seconds=1), S.TOO_LATE)])
async def test_the_36_months_end_with_their_last_day_in_shanghai(
    database: Database, tmp_path: Path, at: datetime, state: ContributionState
) -> None:
    async with open_desk(database) as desk:
        await desk.completed()
        assert (await load(desk.cases, feed(tmp_path, contribution()), at=at)).taken == Counter({state: 1})
        shown = await show_contributions(desk.db, desk.cases.keyring, [state], resident_id=WANG, limit=10)
        assert [(each.contribution_id, each.transfer_no, each.received_on) for each in shown] == [
            ("BJ-1", desk.transfer.transfer_no, at.date())
        ]
        assert swept_along_until(THURSDAY.date()) == LAST_DAY.date()


async def test_postgresql_and_the_rule_end_the_36_months_on_the_same_day(database: Database) -> None:
    days = [date(2024, 2, 29), date(2026, 1, 31), date(2026, 3, 5), date(2027, 12, 31)]
    connection = await asyncpg.connect(database.owner_url)
    found = await connection.fetchval(
        "select array_agg((day + interval '36 months')::date order by day) from unnest($1::date[]) day", days
    )
    await connection.close()
    assert found == [swept_along_until(day) for day in days]


@pytest.mark.long
async def test_a_large_feed_takes_bounded_memory(database: Database, tmp_path: Path) -> None:
    persons = resident_ids()
    path = feed(
        tmp_path,
        *(contribution(contribution_id=f"BJ-{number}", resident_id=next(persons)) for number in range(40_000)),
    )
    async with open_cases(database) as cases:
        tracemalloc.start()
        report = await load(cases, path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert report.taken == Counter({S.NO_TRANSFER: 40_000})
    assert peak < 24_000_000
