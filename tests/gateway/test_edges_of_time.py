"""Days and instants at the edge of what a computer counts are refused by name; none of them is an internal error."""

import base64
from collections.abc import AsyncIterator
from uuid import UUID

import orjson
import pytest
from graphql import GraphQLInputObjectType, GraphQLInputType, GraphQLList, GraphQLNonNull, GraphQLScalarType

from gateway.auth import Viewer
from gateway.paging import cursor
from gateway.schema import schema
from tests.conftest import Database
from tests.gateway.window import O_CLERK, Window, open_window

SOME_ID = UUID(int=1)
AT_THE_EDGE = ["0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31"]
DATE_MESSAGE = "Date: a calendar date of the form YYYY-MM-DD is expected, from 1900-01-01 to 2199-12-31"


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        await each.desk.accepted()
        yield each


async def _error(window: Window, viewer: Viewer, query: str, **variables: object) -> dict[str, object]:
    error: dict[str, object] = await window.error(viewer, query, **variables)
    return error


@pytest.mark.parametrize(
    "instant",
    [
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59.999999-08:00",
        "1900-01-01T00:00:00+00:00",
        "2199-01-01T00:00:00+00:00",
    ],
)
async def test_a_cursor_at_the_edge_of_time_is_a_wrong_cursor(window: Window, instant: str) -> None:
    query = "query ($after: String) { transfers(after: $after) { edges { node { no } } } }"
    error = await _error(window, O_CLERK, query, after=cursor(instant, SOME_ID))
    assert error["extensions"] == {
        "code": "VALIDATION_FAILED",
        "violations": [
            {"path": ["after"], "code": "CURSOR", "message": error["message"].partition(": ")[2]}  # type: ignore[attr-defined]
        ],
    }
    near = await window.data(O_CLERK, query, after=cursor("2198-12-31T00:00:00+00:00", SOME_ID))
    assert [edge["node"]["no"] for edge in near["transfers"]["edges"]] == [window.no]


@pytest.mark.parametrize("part", [0, [], {}, True, 1e308, None])
async def test_a_cursor_with_something_else_than_text_is_a_wrong_cursor(window: Window, part: object) -> None:
    text = base64.urlsafe_b64encode(orjson.dumps(["2026-03-02T09:00:00+08:00", part])).decode()
    query = "query ($after: String) { transfers(after: $after) { edges { node { no } } } }"
    error = await _error(window, O_CLERK, query, after=text)
    assert error["extensions"]["violations"][0]["code"] == "CURSOR"  # type: ignore[index]


@pytest.mark.parametrize("day", AT_THE_EDGE)
async def test_a_day_outside_three_centuries_is_a_slip_of_the_keyboard(window: Window, day: str) -> None:
    query = "query ($day: Date) { transfers(filter: {submittedOnOrAfter: $day}) { edges { node { no } } } }"
    error = await _error(window, O_CLERK, query, day=day)
    assert error["message"] == f"Variable '$day' has invalid value: {DATE_MESSAGE}"
    assert error["extensions"] == {"code": "VALIDATION_FAILED"}
    for within, found in (("1900-01-01", [window.no]), ("2199-12-31", [])):
        data = await window.data(O_CLERK, query, day=within)
        assert [edge["node"]["no"] for edge in data["transfers"]["edges"]] == found


def _named(given: GraphQLInputType) -> object:
    return _named(given.of_type) if isinstance(given, GraphQLNonNull | GraphQLList) else given


def test_every_day_that_a_caller_sends_is_such_a_date() -> None:
    inputs = [each for each in schema._schema.type_map.values() if isinstance(each, GraphQLInputObjectType)]
    scalars = {_named(field.type) for each in inputs for field in each.fields.values()}
    assert {each.name for each in scalars if isinstance(each, GraphQLScalarType) and "Date" in each.name} == {"Date"}
