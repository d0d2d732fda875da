"""`yibao staff` against a real database, found through a data directory: the whole directory, all or nothing."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from activities.keyring import Keyring
from activities.register_load import today_in_shanghai
from stack.data_directory import DataDirectory, StackInfo
from stack.errors import StackError
from stack.staff_cli import staff
from tests.activities.desk import snapshot
from tests.conftest import Database

HEADER = "staff_id,subjects,ends_on"
# The digits are those of the example in GB 11643.
NUMBER = "11010519491231002X"


@pytest.fixture
def data_dir(database: Database, tmp_path: Path) -> Path:
    """The directory of a stack that runs, as far as its database is concerned."""
    directory = DataDirectory(tmp_path / "stack")
    directory.path.mkdir()
    directory.keyring.write_text(Keyring.generate_text(), "utf-8")
    directory.write_stack(StackInfo("", "", "", database.owner_url, "", {}, {}))
    return directory.path


async def run(data_dir: Path, *arguments: str) -> tuple[str, str | None]:
    """What the command printed, and how it failed. In a thread: it has an event loop of its own."""
    result = await asyncio.to_thread(CliRunner().invoke, staff, [*arguments, "--data-dir", str(data_dir)])
    error = result.exception
    assert error is None or isinstance(error, StackError), result.output
    return result.stdout, str(error) if error is not None else None


def file(folder: Path, *lines: str, header: str = HEADER) -> str:
    path = folder / "staff.csv"
    path.write_text("\n".join((header, *lines)) + "\n", "utf-8")
    return str(path)


async def tables(database: Database) -> dict[str, list[str]]:
    connection = await asyncpg.connect(database.owner_url)
    try:
        return await snapshot(connection)
    finally:
        await connection.close()


async def test_a_directory_is_loaded_shown_and_replaced(data_dir: Path, tmp_path: Path, database: Database) -> None:
    lines = ("Li-01,user-17; li@work,", "wang-02,,2027-01-31", "chen-03,user-19,")
    before = await tables(database)
    dry = await run(data_dir, "load", file(tmp_path, *lines), "--region", "110000", "--dry-run")
    assert dry == ("3 rows: 3 would be added, 0 changed, 0 unchanged, 0 taken out\n", None)
    assert await tables(database) == before
    assert await run(data_dir, "load", file(tmp_path, *lines), "--region", "110000") == (
        "3 rows: 3 were added, 0 changed, 0 unchanged, 0 taken out\n",
        None,
    )
    today = today_in_shanghai()
    assert await run(data_dir, "show", "--region", "110000") == (
        (
            f"chen-03: user-19; from {today}\n"
            f"Li-01: li@work, user-17; from {today}\n"
            f"wang-02: no token of their own; from {today} until 2027-01-31\n"
        ),
        None,
    )
    loaded = await tables(database)
    again = await run(data_dir, "load", file(tmp_path, *lines), "--region", "110000")
    assert again == ("3 rows: 0 were added, 0 changed, 3 unchanged, 0 taken out\n", None)
    assert await tables(database) == loaded
    # A subject goes from one person to another; one person leaves, one comes.
    later = ("li-01,li@work,", "wang-02,user-17,2027-01-31", "zhao-04,,")
    assert await run(data_dir, "load", file(tmp_path, *later), "--region", "110000") == (
        "3 rows: 1 were added, 2 changed, 0 unchanged, 1 taken out\n",
        None,
    )
    shown, _ = await run(data_dir, "show", "--region", "110000", "--json")
    documents = [{**each, "loaded_at": None} for each in json.loads(shown)]
    of_today = {"valid_from": today.isoformat(), "loaded_at": None}
    assert documents == [
        {"staff_id": "li-01", "subjects": ["li@work"], "ends_on": None} | of_today,
        {"staff_id": "wang-02", "subjects": ["user-17"], "ends_on": "2027-01-31"} | of_today,
        {"staff_id": "zhao-04", "subjects": [], "ends_on": None} | of_today,
    ]


async def test_an_agency_loads_its_own_directory_alone(data_dir: Path, tmp_path: Path) -> None:
    await run(data_dir, "load", file(tmp_path, "li-01,user-17,"), "--region", "110000")
    loaded = await run(data_dir, "load", file(tmp_path, "sh-1,user-17,"), "--region", "319900")
    assert loaded == ("1 rows: 1 were added, 0 changed, 0 unchanged, 0 taken out\n", None)
    shown, _ = await run(data_dir, "show", "--region", "110000")
    assert shown.startswith("li-01: user-17; ")


BAD_ROWS = {
    ",user-1,": "line 2, staff_id: is empty",
    "li 01,,": "line 2, staff_id: is no staff id: 1 to 64 letters, digits and . _ / -",
    "李,,": "line 2, staff_id: is no staff id: 1 to 64 letters, digits and . _ / -",
    "x" * 65 + ",,": "line 2, staff_id: is no staff id: 1 to 64 letters, digits and . _ / -",
    f"{NUMBER},,": "line 2, staff_id: is a resident identity number: a name of the work place is needed",
    f"li,{NUMBER},": "line 2, subjects: is a resident identity number: a name of the work place is needed",
    "li,a;A,": "line 2, subjects: 'A' is there twice",
    "li,\u200d,": "line 2, subjects: one is no subject of a token: 1 to 255 characters",
    "li,,31.1.2027": "line 2, ends_on: '31.1.2027' is not a date: YYYY-MM-DD",
    "li,,2027-02-30": "line 2, ends_on: '2027-02-30' is not a date: YYYY-MM-DD",
    "li,,20270131": "line 2, ends_on: '20270131' is not a date: YYYY-MM-DD",
    "li": "line 2: 1 fields, but the header names 3",
    "li,,\nLI,,": "line 3, staff_id: 'LI' is a name of the person of line 2; spelling does not count",
    "li,user-17,\nwang,User\u201017;USER-17,": (
        "line 3, subjects: 'USER-17' is a name of the person of line 2; spelling does not count"
    ),
    "li,user-17,\nuser-17,,": (
        "line 3, staff_id: 'user-17' is a name of the person of line 2; spelling does not count"
    ),
    "": "line 1: there is no row below the header",
}


@pytest.mark.parametrize(("rows", "fault"), BAD_ROWS.items(), ids=[*map(repr, BAD_ROWS)])
async def test_a_bad_row_is_named_and_nothing_is_loaded(
    data_dir: Path, tmp_path: Path, database: Database, rows: str, fault: str
) -> None:
    before = await tables(database)
    lines = [rows] if rows else []
    printed, error = await run(data_dir, "load", file(tmp_path, *lines), "--region", "110000")
    assert printed == f"{fault}\n"
    counted = len("".join(lines).split("\n")) if lines and "\n" not in rows else len(rows.split("\n")) if rows else 0
    assert error == f"nothing was loaded: 1 errors in {counted} rows"
    assert await tables(database) == before


async def test_what_is_no_directory_of_a_region_is_refused(data_dir: Path, tmp_path: Path) -> None:
    assert await run(data_dir, "load", file(tmp_path, "li,,"), "--region", "999999") == (
        "",
        "nothing was loaded: 999999 is not a pooling region of the directory",
    )
    printed, error = await run(data_dir, "load", file(tmp_path, "li", header="name"), "--region", "110000")
    assert error is not None
    assert "line 1" in printed
    missing, error = await run(data_dir, "load", str(tmp_path / "none.csv"), "--region", "110000")
    assert (missing, error is not None and error.startswith("cannot read ")) == ("", True)
    assert await run(data_dir, "show", "--region", "110000") == (
        "",
        "the agency of 110000 has no directory of staff: `yibao staff load FILE --region CODE`",
    )
