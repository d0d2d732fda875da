"""One row of a register extract: the CSV contract, field by field, and the reason when a field breaks it."""

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from workflows.contribution import (
    ContributionPeriod,
    MonthsError,
    month_number,
    month_of,
    month_text,
    parse_months,
)
from workflows.identity import MAX_NAME_LENGTH, check_digit, name_fault, resident_id_fault
from workflows.vocabulary import InsuranceScheme

# JSON's safe integers: what every client of the API can hold.
MAX_FEN = 2**53 - 1

# Many people share a history: most have paid since some month without a break.
_parse_months = lru_cache(maxsize=8_192)(parse_months)
_SCHEMES = {scheme.value: scheme for scheme in InsuranceScheme}
_STATUSES = ("ACTIVE", "STOPPED", "TERMINATED")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COMPACT_MONTH = re.compile("[0-9]{6}")
# 统一社会信用代码: its form only. Older organisations' codes break the rules of newer ones.
_EMPLOYER = re.compile("[0-9A-Z]{18}")
_FLAGS = {"": False, "false": False, "true": True}

_RESIDENT_ID_REASONS = {
    "LENGTH": "not 18 characters long",
    "FIFTEEN_DIGITS": "15 digits: numbers of the first generation are no longer valid, 18 characters are needed",
    "FULL_WIDTH": "full-width characters: use half-width digits",
    "LOWERCASE_X": "the last character must be a capital X",
    "NOT_DIGITS": "not 17 digits followed by a digit or X",
    "BIRTH_DATE": "the date of birth does not exist, is before 1900 or in the future",
}
_NAME_REASONS = {
    "EMPTY": "is empty",
    "TOO_LONG": f"longer than {MAX_NAME_LENGTH} characters",
    "CONTROL_CHARACTER": "holds a control character or an invisible mark",
    "NOT_A_CHARACTER": "holds what is no character: was the file converted wrongly?",
}


@dataclass(frozen=True)
class RowRules:
    """What a row is held against: codes of the pooling regions in force, and the present day in Asia/Shanghai."""

    regions: frozenset[str]
    today: date


def _fault(reason: str) -> PydanticCustomError:
    return PydanticCustomError("register_row", "{reason}", {"reason": reason})


def resident_id_reason(text: str, *, today: date | None = None) -> str | None:
    """Why this is no resident identity number, in words that do not quote it; None when it is one."""
    fault = resident_id_fault(text, today=today)
    if fault == "CHECK_DIGIT":
        return f"check digit is wrong: the number ends in {text[17]}, {check_digit(text[:17])} would be right"
    return _RESIDENT_ID_REASONS[fault] if fault else None


def _resident_id(text: str, info: ValidationInfo) -> str:
    reason = resident_id_reason(text, today=_rules(info).today)
    if reason is not None:
        raise _fault(reason)
    return text


def _name(text: str, _: ValidationInfo) -> str:
    trimmed = text.strip()
    fault = name_fault(trimmed)
    if fault is not None:
        raise _fault(_NAME_REASONS[fault])
    return trimmed


def _region(text: str, info: ValidationInfo) -> str:
    if text not in _rules(info).regions:
        raise _fault(f"{text[:20]!r} is not a pooling region of the directory")
    return text


def _scheme(text: str, _: ValidationInfo) -> InsuranceScheme:
    if text not in _SCHEMES:
        raise _fault(f"{text[:20]!r} is neither EMPLOYEE nor RESIDENT")
    return _SCHEMES[text]


def _status(text: str, _: ValidationInfo) -> str:
    if text not in _STATUSES:
        raise _fault(f"{text[:20]!r} is not one of ACTIVE, STOPPED, TERMINATED")
    return text


def _day(text: str, _: ValidationInfo) -> date | None:
    if not text:
        return None
    if not _DAY.fullmatch(text):
        raise _fault(f"{text[:20]!r} is not a date of the form YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _fault(f"there is no day {text}") from None


def _stopped_on(text: str, info: ValidationInfo) -> date | None:
    day, status = _day(text, info), info.data.get("status")
    if day and status == "ACTIVE":
        raise _fault(f"an ACTIVE enrolment has no stop date, and {text} is given")
    if not day and status in {"STOPPED", "TERMINATED"}:
        raise _fault(f"is missing: the enrolment is {status}")
    return day


def _flag(text: str, _: ValidationInfo) -> bool:
    flag = _FLAGS.get(text.lower())
    if flag is None:
        raise _fault(f"{text[:20]!r} is neither true nor false")
    return flag


def _fen(text: str, _: ValidationInfo) -> int:
    if not text:
        return 0
    sign, digits = text[:1] == "-", text.removeprefix("-")
    whole, point, _fraction = digits.partition(".")
    if not digits.isascii() or not whole.isdigit() or (point and not _fraction.isdigit()):
        raise _fault(f"{text[:20]!r} is not a whole number of fen")
    if sign:
        raise _fault(f"{text[:20]} is negative")
    if point:
        raise _fault(f"{text[:20]} is a fraction: amounts are whole fen")
    if len(whole.lstrip("0")) > 16 or int(whole) > MAX_FEN:
        raise _fault(f"more than {MAX_FEN} fen")
    return int(whole)


def _employer_id(text: str, _: ValidationInfo) -> str | None:
    if text and not _EMPLOYER.fullmatch(text):
        raise _fault(f"{text[:20]!r} is not a unified social credit code of 18 digits and capital letters")
    return text or None


def _arrears_month(text: str | None, info: ValidationInfo) -> str | None:
    arrears_fen = info.data.get("arrears_fen")
    if not text:
        if arrears_fen:
            raise _fault("is missing: there are arrears")
        return None
    if arrears_fen == 0:
        raise _fault(f"{text[:20]} is given, and there are no arrears")
    dashed = f"{text[:4]}-{text[4:]}" if _COMPACT_MONTH.fullmatch(text) else text
    try:
        month_number(dashed)
    except MonthsError as error:
        raise _fault(str(error)) from None
    first = info.data.get("arrears_from")
    if first and dashed < first:
        raise _fault(f"{dashed} is before arrears_from, {first}")
    return dashed


def _contribution_months(text: str, info: ValidationInfo) -> tuple[ContributionPeriod, ...]:
    region, scheme = info.data.get("region", ""), info.data.get("scheme", InsuranceScheme.EMPLOYEE)
    try:
        periods = _parse_months(text, region=region, scheme=scheme)
    except MonthsError as error:
        raise _fault(str(error)) from None
    if periods and periods[-1].last > month_of(_rules(info).today):
        present = month_text(month_of(_rules(info).today))
        raise _fault(f"{periods[-1].last_month} is in the future: the present month is {present}")
    return periods


Flag = Annotated[bool, PlainValidator(_flag)]
# An empty cell is checked too: there may be arrears.
Month = Annotated[str | None, Field(validate_default=True), PlainValidator(_arrears_month)]


class RegisterRow(BaseModel):
    """One person's enrolment in a region's scheme, as the agency's core system holds it. Amounts in fen, months `YYYY-MM`."""

    model_config = ConfigDict(frozen=True)

    resident_id: Annotated[str, PlainValidator(_resident_id)]
    name: Annotated[str, PlainValidator(_name)]
    region: Annotated[str, PlainValidator(_region)]
    scheme: Annotated[InsuranceScheme, PlainValidator(_scheme)]
    status: Annotated[Literal["ACTIVE", "STOPPED", "TERMINATED"], PlainValidator(_status)]
    stopped_on: Annotated[date | None, PlainValidator(_stopped_on)]
    retired: Flag = False
    deceased: Flag = False
    account_frozen: Flag = False
    unsettled_claims: Flag = False
    current_month_unpaid: Flag = False
    special_personnel: Flag = False
    flexible_employment: Flag = False
    next_year_enrolled: Flag = False
    enrolled_on: Annotated[date | None, PlainValidator(_day)] = None
    employer_id: Annotated[str | None, PlainValidator(_employer_id)] = None
    arrears_fen: Annotated[int, PlainValidator(_fen)] = 0
    arrears_from: Month = None
    arrears_to: Month = None
    personal_account_fen: Annotated[int, PlainValidator(_fen)]
    contribution_months: Annotated[tuple[ContributionPeriod, ...], PlainValidator(_contribution_months)]


COLUMNS = tuple(RegisterRow.model_fields)
REQUIRED_COLUMNS = tuple(name for name, field in RegisterRow.model_fields.items() if field.is_required())
# Cells that say no more than the default does: most cells of a file, and quickest passed over.
_FLAG_COLUMNS = [name for name, field in RegisterRow.model_fields.items() if field.annotation is bool]
_SILENT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(COLUMNS, ("",)),
    **dict.fromkeys(REQUIRED_COLUMNS, ()),
    **dict.fromkeys(_FLAG_COLUMNS, ("", "false")),
}
# Left out together or not at all: one alone would say something else than it means.
TOGETHER = ("arrears_fen", "arrears_from", "arrears_to")


def parse_row(cells: dict[str, str], rules: RowRules) -> RegisterRow | list[tuple[str, str]]:
    """The row, or every fault of it as (field, reason). A reason never quotes a resident identity number or a name."""
    said = {column: cell.strip(" \t") for column, cell in cells.items() if cell not in _SILENT[column]}
    try:
        return RegisterRow.model_validate(said, context=rules)
    except ValidationError as error:
        return [(str(fault["loc"][0]), fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]


def _rules(info: ValidationInfo) -> RowRules:
    return cast("RowRules", info.context)
