"""What a document may ask for, each limit at its edge and one beyond."""

import time

import pytest

from gateway.auth import ANONYMOUS
from gateway.faults import Refused
from gateway.operations import GraphQLRequest, InvalidDocumentError, Operations
from tests.gateway.conftest import SCHEMA, Gateway


def _operations(*, introspection: bool = False) -> Operations:
    return Operations(SCHEMA._schema, introspection=introspection)


def _refusal(document: str) -> str | None:
    """What a fresh gateway says against the document; None when it may run."""
    try:
        _operations().find(GraphQLRequest(document, None, {}), ANONYMOUS)
    except Refused as refused:
        return refused.en
    except InvalidDocumentError as invalid:
        return invalid.errors[0].message
    return None


def _deep(levels: int) -> str:
    return "{" + "branch {" * (levels - 1) + "name" + "}" * levels


def _over(what: str, limit: int) -> str:
    return f"The document is over a limit: {what}, at most {limit}"


@pytest.mark.parametrize(
    ("largest", "too_large", "why"),
    [
        (_deep(12), _deep(13), _over("depth", 12)),
        (
            "{ branch {" + " ".join(f"a{n}: name" for n in range(30)) + "} }",
            "{ branch {" + " ".join(f"a{n}: name" for n in range(31)) + "} }",
            _over("aliases", 30),
        ),
        (
            "{ greeting branch {" + "name @skip(if: false) " * 20 + "} }",
            "{ greeting branch {" + "name @skip(if: false) " * 21 + "} }",
            _over("directives", 20),
        ),
        (
            "{" + " ".join(f"a{n}: greeting" for n in range(20)) + "}",
            "{" + " ".join(f"a{n}: greeting" for n in range(21)) + "}",
            _over("root fields", 20),
        ),
        ("{" + "... { greeting }" * 20 + "}", "{" + "... { greeting }" * 21 + "}", _over("root fields", 20)),
        (
            "{ branch {" + "... { name }" * 60 + "} }",
            "{ branch {" + "... { name }" * 61 + "} }",
            _over("fragments", 60),
        ),
        ("{ branch {" + "name " * 100 + "} }", "{ branch {" + "name " * 101 + "} }", _over("fields called name", 100)),
        (
            "{ branch { branches(first: 50) { branches(first: 49) { name branch { name } } } } }",
            "{ branch { branches(first: 50) { branches(first: 50) { name branch { name branch { name } } } } } }",
            _over("cost", 10_000),
        ),
    ],
)
def test_a_document_may_go_to_the_limit_and_not_beyond(largest: str, too_large: str, why: str) -> None:
    assert (_refusal(largest), _refusal(too_large)) == (None, why)


def test_a_page_that_a_variable_asks_for_costs_as_the_largest_does() -> None:
    page = "{ branch { branches(first: N) { branches(first: N) { branches(first: N) { name } } } } }"
    assert _refusal("query($n: Int!) " + page.replace("N", "$n")) == _over("cost", 10_000)
    assert _refusal(page.replace("N", "20")) is None
    # Left out, it is what the schema says: 20.
    assert _refusal(page.replace("(first: N)", "")) is None
    assert _refusal(page.replace("N", "22")) == _over("cost", 10_000)


def test_tokens_are_counted_while_they_are_read() -> None:
    started = time.perf_counter()
    assert (
        _refusal("{" + "greeting " * 2001 + "}")
        == "Syntax Error: Document contains more than 2000 tokens. Parsing aborted."
    )
    assert time.perf_counter() - started < 1.0


def test_a_long_comment_or_string_is_too_long_whatever_its_tokens() -> None:
    assert _refusal("#" + "x" * 70_000 + "\n{ greeting }") == (
        "Syntax Error: Source contains more than 65536 code points. Parsing aborted."
    )


def test_fragments_that_double_at_each_level_are_refused_without_being_unfolded() -> None:
    fragments = [
        f"fragment F{n} on Branch {{ branch {{ ...F{n + 1} }} b: branch {{ ...F{n + 1} }} }}" for n in range(25)
    ]
    bomb = "{ branch { ...F0 } } " + " ".join(fragments) + " fragment F25 on Branch { name }"
    started = time.process_time()
    refusal = _refusal(bomb)
    assert str(refusal).startswith("The document is over a limit")
    assert time.process_time() - started < 0.5


def test_fragments_that_lead_back_to_themselves_are_refused() -> None:
    cycle = "{ branch { ...A } } fragment A on Branch { ...B } fragment B on Branch { branch { ...A } }"
    assert _refusal(cycle) == "Cannot spread fragment 'A' within itself via 'B'."


def test_a_document_of_many_operations_pays_for_each() -> None:
    assert _refusal(f"query A {_deep(12)} query B {_deep(13)}") is not None


async def test_production_shows_no_schema_and_suggests_no_names(gateway: Gateway) -> None:
    for query in ("{ __schema { types { name } } }", '{ __type(name: "Query") { name } }'):
        answer = await gateway.post(query, {"accept": "application/graphql-response+json"})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]) == (400, {"code": "VALIDATION_FAILED"})
        assert answer.json()["errors"][0]["message"].startswith("GraphQL introspection has been disabled")
    assert (await gateway.post("{ __typename greeting }")).json()["data"]["__typename"] == "Query"
    answer = await gateway.post("{ greetin }")
    assert answer.json()["errors"][0]["message"] == "Cannot query field 'greetin' on type 'Query'."
    answer = await gateway.post("query($n: Int!) { number(value: $n) }", variables={"m": 1, "n": "x"})
    assert "Did you mean" not in answer.text


async def test_development_shows_the_schema_whole_and_suggests(development_gateway: Gateway) -> None:
    from graphql import get_introspection_query

    answer = await development_gateway.post(get_introspection_query(input_value_deprecation=True))
    assert {type_["name"] for type_ in answer.json()["data"]["__schema"]["types"]} >= {"Query", "Branch", "Tick"}
    answer = await development_gateway.post("{ greetin }")
    assert (
        answer.json()["errors"][0]["message"]
        == "Cannot query field 'greetin' on type 'Query'. Did you mean 'greeting'?"
    )
