"""The checks that scanners run against GraphQL servers, by the names of their lists; each goes red when its control is removed.

graphql-cop: https://github.com/dolevf/graphql-cop. graphql-armor: https://escape.tech/graphql-armor/docs. Its thresholds are
defaults for any schema; ours are set by what the screens of this one ask for, so what is held is that each protection is there, at
a threshold of our own. Advisories of Strawberry: GHSA-79gp-q4wv-33fr (CVE-2024-47082), GHSA-vpwc-v33q-mq89 (CVE-2026-35523),
GHSA-hv3w-m4g2-5x77 (CVE-2026-35526).
"""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway import limits
from gateway.auth import ANONYMOUS
from gateway.faults import Refused
from gateway.operations import GraphQLRequest, InvalidDocumentError, Operations
from gateway.websocket import MAX_OPERATIONS
from tests.gateway.conftest import COUNTED, SCHEMA, Gateway, Issuer, Served, Ticks

TICKS = "subscription($id: ID!) { ticks(transferId: $id) { seq } }"
STEPS = 200


def refused(document: str) -> str | None:
    """What production says against the document before it runs; None when it may."""
    operations = Operations(SCHEMA._schema, introspection=False)
    try:
        operations.find(GraphQLRequest(document, None, {}), ANONYMOUS)
    except Refused as fault:
        return fault.en
    except InvalidDocumentError as invalid:
        return invalid.errors[0].message
    return None


def over(what: str, limit: int) -> str:
    return f"The document is over a limit: {what}, at most {limit}"


# ------------------------------------------------------------------ graphql-cop

CIRCULAR = "query cop { __schema { types { " + "fields { type { " * 10 + "name" + " } }" * 10 + " } } }"
COP = {
    "Alias Overloading (DoS)": (
        "query cop { " + " ".join(f"alias{n}: __typename" for n in range(101)) + " }",
        over("aliases", limits.MAX_ALIASES),
    ),
    "Field Duplication (DoS)": (
        "query cop { " + "__typename " * 500 + "}",
        over("root fields", limits.MAX_ROOT_FIELDS),
    ),
    "Directives Overloading (DoS)": (
        "query cop { __typename " + "@skip(if: false) " * 50 + "}",
        over("directives", limits.MAX_DIRECTIVES),
    ),
    "Introspection (Info Leak)": (
        "query cop { __schema { types { name fields { name } } } }",
        "GraphQL introspection has been disabled, but the requested query contained the field '__schema'.",
    ),
    "Circular Query using Introspection (DoS)": (CIRCULAR, "Maximum introspection depth exceeded"),
    "Field Suggestions (Info Leak)": ("query cop { greetin }", "Cannot query field 'greetin' on type 'Query'."),
}


@pytest.mark.parametrize(("document", "answer"), COP.values(), ids=list(COP))
def test_graphql_cop(document: str, answer: str) -> None:
    assert refused(document) == answer


async def test_graphql_cop_batch_queries(gateway: Gateway) -> None:
    answer = await gateway.client.post("/graphql", json=[{"query": "query cop { __typename }"}] * 10)
    assert (answer.status_code, "data" in answer.json()) == (400, False)


async def test_graphql_cop_get_based_queries_and_mutations(gateway: Gateway) -> None:
    before = len(COUNTED)
    for query in ("query cop { __typename }", "mutation cop { count }"):
        answer = await gateway.client.get("/graphql", params={"query": query})
        assert (answer.status_code, "data" in answer.json()) == (405, False)
    assert len(COUNTED) == before


async def test_graphql_cop_post_based_queries_using_urlencoded_payloads(gateway: Gateway) -> None:
    before = len(COUNTED)
    answer = await gateway.client.post("/graphql", data={"query": "mutation cop { count }"})
    assert (answer.status_code, "data" in answer.json()) == (415, False)
    assert len(COUNTED) == before


async def test_graphql_cop_tracing(gateway: Gateway) -> None:
    headers = {"apollo-tracing": "1", "apollo-federation-include-trace": "ftv1"}
    answer = await gateway.post("query cop { __typename }", headers)
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_graphql_cop_graphiql(gateway: Gateway) -> None:
    for path in ("/", "/graphql", "/graphiql", "/playground", "/console", "/static/graphiql/index.html"):
        answer = await gateway.client.get(path, headers={"accept": "text/html"})
        assert answer.status_code in {404, 405}, path
        assert "graphiql" not in answer.text.lower(), path


@pytest.mark.parametrize("query", ["{ broken }", "queryy cop { __typename }", "{ maybeBroken }"])
async def test_graphql_cop_unhandled_errors_detection(gateway: Gateway, query: str) -> None:
    answer = await gateway.post(query)
    (error,) = answer.json()["errors"]
    assert set(error) <= {"message", "locations", "path", "extensions"}
    assert set(error["extensions"]) <= {"code", "correlationId"}
    for told in ("secret", "Traceback", "RuntimeError", "gateway/", ".py"):
        assert told not in answer.text


# ------------------------------------------------------------------ graphql-armor: protection, its default, ours


def nested(levels: int) -> str:
    return "{" + "branch {" * (levels - 1) + "name" + "}" * levels


ARMOR: dict[str, tuple[int, int, str, str]] = {
    "maxAliases": (
        15,
        limits.MAX_ALIASES,
        "{ branch {" + " ".join(f"a{n}: name" for n in range(limits.MAX_ALIASES + 1)) + "} }",
        over("aliases", limits.MAX_ALIASES),
    ),
    "characterLimit": (
        15_000,
        limits.MAX_DOCUMENT_LENGTH,
        "#" + "x" * limits.MAX_DOCUMENT_LENGTH + "\n{ greeting }",
        f"Syntax Error: Source contains more than {limits.MAX_DOCUMENT_LENGTH} code points. Parsing aborted.",
    ),
    "costLimit": (
        5_000,
        limits.MAX_COST,
        "{ branch { branches(first: 50) { branches(first: 50) { branches(first: 50) { name } } } } }",
        over("cost", limits.MAX_COST),
    ),
    "maxDepth": (6, limits.MAX_DEPTH, nested(limits.MAX_DEPTH + 1), over("depth", limits.MAX_DEPTH)),
    "maxDirectives": (
        50,
        limits.MAX_DIRECTIVES,
        "{ greeting " + "@skip(if: false) " * (limits.MAX_DIRECTIVES + 1) + "}",
        over("directives", limits.MAX_DIRECTIVES),
    ),
    "maxTokens": (
        1_000,
        limits.MAX_TOKENS,
        "{" + "greeting " * limits.MAX_TOKENS + "}",
        f"Syntax Error: Document contains more than {limits.MAX_TOKENS} tokens. Parsing aborted.",
    ),
}


@pytest.mark.parametrize(("theirs", "ours", "document", "answer"), ARMOR.values(), ids=list(ARMOR))
def test_graphql_armor(theirs: int, ours: int, document: str, answer: str) -> None:
    assert refused(document) == answer
    # The screens of this schema are deeper and wider than a default for any: never by more than five times.
    assert ours <= 5 * theirs


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ("{ greetin }", "Cannot query field 'greetin' on type 'Query'."),
        ("{ branch { nam } }", "Cannot query field 'nam' on type 'Branch'."),
        ('{ greeting(nam: "x") }', "Unknown argument 'nam' on field 'Query.greeting'."),
        ("{ ... on Branc { name } }", "Unknown type 'Branc'."),
    ],
)
def test_graphql_armor_block_field_suggestion(document: str, answer: str) -> None:
    assert refused(document) == answer


# ------------------------------------------------------------------ Strawberry's advisories


async def test_cve_2024_47082_a_multipart_form_of_a_foreign_page_runs_nothing(gateway: Gateway) -> None:
    before = len(COUNTED)
    operations = json.dumps({"query": "mutation { count }", "variables": {}})
    answer = await gateway.client.post(
        "/graphql", data={"operations": operations, "map": "{}"}, files={"0": ("x.txt", b"x")}
    )
    assert (answer.status_code, "data" in answer.json()) == (415, False)
    assert len(COUNTED) == before


async def test_cve_2026_35523_nothing_starts_on_the_legacy_subprotocol_or_before_the_handshake(served: Served) -> None:
    start = {"id": "1", "payload": {"query": "{ greeting }"}}
    for protocol, kind, code in (
        ("graphql-ws", "start", 4406),
        ("graphql-ws", "subscribe", 4406),
        ("graphql-transport-ws", "start", 4400),
        ("graphql-transport-ws", "subscribe", 4401),
    ):
        # The client library would refuse a server that does not choose one of its own offers.
        ours = [Subprotocol(protocol)] if protocol == "graphql-transport-ws" else None
        headers = {} if ours else {"sec-websocket-protocol": protocol}
        async with connect(served.ws_url, subprotocols=ours, additional_headers=headers, proxy=None) as socket:
            heard = await _all(socket, [start | {"type": kind}])
        assert (heard, socket.close_code) == ([], code), (protocol, kind)


async def test_cve_2026_35526_a_flood_of_subscriptions_on_one_connection_has_a_cap(
    served: Served, issuer: Issuer, ticks: Ticks
) -> None:
    async with connect(served.ws_url, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as socket:
        payload = {"authorization": f"Bearer {issuer.token()}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        asked = {"query": TICKS, "variables": {"id": str(ticks.transfer_id)}}
        for number in range(STEPS):
            await socket.send(json.dumps({"id": str(number), "type": "subscribe", "payload": asked}))
        refusals = [json.loads(await asyncio.wait_for(socket.recv(), 5)) for _ in range(STEPS - MAX_OPERATIONS)]
        assert {each["type"] for each in refusals} == {"error"}
        assert served.app.state.services.progress.follower_count <= MAX_OPERATIONS


async def _all(socket: ClientConnection, messages: list[dict[str, Any]]) -> list[Any]:
    """What the gateway says until it closes."""
    heard = []
    try:
        for message in messages:
            await socket.send(json.dumps(message))
        while True:
            heard.append(await asyncio.wait_for(socket.recv(), 5))
    except ConnectionClosed:
        return heard
