"""The short way through graphql-core's executor answers what the long way answers, errors and all."""

from enum import Enum
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, execute_root_selection_set, parse

from gateway.executor import executor_class, plain_fields
from gateway.schema import schema as own_schema


@strawberry.enum
class Colour(Enum):
    RED = "red"


@strawberry.type
class Thing:
    name: str
    count: int
    colour: Colour
    note: str | None
    tags: list[str]
    inner: "Thing | None" = None

    @strawberry.field
    def shout(self, times: int = 1) -> str:
        return self.name.upper() * times


class Reluctant(Thing):
    """Its name is worked out, and cannot be."""

    def __init__(self) -> None:
        self.count, self.colour, self.note, self.tags, self.inner = 1, Colour.RED, None, [], None

    def __getattr__(self, name: str) -> Any:
        raise LookupError(f"{name} is not to be had")


WELL = Thing(name="a", count=1, colour=Colour.RED, note=None, tags=["x"], inner=None)
NESTED = Thing(name="b", count=2, colour=Colour.RED, note="n", tags=[], inner=WELL)
WRONG: Any = {"name": None, "count": "many", "colour": "purple", "note": None, "tags": None}


@strawberry.type
class Query:
    @strawberry.field
    def thing(self, which: str) -> Thing | None:
        return {"well": WELL, "nested": NESTED, "wrong": Thing(**WRONG), "reluctant": Reluctant()}[which]


schema = strawberry.Schema(query=Query)
DOCUMENTS = [
    "{ thing(which: %s) { name count colour note tags shout } }",
    "{ thing(which: %s) { n: name __typename inner { name colour shout(times: 2) } } }",
    "{ thing(which: %s) { ...F } } fragment F on Thing { name @skip(if: true) note @include(if: true) }",
    "{ thing(which: %s) { name } }",
    "{ thing(which: %s) { count } }",
    "{ thing(which: %s) { colour } }",
]


def answer(executor: Any, document: str) -> tuple[Any, list[dict[str, Any]]]:
    built = executor.build(schema._schema, parse(document), None, None, {}, None)
    result = execute_root_selection_set(built)
    assert isinstance(result, ExecutionResult)
    return result.data, [dict(error.formatted) for error in result.errors or []]


@pytest.mark.parametrize("which", ["well", "nested", "wrong", "reluctant"])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_both_ways_answer_alike(document: str, which: str) -> None:
    asked = document % f'"{which}"'
    assert answer(executor_class(schema._schema), asked) == answer(schema.execution_context_class, asked)


def test_what_is_well_is_told_and_what_is_not_is_an_error() -> None:
    short = executor_class(schema._schema)
    assert answer(short, '{ thing(which: "well") { name count colour note } }') == (
        {"thing": {"name": "a", "count": 1, "colour": "RED", "note": None}},
        [],
    )
    data, errors = answer(short, '{ thing(which: "wrong") { name } }')
    assert data == {"thing": None}
    assert [error["message"] for error in errors] == ["Cannot return null for non-nullable field Thing.name."]


def test_only_attributes_that_are_leaves_take_the_short_way() -> None:
    assert {name: sorted(fields) for name, fields in plain_fields(schema._schema).items()} == {
        "Thing": ["colour", "count", "name", "note"]
    }
    assert {"no", "status", "revision"} <= plain_fields(own_schema._schema)["Transfer"].keys()
    assert "Viewer" not in plain_fields(own_schema._schema)
