"""A region's policy as people write it: its keys, what each may be, and every value as one line of text.

The keys and their limits are read from `RegionPolicy` itself, so that a new field can be set as soon as it is there.
"""

import json
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stack.errors import StackError
from workflows.policy import ALLOWED_TREATMENTS, LONGEST_PERIODS, Direction, DispositionRule, RegionPolicy
from workflows.workdays import DayOff

DEFAULT: Final = "default"


class Fault(NamedTuple):
    """What is wrong with one field."""

    field: str
    reason: str

    def within(self, place: str, separator: str = ".") -> "Fault":
        """The same fault, its field named from further out."""
        return Fault(f"{place}{separator}{self.field}" if self.field else place, self.reason)

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class FaultError(ValueError):
    """A value cannot be read."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(fault))


class PolicyKey(NamedTuple):
    """A dotted key that can be set, its default as text, and in words what it may be."""

    name: str
    default: str
    allowed: str


# ------------------------------------------------------------------ lists, in a notation of their own


class Notation(NamedTuple):
    """How a list is written. `read` gives JSON, and raises ValueError for what is not in this notation."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    allowed: str


def _read_directions(text: str) -> list[dict[str, str]] | None:
    if text in ("all", "none"):
        return None if text == "all" else []
    pairs = [re.fullmatch(r"\s*(\w+)\s*[>→]\s*(\w+)\s*", part) for part in re.split("[,，]", text)]
    if None in pairs:
        raise ValueError
    return [dict(zip(Direction.model_fields, pair.groups(), strict=True)) for pair in pairs if pair]


def _write_directions(directions: tuple[Direction, ...] | None) -> str:
    if directions is None:
        return "all"
    return ",".join(f"{each.from_scheme}>{each.to_scheme}" for each in directions) or "none"


def _read_holidays(text: str) -> list[dict[str, str]]:
    if text == "none":
        return []
    days = [part.split(maxsplit=1) for part in re.split("[,，]", text)]
    return [dict(zip(DayOff.model_fields, day, strict=True)) for day in days]


def _write_holidays(holidays: tuple[DayOff, ...]) -> str:
    return ",".join(f"{each.date} {each.name}" for each in holidays) or "none"


def _read_disposition(text: str) -> list[dict[str, str]]:
    return [] if text == "remit" else [{"disposition": text}]


def _write_disposition(rules: tuple[DispositionRule, ...]) -> str:
    documents = [rule.model_dump(mode="json", exclude_none=True) for rule in rules]
    match documents:
        case []:
            return "remit"
        case [{"disposition": str(disposition), **conditions}] if not conditions:
            return disposition
        case _:
            return json.dumps(documents, ensure_ascii=False)


NOTATIONS: Final = {
    "open_for": Notation(
        _read_directions, _write_directions, "all, none, or directions such as EMPLOYEE>EMPLOYEE,RESIDENT>RESIDENT"
    ),
    "disposition": Notation(
        _read_disposition,
        _write_disposition,
        'remit, pay_out, retain, or rules such as [{"to_province": "上海市", "disposition": "retain"}]',
    ),
    "regional_holidays": Notation(
        _read_holidays, _write_holidays, "none, or days in order such as 2027-04-08 三月三,2027-04-09 三月三"
    ),
}

# What a pattern allows, in words.
IN_WORDS: Final = {
    "waiting.ratio": "from 0.01 to 0.99 as text such as 0.5, or none",
    "remittance_cycle": "immediate, daily, or monthly:N with N from 1 to 28",
}

# ------------------------------------------------------------------ the keys


def _keys_of(model: BaseModel, prefix: str = "") -> Iterator[PolicyKey]:
    for name, field in type(model).model_fields.items():
        key, value = f"{prefix}{name}", getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _keys_of(value, f"{key}.")
        elif key == "shortened_periods":
            for step, days in LONGEST_PERIODS.items():
                yield PolicyKey(f"{key}.{step}", "the law's", f"1 to {days} working days")
        else:
            yield PolicyKey(key, text_of(key, value), _allowed(key, field))


def _allowed(key: str, field: FieldInfo) -> str:
    if key in NOTATIONS:
        return NOTATIONS[key].allowed
    if key in IN_WORDS:
        return IN_WORDS[key]
    return _or(ALLOWED_TREATMENTS[key]) if key in ALLOWED_TREATMENTS else _of_type(field.annotation, field.metadata)


def _of_type(annotation: Any, limits: Any) -> str:
    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)
        return _of_type(inner, [limit for each in said for limit in getattr(each, "metadata", [each])])
    alternatives = get_args(annotation)
    if NoneType in alternatives:
        inner = next(each for each in alternatives if each is not NoneType)
        return f"{_of_type(inner, limits)}, or none"
    if annotation is bool:
        return "yes or no"
    if annotation is int:
        bounds = {name: getattr(limit, name) for limit in limits for name in ("ge", "le") if hasattr(limit, name)}
        return " ".join(f"{word} {bounds[name]}" for name, word in (("ge", "from"), ("le", "to")) if name in bounds)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return _or(tuple(annotation))
    pattern = next((limit.pattern for limit in limits if getattr(limit, "pattern", None)), None)
    return f"text of the form {pattern}" if pattern else "a JSON value"


def _or(values: tuple[str, ...]) -> str:
    *first, last = (str(each) for each in values)
    return f"{', '.join(first)} or {last}" if first else last


def text_of(key: str, value: Any) -> str:
    """A value as `read_value` takes it."""
    if key in NOTATIONS:
        return NOTATIONS[key].write(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


KEYS: Final = {key.name: key for key in _keys_of(RegionPolicy())}
# What holds further keys; it can be set as a JSON object, and be put back to its defaults.
PARENTS: Final = {name.partition(".")[0] for name in KEYS if "." in name}


def flat(policy: RegionPolicy) -> dict[str, str]:
    """The policy as dotted keys and text. A period that is the law's has no key."""
    return dict(_flat(policy))


def _flat(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name in type(model).model_fields:
        key, value = f"{prefix}{name}", getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{key}.")
        elif isinstance(value, dict):
            yield from ((f"{key}.{inner}", text_of(key, each)) for inner, each in sorted(value.items()))
        else:
            yield key, text_of(key, value)


def difference(before: RegionPolicy, after: RegionPolicy) -> list[str]:
    """What changes from one edition to the next, a line for each key."""
    old, new = flat(before), flat(after)
    return [
        f"{key}: {old.get(key, DEFAULT)} -> {new.get(key, DEFAULT)}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


# ------------------------------------------------------------------ what is typed


def changed(policy: RegionPolicy, wanted: dict[str, str]) -> RegionPolicy:
    """`policy` with the dotted keys of `wanted` changed; the value `default` takes a key out.

    Raises `StackError` that names the key, the value and what is allowed.
    """
    document = policy.model_dump(mode="json", exclude_defaults=True)
    for key, text in wanted.items():
        if key not in KEYS and key not in PARENTS:
            raise StackError(str(unknown_key(key.split("."))))
        *path, last = key.split(".")
        place: dict[str, Any] = document
        for name in path:
            place = place.setdefault(name, {})
        if text == DEFAULT:
            place.pop(last, None)
        else:
            place[last] = _read(key, text)
    try:
        return RegionPolicy.model_validate(document)
    except ValidationError as invalid:
        raise StackError(str(faults_of(invalid)[0])) from None


def _read(key: str, text: str) -> Any:
    try:
        return read_value(key, text)
    except FaultError as error:
        raise StackError(str(error)) from None


def read_value(key: str, text: str) -> Any:
    """A typed value as JSON, for the model to judge. Raises `FaultError` for a list that is not in its notation."""
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise FaultError(Fault(key, f"{_short(text)} is not JSON: {error}")) from None
    if key in NOTATIONS:
        try:
            return NOTATIONS[key].read(text)
        except ValueError:
            raise FaultError(Fault(key, _not_allowed(key, text))) from None
    return None if text == "none" and _may_be_none(key) else text


def _may_be_none(key: str) -> bool:
    return key in KEYS and KEYS[key].allowed.endswith(", or none")


def faults_of(invalid: ValidationError) -> list[Fault]:
    """Everything that `RegionPolicy` has against a document, in the words of its keys."""
    return [_fault(error) for error in invalid.errors(include_url=False)]


def _fault(error: ErrorDetails) -> Fault:
    parts = [str(part) for part in error["loc"] if part != "[key]"]
    field = ".".join(parts)
    # The innermost key that can be set: a list is judged as one.
    known = [name for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in KEYS]
    if error["type"] == "missing":
        return Fault(field, f"is missing{_allowed_text(known)}")
    if error["type"] == "extra_forbidden" or "[key]" in error["loc"]:
        return Fault(field, f"is no key of a policy{_allowed_text(known)}") if known else unknown_key(parts)
    if error["type"] == "value_error" and field not in ALLOWED_TREATMENTS:
        return Fault(field, error["msg"].removeprefix("Value error, "))
    if known:
        return Fault(field, _not_allowed(known[0], error["input"]))
    return Fault(field, f"{_short(error['input'])} is not allowed; the keys are {', '.join(keys_below(field))}")


def _not_allowed(key: str, value: Any) -> str:
    return f"{_short(value)} is not allowed: {KEYS[key].allowed}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _allowed_text(known: list[str]) -> str:
    return f"; allowed: {KEYS[known[0]].allowed}" if known else ""


def unknown_key(parts: list[str]) -> Fault:
    """The fault of a key that there is not, with those that there are beside it."""
    beside = keys_below(".".join(parts[:-1])) or keys_below("")
    return Fault(".".join(parts), f"is no key of a policy; the keys are {', '.join(beside)}")


def keys_below(parent: str) -> list[str]:
    """The keys that `parent` holds; of the policy itself, when it is empty."""
    prefix = f"{parent}." if parent else ""
    names = (name.removeprefix(prefix) for name in KEYS if name.startswith(prefix))
    return [f"{prefix}{name}" for name in dict.fromkeys(name.partition(".")[0] for name in names)]
