"""`yibao calendar` and `yibao why` on a real database."""

import json
from pathlib import Path

from activities.calendar_data import CALENDAR_FILES
from tests.conftest import Database
from tests.stack.conftest import Yibao, rows, said


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
