"""Keyset pages: opaque cursors, and the one place that bounds how much is asked for."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import orjson

from gateway.errors import FieldViolation
from gateway.query_faults import InvalidArguments
from gateway.types.reference import PageInfo
from workflows.words import Language, say

MAX_PAGE: Final = 50
T = TypeVar("T")


def cursor(*key: object) -> str:
    """A place in a list, as the client gets it."""
    return base64.urlsafe_b64encode(orjson.dumps([str(part) for part in key])).decode().rstrip("=")


def position(after: str | None, read: Callable[..., T], language: Language) -> T | None:
    """The place that `cursor` wrote, read part by part. Raises `InvalidArguments` for any other text."""
    if after is None:
        return None
    try:
        parts = orjson.loads(base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True))
        # Every part was written as text: a number or a list in its place was not written by us.
        if not isinstance(parts, list) or not all(isinstance(each, str) for each in parts):
            raise invalid(language, ["after"], "CURSOR")
        return read(*parts)
    except (binascii.Error, ValueError, TypeError, OverflowError):
        raise invalid(language, ["after"], "CURSOR") from None


def check_page(first: int, language: Language) -> None:
    """Raises `InvalidArguments` unless 1 … 50 items are asked for."""
    if not 1 <= first <= MAX_PAGE:
        raise invalid(language, ["first"], "PAGE_SIZE")


def invalid(language: Language, path: Sequence[str], code: str, **figures: object) -> InvalidArguments:
    """One argument that cannot be answered, in words."""
    message = say(language, f"violation.{code}", **figures)
    return InvalidArguments([FieldViolation(path=list(path), code=code, message=message)])


def page_info(cursors: Sequence[str], *, more: bool, after: str | None) -> PageInfo:
    """Of a page read forwards: there is one before it when it did not begin at the beginning."""
    return PageInfo(
        has_next_page=more,
        has_previous_page=after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


def cut(rows: list[Any], first: int) -> tuple[list[Any], bool]:
    """The page of a list that was read one item too far, and whether there are more."""
    return rows[:first], len(rows) > first


def read_seq(text: str) -> int:
    """A `seq` or a round, as a cursor or an id has it. Raises ValueError past what the database counts to."""
    seq = int(text)
    if not 0 <= seq < 2**31:
        raise ValueError(text)
    return seq
