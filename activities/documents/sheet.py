"""What stands on the paper, as blocks of words without any look: the form in which every document meets the template."""

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

ABSENT: Final = "—"


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True)


class Fields(_Block):
    """Label and value pairs; a wide pair takes a whole line, others share one two by two."""

    block: Literal["fields"] = "fields"
    heading: str
    pairs: tuple[tuple[str, str, bool], ...]  # label, value, wide


class Table(_Block):
    """Rows under column titles, repeated on each page. `widths` are shares of the line."""

    block: Literal["table"] = "table"
    heading: str
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


class Notes(_Block):
    """Sentences, numbered when there are several."""

    block: Literal["notes"] = "notes"
    heading: str
    lines: tuple[str, ...]


class Space(_Block):
    """Room for what is written and stamped by hand."""

    block: Literal["space"] = "space"
    heading: str
    prompt: str


Block = Fields | Table | Notes | Space


class Sheet(_Block):
    title: str
    # Shown beside the number, e.g. the verification code or the version.
    captions: tuple[str, ...]
    opening: str | None
    blocks: tuple[Block, ...]
    signed_by: str
    signed_on: str
    # An agency seals; an applicant signs by hand beside `signed_by`, or has confirmed online.
    signature: Literal["SEAL", "HAND", "ONLINE"] = "SEAL"
    # Beside the QR code.
    scan: str
    # The same sheet once for each name, e.g. `第一联 转移联`; once without a name when there is none.
    copies: tuple[str, ...] = ()


def wide(label: str, value: str | None) -> tuple[str, str, bool]:
    return label, value or ABSENT, True


def narrow(label: str, value: str | None) -> tuple[str, str, bool]:
    return label, value or ABSENT, False


def texts(sheet: Sheet) -> Iterator[str]:
    """Every string of the sheet, to be searched for characters that the fonts lack."""
    yield from _strings(sheet.model_dump())


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
