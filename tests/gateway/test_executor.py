"""The short way through graphql-core's executor answers what the long way answers, errors and all."""

import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import (
    ExecutionResult,
    GraphQLField,
    GraphQLObjectType,
    execute_root_selection_set,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)
from graphql.execution.executor import Executor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.executor import ShortWayExecutor, ShortWays
from gateway.schema import schema as own_schema
from tests.conftest import Database
from tests.gateway.window import PERSON, Window, open_window


@strawberry.enum
class Colour(Enum):
    RED = "red"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Label(Named):
    name: str


@strawberry.type
class Thing:
    name: str
    count: int
    colour: Colour
    note: str | None
    tags: list[str | None]
    label: Label | None = None
    named: Named | None = None
    inner: "Thing | None" = None
    others: "list[Thing]" = dataclasses.field(default_factory=list)

    @strawberry.field
    def shout(self, times: int = 1) -> str:
        return self.name.upper() * times


class Reluctant(Thing):
    """Its name is worked out, and cannot be."""

    def __init__(self) -> None:
        self.count, self.colour, self.note, self.tags = 1, Colour.RED, None, []
        self.label = self.named = self.inner = None
        self.others = []

    def __getattr__(self, name: str) -> Any:
        raise LookupError(f"{name} is not to be had")


WELL = Thing(name="a", count=1, colour=Colour.RED, note=None, tags=["x", None], label=Label(name="l"))
WRONG_FIELDS: Any = {"name": None, "count": "many", "colour": "purple", "note": None, "tags": "text"}
WRONG = Thing(**WRONG_FIELDS, label=WELL, others=None)  # type: ignore[arg-type]
NESTED = Thing(
    name="b", count=2, colour=Colour.RED, note="n", tags=[], named=Label(name="m"), inner=WELL, others=[WELL, WELL]
)
OTHERS: Any = [WELL, WRONG, Reluctant(), None]
WRONG_WITHIN = dataclasses.replace(NESTED, inner=WRONG, others=OTHERS)
THINGS = {"well": WELL, "nested": NESTED, "wrong": WRONG, "wrong within": WRONG_WITHIN, "reluctant": Reluctant()}


@strawberry.type
class Query:
    @strawberry.field
    def thing(self, which: str) -> Thing | None:
        return THINGS[which]


schema = strawberry.Schema(query=Query, types=[Label])
DOCUMENTS = [
    "{ thing(which: %s) { name count colour note tags shout } }",
    "{ thing(which: %s) { n: name __typename inner { name colour shout(times: 2) others { name } } } }",
    "{ thing(which: %s) { ...F } } fragment F on Thing { name @skip(if: true) inner { note @include(if: true) } }",
    "{ thing(which: %s) { ...F inner { ...F } } } fragment F on Thing { inner { name } others { ...G } } fragment G on Thing { note tags }",
    "{ thing(which: %s) { inner { name } inner { count ... on Thing { name } } named { name ... on Label { l: name } } } }",
    "{ thing(which: %s) { inner { count } } }",
    "{ thing(which: %s) { inner { label { name } named { name } } } }",
    "{ thing(which: %s) { others { others { name } colour } } }",
    "{ thing(which: %s) { label { name __typename } } }",
    "{ thing(which: %s) { name } }",
    "{ thing(which: %s) { count } }",
    "{ thing(which: %s) { colour } }",
    "{ thing(which: %s) { tags } }",
    "{ thing(which: %s) { note } __schema { queryType { name } } __typename }",
]  # fmt: skip
Way = Callable[..., Any]
Told = tuple[Any, list[dict[str, Any]]]


def long_way(text: str, of_schema: strawberry.Schema = schema, context: Any = None, **variables: Any) -> Any:
    return StrawberryGraphQLCoreExecutionContext.build(of_schema._schema, parse(text), None, context, variables)


def short_way(text: str, of_schema: strawberry.Schema = schema, context: Any = None, **variables: Any) -> Any:
    document = parse(text)
    return ShortWayExecutor.build(of_schema._schema, document, None, context, variables, short_ways=ShortWays(document))


def answer(executor: Executor[Any]) -> Told:
    result = execute_root_selection_set(executor)
    assert isinstance(result, ExecutionResult)
    return result.data, [dict(error.formatted) for error in result.errors or []]


@pytest.mark.parametrize("which", THINGS)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_both_ways_answer_alike(document: str, which: str) -> None:
    asked = document % f'"{which}"'
    assert validate(schema._schema, parse(asked)) == []
    assert answer(short_way(asked)) == answer(long_way(asked))


def test_what_is_well_is_told_and_what_is_not_is_an_error() -> None:
    assert answer(short_way('{ thing(which: "nested") { name inner { colour tags } others { count note } } }')) == (
        {
            "thing": {
                "name": "b",
                "inner": {"colour": "RED", "tags": ["x", None]},
                "others": [{"count": 1, "note": None}, {"count": 1, "note": None}],
            }
        },
        [],
    )
    data, errors = answer(short_way('{ thing(which: "wrong within") { name inner { name } } }'))
    assert data == {"thing": {"name": "b", "inner": None}}
    assert [(error["message"], error["path"]) for error in errors] == [
        ("Cannot return null for non-nullable field Thing.name.", ["thing", "inner", "name"])
    ]


def fields_that_took_the_long_way(monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    taken: list[str] = []
    theirs = StrawberryGraphQLCoreExecutionContext.execute_field

    def noting(self: Any, parent: Any, source: Any, details: Any, path: Any, position: Any) -> Any:
        taken.append(f"{parent.name}.{details[0].node.name.value}")
        return theirs(self, parent, source, details, path, position)

    with monkeypatch.context() as patched:
        patched.setattr(StrawberryGraphQLCoreExecutionContext, "execute_field", noting)
        assert answer(short_way(text))[1] == []
    return taken


def test_only_resolvers_and_abstract_types_and_directives_take_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(selection: str) -> list[str]:
        return fields_that_took_the_long_way(monkeypatch, f'{{ thing(which: "nested") {{ {selection} }} }}')

    assert taken("name __typename inner { tags label { name } } others { inner { name } }") == ["Query.thing"]
    assert taken("name inner { shout note } others { name }") == ["Query.thing", "Thing.inner", "Thing.shout"]
    assert taken("named { name }") == ["Query.thing", "Thing.named"]
    assert taken("name inner { note @include(if: true) }") == ["Query.thing", "Thing.inner"]


def test_a_fragment_that_is_spread_often_is_compiled_once() -> None:
    document = parse(
        '{ thing(which: "nested") { ...F inner { ...F inner { ...F } } } } fragment F on Thing { others { name note } }'
    )
    ways = ShortWays(document)
    built: Any = ShortWayExecutor.build(schema._schema, document, None, None, {}, short_ways=ways)
    answer(built)
    # Query.thing, Thing.inner twice, Thing.others, Thing.name, Thing.note.
    assert len(ways._fields) == 6


# ------------------------------------------------------------------ generated documents, on the schema in use

TRANSFER: Any = own_schema._schema.type_map["Transfer"]
MAX_DEPTH = 4


@st.composite
def selections(draw: st.DrawFn, type_: GraphQLObjectType, depth: int = 0) -> str:
    """Some fields of `type_`, by their names or aliases, some of them within fragments or under directives."""
    written = []
    names = draw(st.lists(st.sampled_from(sorted(type_.fields)), min_size=1, max_size=6, unique=True))
    for name in names:
        field = type_.fields[name]
        below = "" if is_leaf_type(get_named_type(field.type)) else draw(_below(field, depth))
        if below is None:
            continue
        alias = draw(st.sampled_from(["", "", f"{name}Alias: "]))
        directive = draw(st.sampled_from([""] * 8 + [" @include(if: $yes)", " @skip(if: $yes)"]))
        text = f"{alias}{name}{directive} {below}"
        written.append(draw(st.sampled_from([text, text, f"... on {type_.name} {{ {text} }}"])))
    return " ".join(["__typename", *written])


@st.composite
def _below(draw: st.DrawFn, field: GraphQLField, depth: int) -> str | None:
    type_ = get_named_type(field.type)
    assert isinstance(type_, GraphQLObjectType)
    return f"{{ {draw(selections(type_, depth + 1))} }}" if depth < MAX_DEPTH else None


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        await each.desk.continued()
        yield each


async def test_generated_documents_are_answered_alike(window: Window) -> None:
    documents = []

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(selection=selections(TRANSFER))
    def generate(selection: str) -> None:
        documents.append(f"query ($no: TransferNo!, $yes: Boolean!) {{ transfer(no: $no) {{ {selection} }} }}")

    async def told(way: Way, text: str) -> Told:
        context = window.services.context(PERSON, "zh-CN")
        executing: Any = execute_root_selection_set(way(text, own_schema, context, no=window.no, yes=True))
        result = await executing
        return json.loads(json.dumps(result.data)), [dict(error.formatted) for error in result.errors or []]

    generate()
    for document in documents:
        short = await told(short_way, document)
        assert short == await told(long_way, document), document
        assert short[0]["transfer"]["__typename"] == "Transfer"
