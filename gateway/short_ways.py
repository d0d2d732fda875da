"""Short ways through a document: functions from an object to what the document selects of it, where that is plain.

Plain is a field without a resolver: an attribute that is a scalar or an enum, or an object or a list of such as have plain fields.
Nearly all of an answer is. For each field graphql-core makes an object of fifteen fields that tells a resolver where it is, and
passes over the type three times; a plain field has no resolver to tell it to. So it is compiled once for each document.

What is not plainly well is left to graphql-core, which meets it again and says what and where: a null where none may be, a value
that cannot be coerced, an attribute that raises. Nothing is done twice by that: reading attributes has no effects. Arguments,
resolvers, roles, directives, interfaces and unions are graphql-core's alone.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    Visitor,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetailsList, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from graphql.language import BREAK
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

# From what an attribute holds to what the answer has in its place.
Complete = Callable[[Any], Any]
# A type, and the nodes that select of it; the document keeps them alive.
_Place = tuple[str, tuple[int, ...]]
_NO_VARIABLES = VariableValues({}, {})
# A screen of an app has some fifty. Fragments that are mixed in ever new ways can make thousands, which nobody needs quickly.
MAX_PLACES: Final = 300


class NotPlainError(Exception):
    """graphql-core has to look at this."""


class PlainField(NamedTuple):
    """The attribute that a field shows, and what becomes of its value when that is not null."""

    attribute: str
    nullable: bool
    complete: Complete


class ShortWays:
    """The short ways of one valid document, each compiled when it is first gone.

    With a directive anywhere in the document only leaves have one: what else is selected may differ from one request to the next.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.directives = _has_directives(document)
        self._schema = schema
        self.fragments = {
            node.name.value: FragmentDetails(node)
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        self._operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        # What a fragment selects at two places is compiled once.
        self._fields: dict[_Place, PlainField | None] = {}
        self._objects: dict[_Place, Complete | None] = {}

    def root(self, type_: GraphQLObjectType, operation: OperationDefinitionNode) -> dict[str, FieldDetailsList]:
        """What an operation of a document without directives selects of its root type, by response name."""
        collected = collect_fields(self._schema, self.fragments, _NO_VARIABLES, type_, operation)
        return collected.grouped_field_set

    def field(self, parent: GraphQLObjectType, details: FieldDetailsList) -> PlainField | None:
        """The field that `details` select on `parent`; None when it is not plain."""
        place = _place(parent, details)
        if place not in self._fields:
            if len(self._fields) >= MAX_PLACES:
                return None
            self._fields[place] = self._compile_field(parent, details)
        return self._fields[place]

    def object(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Complete | None:
        """What `details` select of an object of `type_`; None when not all of it is plain."""
        place = _place(type_, details)
        if place not in self._objects:
            if len(self._objects) >= MAX_PLACES:
                return None
            self._objects[place] = None if self.directives else self._compile_object(type_, details)
        return self._objects[place]

    def value(self, type_: GraphQLOutputType, details: FieldDetailsList) -> Complete | None:
        """What `details` select of a value of `type_` that is not null."""
        type_ = _nullable(type_)
        if is_leaf_type(type_):
            return _leaf(type_)
        if isinstance(type_, GraphQLObjectType):
            return self.object(type_, details)
        if not isinstance(type_, GraphQLList):
            return None
        complete = self.value(type_.of_type, details)
        return _list(is_nullable(type_.of_type), complete) if complete is not None else None

    def _compile_field(self, parent: GraphQLObjectType, details: FieldDetailsList) -> PlainField | None:
        name = details[0].node.name.value
        if name == "__typename":
            # Every object has a class, which does not matter here.
            return PlainField("__class__", nullable=False, complete=lambda _class: parent.name)
        field = parent.fields.get(name)
        definition: StrawberryField | None = field.extensions.get("strawberry-definition") if field else None
        if field is None or definition is None or not definition.is_basic_field or field.args:
            return None
        complete = self.value(field.type, details)
        return PlainField(definition.python_name, is_nullable(field.type), complete) if complete is not None else None

    def _compile_object(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Complete | None:
        definition: StrawberryObjectDefinition | None = type_.extensions.get("strawberry-definition")
        if definition is None:
            return None
        fields = []
        selected = collect_subfields(self._schema, self.fragments, _NO_VARIABLES, self._operation, type_, details)
        for name, each in selected.grouped_field_set.items():
            field = self.field(type_, each)
            if field is None:
                return None
            fields.append((name, field))
        return _object(definition.origin if type_.is_type_of is not None else object, fields)


def fill(field: PlainField, source: Any) -> Any:
    """What the answer has in the place of `field` of `source`. Raises when not all is plainly well."""
    return filled(getattr(source, field.attribute), field.nullable, field.complete)


def filled(value: Any, nullable: bool, complete: Complete) -> Any:
    """What the answer has in the place of `value`. Raises when not all is plainly well."""
    if value is None:
        if nullable:
            return None
        raise NotPlainError
    completed = complete(value)
    if completed is None or completed is Undefined:
        raise NotPlainError
    return completed


def _object(expected: type, fields: list[tuple[str, PlainField]]) -> Complete:
    flat = [(name, *field) for name, field in fields]

    def complete_object(source: Any) -> dict[str, Any]:
        if not isinstance(source, expected):
            raise NotPlainError
        return {
            name: filled(getattr(source, attribute), nullable, complete) for name, attribute, nullable, complete in flat
        }

    return complete_object


def _list(nullable: bool, complete: Complete) -> Complete:
    def complete_list(values: Any) -> list[Any]:
        if type(values) not in {list, tuple}:
            raise NotPlainError
        return [filled(each, nullable, complete) for each in values]

    return complete_list


def _leaf(type_: GraphQLLeafType) -> Complete:
    coerce: Complete = type_.coerce_output_value
    if not isinstance(type_, CustomGraphQLEnumType):
        return coerce
    # Strawberry looks through all members for the one of that value.
    members: Any = type_.wrapped_cls
    names = {member: coerce(member) for member in members}
    return lambda value: names[value] if type(value) is members else coerce(value)


def _place(type_: GraphQLObjectType, details: FieldDetailsList) -> _Place:
    return type_.name, tuple([id(each.node) for each in details])


def is_nullable(type_: GraphQLOutputType) -> bool:
    return not isinstance(type_, GraphQLNonNull)


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
