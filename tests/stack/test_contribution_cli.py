"""`yibao contributions` against a real database, found through a data directory. All persons are synthetic."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from activities.keyring import Keyring
from activities.register_load import today_in_shanghai
from stack.contribution_cli import STATES, contributions
from stack.data_directory import DataDirectory, StackInfo
from stack.errors import StackError
from tests.activities.contribution_feeds import contribution, feed
from tests.activities.register_extracts import LI, WANG
from tests.conftest import Database
from workflows.residuals import ContributionState


@pytest.fixture
def data_dir(database: Database, tmp_path: Path) -> Path:
    """The directory of a stack that runs, as far as its database is concerned."""
    directory = DataDirectory(tmp_path / "stack")
    directory.path.mkdir()
    directory.keyring.write_text(Keyring.generate_text(), "utf-8")
    directory.write_stack(StackInfo("", "", "", database.owner_url, "", {}, {}))
    return directory.path


async def run(data_dir: Path, *arguments: str) -> tuple[str, Exception | None]:
    """What the command printed, and how it failed. In a thread: it has an event loop of its own."""
    command = [*arguments, "--data-dir", str(data_dir)]
    result = await asyncio.to_thread(CliRunner().invoke, contributions, command)
    error = result.exception
    return result.stdout, error if isinstance(error, Exception) else None


async def test_a_load_says_what_it_took_and_what_it_knew_and_each_is_shown_without_its_person(
    data_dir: Path, tmp_path: Path
) -> None:
    path = str(feed(tmp_path, contribution(), contribution(contribution_id="BJ-2", resident_id=LI)))
    unmoved = "2 of persons who have not moved from there (NO_TRANSFER)\n"
    assert await run(data_dir, "load", path, "--dry-run") == (
        f"2 rows: 2 would be taken, 0 known already\n{unmoved}",
        None,
    )
    assert await run(data_dir, "load", path) == (f"2 rows: 2 were taken, 0 known already\n{unmoved}", None)
    assert await run(data_dir, "load", path) == ("2 rows: 0 were taken, 2 known already\n", None)
    today = today_in_shanghai()
    shown, error = await run(data_dir, "show")
    assert error is None
    assert shown == "".join(
        f"{today} {name}: 110000 EMPLOYEE 2026-02, 1,250 fen, of persons who have not moved from there (NO_TRANSFER)\n"
        for name in ("BJ-1", "BJ-2")
    )
    assert await run(data_dir, "show", "--resident-id", LI) == (shown.splitlines(keepends=True)[1], None)
    assert await run(data_dir, "show", "--state", "TOO_LATE") == ("", None)
    assert await run(data_dir, "show", "--limit", "1") == (
        f"{shown.splitlines(keepends=True)[0]}the first 1: --limit shows more\n",
        None,
    )
    printed, _ = await run(data_dir, "show", "--json", "--resident-id", WANG)
    assert json.loads(printed) == {
        "contributions": [
            {
                "contribution_id": "BJ-1",
                "region": "110000",
                "scheme": "EMPLOYEE",
                "month": "2026-02",
                "amount_fen": 1_250,
                "received_on": today.isoformat(),
                "state": "NO_TRANSFER",
                "transfer_no": None,
            }
        ]
    }


async def test_bad_rows_are_printed_and_the_command_fails(data_dir: Path, database: Database, tmp_path: Path) -> None:
    path = feed(tmp_path, contribution(), contribution(contribution_id="BJ-2", amount_fen="-1"))
    printed, error = await run(data_dir, "load", str(path))
    assert printed == "line 3, amount_fen: -1 is negative\n"
    assert isinstance(error, StackError)
    assert str(error) == "nothing was loaded: 1 errors in 2 rows"
    connection = await asyncpg.connect(database.owner_url)
    assert await connection.fetchval("select count(*) from late_contributions") == 0
    await connection.close()


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


def test_every_state_can_be_asked_for() -> None:
    assert tuple(ContributionState) == STATES
