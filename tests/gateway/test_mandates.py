"""A relative with a mandate acts for the person and sees their cases alone, to the end of its last day or until it is taken back."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.mandates import MandateCommand
from activities.worker import at_work
from gateway.auth import Viewer
from gateway.types.reference import node_id
from tests.activities.desk import MONDAY, TUESDAY, changed, snapshot
from tests.activities.register_extracts import LI, WANG
from tests.cases import DESTINATION, ORIGIN, sandbox_bank
from tests.cases import O_CLERK as O_CLERK_ACTOR
from tests.conftest import Database
from tests.gateway.window import EMPLOYER, O_CLERK, O_FINANCE, OPERATOR, OTHER_CLERK, PERSON, Window, open_window
from workflows import commands as c
from workflows.actors import ActorKind
from workflows.deadlines import SHANGHAI
from workflows.messages import CertificateOrder, MandateOrder, StepOrder
from workflows.vocabulary import Role

# In no register: an agent need not be.
AGENT = Viewer("agent-1", (Role.INSURED_PERSON,), resident_id=LI)
# Insured, and agent of nobody.
OTHER_NUMBER = "110101199003077213"
# In no register, and agent of nobody.
NOBODY = "110101195001010033"
OTHER = Viewer("person-3", (Role.INSURED_PERSON,), resident_id=OTHER_NUMBER)
O_SYSTEM = Viewer("system-110000", (Role.AGENCY_SYSTEM,), region="110000")
KEY = "key-0123456789-abcdef"
PAPER = {"paperReference": "SQ-2026/0017"}
END = datetime(2026, 3, 7, tzinfo=SHANGHAI)
INSTANT = timedelta(microseconds=1)

MANDATE = """{ id person { maskedName maskedResidentId } agentMaskedResidentId relation grantedAt validUntil revokedAt state
    enteredBy { code } startsAt paperReference }"""
ERRORS = """... on UserError { code message } ... on ValidationFailed { violations { path code message } }"""
REFUSED = "... on NotEligible { refusalNo findings { code message fix where } existing { no } }"
GRANT = f"""mutation ($input: GrantMandateInput!) {{ grantMandate(input: $input) {{ __typename
    ... on GrantMandatePayload {{ replayed mandate {MANDATE} }} {ERRORS} }} }}"""
REVOKE = f"""mutation ($input: RevokeMandateInput!) {{ revokeMandate(input: $input) {{ __typename
    ... on RevokeMandatePayload {{ replayed mandate {MANDATE} }} {ERRORS} }} }}"""
MANDATES = f"query ($of: ResidentId) {{ viewer {{ mandates(residentId: $of) {{ given {MANDATE} held {MANDATE} }} }} }}"
NODE = "query ($id: ID!) { node(id: $id) { id __typename } }"
BY_NO = "query ($no: TransferNo!) { transfer(no: $no) { no documents { id downloadUrl } allowedActions } }"
OWN = "{ viewer { transfers { edges { node { no } } } } }"
ELIGIBILITY = """query ($input: EligibilityInput!) { eligibility(input: $input) { eligible waitingPeriod { months } dueOn
    findings { code message fix where } } }"""
SUBMIT = f"""mutation ($input: SubmitTransferInput!) {{ submitTransfer(input: $input) {{ __typename
    ... on SubmitTransferPayload {{ replayed transfer {{ id no status }} }} {ERRORS} {REFUSED} }} }}"""
CERTIFICATE = f"""mutation ($input: RequestCertificateInput!) {{ requestCertificate(input: $input) {{ __typename
    ... on RequestCertificatePayload {{ replayed certificate {{ document {{ id downloadUrl }} }} }} {ERRORS} {REFUSED} }} }}"""
WITHDRAW = f"""mutation ($input: ReasonInput!) {{ withdrawTransfer(input: $input) {{ __typename
    ... on StepPayload {{ transfer {{ status }} }} {ERRORS} }} }}"""
FOLLOW = "subscription ($id: ID!) { transferProgress(transferId: $id) { seq } }"

REGIONS = {"fromRegion": "110000", "toRegion": "319900", "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}
NOT_AUTHORISED = {
    "code": "AGENT_NOT_AUTHORISED",
    "message": "You have no mandate for this person.",
    "fix": "Ask the person to give you a mandate on this platform, or on paper at the window of their agency; or the person, "
    "the employer or an agency of either side applies.",
    "where": "The person's own log-in to this platform",
}


def grant_input(**changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": KEY, "agentResidentId": LI, "relation": "CHILD", "validUntil": "2026-03-06"}
    return given | changes


async def ask(window: Window, viewer: Viewer, query: str, **given: Any) -> dict[str, Any]:
    """What the one field of `query` answers."""
    (answer,) = (await window.data(viewer, query, "en", input=given)).values()
    assert isinstance(answer, dict)
    return answer


async def carry_out(window: Window) -> None:
    """What the sweeper does with the one command that waits."""
    row = await window.desk.row("select * from commands where outcome is null")
    steps, command_id = window.desk.steps, row["command_id"]
    if row["kind"] in set(MandateCommand):
        await steps.carry_out_mandate(MandateOrder(command_id=command_id))
    elif row["kind"] == "REQUEST_CERTIFICATE":
        await steps.issue_certificate_alone(CertificateOrder(command_id=command_id))
    elif row["kind"] == "SUBMIT_TRANSFER":
        await steps.open_transfer(StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=command_id))
    else:
        await steps.carry_out(StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=command_id))


async def done(window: Window, viewer: Viewer, query: str, **given: Any) -> dict[str, Any]:
    """The answer once what was recorded has been carried out, as the same key then gives it."""
    assert (await ask(window, viewer, query, **given))["__typename"] == "StepPending"
    await carry_out(window)
    return await ask(window, viewer, query, **given)


async def granted(window: Window, **changes: Any) -> dict[str, Any]:
    """The mandate of the person to the agent."""
    mandate = (await done(window, PERSON, GRANT, **grant_input(**changes)))["mandate"]
    assert isinstance(mandate, dict)
    return mandate


async def revoked(window: Window, mandate: dict[str, Any], viewer: Viewer = PERSON) -> dict[str, Any]:
    return await done(window, viewer, REVOKE, idempotencyKey=f"{KEY}-revoke", mandateId=mandate["id"])


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person has applied for nothing."""
    async with open_window(database) as each:
        await each.desk.db.execute("delete from commands")
        yield each


@pytest.fixture
async def accepted(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case waits for O's form. Another person is insured too, without a case."""
    async with open_window(database) as each:
        await each.desk.accepted()
        await each.desk.cases.registers(*({**row, "resident_id": OTHER_NUMBER} for row in (ORIGIN, DESTINATION)))
        yield each


@pytest.fixture
async def working(database: Database, temporal_client: Client, tmp_path: Path) -> AsyncIterator[Window]:
    """A worker on real Temporal; nothing applied for. Numbers begin anywhere, for Temporal outlives the database."""
    async with open_window(database, temporal=temporal_client) as each:
        await each.desk.db.execute("delete from commands")
        await each.desk.db.execute("select setval('transfer_serial', $1)", random.randrange(1, 900_000))
        cases = each.desk.cases
        async with (
            sandbox_bank(tmp_path) as bank,
            at_work(temporal_client, cases.worker_pool, cases.keyring, bank),
        ):
            yield each


async def sees(window: Window, viewer: Viewer) -> bool:
    """Whether the case is there for `viewer`: by number, by id, in their list, for a follower, and its document by id."""
    identifier, by_no = await window.node_id(), await window.data(viewer, BY_NO, no=window.no)
    document_id = await window.desk.db.fetchval(
        "select document_id from documents where transfer_id is not null limit 1"
    )
    found: list[bool] = [
        by_no["transfer"] is not None,
        (await window.data(viewer, NODE, id=identifier))["node"] is not None,
        (await window.data(viewer, NODE, id=node_id("TransferDocument", document_id)))["node"] is not None,
        (await window.data(viewer, OWN))["viewer"]["transfers"]["edges"] == [{"node": {"no": window.no}}],
        await follows(window, viewer, identifier),
    ]
    assert len(set(found)) == 1, found
    return found[0]


async def follows(window: Window, viewer: Viewer, identifier: str) -> bool:
    async for body in window.bodies(viewer, FOLLOW, id=identifier):
        if "errors" in body:
            assert body["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
            return False
        return True
    return False


async def is_refused(window: Window, viewer: Viewer, resident_id: str = WANG) -> None:
    """Neither check, application nor certificate: the one reason and its fix, and nothing else told or changed."""
    before = await snapshot(window.desk.db)
    answer = await ask(window, viewer, ELIGIBILITY, residentId=resident_id, **REGIONS)
    nothing = {"eligible": False, "waitingPeriod": None, "dueOn": None}
    assert answer == nothing | {"findings": [NOT_AUTHORISED]}
    assert await snapshot(window.desk.db) == before
    key = f"key-{random.randrange(10**12):016}"
    for name, query, given in (
        ("submit", SUBMIT, REGIONS),
        ("certificate", CERTIFICATE, {"region": "110000", "scheme": "EMPLOYEE"}),
    ):
        refused = await ask(window, viewer, query, idempotencyKey=f"{key}-{name}", residentId=resident_id, **given)
        assert (refused["__typename"], refused["existing"]) == ("NotEligible", None)
        assert refused["findings"] == [NOT_AUTHORISED]
    # The refusal itself is recorded; it waits for nobody and opens nothing.
    assert changed(before, await snapshot(window.desk.db)) == {"commands"}
    assert await window.desk.db.fetchval("select count(*) from commands where outcome is null") == 0


# ------------------------------------------------------------------ given and listed


async def test_a_mandate_is_recorded_though_temporal_is_away_and_both_see_it_masked(window: Window) -> None:
    answer = await done(window, PERSON, GRANT, **grant_input())
    mandate = answer["mandate"]
    assert (answer["__typename"], answer["replayed"]) == ("GrantMandatePayload", True)
    assert mandate == {
        "id": mandate["id"],
        "person": {"maskedName": "王*琪", "maskedResidentId": "110101********1233"},
        "agentMaskedResidentId": "110105********002X",
        "relation": "CHILD",
        "grantedAt": "2026-03-02T09:00:00+08:00",
        "validUntil": "2026-03-06",
        "revokedAt": None,
        "state": "IN_FORCE",
        "enteredBy": None,
        "startsAt": "2026-03-02T09:00:00+08:00",
        "paperReference": None,
    }
    assert await ask(window, PERSON, GRANT, **grant_input()) == answer
    assert (await window.data(PERSON, MANDATES))["viewer"]["mandates"] == {"given": [mandate], "held": []}
    assert (await window.data(AGENT, MANDATES))["viewer"]["mandates"] == {"given": [], "held": [mandate]}
    assert (await window.data(OTHER, MANDATES))["viewer"]["mandates"] == {"given": [], "held": []}
    for viewer in (PERSON, AGENT, O_CLERK):
        assert (await window.data(viewer, NODE, id=mandate["id"]))["node"] == {
            "id": mandate["id"],
            "__typename": "Mandate",
        }
    for viewer in (OTHER, OTHER_CLERK, EMPLOYER, O_FINANCE, OPERATOR):
        assert (await window.data(viewer, NODE, id=mandate["id"]))["node"] is None, viewer
    tables = await snapshot(window.desk.db)
    assert not any(clear in str(tables["mandates"] + tables["commands"]) for clear in (WANG, LI, "王思琪"))


async def test_a_new_mandate_to_the_same_agent_ends_the_one_before(window: Window) -> None:
    first = await granted(window)
    window.now[0] = TUESDAY
    second = await granted(window, idempotencyKey=f"{KEY}-2", relation="OTHER", validUntil="2026-03-04")
    given = (await window.data(PERSON, MANDATES))["viewer"]["mandates"]["given"]
    assert given == [second, first | {"state": "REVOKED", "revokedAt": "2026-03-03T09:00:00+08:00"}]
    assert (await window.data(AGENT, MANDATES))["viewer"]["mandates"]["held"] == [second]
    # The call that gave the first is still answered, with the mandate as it is now.
    again = await ask(window, PERSON, GRANT, **grant_input())
    assert (again["mandate"], again["replayed"]) == (given[1], True)


# ------------------------------------------------------------------ used


async def test_the_agent_sees_the_case_and_its_documents_to_the_end_of_the_last_day(accepted: Window) -> None:
    assert not await sees(accepted, AGENT)
    await granted(accepted)
    for instant in (MONDAY, END - INSTANT):
        accepted.now[0] = instant
        assert await sees(accepted, AGENT), instant
        transfer = (await accepted.data(AGENT, BY_NO, no=accepted.no))["transfer"]
        assert transfer["allowedActions"] == ["REISSUE_CERTIFICATE", "WITHDRAW_TRANSFER"]
        assert len(transfer["documents"]) == 2
        assert all(each["downloadUrl"].startswith("https://gateway.example/") for each in transfer["documents"])
    accepted.now[0] = END
    assert not await sees(accepted, AGENT)
    assert await sees(accepted, PERSON)
    assert (await accepted.data(AGENT, MANDATES))["viewer"]["mandates"]["held"] == []
    assert (await accepted.data(PERSON, MANDATES))["viewer"]["mandates"]["given"][0]["state"] == "EXPIRED"
    await is_refused(accepted, AGENT)


@pytest.mark.parametrize("ended_by", [PERSON, AGENT, O_CLERK], ids=["person", "agent", "window"])
async def test_the_moment_a_mandate_is_taken_back_or_laid_down_the_case_is_gone(
    accepted: Window, ended_by: Viewer
) -> None:
    mandate = await granted(accepted)
    assert await sees(accepted, AGENT)
    answer = await revoked(accepted, mandate, ended_by)
    ended = {"state": "REVOKED", "revokedAt": "2026-03-02T09:00:00+08:00"}
    assert answer == {"__typename": "RevokeMandatePayload", "replayed": True, "mandate": mandate | ended}
    assert not await sees(accepted, AGENT)
    assert await sees(accepted, PERSON)
    await is_refused(accepted, AGENT)


async def test_a_mandate_is_for_its_agent_and_its_person_alone(accepted: Window) -> None:
    await granted(accepted)
    assert not await sees(accepted, OTHER)
    await is_refused(accepted, OTHER)
    # Another person's mandate opens their cases, of which there are none, and not this one.
    await done(accepted, OTHER, GRANT, **grant_input(agentResidentId=LI))
    assert (await accepted.data(AGENT, OWN))["viewer"]["transfers"]["edges"] == [{"node": {"no": accepted.no}}]
    # A mandate does not go on from the agent to their agent, nor back.
    third = Viewer("person-4", (Role.INSURED_PERSON,), resident_id=NOBODY)
    await is_refused(accepted, third)
    await is_refused(accepted, PERSON, LI)


async def test_who_is_in_no_register_and_who_gave_no_mandate_are_told_apart_by_nothing(accepted: Window) -> None:
    for number in (WANG, OTHER_NUMBER, NOBODY):
        await is_refused(accepted, AGENT, number)


async def test_the_agent_checks_applies_and_withdraws_and_the_record_says_who(window: Window) -> None:
    await granted(window)
    answer = await ask(window, AGENT, ELIGIBILITY, residentId=WANG, **REGIONS)
    assert (answer["eligible"], answer["findings"], answer["dueOn"]) == (True, [], "2026-03-23")
    assert answer["waitingPeriod"] == {"months": 0}
    given = {"idempotencyKey": KEY, "residentId": WANG, **REGIONS}
    submitted = await done(window, AGENT, SUBMIT, **given)
    assert (submitted["__typename"], submitted["transfer"]["status"]) == ("SubmitTransferPayload", "TRANSFERRING_OUT")
    recorded = await window.desk.row("select actor, transfer_id from commands where kind = 'SUBMIT_TRANSFER'")
    assert '"subject": "agent-1"' in recorded["actor"]
    (first, *_) = await window.desk.cases.events(recorded["transfer_id"])
    assert (first.actor.subject, first.actor.kind) == ("agent-1", ActorKind.AGENT)
    withdrawn = await done(
        window, AGENT, WITHDRAW, idempotencyKey=f"{KEY}-2", transferId=submitted["transfer"]["id"], reason="改期"
    )
    assert (withdrawn["__typename"], withdrawn["transfer"]["status"]) == ("StepPayload", "WITHDRAWN")
    assert (await window.desk.cases.state(recorded["transfer_id"])).withdrawn_by is ActorKind.AGENT


async def test_an_application_counts_as_of_its_receipt_though_the_mandate_ends_before_it_is_carried_out(
    window: Window,
) -> None:
    mandate = await granted(window)
    given = {"idempotencyKey": KEY, "residentId": WANG, **REGIONS}
    assert (await ask(window, AGENT, SUBMIT, **given))["__typename"] == "StepPending"
    command = await window.desk.row("select * from commands where kind = 'SUBMIT_TRANSFER'")
    window.now[0] = TUESDAY
    await ask(window, PERSON, REVOKE, idempotencyKey=KEY + "-r", mandateId=mandate["id"])
    revocation = await window.desk.db.fetchval("select command_id from commands where kind = 'REVOKE_MANDATE'")
    await window.desk.steps.carry_out_mandate(MandateOrder(command_id=revocation))
    await carry_out(window)
    (row,) = await window.desk.db.fetch("select no, status from transfers")
    assert tuple(row) == (command["transfer_no"], "TRANSFERRING_OUT")
    # The agent does not see it any more, not even by the key under which they applied; the person does.
    assert (await window.error(AGENT, SUBMIT, input=given))["extensions"] == {"code": "NOT_FOUND"}
    assert (await window.data(AGENT, BY_NO, no=row["no"]))["transfer"] is None
    assert (await window.data(PERSON, BY_NO, no=row["no"]))["transfer"]["no"] == row["no"]


async def test_a_certificate_for_the_agent_is_theirs_to_download_while_the_mandate_is_in_force(window: Window) -> None:
    mandate = await granted(window)
    given = {"idempotencyKey": f"{KEY}-c", "residentId": WANG, "region": "110000", "scheme": "EMPLOYEE"}
    answer = await done(window, AGENT, CERTIFICATE, **given)
    document_id = answer["certificate"]["document"]["id"]
    assert answer["certificate"]["document"]["downloadUrl"].startswith("https://gateway.example/documents/")
    for viewer in (AGENT, PERSON):
        assert (await window.data(viewer, NODE, id=document_id))["node"]["__typename"] == "TransferDocument"
    await revoked(window, mandate)
    assert (await window.error(AGENT, CERTIFICATE, input=given))["extensions"] == {"code": "NOT_FOUND"}
    assert (await window.data(AGENT, NODE, id=document_id))["node"] is None
    assert (await window.data(PERSON, NODE, id=document_id))["node"]["__typename"] == "TransferDocument"


async def test_a_follower_is_told_nothing_that_happens_after_the_mandate_has_ended(accepted: Window) -> None:
    mandate = await granted(accepted)
    bodies = accepted.bodies(AGENT, FOLLOW, id=await accepted.node_id())
    for seq in range(1, 5):
        assert (await anext(bodies))["data"]["transferProgress"]["seq"] == seq
    await revoked(accepted, mandate)
    await accepted.desk.take(c.DeliverInformationForm(), O_CLERK_ACTOR)
    body = await anext(bodies)
    assert body["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
    assert body.get("data") is None


# ------------------------------------------------------------------ refused: nothing changes


WRONG: list[tuple[Viewer, dict[str, Any], str, str]] = [
    (PERSON, {"idempotencyKey": "short"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
    (PERSON, {"validUntil": "2026-03-01"}, "validUntil", "IN_THE_PAST"),
    (PERSON, {"validUntil": "2028-03-03"}, "validUntil", "TOO_FAR_AHEAD"),
    (PERSON, {"agentResidentId": WANG}, "agentResidentId", "AGENT_IS_THE_PERSON"),
    (PERSON, {"agentResidentId": ""}, "agentResidentId", "RESIDENT_ID_INVALID"),
    (PERSON, {"agentResidentId": "110101199003071234"}, "agentResidentId", "RESIDENT_ID_INVALID"),
    (PERSON, {"agentResidentId": LI.lower()}, "agentResidentId", "RESIDENT_ID_INVALID"),
    (O_CLERK, PAPER, "residentId", "RESIDENT_ID_REQUIRED"),
    (O_CLERK, PAPER | {"residentId": "110101199003071234"}, "residentId", "RESIDENT_ID_INVALID"),
    (O_CLERK, PAPER | {"residentId": WANG, "agentResidentId": WANG}, "agentResidentId", "AGENT_IS_THE_PERSON"),
    # The paper and the persons of a window.
    (PERSON, PAPER, "paperReference", "ONLY_AT_A_WINDOW"),
    (AGENT, PAPER | {"residentId": WANG, "agentResidentId": OTHER_NUMBER}, "paperReference", "ONLY_AT_A_WINDOW"),
    (PERSON, {"actingPerson": "lee"}, "actingPerson", "ONLY_AN_AGENCY_SYSTEM"),
    (O_CLERK, {"residentId": WANG}, "paperReference", "PAPER_REFERENCE_REQUIRED"),
    (O_CLERK, {"residentId": WANG, "paperReference": ""}, "paperReference", "EMPTY"),
    (O_CLERK, {"residentId": WANG, "paperReference": "  "}, "paperReference", "EMPTY"),
    (O_CLERK, {"residentId": WANG, "paperReference": "A" * 65}, "paperReference", "TOO_LONG"),
    (O_CLERK, {"residentId": WANG, "paperReference": "A 1"}, "paperReference", "REFERENCE_FORM"),
    (O_CLERK, {"residentId": WANG, "paperReference": f"SQ-{LI}"}, "paperReference", "PERSONAL_NUMBER_IN_REFERENCE"),
    (O_CLERK, {"residentId": WANG, "paperReference": "王思琪"}, "paperReference", "REFERENCE_FORM"),
    (O_CLERK, PAPER | {"residentId": WANG, "actingPerson": "lee"}, "actingPerson", "ONLY_AN_AGENCY_SYSTEM"),
    (O_SYSTEM, PAPER | {"residentId": WANG}, "actingPerson", "ACTING_PERSON_REQUIRED"),
    (O_SYSTEM, PAPER | {"residentId": WANG, "actingPerson": " "}, "actingPerson", "EMPTY"),
    (O_SYSTEM, PAPER | {"residentId": WANG, "actingPerson": "System-110000"}, "actingPerson", "ACTING_PERSON_REQUIRED"),
    (O_CLERK, PAPER | {"residentId": WANG, "validUntil": "2026-03-02"}, "validUntil", "BEFORE_THE_START"),
]


async def test_a_wrong_field_is_named_and_nothing_is_recorded(window: Window) -> None:
    before = await snapshot(window.desk.db)
    for viewer, changes, field, code in WRONG:
        failed = await ask(window, viewer, GRANT, **grant_input(**changes))
        assert failed["__typename"] == "ValidationFailed", changes
        assert [(each["path"], each["code"]) for each in failed["violations"]] == [(["input", field], code)]
        assert not any(number in str(failed) for number in (WANG, LI, "110101199003071234"))
    assert (await ask(window, PERSON, GRANT, **grant_input(validUntil="2028-03-03")))["violations"][0]["message"] == (
        "Too far ahead: 2028-03-02 at the latest."
    )
    assert await snapshot(window.desk.db) == before


async def test_nobody_gives_a_mandate_in_anothers_name(window: Window) -> None:
    before = await snapshot(window.desk.db)
    # Of whom another region's register knows, and of whom none knows, a window is told the same.
    elsewhere = [
        await ask(window, clerk, GRANT, **grant_input(residentId=number, agentResidentId=NOBODY, **PAPER))
        for clerk, number in ((OTHER_CLERK, WANG), (OTHER_CLERK, LI), (O_CLERK, OTHER_NUMBER))
    ]
    assert elsewhere == [elsewhere[0]] * 3
    assert (elsewhere[0]["__typename"], elsewhere[0]["code"]) == ("MandateNotAllowed", "MANDATE_NOT_ALLOWED")
    mine = [await ask(window, AGENT, GRANT, **grant_input(residentId=each, agentResidentId=OTHER_NUMBER)) for each in (WANG, NOBODY)]  # fmt: skip
    assert mine[0] == mine[1]
    assert mine[0]["message"] == "You can give a mandate in your own name only."
    unknown = await ask(window, AGENT, GRANT, **grant_input(agentResidentId=WANG))
    assert unknown["message"] == "No register knows you yet: enrol first, then give the mandate."
    for viewer in (EMPLOYER, O_FINANCE, OPERATOR):
        for query in (GRANT, REVOKE):
            given = grant_input() if query is GRANT else {"idempotencyKey": KEY, "mandateId": "x"}
            assert (await window.error(viewer, query, input=given))["extensions"] == {"code": "FORBIDDEN"}
    assert await snapshot(window.desk.db) == before


async def test_a_mandate_that_one_may_not_end_and_one_that_is_not_there_are_told_apart_by_nothing(
    window: Window,
) -> None:
    mandate = await granted(window)
    before = await snapshot(window.desk.db)
    answers = [
        await ask(window, viewer, REVOKE, idempotencyKey=f"{KEY}-x", mandateId=identifier)
        for viewer, identifier in (
            (OTHER, mandate["id"]),
            (OTHER_CLERK, mandate["id"]),
            (PERSON, node_id("Mandate", "0192f0c1-2222-7000-8000-000000000001")),
            (PERSON, node_id("Mandate", "x")),
            (PERSON, node_id("Transfer", "0192f0c1-2222-7000-8000-000000000001")),
            (PERSON, "no id"),
        )
    ]
    assert answers == [
        {"__typename": "MandateNotFound", "code": "NOT_FOUND", "message": "There is no such mandate."}
    ] * len(answers)
    short = await ask(window, PERSON, REVOKE, idempotencyKey="short", mandateId=mandate["id"])
    assert [each["code"] for each in short["violations"]] == ["IDEMPOTENCY_KEY_FORM"]
    assert await snapshot(window.desk.db) == before
    # An agent whose mandate has ended has nothing left to lay down.
    window.now[0] = END
    assert await ask(window, AGENT, REVOKE, idempotencyKey=f"{KEY}-y", mandateId=mandate["id"]) == answers[0]
    assert await snapshot(window.desk.db) == before


async def test_a_key_with_other_input_is_a_conflict_and_changes_nothing(window: Window) -> None:
    mandate = await granted(window)
    before = await snapshot(window.desk.db)
    for changes in (
        {"agentResidentId": OTHER_NUMBER},
        {"relation": "SPOUSE"},
        {"validUntil": "2026-03-05"},
        {"residentId": OTHER_NUMBER},
    ):
        answer = await ask(window, PERSON, GRANT, **grant_input(**changes))
        assert (answer["__typename"], answer["code"]) == ("IdempotencyConflict", "IDEMPOTENCY_CONFLICT"), changes
    for query, given in (
        (REVOKE, {"mandateId": mandate["id"]}),
        (SUBMIT, REGIONS),
        (CERTIFICATE, {"region": "110000", "scheme": "EMPLOYEE"}),
    ):
        answer = await ask(window, PERSON, query, idempotencyKey=KEY, **given)
        assert answer["__typename"] == "IdempotencyConflict", query
    assert await snapshot(window.desk.db) == before


async def test_the_same_call_has_the_same_answer_when_its_last_day_is_long_past(window: Window) -> None:
    mandate = await granted(window)
    window.now[0] = END + timedelta(days=800)
    before = await snapshot(window.desk.db)
    again = await ask(window, PERSON, GRANT, **grant_input())
    assert again["mandate"] == mandate | {"state": "EXPIRED"}
    assert await snapshot(window.desk.db) == before


async def test_a_window_must_say_whose_mandates_it_asks_for_and_a_wrong_number_is_named(window: Window) -> None:
    for of, code in ((None, "RESIDENT_ID_REQUIRED"), ("", "RESIDENT_ID_REQUIRED"), (WANG[:-1], "RESIDENT_ID_INVALID")):
        error = await window.error(O_CLERK, MANDATES, of=of)
        violations = [(each["path"], each["code"]) for each in error["extensions"]["violations"]]
        assert violations == [(["residentId"], code)]
    assert (await window.error(EMPLOYER, MANDATES, of=WANG))["extensions"] == {"code": "FORBIDDEN"}


# ------------------------------------------------------------------ on real Temporal


async def test_a_mandate_is_given_used_and_taken_back_at_once(working: Window) -> None:
    await is_refused(working, AGENT)
    answer = await ask(working, PERSON, GRANT, **grant_input())
    assert (answer["__typename"], answer["replayed"]) == ("GrantMandatePayload", False)
    submitted = await ask(working, AGENT, SUBMIT, idempotencyKey=KEY, residentId=WANG, **REGIONS)
    assert (submitted["__typename"], submitted["transfer"]["status"]) == ("SubmitTransferPayload", "TRANSFERRING_OUT")
    number = submitted["transfer"]["no"]
    taken = await ask(working, PERSON, REVOKE, idempotencyKey=f"{KEY}-2", mandateId=answer["mandate"]["id"])
    assert (taken["mandate"]["state"], taken["replayed"]) == ("REVOKED", False)
    assert (await working.data(AGENT, BY_NO, no=number))["transfer"] is None
    withdrawn = await ask(
        working, AGENT, WITHDRAW, idempotencyKey=f"{KEY}-3", transferId=submitted["transfer"]["id"], reason="改期"
    )
    assert withdrawn["__typename"] == "TransferNotFound"
    assert (await working.data(PERSON, BY_NO, no=number))["transfer"]["no"] == number
    await is_refused(working, AGENT)
