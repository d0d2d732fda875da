"""What a document may ask for, each limit at its edge and one beyond."""

import time

import pytest

from gateway.auth import ANONYMOUS, Viewer
from gateway.faults import Refused, TooManyNewDocuments
from gateway.limits import ProcessorRation
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


def test_new_documents_get_a_share_of_the_processor_and_known_ones_run_on() -> None:
    now = 0.0
    ration = ProcessorRation(share=0.1, burst_seconds=1.0, clock=lambda: now)
    ration.require()
    ration.spend(1.5)
    with pytest.raises(TooManyNewDocuments) as refused:
        ration.require()
    assert refused.value.extensions() == {"code": "UNAVAILABLE", "retryAfterSeconds": 6}
    now += 5.1
    ration.require()
    now += 1000.0
    ration.require()
    ration.spend(1.1)
    with pytest.raises(TooManyNewDocuments):
        ration.require()


def test_who_floods_without_a_token_does_not_stop_those_who_have_one() -> None:
    operations = _operations()
    known = Viewer(subject="clerk-1", roles=())
    operations.find(GraphQLRequest("{ greeting }", None, {}), ANONYMOUS)
    operations._anonymous.spend(1000.0)
    with pytest.raises(TooManyNewDocuments):
        operations.find(GraphQLRequest("{ a: greeting }", None, {}), ANONYMOUS)
    operations.find(GraphQLRequest("{ greeting }", None, {}), ANONYMOUS)
    operations.find(GraphQLRequest("{ b: greeting }", None, {}), known)


def test_the_cache_of_documents_is_bounded_by_their_text_and_keeps_what_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.operations.MAX_CACHED_LENGTH", 100)
    operations = _operations()
    often = "{ greeting }"
    for number in range(20):
        operations.find(GraphQLRequest(f"{{ a{number}: greeting }}", None, {}), ANONYMOUS)
        operations.find(GraphQLRequest(often, None, {}), ANONYMOUS)
    assert often in operations._cache
    assert operations._cached_length == sum(map(len, operations._cache)) <= 100
