"""What the schema and the router have, and what `access_model` has no rule for, each by its name."""

from collections.abc import Iterable, Iterator

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from gateway import access_model
from gateway.schema import schema
from gateway.types.enums import TransferEventKind
from workflows.vocabulary import DocumentKind, TransferAction

GRAPHQL = schema._schema
# The actions on a transfer by the mutation of each.
ACTION_OF = {
    "".join(word.title() if index else word.lower() for index, word in enumerate(action.split("_"))): action
    for action in TransferAction
}
# The types whose every field is a question of its own.
ROOTS = ("Query", "Viewer", "Subscription")
TABLES = {
    "Transfer": access_model.TRANSFER_FIELDS,
    "Progress": access_model.PROGRESS_FIELDS,
    "TransferEvent": access_model.EVENT_FIELDS,
    "TransferDocument": access_model.DOCUMENT_FIELDS,
}


def public(field: str) -> GraphQLField:
    """The field of the schema, as `Type.field`."""
    type_name, _, name = field.partition(".")
    type_ = GRAPHQL.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    found: GraphQLField = type_.fields[name]
    return found


def fields(schema: GraphQLSchema, name: str) -> list[str]:
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    return list(type_.fields)


def node_types(schema: GraphQLSchema) -> list[str]:
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    return [each.name for each in schema.get_possible_types(node)]


def paths(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[str]:
    """Every route by its path; what is mounted by its routes, or by the path where it has none that can be told."""
    for route in routes:
        if isinstance(route, Mount):
            below = list(paths(route.routes or (), prefix + route.path))
            yield from below or [prefix + route.path]
        elif isinstance(route, WebSocketRoute):
            yield f"ws {prefix}{route.path}"
        else:
            assert isinstance(route, Route), route
            yield prefix + route.path


def without_a_rule(schema: GraphQLSchema) -> list[str]:
    """What of the schema has no rule."""
    found = [f"{root}.{name}" for root in ROOTS for name in fields(schema, root)]
    missing = [each for each in found if each not in access_model.ROOT_FIELDS]
    missing += [f"Mutation.{name}" for name in fields(schema, "Mutation") if name not in access_model.MUTATIONS]
    for type_, table in TABLES.items():
        missing += [f"{type_}.{name}" for name in fields(schema, type_) if name not in table]
    missing += [f"node {name}" for name in node_types(schema) if name not in access_model.NODE_TYPES]
    missing += [f"document {kind}" for kind in DocumentKind if kind not in access_model.DOCUMENT_KINDS]
    missing += [f"event {kind}" for kind in TransferEventKind if kind not in access_model.EVENT_KINDS]
    return missing


def without_a_field(schema: GraphQLSchema) -> list[str]:
    """The rules of what is not there (any more)."""
    there = {f"{root}.{name}" for root in ROOTS for name in fields(schema, root)}
    unused = [each for each in access_model.ROOT_FIELDS if each not in there]
    unused += [f"Mutation.{name}" for name in access_model.MUTATIONS if name not in fields(schema, "Mutation")]
    for type_, table in TABLES.items():
        unused += [f"{type_}.{name}" for name in table if name not in fields(schema, type_)]
    return unused + [f"node {name}" for name in access_model.NODE_TYPES if name not in node_types(schema)]
