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
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    OperationDefinitionNode,
    execute_root_selection_set,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway import short_ways
from gateway.executor import PlainQuery, ShortWayExecutor
from gateway.schema import schema as own_schema
from gateway.short_ways import ShortWays
from tests.conftest import Database
from tests.gateway.conftest import SCHEMA
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

    @strawberry.field
    def whisper(self) -> str:
        return self.name.lower()


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


class OwnError(Exception):
    """Not one of Python's, which graphql-core does not write as text."""


RETURNED: Any = OwnError("returned")


@strawberry.type
class Query:
    @strawberry.field
    def thing(self, which: str) -> Thing | None:
        return THINGS[which]

    @strawberry.field
    async def things(self, first: int = 2) -> list[Thing]:
        return [WELL, NESTED, WRONG][:first]

    @strawberry.field
    def raises(self) -> str:
        raise OwnError("raised")

    @strawberry.field
    def may_raise(self) -> str | None:
        raise OwnError("raised")

    @strawberry.field
    def returns_an_error(self) -> str | None:
        return RETURNED  # type: ignore[no-any-return]

    @strawberry.field
    def nothing(self) -> str:
        return None  # type: ignore[return-value]

    @strawberry.field
    def told(self, info: strawberry.Info[str, None]) -> str:
        return f"{info.context} {info.field_name} {info.path.key} {info.variable_values} {info.selected_fields}"


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
    "{ thing(which: %s) { note } __schema { __typename queryType { name } } __typename }",
    '{ thing(which: %s) { note } __type(name: "Thing") { __typename } }',
]  # fmt: skip
Told = tuple[Any, list[dict[str, Any]]]
Built = Any


def long_way(text: str, of_schema: strawberry.Schema = schema, context: Any = None, **variables: Any) -> Built:
    return StrawberryGraphQLCoreExecutionContext.build(of_schema._schema, parse(text), None, context, variables)


def short_way(text: str, of_schema: strawberry.Schema = schema, context: Any = None, **variables: Any) -> Built:
    document = parse(text)
    ways = ShortWays(of_schema._schema, document)
    return ShortWayExecutor.build(of_schema._schema, document, None, context, variables, short_ways=ways)


async def answer(executor: Built) -> Told:
    result: Any = executor if isinstance(executor, list) else execute_root_selection_set(executor)
    return told(result if isinstance(result, list | ExecutionResult) else await result)


async def plain_answer(
    text: str, of_schema: strawberry.Schema = schema, context: Any = None, **variables: Any
) -> Told | None:
    document = parse(text)
    operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    query = PlainQuery.of(of_schema._schema, operation, ShortWays(of_schema._schema, document))
    if query is None:
        return None
    return told(await query.run(context, variables, lambda: short_way(text, of_schema, context, **variables)))


def told(result: ExecutionResult | list[GraphQLError]) -> Told:
    """As a client reads it."""
    data, errors = (None, result) if isinstance(result, list) else (result.data, result.errors)
    return json.loads(json.dumps(data)), [dict(error.formatted) for error in errors or []]


@pytest.mark.parametrize("which", THINGS)
@pytest.mark.parametrize("document", DOCUMENTS)
async def test_all_ways_answer_alike(document: str, which: str) -> None:
    asked = document % f'"{which}"'
    assert validate(schema._schema, parse(asked)) == []
    expected = await answer(long_way(asked))
    assert await answer(short_way(asked)) == expected
    plain = await plain_answer(asked)
    assert plain == (None if "@" in asked or "__schema" in asked or "__type(" in asked else expected)


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ things { name } }", {}),
        ("query ($n: Int!) { all: things(first: $n) { name } }", {"n": 1}),
        ("query ($n: Int!) { things(first: $n) { name } }", {"n": 3}),
        ("query ($n: Int!) { things(first: $n) { name } }", {"n": "many"}),
        ("query ($n: Int!) { things(first: $n) { name } }", {}),
        ("query ($n: Int) { things(first: $n) { name } }", {"n": None}),
        ("query ($n: Int = 1) { things(first: $n) { shout(times: $n) } }", {}),
        ('{ thing(which: "unknown") { name } }', {}),
        ("{ raises }", {}),
        ("{ mayRaise }", {}),
        ("{ returnsAnError }", {}),
        ("{ nothing }", {}),
        ("query ($n: Int = 7) { x: told ...F } fragment F on Query { x: told }", {"n": 8}),
    ],
)
async def test_a_plain_query_answers_as_graphql_core_does(query: str, variables: dict[str, Any]) -> None:
    assert await plain_answer(query, context="context", **variables) == await answer(
        long_way(query, context="context", **variables)
    )


async def test_what_is_no_plain_query_is_left_alone() -> None:
    assert await plain_answer("{ raises mayRaise }") is None
    assert await plain_answer("{ mayRaise @skip(if: true) }") is None
    assert await plain_answer("{ __typename }") is None
    assert await plain_answer("mutation { count }", SCHEMA) is None
    assert await plain_answer('{ thing(which: "well") { name } }') == ({"thing": {"name": "a"}}, [])


async def test_what_is_well_is_told_and_what_is_not_is_an_error() -> None:
    assert await answer(
        short_way('{ thing(which: "nested") { name inner { colour tags } others { count note } } }')
    ) == (
        {
            "thing": {
                "name": "b",
                "inner": {"colour": "RED", "tags": ["x", None]},
                "others": [{"count": 1, "note": None}, {"count": 1, "note": None}],
            }
        },
        [],
    )
    data, errors = await answer(short_way('{ thing(which: "wrong within") { name inner { name } } }'))
    assert data == {"thing": {"name": "b", "inner": None}}
    assert [(error["message"], error["path"]) for error in errors] == [
        ("Cannot return null for non-nullable field Thing.name.", ["thing", "inner", "name"])
    ]


async def fields_that_took_the_long_way(monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    taken: list[str] = []
    theirs = StrawberryGraphQLCoreExecutionContext.execute_field

    def noting(self: Any, parent: Any, source: Any, details: Any, path: Any, position: Any) -> Any:
        taken.append(f"{parent.name}.{details[0].node.name.value}")
        return theirs(self, parent, source, details, path, position)

    with monkeypatch.context() as patched:
        patched.setattr(StrawberryGraphQLCoreExecutionContext, "execute_field", noting)
        assert (await answer(short_way(text)))[1] == []
    return taken


async def test_only_resolvers_and_abstract_types_and_directives_take_the_long_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def taken(selection: str) -> list[str]:
        return await fields_that_took_the_long_way(monkeypatch, f'{{ thing(which: "nested") {{ {selection} }} }}')

    assert await taken("name __typename inner { tags label { name } } others { inner { name } }") == ["Query.thing"]
    assert await taken("name inner { shout note } others { name }") == ["Query.thing", "Thing.inner", "Thing.shout"]
    assert await taken("named { name }") == ["Query.thing", "Thing.named"]
    assert await taken("name inner { note @include(if: true) }") == ["Query.thing", "Thing.inner"]


async def test_a_fragment_that_is_spread_often_is_compiled_once() -> None:
    document = parse(
        '{ thing(which: "nested") { ...F inner { ...F inner { ...F } } } } fragment F on Thing { others { name note } }'
    )
    ways = ShortWays(schema._schema, document)
    built: Any = ShortWayExecutor.build(schema._schema, document, None, None, {}, short_ways=ways)
    await answer(built)
    # Query.thing, Thing.inner twice, Thing.others, Thing.name, Thing.note.
    assert len(ways._fields) == 6


@pytest.mark.parametrize("places", range(6))
async def test_where_the_short_ways_end_the_long_one_goes_on(monkeypatch: pytest.MonkeyPatch, places: int) -> None:
    text = '{ thing(which: "nested") { name inner { name colour } others { name note } } }'
    monkeypatch.setattr(short_ways, "MAX_PLACES", places)
    assert await answer(short_way(text)) == await plain_answer(text) == await answer(long_way(text))


async def test_a_field_with_a_resolver_has_no_short_way() -> None:
    document = parse('{ thing(which: "nested") { whisper shout name } }')
    ways = ShortWays(schema._schema, document)
    built: Any = ShortWayExecutor.build(schema._schema, document, None, None, {}, short_ways=ways)
    assert await answer(built) == ({"thing": {"whisper": "b", "shout": "B", "name": "b"}}, [])
    assert [field is not None for field in ways._fields.values()] == [False, False, False, True]


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

    generate()
    for document in documents:

        def asked(way: Callable[..., Any], document: str = document) -> Any:
            context = window.services.context(PERSON, "zh-CN")
            return way(document, own_schema, context, no=window.no, yes=True)

        expected = await answer(asked(long_way))
        assert await answer(asked(short_way)) == expected, document
        assert await asked(plain_answer) in (None, expected), document
        assert expected[0]["transfer"]["__typename"] == "Transfer"
