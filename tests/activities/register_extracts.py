"""Synthetic register extracts for the tests."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from workflows.identity import check_digit

HEADER = (
    "resident_id,name,region,scheme,status,stopped_on,retired,enrolled_on,employer_id,"
    "arrears_fen,arrears_from,arrears_to,personal_account_fen,contribution_months"
)
COLUMNS = HEADER.split(",")
WANG = "110101199003071233"
LI = "11010519491231002X"
ROW = {
    "resident_id": WANG,
    "name": "王思琪",
    "region": "110000",
    "scheme": "EMPLOYEE",
    "status": "STOPPED",
    "stopped_on": "2025-10-31",
    "enrolled_on": "2015-01-01",
    "employer_id": "91110000600037341L",
    "personal_account_fen": "420000",
    "contribution_months": "201501-202012;202203-202510",
}


def row(**changes: str) -> str:
    """One line of the file: the standard person, but for the changes."""
    cells = ROW | changes
    return ",".join(cells.get(column, "") for column in COLUMNS)


def extract(directory: Path, *lines: str, header: str = HEADER, name: str = "extract.csv") -> Path:
    """A file of these lines below the header."""
    path = directory / name
    path.write_text("".join(f"{line}\n" for line in (header, *lines)), "utf-8")
    return path


def resident_ids() -> Iterator[str]:
    """As many synthetic persons as are asked for."""
    for number in range(16_000 * 999 * 100):
        born = date(1960, 1, 1) + timedelta(days=number % 16_000)
        text = f"{110101 + number // (16_000 * 999)}{born:%Y%m%d}{number // 16_000 % 999:03}"
        yield text + check_digit(text)


def large_extract(path: Path, rows: int, *, extra: str = "") -> Path:
    """A file of that many good rows, two regions for each person, and `extra` below them."""
    persons = resident_ids()
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{HEADER}\n")
        for number in range(rows):
            if number % 2 == 0:
                resident_id = next(persons)
            first = f"{2000 + number % 25}{number % 12 + 1:02}"
            file.write(
                row(
                    resident_id=resident_id,
                    region=("110000", "319900")[number % 2],
                    personal_account_fen=str(number),
                    contribution_months=f"{first}-202501;202503-202510",
                )
            )
            file.write("\n")
        file.write(extra)
    return path
