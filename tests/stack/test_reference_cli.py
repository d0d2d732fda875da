"""`yibao region`, `yibao calendar` and `yibao why` on a real database."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result

from activities.calendar_data import CALENDAR_FILES
from activities.keyring import Keyring
from stack.cli import yibao
from stack.errors import StackError
from stack.region_commands import ACCOUNT_KEYS
from tests.conftest import Database

Yibao = Callable[..., Result]


@pytest.fixture
def run(database: Database) -> Yibao:
    """The command line on a fresh database; its own errors come back as exceptions."""
    environment = {"YIBAO_DATABASE_URL": database.owner_url, "YIBAO_KEYRING": Keyring.generate_text()}

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(yibao, arguments, env=environment)

    return invoke


def said(result: Result) -> str:
    """The one line that a refused command prints."""
    assert isinstance(result.exception, StackError)
    return str(result.exception)


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    async def fetch() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(database.owner_url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_a_policy_is_changed_as_a_new_edition_and_the_difference_is_printed(run: Yibao, database: Database) -> None:
    first = run("region", "set", "110000", "arrears=block", "--from", "2026-11-01")
    second = run("region", "set", "110000", "shortened_periods.CONFIRM_CONTINUATION=3", "--from", "2026-11-02")
    assert first.output == "110000, in force from 2026-11-01:\n  arrears: warn -> block\n"
    expected = "110000, in force from 2026-11-02:\n  shortened_periods.CONFIRM_CONTINUATION: default -> 3\n"
    assert second.output == expected
    stored = rows(database, "select region, effective_from::text, policy::text from region_policies order by edition")
    assert [(region, day, json.loads(str(policy))) for region, day, policy in stored] == [
        ("110000", "2026-11-01", {"arrears": "block"}),
        ("110000", "2026-11-02", {"arrears": "block", "shortened_periods": {"CONFIRM_CONTINUATION": 3}}),
    ]
    assert "  arrears: warn\n" in run("region", "show", "110000", "--on", "2026-10-31").output
    assert "  arrears: block\n" in run("region", "show", "110000", "--on", "2026-11-01").output


@pytest.mark.parametrize(
    ("code", "change", "line"),
    [
        ("999999", "arrears=block", "999999 is no pooling region of the directory on 2026-11-01"),
        ("110000", "arrears=clerk", "arrears may be warn or block, not clerk"),
        ("110000", "arrears", "arrears: a change has the form KEY=VALUE, e.g. arrears=block"),
        (
            "110000",
            "shortened_periods.CONFIRM_CONTINUATION=6",
            "shortened_periods: CONFIRM_CONTINUATION may be shortened to 1 … 5 working days, not 6",
        ),
    ],
)
def test_a_change_that_may_not_be_is_refused_and_nothing_is_stored(
    run: Yibao, database: Database, code: str, change: str, line: str
) -> None:
    assert said(run("region", "set", code, change, "--from", "2026-11-01")) == line
    assert rows(database, "select * from region_policies") == []


def test_an_unknown_policy_is_refused_with_the_names_of_those_there_are(run: Yibao, database: Database) -> None:
    line = said(run("region", "set", "110000", "colour=red"))
    assert line.startswith("colour: Extra inputs are not permitted; the keys are connected, arrears, ")
    assert rows(database, "select * from region_policies") == []


def test_a_region_s_own_days_off_are_set_as_a_list(run: Yibao, database: Database) -> None:
    days = '[{"date": "2027-04-09", "name": "三月三"}]'
    assert run("region", "set", "450100", f"regional_holidays={days}", "--from", "2026-11-01").exit_code == 0
    (policy,) = rows(database, "select policy::text from region_policies")
    assert json.loads(str(policy[0])) == {"regional_holidays": [{"date": "2027-04-09", "name": "三月三"}]}
    line = said(run("region", "set", "450100", "regional_holidays=[2027-04-09]", "--from", "2026-11-01"))
    assert line.startswith("[2027-04-09]: is no JSON: ")
    assert len(rows(database, "select * from region_policies")) == 1


ACCOUNT = ("receiving_account_name=上海示例专户", "receiving_bank=示例银行", "receiving_bank_code=102290000001")


def test_a_receiving_account_is_taken_out_of_the_directory_and_put_back_whole(run: Yibao) -> None:
    run("region", "set", "319900", "receiving_account=none", "--from", "2026-11-01")
    none = "".join(f"  {key}: none\n" for key in ACCOUNT_KEYS)
    assert none in run("region", "show", "319900", "--on", "2026-11-01").output
    assert ": none\n" not in run("region", "show", "319900", "--on", "2026-10-31").output
    put = run("region", "set", "319900", "receiving_account=9999000011112222", *ACCOUNT, "--from", "2026-11-01")
    assert put.output == (
        "319900, in force from 2026-11-01:\n"
        "  receiving_account: none -> 9999000011112222\n"
        "  receiving_account_name: none -> 上海示例专户\n"
        "  receiving_bank: none -> 示例银行\n"
        "  receiving_bank_code: none -> 102290000001\n"
    )
    changed = run("region", "set", "319900", "receiving_account=9999000011113333", "--from", "2026-11-02")
    assert changed.output == (
        "319900, in force from 2026-11-02:\n  receiving_account: 9999000011112222 -> 9999000011113333\n"
    )
    shown = run("region", "show", "319900", "--on", "2026-11-02").output
    assert "  receiving_account: 9999000011113333\n  receiving_account_name: 上海示例专户\n" in shown


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (("receiving_account=9999000011112222",), "the receiving account must be whole or absent"),
        (("receiving_account=9999000011112222", *ACCOUNT[:2]), "the receiving account must be whole or absent"),
        (
            ("receiving_account=9999-0000", *ACCOUNT),
            "receiving_account: String should match pattern '^[0-9]{8,32}$'",
        ),
        (
            ("receiving_account=9999000011112222", *ACCOUNT[:2], "receiving_bank_code=5"),
            "receiving_bank_code: String should match pattern '^[0-9]{12}$'",
        ),
    ],
)
def test_half_a_receiving_account_is_refused_and_nothing_is_stored(
    run: Yibao, database: Database, changes: tuple[str, ...], line: str
) -> None:
    run("region", "set", "319900", "receiving_account=none", "--from", "2026-11-01")
    before = rows(database, "select * from pooling_regions where code = '319900' order by effective_from")
    assert said(run("region", "set", "319900", *changes, "arrears=block", "--from", "2026-11-02")) == (
        f"{line} ({', '.join(ACCOUNT_KEYS)})"
    )
    assert rows(database, "select * from pooling_regions where code = '319900' order by effective_from") == before
    assert rows(database, "select * from region_policies") == []


def calendar_file(folder: Path, **changes: object) -> Path:
    """The table of 2026 as a file, but for the changes."""
    document = json.loads((CALENDAR_FILES / "2026.1.json").read_text("utf-8")) | changes
    path = folder / "edition.json"
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return path


def test_an_edition_of_a_year_is_published_once(run: Yibao, tmp_path: Path) -> None:
    path = calendar_file(tmp_path, edition="2026.2")
    loaded = run("calendar", "load", str(path))
    assert loaded.output == "edition 2026.2 of 2026 is in force (国办发明电〔2025〕7号)\n"
    assert said(run("calendar", "load", str(path))) == (
        "edition 2026.2 is published already: a change to 2026 is a new edition"
    )
    shown = run("calendar", "show", "2026").output
    assert [line for line in shown.splitlines() if line.startswith("2026.")] == [
        "2026.1  国办发明电〔2025〕7号, published on 2025-11-04",
        "2026.2  国办发明电〔2025〕7号, published on 2025-11-04",
    ]
    assert "  off   2026-01-01 元旦\n" in shown
    assert "  work  2026-01-04\n" in shown


def test_a_file_that_is_no_table_is_refused_by_its_field(run: Yibao, database: Database, tmp_path: Path) -> None:
    before = rows(database, "select count(*) from calendar_editions")
    path = calendar_file(tmp_path, edition="2027.1")
    assert said(run("calendar", "load", str(path))) == f"{path}: edition: must be an edition of 2026"
    assert rows(database, "select count(*) from calendar_editions") == before


def test_a_year_that_leaves_a_hole_is_refused_and_nothing_is_stored(
    run: Yibao, database: Database, tmp_path: Path
) -> None:
    before = rows(database, "select count(*) from calendar_editions")
    path = calendar_file(
        tmp_path, year=2028, edition="2028.1", days_off=[{"date": "2028-01-01", "name": "元旦"}], make_up_days=[]
    )
    line = said(run("calendar", "load", str(path)))
    assert line.startswith(f"{path}: with this edition the table does not hold together: ")
    assert rows(database, "select count(*) from calendar_editions") == before


def test_a_year_that_is_not_published_says_what_that_means(run: Yibao) -> None:
    assert said(run("calendar", "show", "2027")) == (
        "2027 is not published yet: deadlines in it are provisional, counted by statutory days only"
    )


def test_a_number_that_does_not_exist_is_said_to_not_exist(run: Yibao) -> None:
    assert said(run("why", "ZY-319900-20261122-000042")) == "there is no transfer ZY-319900-20261122-000042"
