"""Who sees which case: what a caller may not see does not exist, in every list, by every id, for every mutation."""

from collections.abc import AsyncIterator

import pytest

from activities.directory import shipped_directory
from activities.reference import RegionEntry
from gateway.auth import ANONYMOUS, Viewer
from gateway.types.reference import node_id, node_key
from gateway.visibility import scope_of, supervised, visible
from tests.activities.desk import MONDAY, snapshot
from tests.cases import generate_keyring
from tests.conftest import Database
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    O_FINANCE,
    OPERATOR,
    OTHER_CLERK,
    PERSON,
    R_CLERK,
    R_FINANCE,
    STRANGER,
    SUPERVISOR,
    Window,
    open_window,
)
from workflows.policy import RegionPolicy
from workflows.vocabulary import Role

BY_NO = "query ($no: TransferNo!) { transfer(no: $no) { no } }"
BY_ID = "query ($id: ID!) { node(id: $id) { id __typename } }"
WITHDRAW = """mutation ($id: ID!) { withdrawTransfer(input: {idempotencyKey: "0123456789abcdef", transferId: $id, reason: "x"}) {
    __typename ... on UserError { code message } } }"""
NATIONAL_SUPERVISOR = Viewer("bureau-330000", (Role.SUPERVISOR,), region="330100")
SEEING = [PERSON, EMPLOYER, O_CLERK, O_FINANCE, R_CLERK, R_FINANCE, SUPERVISOR, OPERATOR]
BLIND = [
    STRANGER,
    OTHER_CLERK,
    NATIONAL_SUPERVISOR,
    Viewer("91310000600037341X", (Role.EMPLOYER,)),
    Viewer("nobody", ()),
    Viewer("checker-110100", (Role.CHECKER,), region="110100"),
]


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        await each.desk.accepted()
        yield each


def directory() -> dict[str, RegionEntry]:
    fields = RegionEntry.model_fields.keys() - {"policy"}
    return {
        each.code: RegionEntry(**each.model_dump(include=fields), policy=RegionPolicy()) for each in shipped_directory()
    }


async def test_the_person_the_employer_both_sides_their_bureau_and_operators_see_the_case(window: Window) -> None:
    identifier = await window.node_id()
    for viewer in SEEING:
        assert await window.data(viewer, BY_NO, no=window.no) == {"transfer": {"no": window.no}}, viewer
        found = await window.data(viewer, BY_ID, id=identifier)
        assert found == {"node": {"id": identifier, "__typename": "Transfer"}}, viewer


async def test_for_everybody_else_it_is_not_there(window: Window) -> None:
    identifier = await window.node_id()
    for viewer in BLIND:
        assert await window.data(viewer, BY_NO, no=window.no) == {"transfer": None}, viewer
        assert await window.data(viewer, BY_ID, id=identifier) == {"node": None}, viewer


async def test_the_unseen_and_the_absent_cannot_be_told_apart_by_a_mutation(window: Window) -> None:
    before = await snapshot(window.desk.db)
    unseen = await window.data(STRANGER, WITHDRAW, id=await window.node_id())
    absent = await window.data(STRANGER, WITHDRAW, id=node_id("Transfer", "0192f0c1-2222-7000-8000-000000000001"))
    nonsense = await window.data(STRANGER, WITHDRAW, id="no id")
    assert unseen == absent == nonsense
    assert unseen["withdrawTransfer"] == {
        "__typename": "TransferNotFound",
        "code": "NOT_FOUND",
        "message": "没有找到这笔转移接续业务。",
    }
    assert await snapshot(window.desk.db) == before


async def test_lists_hold_only_what_the_caller_sees(window: Window) -> None:
    query = "{ transfers { edges { node { no } } } }"
    for viewer in (EMPLOYER, O_CLERK, O_FINANCE, R_CLERK, SUPERVISOR, OPERATOR):
        data = await window.data(viewer, query)
        assert [edge["node"]["no"] for edge in data["transfers"]["edges"]] == [window.no], viewer
    for viewer in (OTHER_CLERK, NATIONAL_SUPERVISOR):
        assert (await window.data(viewer, query))["transfers"]["edges"] == [], viewer
    own = "{ viewer { transfers { edges { node { no } } } } }"
    assert len((await window.data(PERSON, own))["viewer"]["transfers"]["edges"]) == 1
    assert (await window.data(STRANGER, own))["viewer"]["transfers"]["edges"] == []


async def test_documents_are_for_the_person_and_the_two_agencies(window: Window) -> None:
    query = "query ($no: TransferNo!) { transfer(no: $no) { documents { id kind } } }"
    for viewer in (PERSON, O_CLERK, R_FINANCE):
        documents = (await window.data(viewer, query, no=window.no))["transfer"]["documents"]
        assert [each["kind"] for each in documents] == ["ACCEPTANCE_NOTICE", "ENROLMENT_CERTIFICATE"], viewer
    for viewer in (EMPLOYER, SUPERVISOR, OPERATOR):
        assert (await window.data(viewer, query, no=window.no))["transfer"]["documents"] == [], viewer
    for viewer in (STRANGER, OTHER_CLERK, OPERATOR):
        assert await window.data(viewer, BY_ID, id=documents[0]["id"]) == {"node": None}, viewer
    assert (await window.data(R_CLERK, BY_ID, id=documents[0]["id"]))["node"]["__typename"] == "TransferDocument"


async def test_a_work_item_is_a_node_for_its_own_agency_alone(window: Window) -> None:
    query = "{ viewer { worklist { edges { node { id } } } } }"
    (edge,) = (await window.data(O_CLERK, query))["viewer"]["worklist"]["edges"]
    identifier = edge["node"]["id"]
    assert (await window.data(O_FINANCE, BY_ID, id=identifier))["node"]["__typename"] == "WorkItem"
    assert await window.data(R_CLERK, BY_ID, id=identifier) == {"node": None}
    assert (await window.data(R_CLERK, query))["viewer"]["worklist"]["edges"] == []


async def test_roles_outside_a_field_are_forbidden_and_no_token_is_unauthenticated(window: Window) -> None:
    for viewer, query in [
        (O_FINANCE, WITHDRAW),
        (OPERATOR, "{ viewer { worklist { edges { cursor } } } }"),
        (O_CLERK, "{ viewer { transfers { edges { cursor } } } }"),
        (PERSON, "{ transfers { edges { cursor } } }"),
    ]:
        variables = {"id": await window.node_id()} if "$id" in query else {}
        error = await window.error(viewer, query, **variables)
        assert error["extensions"] == {"code": "FORBIDDEN"}, (viewer, query)
    for query in ("{ viewer { roles } }", "{ transfers { edges { cursor } } }", '{ transfer(no: "x") { no } }'):
        assert (await window.error(ANONYMOUS, query))["extensions"] == {"code": "UNAUTHENTICATED"}


def test_a_province_wide_code_supervises_its_province_and_any_other_code_itself() -> None:
    regions = directory()
    shanghai = {code for code, each in regions.items() if each.province == "上海市"}
    assert supervised("310000", regions) == supervised("319900", regions) == shanghai
    assert {"310000", "310100", "319900"} <= shanghai
    assert supervised("330100", regions) == {"330100"}
    assert supervised("000000", regions) == {"000000"}


def test_a_caller_without_a_role_that_sees_anything_sees_nothing() -> None:
    parameters: list[object] = []
    scope = scope_of(Viewer("nobody", ()), generate_keyring(), directory(), MONDAY)
    assert visible(scope, parameters) == "false"
    assert parameters == []


@pytest.mark.parametrize("text", ["", "VHJhbnNmZXI", "VHJhbnNmZXI6", "====", "é", "VHJhbnNmZXI6eA==", "VHJhbnNmZXI6eB"])
def test_an_id_that_we_did_not_make_is_no_id(text: str) -> None:
    assert node_key(text) in {None, ("Transfer", "")}
    assert node_key(node_id("Transfer", "x")) == ("Transfer", "x")
