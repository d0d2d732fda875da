"""Loading register extracts into a real database. All persons are synthetic."""

import json
import tracemalloc
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from activities.keyring import Keyring
from activities.people import find_person, open_identity, open_name, person_by_id
from activities.register_load import LOAD_LOCK, LoadReport, RegisterLoadError, load_register, today_in_shanghai
from activities.register_show import show_person
from tests.activities.register_extracts import COLUMNS, HEADER, LI, WANG, extract, large_extract, row
from tests.conftest import Database

TODAY = today_in_shanghai()
NEXT_MONTH = (TODAY.replace(day=1) + timedelta(days=31)).strftime("%Y%m")
KEYRING = Keyring.from_text(Keyring.generate_text("2026-1"))


@pytest.fixture
async def registers(database: Database) -> Database:
    """A database whose directory also holds a region that was closed."""
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute(
        "insert into pooling_regions"
        " (code, effective_from, effective_to, name, province, agency_code, agency_name, source)"
        " values ('990001', '2020-01-01', '2021-01-01', '旧区', '湖北省', 'c', '旧区医保中心', 'test')"
    )
    await connection.close()
    return database


async def load(database: Database, path: Path, **options: Any) -> LoadReport:
    # As the worker's role: a load needs no more.
    return await load_register(database.worker_url, KEYRING, path, **options)


async def fetch(database: Database, sql: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.owner_url)
    try:
        return await connection.fetch(sql, *arguments)
    finally:
        await connection.close()


async def value(database: Database, sql: str) -> object:
    [row] = await fetch(database, sql)
    found: object = row[0]
    return found


async def everything(database: Database) -> list[asyncpg.Record]:
    return await fetch(
        database, "select p.*, e.* from persons p left join enrolments e using (person_id) order by 1, region, scheme"
    )


def counts(report: LoadReport) -> tuple[int, int, int, int, int, int]:
    return (
        report.rows,
        report.inserted,
        report.updated,
        report.unchanged,
        report.conflict_count,
        report.error_count,
    )


async def test_a_row_is_stored_whole_and_its_personal_data_sealed(registers: Database, tmp_path: Path) -> None:
    line = row(arrears_fen="12300", arrears_from="202506", arrears_to="2025-07", retired="TRUE")
    assert counts(await load(registers, extract(tmp_path, line))) == (1, 1, 0, 0, 0, 0)
    [stored] = await everything(registers)
    assert (stored["region"], stored["scheme"], stored["status"]) == ("110000", "EMPLOYEE", "STOPPED")
    assert (stored["stopped_on"], stored["enrolled_on"]) == (date(2025, 10, 31), date(2015, 1, 1))
    assert (stored["arrears_fen"], stored["arrears_from"], stored["arrears_to"]) == (12_300, "2025-06", "2025-07")
    assert (stored["retired"], stored["deceased"], stored["employer_id"]) == (True, False, "91110000600037341L")
    assert (stored["personal_account_fen"], stored["frozen_fen"], stored["as_of"]) == (420_000, 0, TODAY)
    of_both = {"deemed": False, "region": "110000", "scheme": "EMPLOYEE"}
    assert json.loads(stored["contribution_periods"]) == [
        {"first_month": "2015-01", "last_month": "2020-12", **of_both},
        {"first_month": "2022-03", "last_month": "2025-10", **of_both},
    ]
    kept = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in stored.values())
    assert WANG.encode() not in kept
    assert "王思琪".encode() not in kept


async def test_a_person_is_found_by_number_and_opened_again(registers: Database, tmp_path: Path) -> None:
    await load(registers, extract(tmp_path, row()))
    connection = await asyncpg.connect(registers.gateway_url)
    person = await find_person(connection, KEYRING, WANG)
    assert person is not None
    assert open_identity(person) == WANG
    name_sealed = await connection.fetchval("select name_sealed from enrolments")
    assert open_name(person.data_key, name_sealed) == "王思琪"
    by_id = await person_by_id(connection, KEYRING, person.person_id)
    assert by_id is not None
    assert open_identity(by_id) == WANG
    assert await find_person(connection, KEYRING, LI) is None
    await connection.close()


BAD_ROWS = [
    (
        {"resident_id": "110101199003071234"},
        "resident_id: check digit is wrong: the number ends in 4, 3 would be right",
    ),
    ({"resident_id": "11010519491231002x"}, "resident_id: the last character must be a capital X"),
    (
        {"resident_id": "110105491231002"},
        "resident_id: 15 digits: numbers of the first generation are no longer valid, 18 characters are needed",
    ),
    (
        {"resident_id": "１１０１０１１９９００３０７１２３３"},
        "resident_id: full-width characters: use half-width digits",
    ),
    ({"resident_id": ""}, "resident_id: not 18 characters long"),
    (
        {"resident_id": "110101199002301230"},
        "resident_id: the date of birth does not exist, is before 1900 or in the future",
    ),
    ({"name": ""}, "name: is empty"),
    ({"name": "王\u200b琪"}, "name: holds a control character or an invisible mark"),
    ({"name": "王" * 101}, "name: longer than 100 characters"),
    ({"region": "999999"}, "region: '999999' is not a pooling region of the directory"),
    ({"region": "990001"}, "region: '990001' is not a pooling region of the directory"),  # closed in 2021
    ({"scheme": "RURAL"}, "scheme: 'RURAL' is neither EMPLOYEE nor RESIDENT"),
    ({"status": "PAUSED"}, "status: 'PAUSED' is not one of ACTIVE, STOPPED, TERMINATED"),
    ({"status": "ACTIVE"}, "stopped_on: an ACTIVE enrolment has no stop date, and 2025-10-31 is given"),
    ({"stopped_on": ""}, "stopped_on: is missing: the enrolment is STOPPED"),
    ({"status": "TERMINATED", "stopped_on": ""}, "stopped_on: is missing: the enrolment is TERMINATED"),
    ({"stopped_on": "2025-02-30"}, "stopped_on: there is no day 2025-02-30"),
    ({"stopped_on": "31/10/2025"}, "stopped_on: '31/10/2025' is not a date of the form YYYY-MM-DD"),
    ({"retired": "yes"}, "retired: 'yes' is neither true nor false"),
    ({"enrolled_on": "20150101"}, "enrolled_on: '20150101' is not a date of the form YYYY-MM-DD"),
    (
        {"employer_id": "9111"},
        "employer_id: '9111' is not a unified social credit code of 18 digits and capital letters",
    ),
    ({"personal_account_fen": "-1"}, "personal_account_fen: -1 is negative"),
    ({"personal_account_fen": "12.5"}, "personal_account_fen: 12.5 is a fraction: amounts are whole fen"),
    ({"personal_account_fen": "12a"}, "personal_account_fen: '12a' is not a whole number of fen"),
    ({"personal_account_fen": "１２"}, "personal_account_fen: '１２' is not a whole number of fen"),
    ({"personal_account_fen": "9007199254740992"}, "personal_account_fen: more than 9007199254740991 fen"),
    ({"personal_account_fen": "9" * 5_000}, "personal_account_fen: more than 9007199254740991 fen"),
    ({"arrears_fen": "5", "arrears_from": "202501"}, "arrears_to: is missing: there are arrears"),
    ({"arrears_from": "202501"}, "arrears_from: 202501 is given, and there are no arrears"),
    (
        {"arrears_fen": "5", "arrears_from": "202502", "arrears_to": "202501"},
        "arrears_to: 2025-01 is before arrears_from, 2025-02",
    ),
    ({"arrears_fen": "5", "arrears_from": "202513", "arrears_to": "202601"}, "arrears_from: there is no month 13"),
    ({"contribution_months": "202012-201501"}, "contribution_months: 202012-201501 runs backwards"),
    (
        {"contribution_months": "201501-202012;202012-202103"},
        "contribution_months: 201501-202012 and 202012-202103 overlap",
    ),
    (
        {"contribution_months": f"201501-{NEXT_MONTH}"},
        f"contribution_months: {NEXT_MONTH[:4]}-{NEXT_MONTH[4:]} is in the future: the present month is {TODAY:%Y-%m}",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD_ROWS)
async def test_a_bad_row_is_named_by_line_field_and_reason_and_nothing_is_loaded(
    registers: Database, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    report = await load(registers, extract(tmp_path, row(resident_id=LI), row(**changes)))
    assert [str(error) for error in report.errors] == [f"line 3, {message}"]
    assert counts(report) == (2, 0, 0, 0, 0, 1)
    assert await everything(registers) == []


async def test_every_fault_of_every_row_is_listed_at_once(registers: Database, tmp_path: Path) -> None:
    report = await load(registers, extract(tmp_path, row(name="", retired="2"), row(), row(region="1", name="\x07")))
    assert [str(error) for error in report.errors] == [
        "line 2, name: is empty",
        "line 2, retired: '2' is neither true nor false",
        "line 4, name: holds a control character or an invisible mark",
        "line 4, region: '1' is not a pooling region of the directory",
    ]


BAD_FILES = [
    (b"", ["line 1: the file is empty"]),
    (HEADER.encode(), ["line 1: there is no row below the header"]),
    (f"{HEADER}\n\n\n".encode(), ["line 1: there is no row below the header"]),
    (
        b"resident_id,resident_id,nickname\n1,2,3\n",
        [
            "line 1: column resident_id is there 2 times",
            "line 1: unknown column 'nickname'",
            *[
                f"line 1: column {name} is missing"
                for name in COLUMNS[1:6] + COLUMNS[12:]
            ],
        ],
    ),
    (
        HEADER.replace(",arrears_from,arrears_to", "").encode(),
        ["line 1: column arrears_fen needs arrears_from, arrears_to beside it"],
    ),
    (
        f"{HEADER}\n".encode() + row().encode("gbk") + b"\n",
        ["line 2: byte 20 of the line is not UTF-8: save the file as CSV UTF-8"],
    ),
    (HEADER.encode("utf-16"), ["line 1: byte 1 of the line is not UTF-8: save the file as CSV UTF-8"]),
    (f"{HEADER}\n{row(name='王' + chr(0))}\n".encode(), ["line 2: byte 23 of the line is NUL"]),
    (
        f"{HEADER}\n{row()},\n{row()[:30]}\n".encode(),
        ["line 2: 15 fields, but the header names 14", "line 3: 4 fields, but the header names 14"],
    ),
    (f'{HEADER}\n"{row()}\n'.encode(), ["line 2: not CSV: unexpected end of data"]),
    (f"{HEADER}\n{row(name='王' * 30_000)}\n{row(name='')}\n".encode(),
     ["line 2: longer than 65536 bytes", "line 3, name: is empty"]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "messages"), BAD_FILES)
async def test_a_file_that_is_no_extract_is_refused_by_line(
    registers: Database, tmp_path: Path, content: bytes, messages: list[str]
) -> None:
    path = tmp_path / "extract.csv"
    path.write_bytes(content)
    report = await load(registers, path)
    assert [str(error) for error in report.errors] == messages
    assert await everything(registers) == []


async def test_a_person_twice_in_one_region_and_scheme_is_refused_with_both_lines(
    registers: Database, tmp_path: Path
) -> None:
    lines = [row(), row(region="319900"), row(scheme="RESIDENT"), row(name="王思琦"), row(resident_id=LI), row()]
    report = await load(registers, extract(tmp_path, *lines))
    assert [str(error) for error in report.errors] == [
        "line 5, resident_id: the same person, region and scheme as line 2",
        "line 7, resident_id: the same person, region and scheme as line 2",
    ]
    assert await everything(registers) == []


async def test_no_more_than_a_thousand_faults_are_listed_and_all_are_counted(
    registers: Database, tmp_path: Path
) -> None:
    report = await load(registers, extract(tmp_path, *[row(name="")] * 1_200, row(), row()))
    assert len(report.errors) == 1_000
    assert report.error_count == 1_201
    assert report.errors[-1].line == 1_001


async def test_bom_crlf_quotes_blank_lines_spaces_and_letter_case_of_flags_are_no_fault(
    registers: Database, tmp_path: Path
) -> None:
    path = tmp_path / "extract.csv"
    quoted = row(retired="True", region=" 319900 ").replace("王思琪", '" 阿卜杜拉•买买提 "')
    path.write_bytes(f"\ufeff{HEADER}\r\n{quoted}\r\n\r\n{row(retired='FALSE')}".encode())
    assert counts(await load(registers, path)) == (2, 2, 0, 0, 0, 0)
    stored = await fetch(registers, "select region, retired from enrolments order by region")
    assert [tuple(each) for each in stored] == [("110000", False), ("319900", True)]
    connection = await asyncpg.connect(registers.worker_url)
    shown = await show_person(connection, KEYRING, WANG)
    await connection.close()
    assert shown is not None
    assert (shown.resident_id, shown.names) == ("110101********1233", ("王*琪", "阿**拉·买*提"))


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(registers: Database, tmp_path: Path) -> None:
    path = extract(tmp_path, row(), row(resident_id=LI))
    assert counts(await load(registers, path, dry_run=True)) == (2, 2, 0, 0, 0, 0)
    assert await everything(registers) == []


async def test_a_second_load_updates_keeps_the_person_and_deletes_nothing(registers: Database, tmp_path: Path) -> None:
    await load(registers, extract(tmp_path, row(), row(region="319900"), row(resident_id=LI)))
    before = await fetch(registers, "select person_id, person_key, wrapped_key from persons order by 1")
    again = extract(tmp_path, row(), row(region="319900", name="王思琦", personal_account_fen="5"))
    assert counts(await load(registers, again)) == (2, 0, 1, 1, 0, 0)
    assert await fetch(registers, "select person_id, person_key, wrapped_key from persons order by 1") == before
    assert len(await everything(registers)) == 3
    connection = await asyncpg.connect(registers.worker_url)
    person = await find_person(connection, KEYRING, WANG)
    changed = await connection.fetchrow("select * from enrolments where region = '319900'")
    await connection.close()
    assert person is not None
    assert changed is not None
    assert open_name(person.data_key, changed["name_sealed"]) == "王思琦"
    assert changed["personal_account_fen"] == 5


async def test_a_person_stays_one_after_the_keyring_was_rotated(registers: Database, tmp_path: Path) -> None:
    await load(registers, extract(tmp_path, row()))
    new = Keyring.from_text(Keyring.generate_text("2027-1"))
    rotated = Keyring("2027-1", {**KEYRING._keys, **new._keys})
    report = await load_register(registers.worker_url, rotated, extract(tmp_path, row(), row(region="319900")))
    assert counts(report) == (2, 1, 0, 1, 0, 0)
    assert await value(registers, "select count(*) from persons") == 1


async def test_columns_left_out_say_nothing_about_what_is_held(registers: Database, tmp_path: Path) -> None:
    await load(
        registers, extract(tmp_path, row(retired="true", arrears_fen="7", arrears_from="202501", arrears_to="202501"))
    )
    left_out = [COLUMNS.index(name) for name in ("retired", "arrears_fen", "arrears_from", "arrears_to")]

    def short(line: str) -> str:
        return ",".join(cell for place, cell in enumerate(line.split(",")) if place not in left_out)

    path = extract(tmp_path, short(row(personal_account_fen="1")), short(row(resident_id=LI)), header=short(HEADER))
    assert counts(await load(registers, path)) == (2, 1, 1, 0, 0, 0)
    stored = await fetch(
        registers, "select personal_account_fen, retired, arrears_fen, arrears_to from enrolments order by 1"
    )
    assert [tuple(each) for each in stored] == [(1, True, 7, "2025-01"), (420_000, False, 0, None)]


async def test_a_row_that_a_transfer_moved_past_is_kept_and_listed(registers: Database, tmp_path: Path) -> None:
    active = {"status": "ACTIVE", "stopped_on": ""}
    lines = [row(**active), row(region="319900", **active), row(resident_id=LI, **active)]
    await load(registers, extract(tmp_path, *lines), as_of=date(2025, 11, 1))
    await fetch(
        registers,
        "update enrolments set status = 'STOPPED', stopped_on = '2025-11-03', moved_on = '2025-11-03', moved_by = 'YB1'"
        " where region = '110000' and personal_account_fen = 420000 and person_id ="
        " (select person_id from enrolments where region = '319900')",
    )
    await fetch(registers, "update enrolments set frozen_fen = 20000, moved_by = 'YB2' where region = '319900'")
    before = await everything(registers)
    changed = [line.replace("420000", "430000") for line in lines]
    report = await load(registers, extract(tmp_path, *changed[:2]), as_of=date(2025, 11, 3))
    assert [str(conflict) for conflict in report.conflicts] == [
        "line 2, 110000 EMPLOYEE: transfer YB1 moved the row on 2025-11-03, and the extract is as of 2025-11-03",
        "line 3, 319900 EMPLOYEE: 20000 fen are frozen for transfer YB2",
    ]
    assert [conflict.transfer_no for conflict in report.conflicts] == ["YB1", "YB2"]
    assert counts(report) == (2, 0, 0, 0, 2, 0)
    assert await everything(registers) == before
    # An extract of the day after knows of the stop; the frozen balance still waits for its remittance.
    report = await load(registers, extract(tmp_path, *changed), as_of=date(2025, 11, 4))
    assert counts(report) == (3, 0, 2, 0, 1, 0)
    assert [conflict.line for conflict in report.conflicts] == [3]


async def test_a_row_older_than_what_is_held_is_kept_and_listed(registers: Database, tmp_path: Path) -> None:
    await load(registers, extract(tmp_path, row(), row(region="319900")), as_of=date(2025, 11, 2))
    before = await everything(registers)
    older = extract(tmp_path, row(personal_account_fen="1"), row(region="319900"))
    report = await load(registers, older, as_of=date(2025, 11, 1))
    assert [str(conflict) for conflict in report.conflicts] == [
        "line 2, 110000 EMPLOYEE: older than what is held: held as of 2025-11-02, the extract is as of 2025-11-01"
    ]
    assert counts(report) == (2, 0, 0, 1, 1, 0)
    assert await everything(registers) == before


async def test_the_same_content_of_a_later_day_makes_what_is_held_fresher(registers: Database, tmp_path: Path) -> None:
    await load(registers, extract(tmp_path, row()), as_of=date(2025, 11, 1))
    assert counts(await load(registers, extract(tmp_path, row()), as_of=date(2025, 11, 5))) == (1, 0, 0, 1, 0, 0)
    assert await value(registers, "select as_of from enrolments") == date(2025, 11, 5)


async def test_an_extract_of_tomorrow_and_a_second_load_at_once_are_refused(
    registers: Database, tmp_path: Path
) -> None:
    with pytest.raises(RegisterLoadError, match="cannot be newer than today"):
        await load(registers, extract(tmp_path, row()), as_of=TODAY + timedelta(days=1))
    other = await asyncpg.connect(registers.owner_url)
    await other.execute("select pg_advisory_lock($1)", LOAD_LOCK)
    with pytest.raises(RegisterLoadError, match="another extract is being loaded"):
        await load(registers, extract(tmp_path, row()))
    await other.close()
    assert await everything(registers) == []


async def test_the_registers_of_a_person_are_shown_in_the_form_of_the_extract(
    registers: Database, tmp_path: Path
) -> None:
    months = "d200001-200512;201501-202012"
    await load(registers, extract(tmp_path, row(contribution_months="201501-202012;d200001-200512")))
    connection = await asyncpg.connect(registers.gateway_url)
    shown = await show_person(connection, KEYRING, WANG)
    unknown = await show_person(connection, KEYRING, LI)
    await connection.close()
    assert unknown is None
    assert shown is not None
    [enrolment] = shown.enrolments
    assert (enrolment.region, enrolment.status, enrolment.contribution_months) == ("110000", "STOPPED", months)


async def test_twenty_thousand_rows_are_loaded_in_bounded_memory(registers: Database, tmp_path: Path) -> None:
    path = large_extract(tmp_path / "extract.csv", 20_000)
    heard: list[tuple[int, int]] = []
    await load(registers, extract(tmp_path, row(resident_id=LI), name="warm.csv"))
    tracemalloc.start()
    report = await load(registers, path, on_progress=lambda size, rows: heard.append((size, rows)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts(report) == (20_000, 20_000, 0, 0, 0, 0)
    assert await value(registers, "select count(*) from persons") == 10_001
    assert [rows for _, rows in heard] == list(range(2_000, 20_001, 2_000))
    assert heard[-1][0] == path.stat().st_size
    # Ten batches pass through the memory of about two; the whole file as rows would be over 60 MB.
    assert peak < 24_000_000


async def test_a_fault_on_the_last_of_many_lines_undoes_all_of_them(registers: Database, tmp_path: Path) -> None:
    path = large_extract(tmp_path / "extract.csv", 6_000, extra=row(name="") + "\n")
    report = await load(registers, path)
    assert [str(error) for error in report.errors] == ["line 6002, name: is empty"]
    assert await everything(registers) == []


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_million_rows_are_loaded_in_bounded_memory(registers: Database, tmp_path: Path) -> None:
    path = large_extract(tmp_path / "extract.csv", 1_000_000)
    before = psutil.Process().memory_info().rss
    peak = 0

    def watch(_size: int, _rows: int) -> None:
        nonlocal peak
        peak = max(peak, psutil.Process().memory_info().rss)

    assert counts(await load(registers, path, on_progress=watch)) == (1_000_000, 1_000_000, 0, 0, 0, 0)
    assert peak - before < 100_000_000
    assert counts(await load(registers, path)) == (1_000_000, 0, 0, 1_000_000, 0, 0)
