"""A mandate from a window: a second person approves it, it starts a day later, and the giver confirms or revokes it before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.auth import Viewer
from gateway.types.reference import node_id
from tests.activities.desk import MONDAY, TUESDAY, WEDNESDAY, changed, snapshot
from tests.activities.register_extracts import LI, WANG
from tests.conftest import Database
from tests.gateway.test_mandates import (
    AGENT,
    CERTIFICATE,
    ELIGIBILITY,
    ERRORS,
    GRANT,
    INSTANT,
    KEY,
    MANDATE,
    MANDATES,
    NOBODY,
    NODE,
    O_SYSTEM,
    OTHER,
    OTHER_NUMBER,
    PAPER,
    REGIONS,
    REVOKE,
    SUBMIT,
    ask,
    carry_out,
    done,
    grant_input,
    is_refused,
    revoked,
    sees,
)
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    O_FINANCE,
    OPERATOR,
    OTHER_CLERK,
    PERSON,
    R_CLERK,
    Window,
    open_window,
)
from workflows.messages import MandateOrder
from workflows.vocabulary import Role

SECOND = Viewer("clerk-110000-2", (Role.CLERK,), region="110000")
CHECKER = Viewer("checker-110000", (Role.CHECKER,), region="110000")
# The clerk's own name in another spelling.
SAME = Viewer("Clerk-110000", (Role.CHECKER,), region="110000")
APPROVE = f"""mutation ($input: ApproveMandateInput!) {{ approveMandate(input: $input) {{ __typename
    ... on ApproveMandatePayload {{ replayed mandate {MANDATE} }} {ERRORS} }} }}"""
CONFIRM = f"""mutation ($input: ConfirmMandateInput!) {{ confirmMandate(input: $input) {{ __typename
    ... on ConfirmMandatePayload {{ replayed mandate {MANDATE} }} {ERRORS} }} }}"""
NOT_FOUND = {"__typename": "MandateNotFound", "code": "NOT_FOUND", "message": "There is no such mandate."}
SAME_PERSON = "You entered this mandate: another person of your agency must check the signed paper and approve it."
ENDED = "This mandate has ended already: if it is still wanted, it must be given again."
NOT_AWAITING = "This mandate does not wait for an approval: look at its state and at when it starts."


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case waits for the information form."""
    async with open_window(database) as each:
        await each.desk.accepted()
        await each.desk.db.execute("delete from notices")
        yield each


def at_window(**changes: Any) -> dict[str, Any]:
    return grant_input(residentId=WANG, **PAPER) | changes


async def entered(window: Window, clerk: Viewer = O_CLERK, **changes: Any) -> dict[str, Any]:
    """The mandate that a clerk has entered on Monday at nine."""
    mandate = (await done(window, clerk, GRANT, **at_window(**changes)))["mandate"]
    assert isinstance(mandate, dict)
    return mandate


async def approved(window: Window, mandate: dict[str, Any], by: Viewer = SECOND, **given: Any) -> dict[str, Any]:
    return await done(window, by, APPROVE, idempotencyKey=f"{KEY}-approve", mandateId=mandate["id"], **given)


async def confirmed(window: Window, mandate: dict[str, Any]) -> dict[str, Any]:
    return await done(window, PERSON, CONFIRM, idempotencyKey=f"{KEY}-confirm", mandateId=mandate["id"])


async def given_by_person(window: Window) -> list[dict[str, Any]]:
    given: list[dict[str, Any]] = (await window.data(PERSON, MANDATES))["viewer"]["mandates"]["given"]
    return given


async def held(window: Window) -> list[dict[str, Any]]:
    mandates: list[dict[str, Any]] = (await window.data(AGENT, MANDATES))["viewer"]["mandates"]["held"]
    return mandates


async def notices(window: Window) -> list[tuple[str, str, str, Any]]:
    rows = await window.desk.db.fetch(
        "select kind, recipient, region, starts_at from mandate_notices order by created_at, kind"
    )
    return [tuple(row) for row in rows]


async def counts_nowhere(window: Window, mandate: dict[str, Any]) -> None:
    """The agent has nothing of it: not in their list, no node, no case, no document, no check, application or certificate."""
    assert await held(window) == []
    assert (await window.data(AGENT, NODE, id=mandate["id"]))["node"] is None
    assert not await sees(window, AGENT)
    await is_refused(window, AGENT)


# ------------------------------------------------------------------ entered, approved, started


async def test_a_mandate_that_one_clerk_has_entered_counts_nowhere_and_its_giver_is_told(window: Window) -> None:
    mandate = await entered(window)
    assert mandate == {
        "id": mandate["id"],
        "person": {"maskedName": "王*琪", "maskedResidentId": "110101********1233"},
        "agentMaskedResidentId": "110105********002X",
        "relation": "CHILD",
        "grantedAt": "2026-03-02T09:00:00+08:00",
        "validUntil": "2026-03-06",
        "revokedAt": None,
        "state": "AWAITING_APPROVAL",
        "enteredBy": {"code": "YB110000"},
        "startsAt": None,
        "paperReference": "SQ-2026/0017",
    }
    assert await given_by_person(window) == [mandate]
    assert await notices(window) == [("mandate_entered", "person", "110000", None)]
    for at in (MONDAY, WEDNESDAY):
        window.now[0] = at
        await counts_nowhere(window, mandate)


async def test_it_starts_24_hours_after_the_second_persons_approval_and_not_an_instant_earlier(window: Window) -> None:
    mandate = await entered(window)
    window.now[0] = TUESDAY
    answer = await approved(window, mandate)
    waiting = mandate | {"state": "AWAITING_START", "startsAt": "2026-03-04T09:00:00+08:00"}
    assert answer == {"__typename": "ApproveMandatePayload", "replayed": True, "mandate": waiting}
    assert await given_by_person(window) == [waiting]
    assert await notices(window) == [
        ("mandate_entered", "person", "110000", None),
        ("mandate_approved", "person", "110000", WEDNESDAY),
    ]
    window.now[0] = WEDNESDAY - INSTANT
    await counts_nowhere(window, mandate)
    window.now[0] = WEDNESDAY
    # The agent learns of the mandate, and not under which reference the agency keeps the paper.
    assert await held(window) == [waiting | {"state": "IN_FORCE", "paperReference": None}]
    assert await given_by_person(window) == [waiting | {"state": "IN_FORCE"}]
    assert (await window.data(AGENT, NODE, id=mandate["id"]))["node"]["id"] == mandate["id"]
    assert await sees(window, AGENT)
    checked = await ask(window, AGENT, ELIGIBILITY, residentId=WANG, **REGIONS)
    assert "AGENT_NOT_AUTHORISED" not in [each["code"] for each in checked["findings"]]
    applied = await ask(window, AGENT, SUBMIT, idempotencyKey=f"{KEY}-apply", residentId=WANG, **REGIONS)
    assert "AGENT_NOT_AUTHORISED" not in [each["code"] for each in applied["findings"]]
    assert applied["existing"] == {"no": window.no}
    paper = {"region": "110000", "scheme": "EMPLOYEE", "residentId": WANG, "idempotencyKey": f"{KEY}-paper"}
    assert (await done(window, AGENT, CERTIFICATE, **paper))["__typename"] == "RequestCertificatePayload"


@pytest.mark.parametrize(
    ("by", "person"), [(SECOND, {}), (CHECKER, {}), (O_SYSTEM, {"actingPerson": "wu-7"})], ids=["clerk", "checker", "system"]
)  # fmt: skip
async def test_a_clerk_a_checker_or_a_system_for_another_person_approves(
    window: Window, by: Viewer, person: dict[str, str]
) -> None:
    mandate = await entered(window)
    assert (await window.data(by, NODE, id=mandate["id"]))["node"]["__typename"] == "Mandate"
    assert (await window.data(by, MANDATES, of=WANG))["viewer"]["mandates"]["given"] == [mandate]
    assert (await approved(window, mandate, by, **person))["mandate"]["state"] == "AWAITING_START"
    actor = await window.desk.db.fetchval("select actor from commands where kind = 'APPROVE_MANDATE'")
    assert f'"subject": "{by.subject}"' in actor
    assert ("wu-7" in actor) == (by is O_SYSTEM)


async def test_a_window_and_a_system_enter_what_a_person_of_their_region_has_signed(window: Window) -> None:
    for clerk, changes in (
        (O_CLERK, {}),
        (O_SYSTEM, {"agentResidentId": OTHER_NUMBER, "actingPerson": "lee-3"}),
    ):
        mandate = await entered(window, clerk, **changes)
        assert (mandate["enteredBy"], mandate["state"]) == ({"code": "YB110000"}, "AWAITING_APPROVAL")
    rows = await window.desk.db.fetch(
        """select c.actor::jsonb->>'subject', c.actor::jsonb->>'acting_person', m.paper_reference
             from mandates m join commands c on c.command_id = m.granted_by order by 1"""
    )
    assert [tuple(row) for row in rows] == [
        ("clerk-110000", None, "SQ-2026/0017"),
        ("system-110000", "lee-3", "SQ-2026/0017"),
    ]
    listed = (await window.data(O_CLERK, MANDATES, of=WANG))["viewer"]["mandates"]
    assert sorted(each["agentMaskedResidentId"] for each in listed["given"]) == [
        "110101********7213",
        "110105********002X",
    ]
    assert listed["held"] == []
    # What another window may not see is as if it were not there; an agent's list is not a window's to read.
    for clerk, number in ((OTHER_CLERK, WANG), (O_CLERK, LI), (O_CLERK, NOBODY)):
        assert (await window.data(clerk, MANDATES, of=number))["viewer"]["mandates"] == {"given": [], "held": []}
    # The person's other agency sees what they have given, but not where this agency keeps the paper.
    elsewhere = (await window.data(R_CLERK, MANDATES, of=WANG))["viewer"]["mandates"]["given"]
    assert elsewhere == [each | {"paperReference": None} for each in listed["given"]]
    assert await given_by_person(window) == listed["given"]


# ------------------------------------------------------------------ confirmed or revoked by the giver


async def test_the_givers_own_word_starts_it_at_once_without_a_second_person(window: Window) -> None:
    mandate = await entered(window)
    window.now[0] = TUESDAY
    answer = await confirmed(window, mandate)
    started = mandate | {"state": "IN_FORCE", "startsAt": "2026-03-03T09:00:00+08:00"}
    assert answer == {"__typename": "ConfirmMandatePayload", "replayed": True, "mandate": started}
    assert await sees(window, AGENT)
    assert (await notices(window))[1:] == [("mandate_confirmed", "person", "110000", TUESDAY)]
    late = await ask(window, SECOND, APPROVE, idempotencyKey=f"{KEY}-late", mandateId=mandate["id"])
    assert (late["__typename"], late["message"]) == ("MandateNotAllowed", NOT_AWAITING)


async def test_the_giver_confirms_what_waits_for_its_start(window: Window) -> None:
    mandate = await entered(window)
    await approved(window, mandate)
    window.now[0] = MONDAY + timedelta(hours=1)
    assert not await sees(window, AGENT)
    answer = await confirmed(window, mandate)
    assert (answer["mandate"]["state"], answer["mandate"]["startsAt"]) == ("IN_FORCE", "2026-03-02T10:00:00+08:00")
    assert await sees(window, AGENT)
    again = await ask(window, PERSON, CONFIRM, idempotencyKey=f"{KEY}-2", mandateId=mandate["id"])
    assert (again["__typename"], again["code"]) == ("MandateNotAllowed", "MANDATE_NOT_ALLOWED")
    assert again["message"] == "This mandate has started already: there is nothing to confirm."


@pytest.mark.parametrize("approve", [False, True])
@pytest.mark.parametrize("by", [PERSON, SECOND], ids=["giver", "window"])
async def test_what_is_revoked_before_its_start_never_starts(window: Window, by: Viewer, *, approve: bool) -> None:
    mandate = await entered(window)
    if approve:
        mandate = (await approved(window, mandate))["mandate"]
    answer = await revoked(window, mandate, by)
    assert answer["mandate"] == mandate | {"state": "REVOKED", "revokedAt": "2026-03-02T09:00:00+08:00"}
    assert (await notices(window))[-1][0] == "mandate_revoked"
    before = await snapshot(window.desk.db)
    for viewer, query in ((SECOND, APPROVE), (PERSON, CONFIRM)):
        refused = await ask(window, viewer, query, idempotencyKey=f"{KEY}-late", mandateId=mandate["id"])
        assert (refused["__typename"], refused["message"]) == ("MandateNotAllowed", ENDED)
    assert await snapshot(window.desk.db) == before
    for at in (MONDAY, TUESDAY):
        window.now[0] = at
        assert await held(window) == []
    await counts_nowhere(window, mandate)


# ------------------------------------------------------------------ the one before


async def test_a_mandate_in_force_ends_only_when_the_new_one_starts(window: Window) -> None:
    first = (await done(window, PERSON, GRANT, **grant_input()))["mandate"]
    window.now[0] = MONDAY + timedelta(hours=1)
    mandate = await entered(window, idempotencyKey=f"{KEY}-2")
    assert await held(window) == [first]
    await approved(window, mandate)
    start = TUESDAY + timedelta(hours=1)
    window.now[0] = start - INSTANT
    assert await held(window) == [first]
    assert [each["state"] for each in await given_by_person(window)] == ["AWAITING_START", "IN_FORCE"]
    assert await sees(window, AGENT)
    window.now[0] = start
    assert [each["id"] for each in await held(window)] == [mandate["id"]]
    ended = first | {"state": "REVOKED", "revokedAt": "2026-03-03T10:00:00+08:00"}
    assert (await given_by_person(window))[1] == ended
    assert await sees(window, AGENT)


async def test_a_mandate_in_force_goes_on_when_the_new_one_is_revoked_before_its_start(window: Window) -> None:
    first = (await done(window, PERSON, GRANT, **grant_input()))["mandate"]
    window.now[0] = MONDAY + timedelta(hours=1)
    mandate = await entered(window, idempotencyKey=f"{KEY}-2")
    await approved(window, mandate)
    await revoked(window, mandate)
    for at in (window.now[0], TUESDAY + timedelta(hours=1), WEDNESDAY):
        window.now[0] = at
        assert await held(window) == [first]
        assert [each["state"] for each in await given_by_person(window)] == ["REVOKED", "IN_FORCE"]


async def test_the_givers_own_later_mandate_takes_the_place_of_one_that_waits(window: Window) -> None:
    mandate = await entered(window)
    await approved(window, mandate)
    window.now[0] = MONDAY + timedelta(hours=1)
    own = (await done(window, PERSON, GRANT, **grant_input(idempotencyKey=f"{KEY}-own")))["mandate"]
    for at in (window.now[0], TUESDAY, WEDNESDAY):
        window.now[0] = at
        assert [each["id"] for each in await held(window)] == [own["id"]]
    assert (await given_by_person(window))[1]["state"] == "REVOKED"


# ------------------------------------------------------------------ refused: nothing changes


async def is_not_approved(window: Window, by: Viewer, mandate: dict[str, Any], **given: Any) -> dict[str, Any]:
    before = await snapshot(window.desk.db)
    refused = await ask(window, by, APPROVE, idempotencyKey=f"{KEY}-refused", mandateId=mandate["id"], **given)
    assert await snapshot(window.desk.db) == before
    return refused


async def test_the_person_who_entered_it_does_not_approve_it_in_any_spelling(window: Window) -> None:
    mandate = await entered(window)
    same: list[tuple[Viewer, dict[str, str]]] = [
        (O_CLERK, {}),
        (SAME, {}),
        (O_SYSTEM, {"actingPerson": "clerk-110000"}),
        (O_SYSTEM, {"actingPerson": "CLERK-110000"}),
    ]
    for viewer, person in same:
        refused = await is_not_approved(window, viewer, mandate, **person)
        assert (refused["__typename"], refused["code"]) == ("MandateNotAllowed", "MANDATE_NOT_ALLOWED"), (
            viewer,
            person,
        )
        assert refused["message"] == SAME_PERSON
    by_system = await entered(
        window, O_SYSTEM, actingPerson="lee", agentResidentId=OTHER_NUMBER, idempotencyKey=f"{KEY}-2"
    )
    lee = Viewer("Lee", (Role.CLERK,), region="110000")
    for viewer, person in ((O_SYSTEM, {"actingPerson": "LEE"}), (lee, {})):
        assert (await is_not_approved(window, viewer, by_system, **person))["message"] == SAME_PERSON
    unnamed = await is_not_approved(window, O_SYSTEM, by_system)
    assert unnamed["__typename"] == "ValidationFailed"
    assert unnamed["violations"] == [
        {
            "path": ["input", "actingPerson"],
            "code": "ACTING_PERSON_REQUIRED",
            "message": "An agency's system must name the person it acts for: give their staff id in `actingPerson`.",
        }
    ]


async def test_another_agency_approves_nothing(window: Window) -> None:
    mandate = await entered(window)
    # The person is in the other agency's register too, so it knows of the mandate.
    refused = await is_not_approved(window, R_CLERK, mandate)
    assert (refused["__typename"], refused["message"]) == (
        "MandateNotAllowed",
        "Another agency's window entered this mandate: a second person of that agency approves it.",
    )
    assert await is_not_approved(window, OTHER_CLERK, mandate) == NOT_FOUND
    for viewer in (PERSON, AGENT, EMPLOYER, O_FINANCE, OPERATOR):
        given = {"idempotencyKey": KEY, "mandateId": mandate["id"]}
        assert (await window.error(viewer, APPROVE, input=given))["extensions"] == {"code": "FORBIDDEN"}


async def test_nobody_but_the_giver_confirms(window: Window) -> None:
    mandate = await entered(window)
    started = await confirmed(window, await entered(window, agentResidentId=OTHER_NUMBER, idempotencyKey=f"{KEY}-2"))
    before = await snapshot(window.desk.db)
    unknown = node_id("Mandate", "0192f0c1-2222-7000-8000-000000000001")
    for viewer, identifier in (
        (AGENT, mandate["id"]),
        (OTHER, mandate["id"]),
        # The agent of a mandate in force knows of it.
        (OTHER, started["mandate"]["id"]),
        (PERSON, unknown),
        (PERSON, "no id"),
    ):
        answer = await ask(window, viewer, CONFIRM, idempotencyKey=f"{KEY}-x", mandateId=identifier)
        assert answer == NOT_FOUND
    for viewer in (O_CLERK, SECOND, CHECKER, O_SYSTEM, OPERATOR):
        given = {"idempotencyKey": KEY, "mandateId": mandate["id"]}
        assert (await window.error(viewer, CONFIRM, input=given))["extensions"] == {"code": "FORBIDDEN"}
    assert await snapshot(window.desk.db) == before


async def test_it_is_approved_once(window: Window) -> None:
    mandate = await entered(window)
    answer = await approved(window, mandate)
    assert await ask(window, SECOND, APPROVE, idempotencyKey=f"{KEY}-approve", mandateId=mandate["id"]) == answer
    for viewer in (SECOND, CHECKER, O_CLERK):
        refused = await is_not_approved(window, viewer, mandate)
        assert (refused["__typename"], refused["message"]) == ("MandateNotAllowed", NOT_AWAITING)
    other = await entered(window, agentResidentId=OTHER_NUMBER, idempotencyKey=f"{KEY}-2")
    before = await snapshot(window.desk.db)
    conflict = await ask(window, SECOND, APPROVE, idempotencyKey=f"{KEY}-approve", mandateId=other["id"])
    assert conflict["__typename"] == "IdempotencyConflict"
    assert await snapshot(window.desk.db) == before


async def test_a_mandate_that_would_end_before_its_start_is_not_approved_and_can_be_confirmed(window: Window) -> None:
    mandate = await entered(window, validUntil="2026-03-03")
    window.now[0] = TUESDAY
    refused = await is_not_approved(window, SECOND, mandate)
    assert refused["__typename"] == "MandateNotAllowed"
    assert refused["message"] == (
        "This mandate would end before it could start: enter a new one with a later last day, or have the person confirm it "
        "on this platform."
    )
    assert (await confirmed(window, mandate))["mandate"]["state"] == "IN_FORCE"
    window.now[0] = WEDNESDAY
    late = await ask(window, PERSON, CONFIRM, idempotencyKey=f"{KEY}-late", mandateId=mandate["id"])
    assert late["message"] == ENDED


# ------------------------------------------------------------------ at once


async def waiting_commands(window: Window) -> list[MandateOrder]:
    rows = await window.desk.db.fetch("select command_id from commands where outcome is null order by kind")
    return [MandateOrder(command_id=row["command_id"]) for row in rows]


@pytest.mark.parametrize("first", [0, 1])
async def test_approved_and_revoked_at_once_it_never_starts(window: Window, first: int) -> None:
    mandate = await entered(window)
    asked = (
        (SECOND, APPROVE, f"{KEY}-approve"),
        (PERSON, REVOKE, f"{KEY}-revoke"),
    )
    for viewer, query, key in asked:
        answer = await ask(window, viewer, query, idempotencyKey=key, mandateId=mandate["id"])
        assert answer["__typename"] == "StepPending"
    orders = await waiting_commands(window)
    for order in (orders[first], orders[1 - first]):
        await window.desk.steps.carry_out_mandate(order)
    outcomes = [await ask(window, viewer, query, idempotencyKey=key, mandateId=mandate["id"]) for viewer, query, key in asked]  # fmt: skip
    # The approval that came second is refused, and its key is free.
    assert outcomes[0]["__typename"] == ("ApproveMandatePayload" if first == 0 else "MandateNotAllowed")
    assert outcomes[1]["mandate"]["state"] == "REVOKED"
    for at in (MONDAY, TUESDAY, WEDNESDAY):
        window.now[0] = at
        assert await held(window) == []
        assert not await sees(window, AGENT)


async def test_of_two_approvals_at_once_one_counts(window: Window) -> None:
    mandate = await entered(window)
    for viewer in (SECOND, CHECKER):
        key = f"{KEY}-{viewer.subject}"
        answer = await ask(window, viewer, APPROVE, idempotencyKey=key, mandateId=mandate["id"])
        assert answer["__typename"] == "StepPending"
    orders = await waiting_commands(window)
    outcomes = await asyncio.gather(*(window.desk.steps.carry_out_mandate(order) for order in orders))
    assert sorted((each.kind, each.why) for each in outcomes) == [("DONE", None), ("NOT_ALLOWED", "NOT_AWAITING_APPROVAL")]  # fmt: skip
    assert [kind for kind, *_ in await notices(window)] == ["mandate_entered", "mandate_approved"]


async def test_a_refused_act_of_a_giver_changes_nothing_but_its_record(window: Window) -> None:
    mandate = await entered(window)
    await ask(window, SECOND, APPROVE, idempotencyKey=f"{KEY}-approve", mandateId=mandate["id"])
    # The giver revokes while the approval is on its way.
    await window.desk.db.execute(
        "update commands set received_at = received_at + interval '1 hour' where outcome is null"
    )
    approval = (await waiting_commands(window))[0]
    await ask(window, PERSON, REVOKE, idempotencyKey=f"{KEY}-revoke", mandateId=mandate["id"])
    revocation = next(order for order in await waiting_commands(window) if order != approval)
    await window.desk.steps.carry_out_mandate(revocation)
    before = await snapshot(window.desk.db)
    await carry_out(window)
    assert changed(before, await snapshot(window.desk.db)) == {"commands"}
