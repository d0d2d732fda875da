"""`yibao register` against a real database, found through a data directory. All persons are synthetic."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from activities.keyring import Keyring
from stack.data_directory import DataDirectory, StackInfo
from stack.errors import StackError
from stack.register_cli import register
from tests.activities.register_extracts import LI, WANG, extract, row
from tests.conftest import Database


@pytest.fixture
def data_dir(database: Database, tmp_path: Path) -> Path:
    """The directory of a stack that runs, as far as its register is concerned."""
    directory = DataDirectory(tmp_path / "stack")
    directory.path.mkdir()
    directory.keyring.write_text(Keyring.generate_text(), "utf-8")
    directory.write_stack(StackInfo("", "", "", database.owner_url, "", {}, {}))
    return directory.path


async def run(data_dir: Path, *arguments: str) -> tuple[str, Exception | None]:
    """What the command printed, and how it failed. In a thread: it has an event loop of its own."""
    command = [*arguments, "--data-dir", str(data_dir)]
    result = await asyncio.to_thread(CliRunner().invoke, register, command)
    error = result.exception
    return result.stdout, error if isinstance(error, Exception) else None


async def test_a_load_says_what_it_did_and_the_person_is_shown_masked(data_dir: Path, tmp_path: Path) -> None:
    path = str(extract(tmp_path, row(), row(resident_id=LI)))
    assert await run(data_dir, "load", path, "--dry-run") == (
        "2 rows: 2 would be added, 0 changed, 0 unchanged, 0 kept as conflicts\n",
        None,
    )
    assert await run(data_dir, "load", path) == (
        "2 rows: 2 were added, 0 changed, 0 unchanged, 0 kept as conflicts\n",
        None,
    )
    assert await run(data_dir, "show", "--resident-id", WANG) == (
        (
            "110101********1233  王*琪\n"
            "110000 EMPLOYEE STOPPED on 2025-10-31: 420,000 fen; months 201501-202012;202203-202510\n"
        ),
        None,
    )


async def test_what_is_held_is_shown_to_programs_as_the_contract_says(data_dir: Path, tmp_path: Path) -> None:
    await run(data_dir, "load", str(extract(tmp_path, row(), row(region="319900", status="ACTIVE", stopped_on=""))))
    printed, error = await run(data_dir, "show", "--resident-id", WANG, "--json")
    assert error is None
    common = {
        "scheme": "EMPLOYEE",
        "personal_account_fen": 420_000,
        "frozen_fen": 0,
        "contribution_months": "201501-202012;202203-202510",
    }
    assert json.loads(printed) == {
        "enrolments": [
            {"region": "110000", "status": "STOPPED", "stopped_on": "2025-10-31", **common},
            {"region": "319900", "status": "ACTIVE", "stopped_on": None, **common},
        ]
    }


async def test_an_unknown_person_is_one_clear_line_and_an_empty_list_for_programs(data_dir: Path) -> None:
    printed, error = await run(data_dir, "show", "--resident-id", WANG)
    assert printed == ""
    assert isinstance(error, StackError)
    assert str(error) == "no register holds anything about this person"
    assert await run(data_dir, "show", "--resident-id", WANG, "--json") == ('{"enrolments": []}\n', None)


async def test_bad_rows_are_printed_and_the_command_fails(data_dir: Path, database: Database, tmp_path: Path) -> None:
    printed, error = await run(data_dir, "load", str(extract(tmp_path, row(), row(name=""), row())))
    assert printed == ("line 3, name: is empty\nline 4, resident_id: the same person, region and scheme as line 2\n")
    assert isinstance(error, StackError)
    assert str(error) == "nothing was loaded: 2 errors in 3 rows"
    connection = await asyncpg.connect(database.owner_url)
    assert await connection.fetchval("select count(*) from enrolments") == 0
    await connection.close()


async def test_an_older_extract_lists_what_was_kept(data_dir: Path, tmp_path: Path) -> None:
    await run(data_dir, "load", str(extract(tmp_path, row())), "--as-of", "2025-11-02")
    older = str(extract(tmp_path, row(personal_account_fen="1")))
    assert await run(data_dir, "load", older, "--as-of", "2025-11-01") == (
        (
            "kept: line 2, 110000 EMPLOYEE: older than what is held: held as of 2025-11-02, the extract is as of 2025-11-01\n"
            "1 rows: 0 were added, 0 changed, 0 unchanged, 1 kept as conflicts\n"
        ),
        None,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("load", "nowhere.csv"), "cannot read nowhere.csv"),
        (
            ("show", "--resident-id", "110101199003071234"),
            "--resident-id: check digit is wrong: the number ends in 4, 3 would be right",
        ),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_line(
    data_dir: Path, arguments: tuple[str, ...], message: str
) -> None:
    _, error = await run(data_dir, *arguments)
    assert isinstance(error, StackError)
    assert str(error).startswith(message)
    assert "\n" not in str(error)


async def test_a_directory_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    _, error = await run(tmp_path, "show", "--resident-id", WANG)
    assert isinstance(error, StackError)
    assert str(error).startswith(f"No stack runs on {tmp_path}: start it with")


async def test_the_readmes_example_is_an_extract_that_loads(data_dir: Path) -> None:
    example = Path(__file__).parents[2] / "docs" / "example-extract.csv"
    assert await run(data_dir, "load", str(example)) == (
        "2 rows: 2 were added, 0 changed, 0 unchanged, 0 kept as conflicts\n",
        None,
    )
