"""GraphQL over HTTP: media types, statuses, bad requests, faults; and the endpoints beside it."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import Client
from temporalio.worker import Worker

from activities.documents.store import drawn_up, keep
from activities.keyring import Keyring
from activities.people import find_person
from activities.register_load import load_register
from gateway.access_looks import link_holder
from gateway.auth import Viewer
from gateway.document_links import is_good, signed_link
from gateway.management import management_server
from gateway.settings import Settings, SettingsError, load_settings
from gateway.temporal_link import TemporalLink, TemporalUnavailableError
from stack.temporal import TemporalServer
from tests.activities.documents_samples import CERTIFICATE, ISSUED_AT, NUMBER
from tests.activities.register_extracts import WANG, extract, row
from tests.conftest import Database
from tests.gateway.conftest import COUNTED, ISSUER, Gateway, Issuer, Served, running
from tests.stack.sleeper_workflow import Sleeper
from workflows.vocabulary import Role

GRAPHQL = "application/graphql-response+json"
CLERK = Viewer("clerk-1", (Role.CLERK,), region="310100", issuer=ISSUER)
OTHER_CLERK = Viewer("clerk-2", (Role.CLERK,), region="310100", issuer=ISSUER)
DOCUMENT_ID = UUID("0192f0c1-3333-7000-8000-000000000001")


def _codes(answer: httpx.Response) -> list[str]:
    return [error["extensions"]["code"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        (GRAPHQL, f"{GRAPHQL}; charset=utf-8"),
        (f"{GRAPHQL}, application/json;q=0.9", f"{GRAPHQL}; charset=utf-8"),
        (f"{GRAPHQL};q=0.5, application/json", "application/json; charset=utf-8"),
        ("text/html, */*;q=0.1", "application/json; charset=utf-8"),
    ],
)
async def test_the_answer_comes_in_the_media_type_that_is_preferred(
    gateway: Gateway, accept: str | None, content_type: str
) -> None:
    del gateway.client.headers["accept"]
    answer = await gateway.post("{ greeting }", {"accept": accept} if accept else None)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert answer.json() == {"data": {"greeting": "hello world"}}


async def test_a_media_type_that_we_cannot_answer_in_is_406(gateway: Gateway) -> None:
    answer = await gateway.post("{ greeting }", {"accept": "text/html"})
    assert (answer.status_code, _codes(answer)) == (406, ["VALIDATION_FAILED"])


async def test_variables_and_the_operations_name_are_taken(gateway: Gateway) -> None:
    document = "query A($n: String!) { greeting(name: $n) } query B { branch { name } }"
    answer = await gateway.post(document, operationName="A", variables={"n": "琪"}, extensions=None)
    assert answer.json() == {"data": {"greeting": "hello 琪"}}
    assert (await gateway.post(document, operationName="B")).json() == {"data": {"branch": {"name": "root"}}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not valid JSON: Input is a zero-length, empty document: line 1 column 1 (char 0)"),
        (b"{", None),
        (b"\xff\xfe", None),
        (b"[]", "Batches are not supported: send one request at a time"),
        (b'[{"query": "{ greeting }"}]', "Batches are not supported: send one request at a time"),
        (b'"{ greeting }"', "The request must be a JSON object"),
        (b"{}", "The parameter query is missing"),
        (b'{"query": 7}', "The parameter query must be a string"),
        (b'{"query": "{ greeting }", "variables": []}', "The parameter variables must be an object"),
        (b'{"query": "{ greeting }", "variables": "{}"}', "The parameter variables must be an object"),
        (b'{"query": "{ greeting }", "operationName": 7}', "The parameter operationName must be a string"),
        (b'{"query": "{ greeting }", "extensions": 7}', "The parameter extensions must be an object"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", GRAPHQL])
async def test_a_request_that_is_not_well_formed_is_400_in_either_media_type(
    gateway: Gateway, accept: str, body: bytes, message: str | None
) -> None:
    headers = {"content-type": "application/json", "accept": accept, "accept-language": "en"}
    answer = await gateway.client.post("/graphql", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, f"{accept}; charset=utf-8")
    assert (_codes(answer), "data" in answer.json()) == (["VALIDATION_FAILED"], False)
    if message is not None:
        assert answer.json()["errors"][0]["message"] == message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"query": "{ greeting"}, "Syntax Error: Expected Name, found <EOF>."),
        ({"query": ""}, "Syntax Error: Unexpected <EOF>."),
        ({"query": "{ nothing }"}, "Cannot query field 'nothing' on type 'Query'."),
        (
            {"query": "{ branch }"},
            "Field 'branch' of type 'Branch!' must have a selection of subfields. Did you mean 'branch { ... }'?",
        ),
        ({"query": "query A { greeting }", "operationName": "B"}, "The document has no operation called B"),
        (
            {"query": "query A { greeting } query B { greeting }"},
            "The document has several operations: say which by operationName",
        ),
        ({"query": "fragment F on Query { greeting }", "operationName": None}, None),
        (
            {"query": "query($n: Int!) { number(value: $n) }"},
            "Variable '$n' has invalid value: Expected a value of non-null type 'Int!' to be provided.",
        ),
        (
            {"query": "subscription { breaks }"},
            "Subscriptions need Accept: text/event-stream, or a WebSocket (graphql-transport-ws)",
        ),
    ],
)
async def test_graphql_that_cannot_run_is_400_or_in_plain_json_200(
    gateway: Gateway, parameters: dict[str, Any], message: str | None
) -> None:
    for accept, status in ((GRAPHQL, 400), ("application/json", 200)):
        headers = {"accept": accept, "accept-language": "en"}
        answer = await gateway.client.post("/graphql", json=parameters, headers=headers)
        assert (answer.status_code, set(_codes(answer))) == (status, {"VALIDATION_FAILED"})
        assert "data" not in answer.json()
        if message is not None:
            assert answer.json()["errors"][0]["message"] == message


async def test_an_identity_number_in_a_bad_variable_is_not_echoed(gateway: Gateway) -> None:
    number = "110101199003077213"
    for query, variables in (
        ("query($n: Int!) { number(value: $n) }", {"n": number}),
        (f'{{ number(value: "{number}") }}', {}),
    ):
        answer = await gateway.post(query, variables=variables)
        assert _codes(answer) == ["VALIDATION_FAILED"]
        assert number not in answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/graphql",
        "application/json; charset=gbk",
        None,
    ],
)
async def test_a_body_that_a_foreign_page_could_send_is_415_and_does_nothing(
    gateway: Gateway, content_type: str | None
) -> None:
    before = len(COUNTED)
    headers = {"content-type": content_type} if content_type else {}
    answer = await gateway.client.post("/graphql", content=b'{"query": "mutation { count }"}', headers=headers)
    assert (answer.status_code, _codes(answer)) == (415, ["VALIDATION_FAILED"])
    assert len(COUNTED) == before


async def test_nothing_runs_by_get_or_by_another_method(gateway: Gateway, development_gateway: Gateway) -> None:
    before = len(COUNTED)
    for each in (gateway, development_gateway):
        for query in ("{ greeting }", "mutation { count }"):
            answer = await each.client.get("/graphql", params={"query": query})
            assert (answer.status_code, answer.headers["allow"], _codes(answer)) == (405, "POST", ["VALIDATION_FAILED"])
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = await each.client.request(method, "/graphql", json={"query": "{ greeting }"})
            assert answer.status_code == 405
    assert len(COUNTED) == before
    assert (await gateway.client.get("/graphql")).status_code == 405
    page = await development_gateway.client.get("/graphql", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "GraphiQL" in page.text


async def test_a_mutation_runs_by_post(gateway: Gateway) -> None:
    before = len(COUNTED)
    assert (await gateway.post("mutation { count }")).json() == {"data": {"count": before + 1}}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_ten_megabytes_is_413_over_a_real_connection(served: Served, *, chunked: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * 65536

    async with httpx.AsyncClient() as client:
        content = chunks() if chunked else b" " * (10 * 1024 * 1024)
        headers = {"content-type": "application/json", "accept-language": "en"}
        answer = await client.post(served.url, content=content, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["message"]) == (413, "The body is over 262144 bytes")
        answer = await client.post(served.url, json={"query": "{ greeting }"})
        assert answer.json() == {"data": {"greeting": "hello world"}}


async def test_the_largest_body_is_taken(gateway: Gateway) -> None:
    body = b'{"query": "{ greeting }"}'
    headers = {"content-type": "application/json"}
    for padding, status in ((256 * 1024 - len(body), 200), (256 * 1024 - len(body) + 1, 413)):
        answer = await gateway.client.post("/graphql", content=body + b" " * padding, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("", "zh-CN"),
        ("en", "en"),
        ("en-GB, zh;q=0.9", "en"),
        ("zh-CN, en;q=0.9", "zh-CN"),
        ("en;q=0.1, zh-TW;q=0.2", "zh-CN"),
        ("fr, en;q=0.5", "en"),
        ("fr", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("en;q=broken, zh;q=0.1", "zh-CN"),
    ],
)
async def test_the_language_is_the_one_preferred(
    gateway: Gateway, issuer: Issuer, accept_language: str, language: str
) -> None:
    headers = issuer.bearer() | {"accept-language": accept_language}
    assert (await gateway.post("{ me }", headers)).json() == {"data": {"me": f"clerk-1 {language}"}}


async def test_what_breaks_inside_shows_a_number_and_the_log_has_it(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await gateway.post("{ broken }", {"accept": GRAPHQL, "accept-language": "en"})
    [error] = answer.json()["errors"]
    identifier = error["extensions"]["correlationId"]
    assert re.fullmatch("[0-9a-f]{16}", identifier)
    assert error == {
        "message": f"Internal error, reference {identifier}",
        "locations": [{"line": 1, "column": 3}],
        "path": ["broken"],
        "extensions": {"code": "INTERNAL", "correlationId": identifier},
    }
    assert (answer.status_code, answer.json()["data"]) == (500, None)
    assert "secret" not in answer.text
    assert f"INTERNAL {identifier} at ['broken']" in caplog.text
    assert "RuntimeError: the secret" in caplog.text


async def test_what_breaks_beside_good_data_leaves_it(gateway: Gateway) -> None:
    answer = await gateway.post("{ greeting maybeBroken }", {"accept": GRAPHQL})
    assert (answer.status_code, answer.json()["data"]) == (200, {"greeting": "hello world", "maybeBroken": None})
    assert _codes(answer) == ["INTERNAL"]


async def test_without_the_database_it_is_unavailable_and_it_recovers_by_itself(
    environment: dict[str, str], database: Database, unused_tcp_port: int
) -> None:
    away = environment | {"YIBAO_DATABASE_URL": f"postgresql://yibao_gateway:x@127.0.0.1:{unused_tcp_port}/none"}
    async for gateway in running(load_settings(away)):
        for accept, status in ((GRAPHQL, 503), ("application/json", 200)):
            answer = await gateway.post("{ fromDatabase }", {"accept": accept, "accept-language": "en"})
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]) == (
                status,
                {"code": "UNAVAILABLE", "retryAfterSeconds": 5},
            )
        assert (await gateway.client.get("/healthz")).status_code == 200
    # The database of this test refuses connections, then takes them again.
    async for gateway in running(load_settings(environment)):
        assert (await gateway.post("{ fromDatabase }")).json() == {"data": {"fromDatabase": 42}}
        owner = await asyncpg.connect(database.owner_url)
        await owner.execute("alter role yibao_gateway connection limit 0")
        await owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'yibao_gateway' and datname = current_database()"
        )
        try:
            assert _codes(await gateway.post("{ fromDatabase }")) == ["UNAVAILABLE"]
        finally:
            await owner.execute("alter role yibao_gateway connection limit -1")
            await owner.close()
        assert (await gateway.post("{ fromDatabase }")).json() == {"data": {"fromDatabase": 42}}


async def test_without_temporal_a_field_that_needs_it_is_unavailable_in_bounded_time(gateway: Gateway) -> None:
    started = datetime.now(UTC)
    answer = await gateway.post("{ fromTemporal }")
    assert _codes(answer) == ["UNAVAILABLE"]
    assert datetime.now(UTC) - started < timedelta(seconds=3)


async def test_the_link_to_temporal_connects_once_it_is_there(temporal_client: Client) -> None:
    attempts = 0

    async def connect() -> Client:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("Failed client connect: not yet")
        return temporal_client

    link = TemporalLink(connect)
    with pytest.raises(TemporalUnavailableError):
        await link.client()
    assert await link.client() is temporal_client
    assert await link.client() is temporal_client
    assert attempts == 2


async def test_ready_says_what_is_missing_and_needs_a_worker_the_first_time_only(
    environment: dict[str, str],
    temporal_server: TemporalServer,
    temporal_client: Client,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Temporal remembers for minutes who asked for work, and other tests have workers on the usual queue.
    queue = "asked-for-work-by-nobody"
    monkeypatch.setattr("gateway.health.TASK_QUEUE", queue)
    settings = load_settings(environment | {"TEMPORAL_ADDRESS": temporal_server.address})
    async for gateway in running(settings):
        answer = await gateway.management.get("/readyz")
        missing = f"no worker has asked for work on the task queue {queue} yet"
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "missing": [missing]})
        public = await gateway.client.get("/readyz")
        assert (public.status_code, public.json()) == (503, {"ready": False})
        async with Worker(temporal_client, task_queue=queue, workflows=[Sleeper]):
            for _ in range(100):
                answer = await gateway.management.get("/readyz")
                if answer.status_code == 200:
                    break
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "missing": []})
        public = await gateway.client.get("/readyz")
        assert (public.status_code, public.json()) == (200, {"ready": True})
        services = gateway.app.state.services
        object.__setattr__(services, "temporal", None)
        assert (await gateway.management.get("/readyz")).status_code == 200
        owner = await asyncpg.connect(database.owner_url)
        newest = await owner.fetchval(
            "delete from schema_migrations where name = (select max(name) from schema_migrations) returning name"
        )
        await owner.close()
        answer = await gateway.management.get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (
            503,
            [f"the database lacks {newest}: run `yibao migrate`"],
        )


async def test_ready_is_false_without_temporal_or_database(environment: dict[str, str], unused_tcp_port: int) -> None:
    away = environment | {"YIBAO_DATABASE_URL": f"postgresql://x:x@127.0.0.1:{unused_tcp_port}/none"}
    async for gateway in running(load_settings(away)):
        answer = await gateway.management.get("/readyz")
        assert (answer.status_code, answer.json()["missing"]) == (
            503,
            [
                "PostgreSQL is out of reach (ConnectionRefusedError)",
                "Temporal is out of reach (TemporalUnavailableError)",
            ],
        )


async def test_metrics_count_by_root_field_and_code_and_never_by_what_a_caller_chose(gateway: Gateway) -> None:
    await gateway.post("query MyOwnName { mine: greeting }")
    await gateway.post("{ forbidden }")
    await gateway.post("{ nothing }")
    text = (await gateway.management.get("/metrics")).text
    assert 'yibao_graphql_seconds_count{field="greeting"} 1.0' in text
    assert 'yibao_graphql_errors_total{code="FORBIDDEN"} 1.0' in text
    assert 'yibao_graphql_seconds_count{field="none"} 1.0' in text
    assert 'yibao_graphql_requests_total{transport="http"} 3.0' in text
    assert "yibao_followers 0.0" in text
    assert "MyOwnName" not in text
    assert "mine" not in text


async def test_production_has_its_figures_and_its_detail_on_the_management_address_alone(
    gateway: Gateway, development_gateway: Gateway
) -> None:
    assert (await gateway.client.get("/metrics")).status_code == 404
    assert (await gateway.management.get("/metrics")).status_code == 200
    assert (await gateway.management.get("/healthz")).json() == {"alive": True}
    for path in ("/graphql", "/documents/x.pdf", "/codec/decode"):
        assert (await gateway.management.post(path)).status_code == 404
    assert (await development_gateway.client.get("/metrics")).status_code == 200
    assert "missing" in (await development_gateway.client.get("/readyz")).json()


async def test_the_management_address_listens_on_its_own_port_while_the_gateway_runs(gateway: Gateway) -> None:
    async with management_server(gateway.app.state.management, "127.0.0.1", 0) as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:
            assert "yibao_graphql_seconds" in (await client.get("/metrics")).text
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/metrics")


async def test_only_registered_documents_run_when_there_is_a_register(
    environment: dict[str, str], tmp_path: Path
) -> None:
    import hashlib
    import json

    text = "{ greeting }"
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = tmp_path / "documents.json"
    path.write_text(json.dumps({digest: text}))
    async for gateway in running(load_settings(environment | {"YIBAO_TRUSTED_DOCUMENTS": str(path)})):
        for parameters in (
            {"query": text},
            {"documentId": f"sha256:{digest}"},
            {"documentId": digest},
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}},
        ):
            answer = await gateway.client.post("/graphql", json=parameters)
            assert answer.json() == {"data": {"greeting": "hello world"}}
        for parameters in ({"query": "{ branch { name } }"}, {"documentId": "0" * 64}):
            answer = await gateway.client.post("/graphql", json=parameters, headers={"accept-language": "en"})
            assert (
                answer.json()["errors"][0]["message"] == "Only registered documents run here, and this is none of them"
            )
    path.write_text(json.dumps({digest: "{ other }"}))
    with pytest.raises(SettingsError, match="is not the SHA-256 of its document"):
        async for _ in running(load_settings(environment | {"YIBAO_TRUSTED_DOCUMENTS": str(path)})):
            pass


def test_the_environment_is_read_and_all_that_is_wrong_is_named_line_by_line(environment: dict[str, str]) -> None:
    settings = load_settings(environment | {"YIBAO_PORT": "8123", "YIBAO_DATA_DIR": "/somewhere", "PATH": "/bin"})
    assert (settings.port, settings.environment, settings.base_url) == (8123, "production", "http://127.0.0.1:8123")
    assert environment["YIBAO_KEYRING"] not in repr(settings)
    wrong = environment | {
        "YIBAO_OIDC_AUDIENCE": " ",
        "YIBAO_DATABASE_URL": "mysql://x",
        "YIBAO_OIDC_ISSUER": "http://issuer.example",
        "YIBAO_PORT": "many",
        "YIBAO_OIDC_ISUER": "https://x",
        "YIBAO_ENV": "test",
    }
    with pytest.raises(SettingsError) as refused:
        load_settings(wrong)
    assert refused.value.lines == [
        "YIBAO_OIDC_ISUER is unknown: did you mean YIBAO_OIDC_ISSUER?",
        "YIBAO_DATABASE_URL is wrong: must be a postgresql:// URL",
        "YIBAO_OIDC_ISSUER is wrong: must be https://: keys that travel in clear can be replaced on the way",
        "YIBAO_OIDC_AUDIENCE is missing: whom the tokens are for",
        "YIBAO_ENV is wrong: Input should be 'production' or 'development'",
        "YIBAO_PORT is wrong: Input should be a valid integer, unable to parse string as an integer",
    ]


def test_a_link_is_good_for_five_minutes_for_one_viewer_and_the_same_within_a_minute() -> None:
    keyring = Keyring.from_text(Keyring.generate_text())
    at = datetime(2026, 11, 22, 9, 30, 0, tzinfo=UTC)

    def link_at(seconds: int, viewer: Viewer = CLERK) -> str:
        return signed_link(
            "https://gateway.example",
            DOCUMENT_ID,
            at + timedelta(seconds=seconds),
            keyring,
            link_holder(keyring, viewer),
        )

    link = link_at(0)
    assert link == link_at(59)
    assert link != link_at(60)
    assert link != link_at(0, OTHER_CLERK)
    assert CLERK.subject not in link
    assert link.startswith(f"https://gateway.example/documents/{DOCUMENT_ID}.pdf?expires=")
    query = httpx.URL(link).params
    expires, holder, signature = query["expires"], query["holder"], query["signature"]
    assert is_good(DOCUMENT_ID, expires, holder, signature, at + timedelta(seconds=359), keyring)
    assert not is_good(DOCUMENT_ID, expires, holder, signature, at + timedelta(seconds=360), keyring)
    assert not is_good(UUID(int=1), expires, holder, signature, at, keyring)
    assert not is_good(DOCUMENT_ID, str(int(expires) + 60), holder, signature, at, keyring)
    assert not is_good(DOCUMENT_ID, expires, holder, signature + "x", at, keyring)
    for other in ("", holder + "x", httpx.URL(link_at(0, OTHER_CLERK)).params["holder"]):
        assert not is_good(DOCUMENT_ID, expires, other, signature, at, keyring)
    for instant in ("", "-1", "٣", "9" * 400, "1e9"):
        assert not is_good(DOCUMENT_ID, instant, holder, signature, at, keyring)


async def test_a_forged_or_missing_document_is_a_page_in_the_callers_language(gateway: Gateway) -> None:
    services = gateway.app.state.services
    good = signed_link("", DOCUMENT_ID, services.clock(), services.keyring, link_holder(services.keyring, CLERK))
    forged = await gateway.client.get(good + "x", headers={"accept-language": "en"})
    assert (forged.status_code, "<h1>This link is no longer good</h1>" in forged.text) == (403, True)
    assert "<h1>链接已失效</h1>" in (await gateway.client.get(f"/documents/{DOCUMENT_ID}.pdf")).text
    absent = await gateway.client.get(good)
    assert (absent.status_code, "<h1>没有这份文书</h1>" in absent.text) == (404, True)
    assert (await gateway.client.get("/documents/not-an-id.pdf")).status_code == 404


async def test_a_signed_link_downloads_the_pdf_which_is_rendered_once(
    environment: dict[str, str], database: Database, issuer: Issuer, tmp_path: Path
) -> None:
    keyring = Keyring.from_text(environment["YIBAO_KEYRING"])
    await load_register(database.owner_url, keyring, extract(tmp_path, row()))
    worker = await asyncpg.connect(database.worker_url)
    person = await find_person(worker, keyring, WANG)
    assert person is not None
    issued = drawn_up(person, CERTIFICATE, number=NUMBER, issued_at=ISSUED_AT, verification_code="7K3M-0QXZ-9V2C")
    await keep(worker, [issued], transfer_id=None)
    async for gateway in running(load_settings(environment)):
        link = signed_link("", issued.document_id, datetime.now(UTC), keyring, link_holder(keyring, CLERK))
        first, second = await gateway.client.get(link), await gateway.client.get(link)
        assert (first.status_code, first.headers["content-type"]) == (200, "application/pdf")
        assert first.content.startswith(b"%PDF-")
        assert second.content == first.content
        assert await worker.fetchval("select count(*) from document_files") == 1
        assert first.headers["content-disposition"] == (
            'inline; filename="enrolment_certificate-2026000042.pdf"; '
            "filename*=UTF-8''%E5%8F%82%E4%BF%9D%E5%87%AD%E8%AF%81-%E4%BA%AC2026000042.pdf"
        )
        assert re.fullmatch(r"private, max-age=3\d\d", first.headers["cache-control"])
        # Whoever finds the link uses it a few times; a token that it was not made for never does, and its own always.
        own, others = issuer.bearer(sub=CLERK.subject, region=CLERK.region), issuer.bearer(sub="somebody-else")
        refused = await gateway.client.get(link, headers=others | {"accept-language": "en"})
        assert (refused.status_code, "<h1>This link cannot be used</h1>" in refused.text) == (403, True)
        statuses = [(await gateway.client.get(link)).status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 403]
        assert [(await gateway.client.get(link, headers=own)).status_code for _ in range(6)] == [200] * 6
        expired = issuer.bearer(sub=CLERK.subject, exp=1) | {"accept-language": "en"}
        answer = await gateway.client.get(link, headers=expired)
        assert (answer.status_code, "<p>The token has expired</p>" in answer.text) == (401, True)
    await worker.close()


def _payload_body(data: bytes) -> dict[str, Any]:
    return MessageToDict(Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=data)]))


async def test_the_codec_seals_and_opens_for_the_ui_of_this_machine(development_gateway: Gateway) -> None:
    clear = _payload_body(b'{"no": "ZY-1"}')
    origin = {"origin": "http://127.0.0.1:8233"}
    sealed = await development_gateway.client.post("/codec/encode", json=clear, headers=origin)
    assert sealed.headers["access-control-allow-origin"] == "http://127.0.0.1:8233"
    assert base64.b64decode(sealed.json()["payloads"][0]["metadata"]["encoding"]) == b"binary/encrypted"
    opened = await development_gateway.client.post("/codec/decode", json=sealed.json(), headers=origin)
    assert opened.json() == clear
    for stranger in ("http://evil.example", "http://127.0.0.1.evil.example", "https://127.0.0.1:8233.evil.example"):
        answer = await development_gateway.client.post("/codec/decode", json=clear, headers={"origin": stranger})
        assert "access-control-allow-origin" not in answer.headers
    preflight = origin | {"access-control-request-method": "POST", "access-control-request-headers": "x-namespace"}
    assert (await development_gateway.client.options("/codec/decode", headers=preflight)).status_code == 200


async def test_the_codec_says_what_it_cannot_open(development_gateway: Gateway) -> None:
    post = development_gateway.client.post
    json_type = {"content-type": "application/json"}
    for body in (b"{", b"[]", b"7", b'{"payloads": 7}', b'{"payloads": [{"data": 7}]}'):
        assert (await post("/codec/decode", content=body, headers=json_type)).status_code == 400
    sealed = (await post("/codec/encode", json=_payload_body(b"1"))).json()
    sealed["payloads"][0]["data"] = base64.b64encode(b"\x01" * 60).decode()
    assert (await post("/codec/decode", json=sealed)).status_code == 400
    assert (await post("/codec/decode", content=b"{}", headers={"content-type": "text/plain"})).status_code == 415


async def test_in_production_only_an_operator_opens_payloads(gateway: Gateway, issuer: Issuer) -> None:
    clear = _payload_body(b"1")
    answers = [
        await gateway.client.post("/codec/encode", json=clear, headers=headers)
        for headers in ({}, issuer.bearer(), issuer.bearer(roles=["OPERATOR"], region=None))
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 200]
    preflight = {"origin": "http://127.0.0.1:8233", "access-control-request-method": "POST"}
    assert (
        "access-control-allow-origin" not in (await gateway.client.options("/codec/decode", headers=preflight)).headers
    )


async def test_graphiql_is_served_in_development_alone(gateway: Gateway, development_gateway: Gateway) -> None:
    path = "/static/graphiql/graphiql.min.js"
    assert (await gateway.client.get(path)).status_code == 404
    assert (await development_gateway.client.get(path)).status_code == 200


def test_development_has_to_be_asked_for(settings: Settings, development: Settings) -> None:
    assert (settings.development, development.development) == (False, True)


async def test_a_number_that_no_document_can_have_is_not_found(gateway: Gateway) -> None:
    for number in ("%00", "a%00b", "%1B", "x" * 5_000, ""):
        answer = await gateway.client.get(f"/verify?number={number}&code=0000-0000-0000")
        assert (answer.status_code, "无法核验" in answer.text) == (404, True), number
    assert (await gateway.client.get("/verify?number=x&code=%00")).status_code == 404
