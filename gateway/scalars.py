"""The contract's scalars. One that is not of the right form is an ordinary GraphQL error; rules of the field are not here."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NewType

import strawberry
from graphql import GraphQLError, IntValueNode, StringValueNode, ValueNode, print_ast
from strawberry.types.scalar import ScalarDefinition

from workflows.contribution import MonthsError, month_number
from workflows.deadlines import SHANGHAI

Fen = NewType("Fen", int)
Month = NewType("Month", str)
ResidentId = NewType("ResidentId", str)
TransferNo = NewType("TransferNo", str)
PoolingRegionCode = NewType("PoolingRegionCode", str)
IdempotencyKey = NewType("IdempotencyKey", str)

MAX_FEN: Final = 2**53 - 1
MAX_CODE: Final = 100
# A day outside is a slip of the keyboard, and one at the edge of what a computer counts has no day after it.
FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _fen(value: Any) -> int:
    # bool is an int in Python and true is no amount.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_FEN:
        raise GraphQLError("Fen: whole fen, an integer within 0 … 2^53-1; no fraction, no text, no sign")
    return value


def _fen_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> int:
    return _fen(int(node.value) if isinstance(node, IntValueNode) else print_ast(node))


def code_in(text: str) -> str:
    """A number, a code or a key as a caller names it; empty when nothing of ours can be called so: there is no such thing.

    PostgreSQL cannot even be asked for the one or the other: U+0000, half a surrogate pair.
    """
    return text if len(text) <= MAX_CODE and text.isprintable() else ""


def _text(name: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise GraphQLError(f"{name}: a string is expected")
        return value

    return parse


def _code(name: str) -> Callable[[Any], str]:
    parse = _text(name)
    return lambda value: code_in(parse(value))


def _literal_of(parse: Callable[[Any], Any]) -> Callable[[ValueNode, dict[str, Any] | None], Any]:
    def parse_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> Any:
        return parse(node.value if isinstance(node, StringValueNode) else None)

    return parse_literal


def _date(value: Any) -> date:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise GraphQLError(f"Date: a calendar date of the form YYYY-MM-DD is expected, from {FIRST_DAY} to {LAST_DAY}")
    return day


def _month(value: Any) -> str:
    try:
        month_number(value if isinstance(value, str) else "")
    except MonthsError:
        raise GraphQLError("Month: a calendar month of the form YYYY-MM is expected") from None
    return str(value)


def _date_time(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None or not FIRST_DAY.year < instant.year < LAST_DAY.year:
        raise GraphQLError("DateTime: an instant with its offset is expected, e.g. 2026-11-22T09:30:00+08:00")
    return instant


def _instant_text(value: datetime) -> str:
    return value.astimezone(SHANGHAI).isoformat(timespec="seconds")


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,20}(\.[0-9]{1,10})?", value):
        raise GraphQLError('Decimal: an exact decimal as a string is expected, e.g. "1234.56"')
    return Decimal(value)


def _scalar(
    name: str, description: str, parse: Callable[[Any], Any], serialize: Callable[[Any], Any] = str
) -> ScalarDefinition:
    return strawberry.scalar(
        name=name,
        description=description,
        serialize=serialize,
        parse_value=parse,
        parse_literal=_literal_of(parse),
    )


SCALARS: Final[dict[object, ScalarDefinition]] = {
    date: _scalar(
        "Date", f"Calendar date in Asia/Shanghai, `YYYY-MM-DD`, from {FIRST_DAY} to {LAST_DAY}.", _date, date.isoformat
    ),
    Month: _scalar("Month", "Calendar month, `YYYY-MM`.", _month),
    datetime: _scalar(
        "DateTime", "Instant, RFC 3339 with offset, e.g. `2026-11-22T09:30:00+08:00`.", _date_time, _instant_text
    ),
    Decimal: _scalar("Decimal", 'Exact decimal as a string, never a float, e.g. `"1234.56"`.', _decimal),
    Fen: strawberry.scalar(
        name="Fen",
        description="Whole fen (1/100 yuan), an integer within 0 … 2^53-1 (Int is only 32 bits).",
        serialize=_fen,
        parse_value=_fen,
        parse_literal=_fen_literal,
    ),
    ResidentId: _scalar(
        "ResidentId",
        "Resident identity number, GB 11643, 18 characters. Input only: checked for digit and date, never echoed, logged "
        "or indexed in clear.",
        _text("ResidentId"),
    ),
    TransferNo: _scalar(
        "TransferNo",
        "Business number printed on every form, e.g. `ZY-310100-20261122-000042` (destination region, date, serial). "
        "Neither secret nor personal.",
        _code("TransferNo"),
    ),
    PoolingRegionCode: _scalar(
        "PoolingRegionCode",
        "Six-digit code of a pooling region 统筹区, e.g. `310100`, `319900`. Known to the region directory, which is wider "
        "than GB/T 2260.",
        _code("PoolingRegionCode"),
    ),
    IdempotencyKey: _scalar(
        "IdempotencyKey",
        "Chosen by the client, 16–64 of `A-Za-z0-9_-`. The same key with the same input always gives the same result, "
        "with no expiry.",
        _text("IdempotencyKey"),
    ),
}
