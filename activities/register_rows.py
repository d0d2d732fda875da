"""One row of a register extract: the CSV contract, field by field, and the reason when a field breaks it."""

import re
from datetime import date
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationInfo

from activities.csv_cells import (
    RowRules,
    as_fen,
    as_region,
    as_resident_id,
    as_scheme,
    cell_fault,
    dashed_month,
    rules_of,
    validated,
)
from activities.csv_file import Layout
from workflows.contribution import ContributionPeriod, MonthsError, month_of, month_text, parse_months
from workflows.identity import MAX_NAME_LENGTH, name_fault
from workflows.vocabulary import InsuranceScheme

# Many people share a history: most have paid since some month without a break.
_parse_months = lru_cache(maxsize=8_192)(parse_months)
_STATUSES = ("ACTIVE", "STOPPED", "TERMINATED")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
# 统一社会信用代码: its form only. Older organisations' codes break the rules of newer ones.
_EMPLOYER = re.compile("[0-9A-Z]{18}")
_FLAGS = {"": False, "false": False, "true": True}

_NAME_REASONS = {
    "EMPTY": "is empty",
    "TOO_LONG": f"longer than {MAX_NAME_LENGTH} characters",
    "CONTROL_CHARACTER": "holds a control character or an invisible mark",
    "NOT_A_CHARACTER": "holds what is no character: was the file converted wrongly?",
}


def _name(text: str, _: ValidationInfo) -> str:
    trimmed = text.strip()
    fault = name_fault(trimmed)
    if fault is not None:
        raise cell_fault(_NAME_REASONS[fault])
    return trimmed


def _status(text: str, _: ValidationInfo) -> str:
    if text not in _STATUSES:
        raise cell_fault(f"{text[:20]!r} is not one of ACTIVE, STOPPED, TERMINATED")
    return text


def _day(text: str, _: ValidationInfo) -> date | None:
    if not text:
        return None
    if not _DAY.fullmatch(text):
        raise cell_fault(f"{text[:20]!r} is not a date of the form YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise cell_fault(f"there is no day {text}") from None


def _stopped_on(text: str, info: ValidationInfo) -> date | None:
    day, status = _day(text, info), info.data.get("status")
    if day and status == "ACTIVE":
        raise cell_fault(f"an ACTIVE enrolment has no stop date, and {text} is given")
    if not day and status in {"STOPPED", "TERMINATED"}:
        raise cell_fault(f"is missing: the enrolment is {status}")
    return day


def _flag(text: str, _: ValidationInfo) -> bool:
    flag = _FLAGS.get(text.lower())
    if flag is None:
        raise cell_fault(f"{text[:20]!r} is neither true nor false")
    return flag


def _employer_id(text: str, _: ValidationInfo) -> str | None:
    if text and not _EMPLOYER.fullmatch(text):
        raise cell_fault(f"{text[:20]!r} is not a unified social credit code of 18 digits and capital letters")
    return text or None


def _arrears_month(text: str | None, info: ValidationInfo) -> str | None:
    arrears_fen = info.data.get("arrears_fen")
    if not text:
        if arrears_fen:
            raise cell_fault("is missing: there are arrears")
        return None
    if arrears_fen == 0:
        raise cell_fault(f"{text[:20]} is given, and there are no arrears")
    dashed = dashed_month(text)
    first = info.data.get("arrears_from")
    if first and dashed < first:
        raise cell_fault(f"{dashed} is before arrears_from, {first}")
    return dashed


def _contribution_months(text: str, info: ValidationInfo) -> tuple[ContributionPeriod, ...]:
    region, scheme = info.data.get("region", ""), info.data.get("scheme", InsuranceScheme.EMPLOYEE)
    try:
        periods = _parse_months(text, region=region, scheme=scheme)
    except MonthsError as error:
        raise cell_fault(str(error)) from None
    if periods and periods[-1].last > month_of(rules_of(info).today):
        present = month_text(month_of(rules_of(info).today))
        raise cell_fault(f"{periods[-1].last_month} is in the future: the present month is {present}")
    return periods


Flag = Annotated[bool, PlainValidator(_flag)]
# An empty cell is checked too: there may be arrears.
Month = Annotated[str | None, Field(validate_default=True), PlainValidator(_arrears_month)]


class RegisterRow(BaseModel):
    """One person's enrolment in a region's scheme, as the agency's core system holds it. Amounts in fen, months `YYYY-MM`."""

    model_config = ConfigDict(frozen=True)

    resident_id: Annotated[str, PlainValidator(as_resident_id)]
    name: Annotated[str, PlainValidator(_name)]
    region: Annotated[str, PlainValidator(as_region)]
    scheme: Annotated[InsuranceScheme, PlainValidator(as_scheme)]
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
    arrears_fen: Annotated[int, PlainValidator(as_fen)] = 0
    arrears_from: Month = None
    arrears_to: Month = None
    personal_account_fen: Annotated[int, PlainValidator(as_fen)]
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
# Arrears are left out together or not at all: one alone would say something else than it means.
LAYOUT = Layout(COLUMNS, REQUIRED_COLUMNS, together=("arrears_fen", "arrears_from", "arrears_to"))


def parse_row(cells: dict[str, str], rules: RowRules) -> RegisterRow | list[tuple[str, str]]:
    """The row, or every fault of it as (field, reason). A reason never quotes a resident identity number or a name."""
    said = {column: cell.strip(" \t") for column, cell in cells.items() if cell not in _SILENT[column]}
    return validated(RegisterRow, said, rules)
