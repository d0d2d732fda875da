"""The model of access held cell by cell against the gateway and its database: what is allowed is there, what is not is not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from gateway import access_model
from gateway.access_model import SEES, Relation, Show, show
from gateway.auth import ANONYMOUS, Viewer
from gateway.schema import schema
from gateway.types.enums import TransferEventKind
from gateway.types.reference import node_id
from stack.postgres import PostgresServer
from tests.gateway.access_cases import CALLERS, NOTE, ROLES, caller, open_everything
from tests.gateway.access_rows import fields
from tests.gateway.window import Window
from workflows.vocabulary import DocumentKind, Role

R = Relation
SUBSELECTIONS = {
    "Money": "{ fen }",
    "Progress": "{ headline holder { code } heldSince dueOn provisional money actions holderRole }",
    "TransferEventConnection": "{ edges { node { seq occurredAt kind step message actor actorLabel transfer { no } } } }",
    "TransferDocument": "{ id kind }",
    "Refusal": "{ code side message }",
    "Notice": "{ seq recipient }",
    "TransferStep": "{ kind state label }",
}
# What stands in the place of a field that is not shown.
NOT_THERE: tuple[object, ...] = (None, [], "NOT_SHOWN")


def selection(name: str) -> str:
    """A field of `Transfer` with all that can be compared of it."""
    transfer = schema._schema.type_map["Transfer"]
    assert isinstance(transfer, GraphQLObjectType)
    type_ = get_named_type(transfer.fields[name].type)
    if not isinstance(type_, GraphQLObjectType):
        return name
    arguments = "(first: 50)" if name == "events" else ""
    return f"{name}{arguments} {SUBSELECTIONS.get(type_.name, '{ __typename }')}"


WHOLE = "query ($no: TransferNo!) { transfer(no: $no) { %s } }" % " ".join(  # noqa: UP031 - braces all around
    selection(name) for name in fields(schema._schema, "Transfer")
)


@pytest.fixture(scope="module")
async def window(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[Window]:
    async with open_everything(postgres_server, migrated_template) as each:
        yield each


async def transfer(window: Window, viewer: Viewer) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (await window.data(viewer, WHOLE, no=window.no))["transfer"]
    return found


async def test_each_field_is_shown_to_each_relation_as_the_model_says(window: Window) -> None:
    whole = await transfer(window, CALLERS[R.TRANSFER_IN])
    assert whole is not None
    assert [name for name, value in whole.items() if value in NOT_THERE and name != "allowedActions"] == []
    cells = 0
    for relation, viewer in CALLERS.items():
        shown = await transfer(window, viewer)
        if relation not in SEES:
            assert shown is None, relation
            continue
        assert shown is not None, relation
        for name, value in shown.items():
            cell, wanted = show(access_model.TRANSFER_FIELDS, name, frozenset({relation})), whole[name]
            cells += 1
            if name in ("allowedActions", "closedAt", "revision") and relation is not R.TRANSFER_IN:
                # Each has actions of their own; a former employer's case is folded from its events, which do not end it.
                continue
            if cell is Show.NOTHING:
                assert value in NOT_THERE, (relation, name)
            elif cell is Show.ALL:
                assert _without_links(value) == _without_links(wanted), (relation, name)
            elif name not in ("refusals", "steps", "currentStep"):
                # In part: something, and not all of it.
                assert value not in NOT_THERE, (relation, name)
                assert value != wanted, (relation, name)
    assert cells == len(whole) * len(SEES)


def _without_links(value: Any) -> Any:
    return [each["id"] for each in value] if value and isinstance(value, list) and "id" in value[0] else value


async def test_each_kind_of_event_is_told_to_each_relation_as_the_model_says(window: Window) -> None:
    whole = await transfer(window, CALLERS[R.OPERATOR])
    assert whole is not None
    everybody = [edge["node"] for edge in whole["events"]["edges"]]
    kinds = {TransferEventKind(each["kind"]) for each in everybody}
    assert {show_of(kind, R.EMPLOYER) for kind in kinds} == {Show.NOTHING, Show.PART}
    for relation in SEES:
        shown = await transfer(window, CALLERS[relation])
        assert shown is not None
        told = [edge["node"] for edge in shown["events"]["edges"]]
        assert [each["seq"] for each in told] == [
            each["seq"] for each in everybody if show_of(TransferEventKind(each["kind"]), relation)
        ], relation
        # The note of each event is for all but employers.
        assert (NOTE in str(told)) == (relation not in access_model.EMPLOYERS), relation


def show_of(kind: TransferEventKind, relation: Relation) -> Show:
    return access_model.EVENT_KINDS[kind].get(relation, Show.NOTHING)


async def test_each_kind_of_document_is_read_by_each_relation_as_the_model_says(window: Window) -> None:
    # One of each kind; all that the gateway looks at is the kind.
    first = await window.desk.db.fetchval("select document_id from documents limit 1")
    for number, kind in enumerate(DocumentKind):
        await window.desk.db.execute(
            """insert into documents select (jsonb_populate_record(d, jsonb_build_object('document_id', gen_random_uuid(),
                   'kind', $1::text, 'number', $2::text))).* from documents d where d.document_id = $3""",
            kind, f"X-{number}", first,
        )  # fmt: skip
    rows = await window.desk.db.fetch("select document_id, kind from documents where number like 'X-%' order by kind")
    node = "query ($id: ID!) { node(id: $id) { ... on TransferDocument { kind downloadUrl } } }"
    for relation, viewer in CALLERS.items():
        listed = await transfer(window, viewer)
        kinds = {each["kind"] for each in listed["documents"]} if listed is not None else set()
        for row in rows:
            allowed = access_model.document_shown(DocumentKind(row["kind"]), frozenset({relation}))
            found = (await window.data(viewer, node, id=node_id("TransferDocument", row["document_id"])))["node"]
            assert (found is not None, row["kind"] in kinds) == (allowed, allowed), (relation, row["kind"])


async def test_a_kind_of_document_for_fewer_is_for_fewer_in_the_list_and_by_its_id(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, node = DocumentKind.ENROLMENT_CERTIFICATE, "query ($id: ID!) { node(id: $id) { id } }"
    monkeypatch.setitem(access_model.DOCUMENT_KINDS, kind, access_model.AGENCIES)
    row = await window.desk.db.fetchval("select document_id from documents where kind = $1", kind)
    for relation in (R.SELF, R.TRANSFER_OUT):
        shown = await transfer(window, CALLERS[relation])
        assert shown is not None
        assert shown["documents"] != []
        found = (await window.data(CALLERS[relation], node, id=node_id("TransferDocument", row)))["node"]
        there = (kind in {each["kind"] for each in shown["documents"]}, found is not None)
        assert there == (relation is R.TRANSFER_OUT,) * 2


async def test_each_type_of_node_is_there_for_each_relation_as_the_model_says(window: Window) -> None:
    identifiers = {
        "Transfer": await window.node_id(),
        "Agency": node_id("Agency", "110000"),
        "TransferDocument": node_id("TransferDocument", await window.desk.db.fetchval("select document_id from documents limit 1")),
        "Mandate": node_id("Mandate", await window.desk.db.fetchval("select mandate_id from mandates")),
        "WorkItem": node_id("WorkItem", f"{window.desk.transfer.transfer_id}:CONFIRM_RECEIPT:1"),
        "UnmatchedFunds": node_id("UnmatchedFunds", "0192f0c1-2222-7000-8000-000000000001"),
    }  # fmt: skip
    assert identifiers.keys() == access_model.NODE_TYPES.keys()
    query = "query ($id: ID!) { node(id: $id) { __typename } }"
    for relation, viewer in CALLERS.items():
        for name, identifier in identifiers.items():
            allowed = relation in access_model.NODE_TYPES[name]
            if name == "Mandate" and relation in access_model.AGENCIES:
                # The windows of both regions have the person in their registers.
                allowed = True
            if name == "WorkItem" and relation is R.TRANSFER_OUT:
                # The receipt is the other side's.
                allowed = False
            found = (await window.data(viewer, query, id=identifier))["node"]
            assert (found is not None) == allowed, (relation, name)


async def test_each_root_field_answers_each_role_and_nobody_without_a_token(window: Window) -> None:
    given = 'fromRegion: "110000", toRegion: "319900", fromScheme: EMPLOYEE, toScheme: EMPLOYEE'
    queries = {
        "Query.viewer": "{ viewer { __typename } }",
        "Query.node": '{ node(id: "eA==") { id } }',
        "Query.transfer": '{ transfer(no: "ZY-319900-20260302-999999") { no } }',
        "Query.transfers": "{ transfers { edges { cursor } } }",
        "Query.eligibility": f'{{ eligibility(input: {{ residentId: "110101199003071233", {given} }}) {{ eligible }} }}',
        "Query.certificateCheck": '{ certificateCheck(number: "x", code: "x") { valid } }',
        "Query.poolingRegions": "{ poolingRegions { code } }",
        "Viewer.roles": "{ viewer { roles } }",
        "Viewer.agency": "{ viewer { agency { code } } }",
        "Viewer.transfers": "{ viewer { transfers { edges { cursor } } } }",
        "Viewer.mandates": '{ viewer { mandates(residentId: "110101199003071233") { given { id } } } }',
        "Viewer.consents": "{ viewer { consents { id } } }",
        "Viewer.accessLog": "{ viewer { accessLog { edges { cursor } } } }",
        "Viewer.ownAccessLog": "{ viewer { ownAccessLog { edges { cursor } } } }",
        "Viewer.accessCounts": '{ viewer { accessCounts(firstDay: "2026-03-02", lastDay: "2026-03-02") { edges { cursor } } } }',
        "Viewer.unmatchedFunds": "{ viewer { unmatchedFunds { edges { cursor } } } }",
        "Viewer.worklist": "{ viewer { worklist { edges { cursor } } } }",
        "Subscription.transferProgress": f'subscription {{ transferProgress(transferId: "{await window.node_id()}") {{ seq }} }}',
    }  # fmt: skip
    assert queries.keys() == access_model.ROOT_FIELDS.keys()
    for name, query in queries.items():
        rule = access_model.ROOT_FIELDS[name]
        assert await refusal(window, ANONYMOUS, query) == (None if rule.open else "UNAUTHENTICATED"), name
        for relation, roles in ROLES.items():
            for role in roles:
                wanted = None if rule.roles is None or role in rule.roles else "FORBIDDEN"
                if name.startswith("Subscription") and relation not in rule.relations:
                    wanted = "NOT_FOUND"
                assert await refusal(window, caller(relation, role), query) == wanted, (name, relation, role)


async def refusal(window: Window, viewer: Viewer, query: str) -> str | None:
    """The code of the error that answers, None when there is none."""
    if query.startswith("subscription"):
        bodies = window.bodies(viewer, query)
        body = await anext(bodies)
        await bodies.aclose()  # type: ignore[attr-defined]
    else:
        body = await window.post(viewer, query)
    errors = body.get("errors", [])
    return errors[0]["extensions"]["code"] if errors else None


async def test_lists_hold_the_transfer_for_each_relation_that_sees_it(window: Window) -> None:
    for relation, roles in ROLES.items():
        for role in roles:
            viewer = caller(relation, role)
            name = "viewer { transfers { edges { node { no } } } }" if role is Role.INSURED_PERSON else "transfers { edges { node { no } } }"  # fmt: skip
            data = await window.data(viewer, f"{{ {name} }}")
            edges = (data.get("viewer") or data)["transfers"]["edges"]
            assert [each["node"]["no"] for each in edges] == ([window.no] if relation in SEES else []), (relation, role)
