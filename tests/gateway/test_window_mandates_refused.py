"""A mandate from a window: who does not approve or confirm it, and what comes of two acts at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.auth import Viewer
from gateway.types.reference import node_id
from tests.activities.desk import MONDAY, TUESDAY, WEDNESDAY, changed, snapshot
from tests.conftest import Database
from tests.gateway.paper_mandates import (
    APPROVE,
    CHECKER,
    CONFIRM,
    ENDED,
    NOT_AWAITING,
    NOT_FOUND,
    SAME,
    SAME_PERSON,
    SECOND,
    approved,
    confirmed,
    entered,
    held,
    notices,
)
from tests.gateway.test_mandates import (
    AGENT,
    KEY,
    O_SYSTEM,
    OTHER,
    OTHER_NUMBER,
    REVOKE,
    ask,
    carry_out,
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


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case waits for the information form."""
    async with open_window(database) as each:
        await each.desk.accepted()
        await each.desk.db.execute("delete from notices")
        yield each


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
            "message": (
                "This step takes two people: give in `actingPerson` the staff id of the person for whom your system acts, not the "
                "system's own name, or have your token name the person in its `act` claim."
            ),
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
