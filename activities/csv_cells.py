"""Cells that the files of the agencies share: each read by its rule, or refused with a reason that quotes no personal data."""

import re
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias, TypeVar, cast

from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from workflows.contribution import MonthsError, month_number
from workflows.identity import check_digit, resident_id_fault
from workflows.vocabulary import InsuranceScheme

CsvRow = TypeVar("CsvRow", bound=BaseModel)
# A row, or every fault of it as (field, reason).
Parsed: TypeAlias = CsvRow | list[tuple[str, str]]

# JSON's safe integers: what every client of the API can hold.
MAX_FEN = 2**53 - 1

_SCHEMES = {scheme.value: scheme for scheme in InsuranceScheme}
_COMPACT_MONTH = re.compile("[0-9]{6}")

_RESIDENT_ID_REASONS = {
    "LENGTH": "not 18 characters long",
    "FIFTEEN_DIGITS": "15 digits: numbers of the first generation are no longer valid, 18 characters are needed",
    "FULL_WIDTH": "full-width characters: use half-width digits",
    "LOWERCASE_X": "the last character must be a capital X",
    "NOT_DIGITS": "not 17 digits followed by a digit or X",
    "BIRTH_DATE": "the date of birth does not exist, is before 1900 or in the future",
}


@dataclass(frozen=True)
class RowRules:
    """What a row is held against: codes of the pooling regions in force, and the present day in Asia/Shanghai."""

    regions: frozenset[str]
    today: date


def cell_fault(reason: str) -> PydanticCustomError:
    return PydanticCustomError("register_row", "{reason}", {"reason": reason})


def resident_id_reason(text: str, *, today: date | None = None) -> str | None:
    """Why this is no resident identity number, in words that do not quote it; None when it is one."""
    fault = resident_id_fault(text, today=today)
    if fault == "CHECK_DIGIT":
        return f"check digit is wrong: the number ends in {text[17]}, {check_digit(text[:17])} would be right"
    return _RESIDENT_ID_REASONS[fault] if fault else None


def as_resident_id(text: str, info: ValidationInfo) -> str:
    reason = resident_id_reason(text, today=rules_of(info).today)
    if reason is not None:
        raise cell_fault(reason)
    return text


def as_region(text: str, info: ValidationInfo) -> str:
    if text not in rules_of(info).regions:
        raise cell_fault(f"{text[:20]!r} is not a pooling region of the directory")
    return text


def as_scheme(text: str, _: ValidationInfo) -> InsuranceScheme:
    if text not in _SCHEMES:
        raise cell_fault(f"{text[:20]!r} is neither EMPLOYEE nor RESIDENT")
    return _SCHEMES[text]


def as_fen(text: str, _: ValidationInfo) -> int:
    if not text:
        return 0
    sign, digits = text[:1] == "-", text.removeprefix("-")
    whole, point, _fraction = digits.partition(".")
    if not digits.isascii() or not whole.isdigit() or (point and not _fraction.isdigit()):
        raise cell_fault(f"{text[:20]!r} is not a whole number of fen")
    if sign:
        raise cell_fault(f"{text[:20]} is negative")
    if point:
        raise cell_fault(f"{text[:20]} is a fraction: amounts are whole fen")
    if len(whole.lstrip("0")) > 16 or int(whole) > MAX_FEN:
        raise cell_fault(f"more than {MAX_FEN} fen")
    return int(whole)


def dashed_month(text: str) -> str:
    """A month written `YYYYMM` or `YYYY-MM`, as `YYYY-MM`. Raises the cell's fault where it is neither."""
    dashed = f"{text[:4]}-{text[4:]}" if _COMPACT_MONTH.fullmatch(text) else text
    try:
        month_number(dashed)
    except MonthsError as error:
        raise cell_fault(str(error)) from None
    return dashed


def validated(model: type[CsvRow], cells: dict[str, str], rules: RowRules) -> Parsed[CsvRow]:
    """The row of these cells, or every fault of it as (field, reason)."""
    try:
        return model.model_validate(cells, context=rules)
    except ValidationError as error:
        return [(str(fault["loc"][0]), fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]


def rules_of(info: ValidationInfo) -> RowRules:
    return cast("RowRules", info.context)
