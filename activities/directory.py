"""The directory of pooling regions that comes with the package: effective-dated, one agency each."""

import csv
from collections.abc import Iterable
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

DIRECTORY_FILE = Path(__file__).parent / "data" / "regions.csv"

Text = Annotated[str, Field(min_length=1)]


class DirectoryFileError(ValueError):
    """A row of the directory cannot be used; `line` counts from 1, the header included."""

    def __init__(self, line: int, field: str, reason: str) -> None:
        self.line = line
        self.field = field
        self.reason = reason
        super().__init__(f"line {line}: {field}: {reason}" if field else f"line {line}: {reason}")


class DirectoryRegion(BaseModel):
    """A pooling region 统筹区 and its agency, from `effective_from` until the day before `effective_to` (None: still).

    The code has six digits and is wider than GB/T 2260. The receiving account is whole or absent: without it a
    transfer into the region is RECEIVING_ACCOUNT_MISSING.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    name: Text
    province: Text
    effective_from: date
    effective_to: date | None
    source: Text
    agency_code: Text
    agency_name: Text
    service_phone: Annotated[str, Field(pattern=r"^[0-9]{3,4}-[0-9]{5,8}$")] | None
    address: Text | None
    receiving_account_name: Text | None
    receiving_bank: Text | None
    receiving_bank_code: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None
    receiving_account: Annotated[str, Field(pattern=r"^[0-9]{8,32}$")] | None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must be later than effective_from")
        account = (self.receiving_account_name, self.receiving_bank, self.receiving_bank_code, self.receiving_account)
        if None in account and any(account):
            raise ValueError("the receiving account must be whole or absent")
        return self


@cache
def shipped_directory() -> tuple[DirectoryRegion, ...]:
    """Every row of the package's directory, by code and date."""
    with DIRECTORY_FILE.open(encoding="utf-8", newline="") as file:
        return parse_directory(file)


def parse_directory(lines: Iterable[str]) -> tuple[DirectoryRegion, ...]:
    """The regions of a CSV with header, by code and date. Raises DirectoryFileError for the first row that is wrong.

    The rows of one code must not overlap in time.
    """
    reader = csv.DictReader(lines, strict=True)
    rows: list[tuple[DirectoryRegion, int]] = []
    for row in reader:
        try:
            region = DirectoryRegion.model_validate({field: value or None for field, value in row.items()})
        except ValidationError as invalid:
            first = invalid.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise DirectoryFileError(reader.line_num, field, first["msg"].removeprefix("Value error, ")) from None
        rows.append((region, reader.line_num))
    rows.sort(key=lambda each: (each[0].code, each[0].effective_from))
    for (earlier, _), (later, line) in pairwise(rows):
        if earlier.code == later.code and (earlier.effective_to is None or earlier.effective_to > later.effective_from):
            raise DirectoryFileError(line, "effective_from", f"overlaps an earlier row of {later.code}")
    return tuple(region for region, _ in rows)
