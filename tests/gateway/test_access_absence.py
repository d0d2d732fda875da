"""What a caller may not see answers like what is not there: the same text, the same code, and the same path to it.

Time follows from the path: the same statements in the same number. `python -m bench.absence` measures it.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway import access_model
from gateway.access_looks import link_holder
from gateway.access_model import Relation
from gateway.auth import Viewer
from gateway.document_links import signed_link
from gateway.types.reference import node_id
from stack.postgres import PostgresServer
from tests.activities.register_extracts import WANG
from tests.gateway.access_cases import ROLES, caller, open_everything
from tests.gateway.access_rows import ACTION_OF
from tests.gateway.test_access_mutations import REST, input_type
from tests.gateway.window import Window, downloads_of
from workflows.vocabulary import Role

NO_UUID = "0192f0c1-2222-7000-8000-000000000001"
NO_NUMBER, NO_PERSON = "ZY-319900-20260302-999999", "110101195001010041"
UNSEEN = (Relation.NONE, Relation.OTHER_AGENCY)
STRANGERS = [caller(relation, role) for relation in UNSEEN for role in ROLES[relation]]
FOLLOW = "subscription ($id: ID!) { transferProgress(transferId: $id) { seq } }"


@pytest.fixture(scope="module")
async def window(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[Window]:
    async with open_everything(postgres_server, migrated_template) as each:
        # The reference data is read once in a while, by whoever comes then.
        await each.data(STRANGERS[0], "{ viewer { roles } }")
        yield each


async def both(window: Window, viewer: Viewer, query: str, *variables: dict[str, Any]) -> list[tuple[Any, list[str]]]:
    """Answer and statements for each of the variables."""
    found: list[tuple[Any, list[str]]] = []
    for given in variables:
        window.pool.statements.clear()
        if query.startswith("subscription"):
            body: Any = [each async for each in window.bodies(viewer, query, **given)]
        else:
            body = await window.post(viewer, query, **given)
        found.append((body, list(window.pool.statements)))
    return found


async def test_every_id_and_number_of_what_is_unseen_answers_like_none(window: Window) -> None:
    db = window.desk.db
    nodes: dict[str, object] = {
        "Transfer": window.desk.transfer.transfer_id,
        "TransferDocument": await db.fetchval("select document_id from documents limit 1"),
        "Mandate": await db.fetchval("select mandate_id from mandates"),
        "WorkItem": f"{window.desk.transfer.transfer_id}:CONFIRM_RECEIPT:1",
    }
    closed = {"Agency", "UnmatchedFunds"}
    assert nodes.keys() | closed == access_model.NODE_TYPES.keys()
    probes: list[tuple[str, dict[str, str], dict[str, str]]]
    probes = [("query ($no: TransferNo!) { transfer(no: $no) { no } }", {"no": window.no}, {"no": NO_NUMBER})]
    for name, key in nodes.items():
        absent = node_id(name, f"{NO_UUID}:CONFIRM_RECEIPT:1" if name == "WorkItem" else NO_UUID)
        probes.append(("query ($id: ID!) { node(id: $id) { id } }", {"id": node_id(name, key)}, {"id": absent}))
    transfer: dict[str, str] = {"id": node_id("Transfer", window.desk.transfer.transfer_id)}
    probes.append((FOLLOW, transfer, {"id": node_id("Transfer", NO_UUID)}))
    for viewer in STRANGERS:
        for query, unseen, absent_variables in probes:
            first, second = await both(window, viewer, query, unseen, absent_variables)
            assert first == second, (viewer, query, unseen)
            assert str(window.desk.transfer.transfer_id) not in str(first[0])


async def test_every_step_on_what_is_unseen_answers_like_none(window: Window) -> None:
    for mutation in ACTION_OF:
        await step_answers_like_none(window, mutation)


async def step_answers_like_none(window: Window, mutation: str) -> None:
    query = f"mutation ($input: {input_type(mutation)}!) {{ {mutation}(input: $input) {{ __typename ... on UserError {{ code message }} }} }}"  # fmt: skip
    given = {"idempotencyKey": "key-0123456789-abcdef", **REST[input_type(mutation)]}
    inputs = [{"input": given | {"transferId": node_id("Transfer", each)}} for each in (window.desk.transfer.transfer_id, NO_UUID)]  # fmt: skip
    rule = access_model.MUTATIONS[mutation]
    asked = 0
    for viewer in STRANGERS:
        first, second = await both(window, viewer, query, *inputs)
        assert first == second, (mutation, viewer)
        if viewer.roles[0] in (rule.roles or ()):
            assert first[0]["data"][mutation]["__typename"] == "TransferNotFound"
            asked += 1
    assert asked > 0


async def test_a_list_by_the_number_of_a_person_says_nothing_of_whom_it_does_not_show(window: Window) -> None:
    query = (
        "query ($of: ResidentId) { transfers(filter: {residentId: $of}) { edges { cursor } pageInfo { hasNextPage } } }"
    )
    for viewer in (each for each in STRANGERS if each.roles[0] is not Role.INSURED_PERSON):
        first, second = await both(window, viewer, query, {"of": WANG}, {"of": NO_PERSON})
        assert first == second, viewer
        assert first[0]["data"]["transfers"]["edges"] == []


async def test_a_mandate_that_ended_yesterday_shows_nothing_any_more(window: Window) -> None:
    agent = caller(Relation.MANDATE)
    query = "query ($no: TransferNo!) { transfer(no: $no) { no } }"
    assert await window.data(agent, query, no=window.no) == {"transfer": {"no": window.no}}
    rows = await window.desk.db.fetch("select mandate_id, granted_at, valid_until, starts_at from mandates")
    yesterday = window.now[0].date() - timedelta(days=1)
    await window.desk.db.execute(
        "update mandates set granted_at = granted_at - interval '9 days', starts_at = starts_at - interval '9 days', "
        "valid_until = $1",
        yesterday,
    )
    first, second = await both(window, agent, query, {"no": window.no}, {"no": NO_NUMBER})
    assert first == second
    assert first[0] == {"data": {"transfer": None}}
    mandate = await window.desk.db.fetchval("select mandate_id from mandates")
    node = "query ($id: ID!) { node(id: $id) { id } }"
    assert await window.data(agent, node, id=node_id("Mandate", mandate)) == {"node": None}
    for row in rows:
        restore = "update mandates set granted_at = $2, valid_until = $3, starts_at = $4 where mandate_id = $1"
        await window.desk.db.execute(restore, *row)


async def test_a_link_that_was_not_signed_says_nothing_of_whether_there_is_a_document(window: Window) -> None:
    there: UUID = await window.desk.db.fetchval("select document_id from documents limit 1")
    app = downloads_of(window.services)
    (route,) = app.routes
    assert access_model.ROUTES[route.path] is access_model.RouteAccess.SIGNED_LINK  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        answers = []
        for document_id in (there, UUID(NO_UUID)):
            keyring = window.services.keyring
            link = signed_link(
                "http://gateway", document_id, window.now[0], keyring, link_holder(keyring, STRANGERS[0])
            )
            answer = await client.get(link[:-4] + "AAAA")
            answers.append((answer.status_code, answer.text, answer.headers.get("cache-control")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 403
