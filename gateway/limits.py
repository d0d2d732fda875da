"""What a document may ask for. Measured before validation: validation is what an attacker wants us to do."""

from collections import Counter
from typing import Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
)

from gateway.faults import Refused

MAX_BODY_BYTES: Final = 256 * 1024
MAX_DOCUMENT_LENGTH: Final = 64 * 1024
MAX_TOKENS: Final = 2_000
MAX_DEPTH: Final = 12
MAX_ALIASES: Final = 30
MAX_DIRECTIVES: Final = 20
MAX_ROOT_FIELDS: Final = 20
MAX_FRAGMENTS: Final = 60
# Validation compares each two fields of one name, so their number counts squared.
MAX_SAME_NAME: Final = 100
MAX_COST: Final = 10_000
MAX_PAGE: Final = 50
# Lists without pages are short: the steps of a case, its documents, its periods.
LIST_LENGTH: Final = 8
# But for these: the days of a proof are those of a month or more.
LONG_LISTS: Final = {("DeadlineProof", "days"): 40}


class Weight(NamedTuple):
    """Of a selection set: levels of fields, values that it can come to, and fields side by side at its top."""

    depth: int
    cost: int
    width: int


class Measured(NamedTuple):
    """Of a document within the limits: the values that each operation can come to, by its name, and the fields it is written with."""

    costs: dict[str | None, int]
    fields: int


def require_within_limits(schema: GraphQLSchema, document: DocumentNode) -> Measured:
    """Measure the document. Raises `Refused` that names the first limit that it breaks. Fragment cycles are left to validation.

    Introspection counts tokens, aliases and directives only: its standard query is deep, and production refuses it.
    """
    walk = _Walk(schema, document)
    costs: dict[str | None, int] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            costs[definition.name.value if definition.name else None] = walk.measure_operation(definition)
        elif isinstance(definition, FragmentDefinitionNode):
            walk.fragment(definition.name.value)
    return Measured(costs, walk.fields)


class _Walk:
    """One pass over every definition; a fragment is measured once, however often it is spread."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._weights: dict[str, Weight] = {}
        self._counts: Counter[str] = Counter()
        self._same_name: Counter[str] = Counter()
        self.fields = 0

    def measure_operation(self, operation: OperationDefinitionNode) -> int:
        self._count("directives", len(operation.directives or ()), MAX_DIRECTIVES)
        weight = self._selections(operation.selection_set, self._root(operation.operation), 0)
        _require("root fields", weight.width, MAX_ROOT_FIELDS)
        _require("depth", weight.depth, MAX_DEPTH)
        _require("cost", weight.cost, MAX_COST)
        return weight.cost

    def fragment(self, name: str) -> Weight:
        definition = self._fragments.get(name)
        if definition is None:
            return Weight(0, 0, 0)
        weight = self._weights.get(name)
        if weight is None:
            # What a cycle comes back to weighs nothing: validation refuses the cycle.
            self._weights[name] = Weight(0, 0, 0)
            self._count("directives", len(definition.directives or ()), MAX_DIRECTIVES)
            within = self._schema.get_type(definition.type_condition.name.value)
            weight = self._weights[name] = self._selections(definition.selection_set, within, 0)
        return weight

    def _selections(self, selection_set: SelectionSetNode, within: GraphQLNamedType | None, level: int) -> Weight:
        depth = cost = width = 0
        for selection in selection_set.selections:
            self._count("directives", len(selection.directives or ()), MAX_DIRECTIVES)
            if isinstance(selection, FieldNode):
                weight = self._field(selection, within, level)
            elif isinstance(selection, FragmentSpreadNode):
                self._count("fragments", 1, MAX_FRAGMENTS)
                weight = self.fragment(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                self._count("fragments", 1, MAX_FRAGMENTS)
                condition = selection.type_condition
                inner = within if condition is None else self._schema.get_type(condition.name.value)
                weight = self._selections(selection.selection_set, inner, level)
            else:
                continue
            depth, cost, width = max(depth, weight.depth), cost + weight.cost, width + weight.width
            _require("cost", cost, MAX_COST)
        return Weight(depth, cost, width)

    def _field(self, field: FieldNode, within: GraphQLNamedType | None, level: int) -> Weight:
        _require("depth", level + 1, MAX_DEPTH)
        self.fields += 1
        if field.alias:
            self._count("aliases", 1, MAX_ALIASES)
        name = field.name.value
        if name.startswith("__"):
            return Weight(1, 1, 1)
        self._same_name[name] += 1
        _require(f"fields called {name}", self._same_name[name], MAX_SAME_NAME)
        if field.selection_set is None:
            return Weight(1, 1, 1)
        definition = within.fields.get(name) if isinstance(within, GraphQLObjectType | GraphQLInterfaceType) else None
        inner = get_named_type(definition.type) if definition else None
        below = self._selections(field.selection_set, inner, level + 1)
        times = 1
        if definition is not None and "first" in definition.args:
            times = _page(field, definition)
        elif definition is not None and _is_list(definition.type) and not _is_connection(within):
            times = LONG_LISTS.get((within.name, name), LIST_LENGTH) if within is not None else LIST_LENGTH
        return Weight(1 + below.depth, 1 + times * below.cost, 1)

    def _root(self, operation: OperationType) -> GraphQLObjectType | None:
        return self._schema.get_root_type(operation)

    def _count(self, what: str, number: int, limit: int) -> None:
        self._counts[what] += number
        _require(what, self._counts[what], limit)


def _require(what: str, number: int, limit: int) -> None:
    if number > limit:
        raise Refused(f"查询超出限制：{what} 最多 {limit}", f"The document is over a limit: {what}, at most {limit}")


def _page(field: FieldNode, definition: GraphQLField) -> int:
    """The page that a field's `first` asks for; a variable may come to the largest."""
    for argument in field.arguments or ():
        if argument.name.value == "first":
            value = argument.value
            return min(int(value.value), MAX_PAGE) if isinstance(value, IntValueNode) else MAX_PAGE
    default = definition.args["first"].default_value
    return default if isinstance(default, int) else MAX_PAGE


def _is_list(type_: GraphQLOutputType) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)


def _is_connection(type_: GraphQLNamedType | None) -> bool:
    """The field that led to a connection has counted its page already."""
    return type_ is not None and type_.name.endswith("Connection")
