"""One row of an agency's directory of staff: the CSV contract, field by field, and the reason when a field breaks it."""

import re
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationInfo

from activities.csv_cells import Parsed, RowRules, cell_fault, rules_of, validated
from activities.csv_file import Layout
from workflows.identity import resident_id_fault
from workflows.staff_identity import canonical_identity

MAX_SUBJECT = 255
# What the API takes as `actingPerson`.
_STAFF_ID = re.compile("[A-Za-z0-9._/-]{1,64}")
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _staff_id(text: str, info: ValidationInfo) -> str:
    if not text:
        raise cell_fault("is empty")
    if not _STAFF_ID.fullmatch(text):
        raise cell_fault("is no staff id: 1 to 64 letters, digits and . _ / -")
    return _no_resident_id(text, info)


def _subjects(text: str, info: ValidationInfo) -> tuple[str, ...]:
    by_key: dict[str, str] = {}
    for subject in filter(None, (part.strip() for part in text.split(";"))):
        key = canonical_identity(subject)
        if not key or len(subject) > MAX_SUBJECT:
            raise cell_fault(f"one is no subject of a token: 1 to {MAX_SUBJECT} characters")
        if key in by_key:
            raise cell_fault(f"{subject[:40]!r} is there twice")
        by_key[key] = _no_resident_id(subject, info)
    return tuple(by_key.values())


def _no_resident_id(name: str, info: ValidationInfo) -> str:
    if resident_id_fault(name, today=rules_of(info).today) is None:
        raise cell_fault("is a resident identity number: a name of the work place is needed")
    return name


def _ends_on(text: str, _: ValidationInfo) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else _no_date(text)
    except ValueError:
        return _no_date(text)


def _no_date(text: str) -> date:
    raise cell_fault(f"{text[:20]!r} is not a date: YYYY-MM-DD")


class StaffRow(BaseModel):
    """A person of the agency. `subjects`: of their own tokens, apart by `;` in the file; `ends_on`: the last day of service."""

    model_config = ConfigDict(frozen=True)

    staff_id: Annotated[str, PlainValidator(_staff_id)]
    subjects: Annotated[tuple[str, ...], PlainValidator(_subjects)] = ()
    ends_on: Annotated[date | None, PlainValidator(_ends_on)] = None


LAYOUT = Layout(tuple(StaffRow.model_fields), ("staff_id", "subjects"))


def parse_row(cells: dict[str, str], rules: RowRules) -> Parsed[StaffRow]:
    """The row, or every fault of it as (field, reason). A reason never quotes a resident identity number."""
    return validated(StaffRow, {column: cell.strip(" \t") for column, cell in cells.items()}, rules)
