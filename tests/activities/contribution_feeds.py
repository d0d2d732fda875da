"""Synthetic feeds of late contributions for the tests."""

from pathlib import Path

from tests.activities.register_extracts import WANG

HEADER = "contribution_id,resident_id,region,scheme,month,amount_fen"
COLUMNS = HEADER.split(",")
CONTRIBUTION = {
    "contribution_id": "BJ-1",
    "resident_id": WANG,
    "region": "110000",
    "scheme": "EMPLOYEE",
    "month": "2026-02",
    "amount_fen": "1250",
}


def contribution(**changes: str) -> str:
    """One line of the feed: the standard person's, but for the changes."""
    cells = CONTRIBUTION | changes
    return ",".join(cells[column] for column in COLUMNS)


def feed_text(*lines: str, header: str = HEADER) -> str:
    """These lines below the header."""
    return "".join(f"{line}\n" for line in (header, *lines))


def feed(directory: Path, *lines: str, header: str = HEADER, name: str = "feed.csv") -> Path:
    """A file of them."""
    path = directory / name
    path.write_text(feed_text(*lines, header=header), "utf-8")
    return path
