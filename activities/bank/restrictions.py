"""What the published schemas say of a value beyond its type: lengths, patterns, digits, counts, one of a choice.

The classes carry these as metadata, and neither reading nor writing looks at them. The list of a class is made once.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Final

MOST_FAULTS: Final = 5
_Check = Callable[[Any], str | None]


def faults(message: Any, place: str = "") -> list[str]:
    """The first `MOST_FAULTS` restrictions that the message breaks, each with its place in it; empty when it keeps all."""
    found: list[str] = []
    for fault in _faults(message, place):
        found.append(fault)
        if len(found) == MOST_FAULTS:
            break
    return found


def _faults(part: Any, place: str) -> Iterator[str]:
    restricted = _restricted(type(part))  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    given = 0
    for attribute, name, least, most, check in restricted.fields:
        value = getattr(part, attribute)
        if value is None:
            continue
        here = f"{place}/{name}"
        if isinstance(value, list):
            if value:
                given += 1
            if not least <= len(value) <= most:
                yield f"{here}: there are {len(value)} of them"
            for each in value:
                yield from _of_one(each, here, check)
        else:
            given += 1
            yield from _of_one(value, here, check)
    if restricted.is_choice and given != 1:
        yield f"{place}: {given} of a choice of one"


def _of_one(value: Any, place: str, check: _Check | None) -> Iterator[str]:
    if dataclasses.is_dataclass(value):
        yield from _faults(value, place)
    elif check is not None and (said := check(value)) is not None:
        yield f"{place}: {said}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Restricted:
    """A class: of each field its attribute, its name on the wire, how often it may come, and what its value keeps to."""

    is_choice: bool
    fields: tuple[tuple[str, str, int, float, _Check | None], ...]


@cache
def _restricted(kind: Any) -> _Restricted:
    # Every type of ISO 20022 that is one of several is named so, and no other is.
    return _Restricted(
        kind.__name__.endswith("Choice"),
        tuple(
            (
                each.name,
                each.metadata.get("name", each.name),
                each.metadata.get("min_occurs", 0),
                each.metadata.get("max_occurs", float("inf")),
                _check(dict(each.metadata)),
            )
            for each in dataclasses.fields(kind)
        ),
    )


def _check(says: dict[str, Any]) -> _Check | None:
    if says.keys() & {"total_digits", "fraction_digits", "min_inclusive", "max_inclusive"}:
        return _of_number(says)
    return _of_text(says) if says.keys() & {"min_length", "max_length", "pattern"} else None


def _of_text(says: dict[str, Any]) -> _Check:
    shortest, longest = says.get("min_length", 0), says.get("max_length", float("inf"))
    pattern = re.compile(says["pattern"]) if "pattern" in says else None

    def check(value: str) -> str | None:
        if not shortest <= len(value) <= longest:
            return f"{len(value)} characters, where {shortest} to {longest} are allowed"
        if pattern is not None and pattern.fullmatch(value) is None:
            return "not of the form that the schema gives"
        return None

    return check


def _of_number(says: dict[str, Any]) -> _Check:
    digits, fraction = says.get("total_digits", float("inf")), says.get("fraction_digits", float("inf"))
    least, most = says.get("min_inclusive", float("-inf")), says.get("max_inclusive", float("inf"))

    def check(value: Decimal) -> str | None:
        if not value.is_finite():
            return "not a number"
        behind = max(0, -int(value.as_tuple().exponent))
        if behind > fraction:
            return f"{behind} digits behind the point, where {fraction} are allowed"
        if max(len(value.as_tuple().digits), value.adjusted() + 1) > digits:
            return f"more than {digits} digits"
        return None if least <= value <= most else "outside the bounds of the schema"

    return check
