"""A CSV file of a contract, line by line: bytes to named cells, in bounded memory.

No field of a contract can hold a line break, so a line is a row and its number is the file's.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

MAX_LINE_BYTES = 65_536
_BOM = b"\xef\xbb\xbf"


class Layout(NamedTuple):
    """The columns that a file may have, those that it must have, and those left out together or not at all."""

    columns: tuple[str, ...]
    required: tuple[str, ...]
    together: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowError:
    """Why one line of the file cannot be loaded; the header is line 1. `field` is None when the whole line is at fault."""

    line: int
    field: str | None
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.field}" if self.field else f"line {self.line}"
        return f"{where}: {self.reason}"


@dataclass(slots=True)
class Row:
    """The cells of one line by column."""

    line: int
    cells: dict[str, str]


class HeaderError(Exception):
    """The header is missing or not the contract's; `errors` says all that is wrong with it."""

    def __init__(self, errors: list[RowError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors


def read_header(file: BinaryIO, layout: Layout) -> tuple[str, ...]:
    """Read line 1 and return its columns. Raises `HeaderError` where they are not those of `layout`."""
    raw = _read_line(file)
    if not raw:
        raise HeaderError([RowError(1, None, "the file is empty")])
    cells = _cells(1, raw.removeprefix(_BOM))
    if isinstance(cells, RowError):
        raise HeaderError([cells])
    columns = tuple(cell.strip() for cell in cells)
    errors = [RowError(1, None, reason) for reason in _header_faults(columns, layout)]
    if errors:
        raise HeaderError(errors)
    return columns


def read_rows(file: BinaryIO, columns: tuple[str, ...]) -> Iterator[Row | RowError]:
    """Read the lines below the header; blank ones are passed over, and what is no row is yielded as an error."""
    line = 1
    while raw := _read_line(file):
        line += 1
        if not raw.strip():
            continue
        cells = _cells(line, raw)
        if isinstance(cells, RowError):
            yield cells
        elif len(cells) != len(columns):
            yield RowError(line, None, f"{len(cells)} fields, but the header names {len(columns)}")
        else:
            yield Row(line, dict(zip(columns, cells, strict=True)))


def _header_faults(columns: tuple[str, ...], layout: Layout) -> Iterator[str]:
    for name in dict.fromkeys(columns):
        if name not in layout.columns:
            yield f"unknown column {name[:40]!r}"
        elif columns.count(name) > 1:
            yield f"column {name} is there {columns.count(name)} times"
    for name in layout.required:
        if name not in columns:
            yield f"column {name} is missing"
    present = [name for name in layout.together if name in columns]
    if present and len(present) < len(layout.together):
        absent = ", ".join(name for name in layout.together if name not in columns)
        yield f"column {present[0]} needs {absent} beside it"


def _read_line(file: BinaryIO) -> bytes:
    """The next line with its end, or b"" at the end of the file. Of a line past the limit only the beginning is kept."""
    raw = file.readline(MAX_LINE_BYTES + 1)
    if len(raw) > MAX_LINE_BYTES:
        rest = raw
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
    return raw


def _cells(line: int, raw: bytes) -> list[str] | RowError:
    if len(raw) > MAX_LINE_BYTES:
        return RowError(line, None, f"longer than {MAX_LINE_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return RowError(line, None, f"byte {error.start + 1} of the line is not UTF-8: save the file as CSV UTF-8")
    nul = raw.find(b"\0")
    if nul >= 0:
        return RowError(line, None, f"byte {nul + 1} of the line is NUL")
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        return RowError(line, None, f"not CSV: {error}")
