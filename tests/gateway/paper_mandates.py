"""What the tests of mandates from a window share: who enters, approves and confirms, and what is then there."""

from typing import Any

from gateway.auth import Viewer
from tests.activities.register_extracts import WANG
from tests.gateway.test_mandates import (
    AGENT,
    ERRORS,
    GRANT,
    KEY,
    MANDATE,
    MANDATES,
    NODE,
    PAPER,
    done,
    grant_input,
    is_refused,
    sees,
)
from tests.gateway.window import (
    O_CLERK,
    PERSON,
    Window,
)
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
