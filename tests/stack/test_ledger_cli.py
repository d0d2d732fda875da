"""`yibao ledger` on a real database: what it prints, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result

from activities.keyring import Keyring
from stack.data_directory import DataDirectory, StackInfo
from stack.errors import StackError
from stack.ledger_cli import ledger
from tests.activities.desk import Desk, open_desk
from tests.conftest import Database


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        await desk.completed()
        yield desk


@pytest.fixture
def data_dir(database: Database, tmp_path: Path) -> Path:
    """The directory of a stack that runs, as far as its database is concerned."""
    directory = DataDirectory(tmp_path / "stack")
    directory.path.mkdir()
    directory.keyring.write_text(Keyring.generate_text(), "utf-8")
    directory.write_stack(StackInfo("", "", "", database.owner_url, "", {}, {}))
    return directory.path


async def _yibao_ledger(data_dir: Path, *words: str) -> Result:
    """In a thread: it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, ledger, [*words, "--data-dir", str(data_dir)])


async def test_a_statement_shows_opening_entries_and_closing_balance(desk: Desk, data_dir: Path) -> None:
    result = await _yibao_ledger(
        data_dir, "statement", "--region", "110000", "--account", "FROZEN", "--at", "2026-03-04T12:00"
    )
    no = desk.transfer.transfer_no
    lines = result.output.splitlines()
    assert lines[:-1] == [
        "110000 at 2026-03-04 12:00:00, entries after 2026-03-04 00:00:00",
        "FROZEN EMPLOYEE",
        f"  {'opening':<52}{'4,200.00':>18}",
        f"  2026-03-04 09:00:00         2  {no} #11 {no}-01           -4,200.00              0.00  late",
        f"  {'closing':<52}{'0.00':>18}",
    ]
    assert lines[-1].startswith("drawn by ")


async def test_a_statement_for_programs_is_the_whole_of_it(desk: Desk, data_dir: Path) -> None:
    words = ("statement", "--region", "110000", "--transfer", desk.transfer.transfer_no, "--at", "2026-03-04", "--json")
    said = json.loads((await _yibao_ledger(data_dir, *words)).output)
    assert [
        (each["account"], each["opening_fen"], each["lines"], each["closing_fen"]) for each in said["accounts"]
    ] == [
        ("FROZEN", 420_000, [], 420_000),
        ("PERSONAL_ACCOUNTS", -420_000, [], -420_000),
    ]
    result = await _yibao_ledger(data_dir, "statement", "--region", "110000", "--transfer", "ZY-1")
    assert str(result.exception) == "there is no transfer ZY-1"


async def test_an_audit_that_finds_nothing_ends_well(desk: Desk, data_dir: Path) -> None:
    assert (await desk.state()).closed
    result = await _yibao_ledger(data_dir, "audit")
    assert (result.exit_code, result.output) == (0, "verified all 1 cases, 4 postings: nothing broken so far\n")


async def test_an_audit_names_the_posting_and_ends_badly(desk: Desk, data_dir: Path, database: Database) -> None:
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute("set session_replication_role = replica")
    await connection.execute("update ledger_entries set amount_fen = amount_fen + 1 where posting_id = 2 and line = 2")
    await connection.close()
    result = await _yibao_ledger(data_dir, "audit")
    assert isinstance(result.exception, StackError)
    no = desk.transfer.transfer_no
    assert f"BROKEN SUMS_TO_ZERO  posting 2  {no}  it sums to 1 fen" in result.output.splitlines()
    lines = (await _yibao_ledger(data_dir, "audit", "--json")).output.splitlines()
    assert json.loads(lines[0]) == {
        "invariant": "SUMS_TO_ZERO", "posting_id": 2, "transfer_no": no, "says": "it sums to 1 fen",
    }  # fmt: skip
