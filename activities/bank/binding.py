"""Documents bound to the classes of their schemas by plans that are made once for each class.

xsdata's own reader and writer work event by event, at five times the processor's time. A plan knows elements, attributes and
texts of the plain types; of whatever is beyond it, it makes nothing (None), and xsdata has the word: it binds or refuses.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.models.elements import XmlMeta, XmlVar
from xsdata.models.datatype import XmlDate, XmlDateTime

CONTEXT: Final = XmlContext()
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class _BeyondPlanError(Exception):
    """The document has what no plan knows; nothing is said of whether it may."""


_Of = Callable[[Any], Any]
_As = Callable[[Any], str]


class _Place(NamedTuple):
    """Where a value stands: the attribute of its class, its name on the wire, and how it is read and written.

    `kind` is the class of an element that has elements itself; `of` and `say` are those of a plain value.
    """

    attribute: str
    local_name: str
    is_list: bool
    kind: type[Any] | None
    of: _Of
    say: _As


class _Plan(NamedTuple):
    """A class: its elements by their names with the namespace, its attributes by theirs, and its text."""

    elements: dict[str, _Place]
    attributes: dict[str, _Place]
    text: _Place | None
    # Its class has places that are not here.
    is_partial: bool


def bound(root: Any, kind: type[Any]) -> Any:
    """The element `root` of lxml as its class, None when it is beyond the plans."""
    try:
        return _read(root, kind)
    except (_BeyondPlanError, ValueError, ArithmeticError, TypeError, LookupError):
        return None


def rendered(message: Any, namespace: str) -> str | None:
    """The message as a document, None when it is beyond the plans."""
    name = type(message).__name__
    pieces = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{namespace}"']
    try:
        _write(message, name, pieces)
    except (_BeyondPlanError, AttributeError, TypeError, ValueError):
        return None
    return "".join(pieces)


def _read(element: Any, kind: type[Any]) -> Any:
    plan = _plan(kind)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    values: dict[str, Any] = {}
    for name, said in element.attrib.items():
        place = plan.attributes[name]
        values[place.attribute] = place.of(said)
    if plan.text is not None:
        if len(element):
            raise _BeyondPlanError
        values[plan.text.attribute] = plan.text.of(element.text)
        return kind(**values)
    _require_blank(element.text)
    for child in element:
        place = plan.elements[child.tag]
        if place.kind is not None:
            value = _read(child, place.kind)
        elif len(child) or child.attrib:
            raise _BeyondPlanError
        else:
            value = place.of(child.text)
        _require_blank(child.tail)
        if place.is_list:
            values.setdefault(place.attribute, []).append(value)
        elif place.attribute in values:
            raise _BeyondPlanError
        else:
            values[place.attribute] = value
    return kind(**values)


def _require_blank(text: str | None) -> None:
    if text is not None and not text.isspace():
        raise _BeyondPlanError


def _write(part: Any, name: str, pieces: list[str]) -> None:
    """The element without the beginning of its tag, which stands in `pieces`."""
    plan = _plan(type(part))  # type: ignore[arg-type]  # as above
    if plan.is_partial:
        raise _BeyondPlanError
    values = vars(part)
    pieces += [
        f" {place.local_name}={quoteattr(place.say(said))}"
        for place in plan.attributes.values()
        if (said := values[place.attribute]) is not None
    ]
    if plan.text is not None:
        pieces.append(f">{escape(plan.text.say(values[plan.text.attribute]))}</{name}>")
        return
    empty = len(pieces)
    pieces.append(">")
    for place in plan.elements.values():
        value = values[place.attribute]
        if value is None:
            continue
        for each in value if place.is_list else (value,):
            if place.kind is not None:
                pieces.append(f"<{place.local_name}")
                _write(each, place.local_name, pieces)
            else:
                pieces.append(f"<{place.local_name}>{escape(place.say(each))}</{place.local_name}>")
    if len(pieces) == empty + 1:
        pieces[empty] = "/>"
    else:
        pieces.append(f"</{name}>")


@cache
def _plan(kind: Any) -> _Plan:
    meta: XmlMeta = CONTEXT.build(kind)
    elements = {var.qname: _place(var) for choices in meta.elements.values() for var in choices}
    attributes = {var.qname: _place(var) for var in meta.attributes.values()}
    text = _place(meta.text) if meta.text is not None else None
    known = [*elements.values(), *attributes.values(), *([text] if meta.text is not None else [])]
    return _Plan(
        {name: each for name, each in elements.items() if each is not None},
        {name: each for name, each in attributes.items() if each is not None},
        text,
        is_partial=bool(meta.wildcards or meta.choices or meta.any_attributes) or None in known,
    )


def _place(var: XmlVar) -> _Place | None:
    """None for what is beyond plans: lists of words, several types, defaults that the schema fixes."""
    if len(var.types) != 1 or var.tokens or var.nillable or not var.init:
        return None
    (of_type,) = var.types
    if var.clazz is not None:
        return _Place(var.name, var.local_name, var.list_element, var.clazz, str, str)
    plain = _plain(of_type)
    return None if plain is None else _Place(var.name, var.local_name, var.list_element, None, *plain)


def _plain(of_type: Any) -> tuple[_Of, _As] | None:
    if isinstance(of_type, type) and issubclass(of_type, Enum):
        members = {each.value: each for each in of_type}
        return members.__getitem__, lambda member: str(member.value)
    plain: dict[Any, tuple[_Of, _As]] = {
        str: (_text, _itself),
        bool: (_BOOLEANS.__getitem__, lambda said: "true" if said else "false"),
        Decimal: (Decimal, lambda said: f"{said:f}"),
        XmlDate: (XmlDate.from_string, str),
        XmlDateTime: (XmlDateTime.from_string, str),
    }
    return plain.get(of_type)


def _text(said: str | None) -> str:
    if said is None:
        raise _BeyondPlanError
    return said


def _itself(said: str) -> str:
    return said
