"""graphql-core's executor with a short way for plain fields: attributes that are scalars, enums, or objects of plain fields.

Nearly all of an answer is such. For each field the long way makes an object of fifteen fields that tells a resolver where it is,
and passes over the type three times; a plain field has no resolver to tell it to. So a plain field is compiled once for each
document: into a function from the object that has it to the value that the answer has.

Whatever is not plainly well, the short way leaves to the long one, which meets it again and says what and where: a null where
none may be, a value that cannot be coerced, an attribute that raises. Nothing is done twice by that: reading attributes has no
effects. Arguments, resolvers, roles, directives, interfaces and unions are the long way's alone.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    Visitor,
    is_leaf_type,
    visit,
)
from graphql.language import BREAK
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

# From a value that is not null to what the answer has in its place.
Complete = Callable[[Any], Any]
_Place = tuple[str, tuple[int, ...]]


class NotPlainError(Exception):
    """The long way has to look at this."""


class PlainField(NamedTuple):
    """A field of a compiled selection: where its value is, and what becomes of it."""

    attribute: str
    nullable: bool
    complete: Complete

    def of(self, source: Any) -> Any:
        """The field's value in the answer. Raises whatever the attribute raises, and what `complete` raises."""
        value = getattr(source, self.attribute)
        return _filled(value, self.nullable, self.complete)


class ShortWays:
    """The plain fields of one valid document, compiled when they are first met.

    With a directive anywhere in the document only leaves are: what else is selected may differ from one request to the next.
    """

    def __init__(self, document: DocumentNode) -> None:
        self._leaves_only = _has_directives(document)
        # By type and selecting nodes, which the document keeps alive: what a fragment selects twice is compiled once.
        self._fields: dict[_Place, PlainField | None] = {}
        self._objects: dict[_Place, Complete | None] = {}

    def field(self, executor: "ShortWayExecutor", parent: GraphQLObjectType, details: Any) -> PlainField | None:
        """The field that `details` select on `parent`; None when it is not plain."""
        place = _place(parent, details)
        if place not in self._fields:
            self._fields[place] = self._compile_field(executor, parent, details)
        return self._fields[place]

    def object(self, executor: "ShortWayExecutor", type_: GraphQLObjectType, details: Any) -> Complete | None:
        """What `details` select of an object of `type_`; None when a field of it is not plain."""
        place = _place(type_, details)
        if place not in self._objects:
            self._objects[place] = None if self._leaves_only else self._compile_object(executor, type_, details)
        return self._objects[place]

    def _compile_field(
        self, executor: "ShortWayExecutor", parent: GraphQLObjectType, details: Any
    ) -> PlainField | None:
        name = details[0].node.name.value
        if name == "__typename":
            # Every object has a class, and its name here does not depend on it.
            return PlainField("__class__", False, lambda _class: parent.name)
        field = parent.fields.get(name)
        definition: StrawberryField | None = field.extensions.get("strawberry-definition") if field else None
        if field is None or definition is None or not definition.is_basic_field or field.args:
            return None
        complete = self._compile(executor, _nullable(field.type), details)
        if complete is None:
            return None
        return PlainField(definition.python_name, not isinstance(field.type, GraphQLNonNull), complete)

    def _compile(self, executor: "ShortWayExecutor", type_: GraphQLOutputType, details: Any) -> Complete | None:
        if is_leaf_type(type_):
            return _leaf(type_)
        if isinstance(type_, GraphQLList):
            each = self._compile(executor, _nullable(type_.of_type), details)
            return _list(each, nullable=not isinstance(type_.of_type, GraphQLNonNull)) if each is not None else None
        return self.object(executor, type_, details) if isinstance(type_, GraphQLObjectType) else None

    def _compile_object(self, executor: "ShortWayExecutor", type_: GraphQLObjectType, details: Any) -> Complete | None:
        fields = []
        for name, each in executor.collect_subfields(type_, details).grouped_field_set.items():
            field = self.field(executor, type_, each)
            if field is None:
                return None
            fields.append((name, *field))
        definition: StrawberryObjectDefinition = type_.extensions["strawberry-definition"]
        expected = definition.origin if type_.is_type_of is not None else object

        def complete(value: Any) -> dict[str, Any]:
            if not isinstance(value, expected):
                raise NotPlainError
            return {
                name: _filled(getattr(value, attribute), nullable, complete_field)
                for name, attribute, nullable, complete_field in fields
            }

        return complete


def _place(type_: GraphQLObjectType, details: Any) -> _Place:
    return type_.name, tuple([id(each.node) for each in details])


def _filled(value: Any, nullable: bool, complete: Complete) -> Any:
    if value is None:
        if nullable:
            return None
        raise NotPlainError
    completed = complete(value)
    if completed is None or completed is Undefined:
        raise NotPlainError
    return completed


def _list(complete: Complete, *, nullable: bool) -> Complete:
    def complete_list(values: Any) -> list[Any]:
        if type(values) not in {list, tuple}:
            raise NotPlainError
        return [_filled(each, nullable, complete) for each in values]

    return complete_list


def _leaf(type_: GraphQLLeafType) -> Complete:
    coerce: Complete = type_.coerce_output_value
    if not isinstance(type_, CustomGraphQLEnumType):
        return coerce
    # The long way looks through all members for the one of that value.
    members: Any = type_.wrapped_cls
    names = {member: coerce(member) for member in members}
    return lambda value: names[value] if type(value) is members else coerce(value)


def _nullable(type_: GraphQLOutputType) -> Any:
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


def _has_directives(document: DocumentNode) -> bool:
    class Search(Visitor):
        found = False

        def enter_directive(self, _node: DirectiveNode, *_place: Any) -> Any:
            self.found = True
            return BREAK

    search = Search()
    visit(document, search)
    return search.found


class ShortWayExecutor(StrawberryGraphQLCoreExecutionContext):
    """Built with the `short_ways` of its document."""

    def __init__(self, *args: Any, short_ways: ShortWays, **more: Any) -> None:
        super().__init__(*args, **more)
        self._short_ways = short_ways

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_details_list: Any, path: Any, position_context: Any
    ) -> Any:
        field = self._short_ways.field(self, parent_type, field_details_list)
        if field is not None:
            with suppress(Exception):
                return field.of(source)
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def collect_and_execute_subfields(
        self, return_type: GraphQLObjectType, field_details_list: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        complete = self._short_ways.object(self, return_type, field_details_list)
        if complete is not None:
            with suppress(Exception):
                return complete(result)
        return super().collect_and_execute_subfields(return_type, field_details_list, path, result, position_context)
