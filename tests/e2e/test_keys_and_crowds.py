"""Keys, revisions, and many at once: one is carried out, nothing is doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.e2e.books import nothing_changes
from tests.e2e.caller import new_key
from tests.e2e.case import APPLICATION, Case, Desks, done
from tests.e2e.people import (
    SHENZHEN,
    Registers,
    active,
    today,
)
from tests.e2e.system import System


async def test_the_same_key_with_the_same_input_gives_the_same_event_and_with_other_input_a_conflict(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    first = await done(case.submit())
    async with nothing_changes(system):
        again = await done(case.submit())
        key = case.keys["submit"]
        other = await case.applicant.submit(**APPLICATION | {"fromRegion": SHENZHEN, "idempotencyKey": key})
        as_step = await case.applicant.step("withdrawTransfer", case.id, idempotencyKey=key, reason="other")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["transfer"]["no"] == first["transfer"]["no"]
    assert other["__typename"] == as_step["__typename"] == "IdempotencyConflict"

    key = new_key()
    delivered = await done(desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key))
    await done(case.continue_())
    async with nothing_changes(system):
        replayed = await done(desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key))
        with_note = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key, note="x")
    assert replayed["replayed"] is True
    assert replayed["event"] == delivered["event"]
    # The event as it was, the transfer as it is now.
    assert (delivered["transfer"]["status"], replayed["transfer"]["status"]) == ("TRANSFERRING_IN", "AWAITING_FUNDS")
    assert (with_note["__typename"], with_note["code"]) == ("IdempotencyConflict", "IDEMPOTENCY_CONFLICT")
    # A key is its caller's own: another caller's same key is another key.
    assert (await done(desks.o_finance.step("remitPersonalAccount", case.id, idempotencyKey=key)))["replayed"] is False


async def test_a_key_is_free_again_after_a_step_that_was_not_allowed_or_had_a_wrong_field(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    await done(case.submit())
    key = new_key()
    refused = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key)
    invalid = await desks.o_clerk.step("stopCoverage", case.id, idempotencyKey=key, stoppedOn="2199-01-01")
    before = await desks.o_clerk.step("stopCoverage", case.id, idempotencyKey=key, stoppedOn="2001-01-01")
    assert [refused["__typename"], invalid["__typename"], before["__typename"]] == [
        "StepNotAllowed",
        "ValidationFailed",
        "ValidationFailed",
    ]
    stale = await desks.o_clerk.step(
        "stopCoverage", case.id, idempotencyKey=key, stoppedOn="2026-11-01", expectedRevision=1
    )
    assert stale["__typename"] == "StaleRevision"
    stopped = await done(desks.o_clerk.step("stopCoverage", case.id, idempotencyKey=key, stoppedOn=today().isoformat()))
    assert stopped["replayed"] is False
    async with nothing_changes(system):
        # Bound now, and to this.
        answer = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key)
    assert answer["__typename"] == "IdempotencyConflict"


async def test_a_revision_is_stale_only_when_what_the_step_rests_on_has_changed(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    await done(case.submit())
    seen = (await case.read())["revision"]
    async with nothing_changes(system):
        ahead = await desks.o_clerk.step("deliverInformationForm", case.id, expectedRevision=seen + 1)
    assert (ahead["__typename"], ahead["transfer"]["revision"]) == ("StaleRevision", seen)
    await done(desks.o_clerk.step("deliverInformationForm", case.id, expectedRevision=seen))
    delivered = (await case.read())["revision"]
    async with nothing_changes(system):
        late = await desks.o_clerk.step("deliverInformationForm", case.id, expectedRevision=seen)
        before_the_form = await desks.r_clerk.step("confirmContinuation", case.id, expectedRevision=seen)
    assert (late["__typename"], late["code"]) == ("StaleRevision", "STALE_REVISION")
    assert before_the_form["__typename"] == "StaleRevision"
    # The other track's steps do not make it stale.
    await done(case.remit())
    await case.reaches(fundsStatus="REMITTED")
    answer = await desks.r_clerk.step("confirmContinuation", case.id, expectedRevision=delivered)
    assert answer["__typename"] == "StepPayload"


async def test_of_fifty_applications_at_once_one_becomes_a_case_and_the_others_name_it(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(), desks)
    async with nothing_changes_for_others(system, "transfers", added=1):
        answers = await asyncio.gather(*(case.applicant.submit(**APPLICATION) for _ in range(50)))
    taken = [each["transfer"]["no"] for each in answers if each["__typename"] == "SubmitTransferPayload"]
    refused = [each for each in answers if each["__typename"] == "NotEligible"]
    assert (len(taken), len(refused)) == (1, 49), {each["__typename"] for each in answers}
    for each in refused:
        assert [finding["code"] for finding in each["findings"]] == ["TRANSFER_IN_PROGRESS"]
        assert taken[0] in each["findings"][0]["message"]
    # The case may not be open yet for the first of those that name it; asked again, each shows it.
    assert {each["existing"]["no"] for each in refused if each["existing"]} <= set(taken)
    assert len({each["refusalNo"] for each in refused}) == 49


@asynccontextmanager
async def nothing_changes_for_others(system: System, table: str, *, added: int) -> AsyncIterator[None]:
    async with system.database() as connection:
        before = await connection.fetchval(f"select count(*) from {table}")  # noqa: S608 - our own table's name
        yield
        assert await connection.fetchval(f"select count(*) from {table}") == before + added  # noqa: S608


@pytest.mark.parametrize("one_key", [True, False], ids=["with one key", "with different keys"])
async def test_of_fifty_presses_of_one_step_at_once_one_is_carried_out(
    system: System, registers: Registers, desks: Desks, one_key: bool
) -> None:
    case = Case(system, await registers.person(), desks)
    await done(case.submit())
    before = (await case.read())["revision"]
    shared = new_key()

    async def press() -> dict[str, Any]:
        key = shared if one_key else new_key()
        while True:
            answer = await desks.o_clerk.step("deliverInformationForm", case.id, idempotencyKey=key)
            if answer["__typename"] != "StepPending":
                return answer

    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(press() for _ in range(50)))
    payloads = [each for each in answers if each["__typename"] == "StepPayload"]
    assert len({each["event"]["seq"] for each in payloads}) == 1
    assert sum(not each["replayed"] for each in payloads) == 1
    assert len(payloads) == (50 if one_key else 1)
    assert {each["__typename"] for each in answers} <= {"StepPayload", "StepNotAllowed"}
    assert (await case.read())["revision"] == before + 3
    async with system.database() as connection:
        kept = await connection.fetchval(
            "select count(*) from commands where transfer_no = $1 and not released", case.no
        )
    assert kept == 2
