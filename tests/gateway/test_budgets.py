"""One caller who asks for too much waits, and nobody else does."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway import budgets
from gateway.auth import ANONYMOUS, Viewer
from gateway.budgets import Budget, Budgets, Caller, NewDocuments, Rate
from gateway.document_cache import WEIGHT_OF_FIELD, DocumentCache
from gateway.faults import TooManyNewDocuments, TooManyRequests
from gateway.operations import GraphQLRequest, Operations
from tests.activities.register_extracts import LI, WANG
from tests.conftest import Database
from tests.gateway.conftest import SCHEMA, Gateway, Issuer
from tests.gateway.window import EMPLOYER, O_CLERK, PERSON, Window, open_window
from workflows.vocabulary import Role

CLERK = Viewer("clerk-1", (Role.CLERK,), region="110000", issuer="https://issuer.example")
SYSTEM = Viewer("system-110000", (Role.AGENCY_SYSTEM,), region="110000", issuer="https://issuer.example")
SUBMIT = """mutation ($input: SubmitTransferInput!) { submitTransfer(input: $input) {
    __typename ... on NotEligible { refusalNo findings { code } } } }"""
REGIONS = {"fromRegion": "110000", "toRegion": "319900", "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_says_when_it_is_filled_and_never_holds_more_than_its_size() -> None:
    clock = Clock()
    budget = Budget(Rate(per_second=0.5, burst=2), clock=clock)
    for _ in range(2):
        budget.require("one")
        budget.spend("one", 1)
    with pytest.raises(TooManyRequests) as refused:
        budget.require("one")
    assert refused.value.extensions() == {"code": "UNAVAILABLE", "retryAfterSeconds": 2}
    assert refused.value.en == "Too many requests; nothing was recorded, try again in 2 s"
    budget.require("another")
    budget.spend("one", 4)
    with pytest.raises(TooManyRequests) as in_debt:
        budget.require("one")
    assert in_debt.value.retry_after_seconds == 10
    clock.now = 9.9
    with pytest.raises(TooManyRequests):
        budget.require("one")
    clock.now = 10.0
    budget.require("one")
    clock.now = 1_000.0
    budget.spend("one", 2)
    with pytest.raises(TooManyRequests):
        budget.require("one")


def test_only_so_many_callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "KEPT_CALLERS", 3)
    budget = Budget(Rate(per_second=1, burst=1), clock=Clock())
    for key in ("a", "b", "c", "a", "d"):
        budget.spend(key, 1)
    assert list(budget._buckets) == ["c", "a", "d"]


def test_a_caller_is_a_tokens_subject_or_the_address_of_who_has_none() -> None:
    assert Caller.of(CLERK, "192.0.2.1") == ("https://issuer.example\nclerk-1", False, False)
    assert Caller.of(SYSTEM, "192.0.2.1") == ("https://issuer.example\nsystem-110000", False, True)
    assert Caller.of(ANONYMOUS, "192.0.2.1") == ("address 192.0.2.1", True, False)


def test_an_operation_costs_by_the_values_it_can_come_to_and_an_agencys_system_has_more() -> None:
    every = Budgets()
    caller, system = Caller.of(CLERK, ""), Caller.of(SYSTEM, "")
    for _ in range(91):
        every.require_request(caller)
        every.spend_request(caller, 10_000)
        every.require_request(system)
        every.spend_request(system, 10_000)
    with pytest.raises(TooManyRequests):
        every.require_request(caller)
    every.require_request(system)
    every.require_request(Caller.of(PERSON, ""))


def test_new_documents_of_one_caller_leave_the_share_of_the_others() -> None:
    clock = Clock()
    ration = NewDocuments(clock)
    hostile, honest = Caller.of(CLERK, ""), Caller.of(PERSON, "")
    ration.spend(hostile, 2.5)
    with pytest.raises(TooManyNewDocuments) as refused:
        ration.require(hostile)
    assert refused.value.retry_after_seconds == 20
    ration.require(honest)
    # Together the known have a share too; those without a token have none of it.
    ration.spend(hostile, 10)
    with pytest.raises(TooManyNewDocuments):
        ration.require(honest)
    ration.require(Caller.of(ANONYMOUS, "192.0.2.1"))
    ration.spend(Caller.of(ANONYMOUS, "192.0.2.1"), 1)
    with pytest.raises(TooManyNewDocuments):
        ration.require(Caller.of(ANONYMOUS, "192.0.2.1"))
    ration.require(Caller.of(ANONYMOUS, "192.0.2.2"))


def test_a_known_document_runs_for_a_caller_whose_new_ones_have_to_wait() -> None:
    operations = Operations(SCHEMA._schema, introspection=False)
    operations.find(GraphQLRequest("{ greeting }", None, {}), CLERK)
    operations._budgets.new_documents.spend(Caller.of(CLERK, ""), 1000.0)
    assert operations.find(GraphQLRequest("{ greeting }", None, {}), CLERK).cost == 1
    with pytest.raises(TooManyNewDocuments):
        operations.find(GraphQLRequest("{ a: greeting }", None, {}), CLERK)


# ------------------------------------------------------------------ the cache


def test_a_callers_documents_make_room_for_its_own_and_leave_those_of_others() -> None:
    cache: DocumentCache[int] = DocumentCache(max_weight=1_000, max_weight_of_caller=300)
    cache.put("{ honest }", 0, "honest", fields=1)
    for number in range(1, 40):
        cache.put(f"{{ a{number:02}: hostile }}", number, "hostile", fields=1)
    weight = len("{ a01: hostile }") + WEIGHT_OF_FIELD
    assert len(cache) == 1 + 300 // weight
    assert cache.weight == len("{ honest }") + WEIGHT_OF_FIELD + 300 // weight * weight
    assert cache.get("{ honest }", "honest") == 0
    assert cache.get("{ a39: hostile }", "hostile") == 39
    assert cache.get("{ a01: hostile }", "hostile") is None


def test_what_two_callers_send_is_common_and_outlives_the_flood_of_many() -> None:
    cache: DocumentCache[str] = DocumentCache(max_weight=1_000, max_weight_of_caller=300)
    cache.put("{ common }", "common", "first", fields=1)
    assert cache.get("{ common }", "second") == "common"
    cache.put("{ own }", "own", "first", fields=1)
    for number in range(100):
        cache.put(f"{{ a{number}: hostile }}", "x", f"hostile-{number}", fields=1)
    assert cache.weight <= 1_000
    assert cache.get("{ common }", "first") == "common"
    assert cache.get("{ own }", "first") is None
    assert len(cache._by_caller) == len(cache._single)


def test_a_document_over_its_callers_share_is_kept_until_the_next() -> None:
    cache: DocumentCache[int] = DocumentCache(max_weight=1_000, max_weight_of_caller=100)
    cache.put("#" + "x" * 500, 1, "one", fields=1)
    assert cache.get("#" + "x" * 500, "one") == 1
    cache.put("{ a }", 2, "one", fields=1)
    assert (cache.get("#" + "x" * 500, "one"), cache.get("{ a }", "one")) == (None, 2)


# ------------------------------------------------------------------ over HTTP


async def test_over_the_budget_is_429_with_retry_after_whatever_the_media_type(
    gateway: Gateway, issuer: Issuer
) -> None:
    hostile, honest = issuer.bearer(sub="hostile"), issuer.bearer(sub="honest")
    spent = gateway.app.state.services.budgets
    assert (await gateway.post("{ greeting }", hostile)).status_code == 200
    subject = Viewer("hostile", (), issuer="https://issuer.example")
    spent._persons.spend(Caller.of(subject, "").key, 5_000)
    for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
        answer = await gateway.post("{ greeting }", hostile | {"accept": accept, "accept-language": "en"})
        assert answer.status_code == 429
        wait = int(answer.headers["retry-after"])
        assert 38 <= wait <= 41
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfterSeconds": wait}
        assert error["message"] == f"Too many requests; nothing was recorded, try again in {wait} s"
    assert (await gateway.post("{ greeting }", honest)).json()["data"] == {"greeting": "hello world"}
    assert (await gateway.post("{ greeting }")).json()["data"] == {"greeting": "hello world"}


async def test_requests_that_are_none_are_counted_too(gateway: Gateway, issuer: Issuer) -> None:
    bearer = issuer.bearer(sub="hostile") | {"content-type": "application/json"}
    bucket = gateway.app.state.services.budgets._persons
    for content in (b"{", b"[]", b"7", b'{"query": "{ nothing }"}', b" " * 300_000):
        await gateway.client.post("/graphql", content=content, headers=bearer)
    assert 994 < bucket._filled("https://issuer.example\nhostile").left < 997


# ------------------------------------------------------------------ what can be tried out


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        yield each


async def test_codes_of_certificates_are_not_tried_out(window: Window) -> None:
    check = '{ certificateCheck(number: "1", code: "2") { valid } }'
    for _ in range(30):
        assert (await window.data(ANONYMOUS, check)) == {"certificateCheck": {"valid": False}}
    assert (await window.error(ANONYMOUS, check))["extensions"]["code"] == "UNAVAILABLE"
    assert (await window.data(O_CLERK, check)) == {"certificateCheck": {"valid": False}}


async def test_the_page_of_verification_has_the_same_budget(gateway: Gateway) -> None:
    async def verify() -> httpx.Response:
        return await gateway.client.get("/verify?number=1&code=7K3M-0QXZ-9V2C", headers={"accept-language": "en"})

    for _ in range(30):
        assert (await verify()).status_code == 404
    refused = await verify()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert "<h1>Try again later</h1>" in refused.text


async def test_refusals_about_other_people_are_bounded_and_those_about_oneself_are_not(
    window: Window,
) -> None:
    window.services.budgets.refusals_about_others = Budget(Rate(per_second=1 / 60, burst=2))

    async def submit(viewer: Viewer, number: int, about: str) -> dict[str, object]:
        given = {"idempotencyKey": f"0123456789abcde{number}", "residentId": about} | REGIONS
        return await window.post(viewer, SUBMIT, input=given)

    async def refusals() -> int:
        return int(await window.desk.db.fetchval("select count(*) from commands where refusal_no is not null"))

    before = await refusals()
    for number in (0, 1, 1):
        answer = await submit(PERSON, number, LI)
        assert answer["data"]["submitTransfer"]["findings"] == [{"code": "AGENT_NOT_AUTHORISED"}]  # type: ignore[index]
    refused = await submit(PERSON, 2, LI)
    assert refused["errors"][0]["extensions"]["code"] == "UNAVAILABLE"  # type: ignore[index]
    assert await refusals() == before + 2
    # Neither the person's own application nor another caller's waits for that.
    assert "errors" not in await submit(PERSON, 3, WANG)
    assert "errors" not in await submit(EMPLOYER, 4, LI)
