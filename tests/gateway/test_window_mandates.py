"""A mandate from a window: a second person approves it, it starts a day later, and the giver confirms or revokes it before."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.auth import Viewer
from tests.activities.desk import MONDAY, TUESDAY, WEDNESDAY, snapshot
from tests.activities.register_extracts import LI, WANG
from tests.conftest import Database
from tests.gateway.paper_mandates import (
    APPROVE,
    CHECKER,
    CONFIRM,
    ENDED,
    NOT_AWAITING,
    SECOND,
    approved,
    confirmed,
    counts_nowhere,
    entered,
    given_by_person,
    held,
    notices,
)
from tests.gateway.test_mandates import (
    AGENT,
    CERTIFICATE,
    ELIGIBILITY,
    GRANT,
    INSTANT,
    KEY,
    MANDATES,
    NOBODY,
    NODE,
    O_SYSTEM,
    OTHER_NUMBER,
    REGIONS,
    SUBMIT,
    ask,
    done,
    grant_input,
    revoked,
    sees,
)
from tests.gateway.window import (
    O_CLERK,
    OTHER_CLERK,
    PERSON,
    R_CLERK,
    Window,
    open_window,
)


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case waits for the information form."""
    async with open_window(database) as each:
        await each.desk.accepted()
        await each.desk.db.execute("delete from notices")
        yield each


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
