"""One row of the feed of late contributions: the CSV contract, field by field, and the reason when a field breaks it."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationInfo

from activities.csv_cells import (
    Parsed,
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
from workflows.contribution import month_of, month_text
from workflows.vocabulary import InsuranceScheme

# The agency's own id of the payment, whatever it looks like there; it goes into events and so into Temporal.
_ID = re.compile("[0-9A-Za-z][0-9A-Za-z._:/-]{0,63}")


def _contribution_id(text: str, _: ValidationInfo) -> str:
    if not text:
        raise cell_fault("is empty")
    if not _ID.fullmatch(text):
        raise cell_fault(
            f"{text[:20]!r} is not an id: 1 to 64 letters, digits and . _ : / -, the first a letter or digit"
        )
    return text


def _resident_id(text: str, info: ValidationInfo) -> str:
    number = as_resident_id(text, info)
    if number in info.data.get("contribution_id", ""):
        raise cell_fault("is part of the contribution_id: an id must not name the person")
    return number


def _month(text: str, info: ValidationInfo) -> str:
    if not text:
        raise cell_fault("is empty")
    month, present = dashed_month(text), month_text(month_of(rules_of(info).today))
    if month > present:
        raise cell_fault(f"{month} is in the future: the present month is {present}")
    return month


def _amount(text: str, info: ValidationInfo) -> int:
    amount_fen = as_fen(text, info)
    if not amount_fen:
        raise cell_fault("is empty" if not text else "is zero: no contribution")
    return amount_fen


class ContributionRow(BaseModel):
    """One month that was paid for a person after they had moved away. `month` is `YYYY-MM`, the amount that of their account."""

    model_config = ConfigDict(frozen=True)

    contribution_id: Annotated[str, PlainValidator(_contribution_id)]
    resident_id: Annotated[str, PlainValidator(_resident_id)]
    region: Annotated[str, PlainValidator(as_region)]
    scheme: Annotated[InsuranceScheme, PlainValidator(as_scheme)]
    month: Annotated[str, PlainValidator(_month)]
    amount_fen: Annotated[int, PlainValidator(_amount)]


_COLUMNS = tuple(ContributionRow.model_fields)
LAYOUT = Layout(_COLUMNS, _COLUMNS)


def parse_row(cells: dict[str, str], rules: RowRules) -> Parsed[ContributionRow]:
    """The row, or every fault of it as (field, reason). A reason never quotes a resident identity number."""
    return validated(ContributionRow, {column: cell.strip(" \t") for column, cell in cells.items()}, rules)
