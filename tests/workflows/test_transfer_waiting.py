"""A case that waits for the registers: asked again daily and when they change, it goes on by itself; the person is warned."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import pytest

from activities.dispatch import PendingCommand
from tests.cases import PERSON, SHANGHAI_POOL
from tests.office import Office
from tests.workflows import endings
from tests.workflows.endings import NOT_COVERED
from workflows import commands as c
from workflows import events as e
from workflows.deadlines import shanghai_date, start_of
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import RefusalClass, RefusalCode, TransferStatus

DAY = timedelta(days=1)


async def _rechecks(office: Office, transfer: PendingCommand) -> int:
    """How often the registers were asked again."""
    events = (await office.history(transfer)).events
    asked = (event.activity_task_scheduled_event_attributes.activity_type.name for event in events)
    return sum(name == "recheck_registers" for name in asked)


async def test_an_application_whose_only_obstacle_passes_with_time_waits(office: Office) -> None:
    transfer = await office.submit(wait=True, destination=NOT_COVERED)
    state = await office.cases.state(transfer.transfer_id)
    assert (state.status, state.waiting, state.open_steps, state.certificate) == (
        TransferStatus.SUBMITTED,
        True,
        (),
        None,
    )
    assert [(each.code, each.cls) for each in state.findings] == [
        (RefusalCode.NOT_ENROLLED_AT_DESTINATION, RefusalClass.RETRIED)
    ]
    assert await office.types(transfer) == ["submitted"]


async def test_asked_again_when_the_register_has_changed_the_case_goes_on_by_itself(office: Office) -> None:
    transfer = await endings.completed_after_waiting(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert (await office.types(transfer))[:5] == [
        "submitted",
        "register_checked",
        "accepted",
        "step_opened",
        "certificate_issued",
    ]
    assert await _rechecks(office, transfer) == 1


async def test_asked_again_every_day_until_the_register_has_changed(office: Office) -> None:
    """Nothing goes on record while the registers say what they said; on the day after they changed the case goes on."""
    transfer = await office.submit(wait=True, destination=NOT_COVERED)
    for day in (1, 2, 3):
        await office.skip_to(transfer, start_of(office.today(transfer) + DAY) + timedelta(minutes=1))
        assert await _rechecks(office, transfer) == day
        assert await office.types(transfer) == ["submitted"]
    await office.register(office.residents[transfer.transfer_no])
    tomorrow = office.today(transfer) + DAY
    await office.skip_to(transfer, start_of(tomorrow) + timedelta(minutes=1))
    state = await office.until(transfer, lambda state: state.certificate is not None)
    assert state.accepted_at is not None
    assert (shanghai_date(state.accepted_at), state.waiting) == (tomorrow, False)
    # Nobody asks any more.
    await office.skip_to(transfer, office.now(transfer) + 2 * DAY)
    assert await _rechecks(office, transfer) == 4


async def test_a_case_that_waits_goes_on_to_the_stop_of_coverage_when_the_destination_has_enrolled(
    office: Office,
) -> None:
    transfer = await office.submit(
        wait=True, request_stop=True, destination=NOT_COVERED, status="ACTIVE", stopped_on=""
    )
    await office.register(office.residents[transfer.transfer_no], origin={"status": "ACTIVE", "stopped_on": ""})
    await office.handle(transfer).signal(TransferWorkflow.recheck)
    state = await office.until(transfer, lambda state: not state.waiting)
    assert [step.kind for step in state.open_steps] == ["STOP_COVERAGE"]
    assert state.step(state.open_steps[0].kind).started_seq == 2


async def test_declined_when_what_the_register_says_now_does_not_pass_with_time(office: Office) -> None:
    transfer = await endings.declined_after_waiting(office)
    assert await office.ending(transfer) is TransferStatus.DECLINED
    assert await office.types(transfer) == ["submitted", "declined"]
    state = await office.cases.state(transfer.transfer_id)
    assert RefusalCode.RETIRED in [each.code for each in state.findings]


async def test_withdrawn_by_the_person_while_it_waits(office: Office) -> None:
    transfer = await endings.withdrawn_while_waiting(office)
    assert await office.ending(transfer) is TransferStatus.WITHDRAWN
    assert await office.types(transfer) == ["submitted", "withdrawn"]


async def test_a_recheck_that_nobody_waits_for_asks_nothing(office: Office) -> None:
    transfer = await office.submit()
    await office.handle(transfer).signal(TransferWorkflow.recheck)
    await office.take(transfer, c.ReissueCertificate(reason="遗失"), PERSON)
    assert await _rechecks(office, transfer) == 0


def _stopped_so_that_the_gap_closes_next_month() -> tuple[date, date]:
    """A stop three months ago: cover may begin without a wait until the last day of the next month (43号)."""
    today = shanghai_date(datetime.now(UTC))
    month = today.year * 12 + today.month - 1
    stopped = date((month - 3) // 12, (month - 3) % 12 + 1, 15)
    year, next_month = divmod(month + 1, 12)
    return stopped, date(year, next_month + 1, monthrange(year, next_month + 1)[1])


async def _warnings(office: Office, transfer: PendingCommand) -> list[tuple[int, date, tuple[str, ...], date]]:
    events = await office.cases.events(transfer.transfer_id)
    return [
        (event.fact.days_left, event.fact.closes_on, event.fact.told, shanghai_date(event.occurred_at))
        for event in events
        if isinstance(event.fact, e.GapWarned)
    ]


async def _with_a_gap(office: Office) -> tuple[PendingCommand, date]:
    stopped_on, closes_on = _stopped_so_that_the_gap_closes_next_month()
    paid = f"201501-{stopped_on:%Y%m}"
    transfer = await office.submit(
        wait=True, destination=NOT_COVERED, stopped_on=stopped_on.isoformat(), contribution_months=paid
    )
    gap = (await office.cases.state(transfer.transfer_id)).gap
    assert gap is not None
    assert (gap.stopped_on, gap.closes_on) == (stopped_on, closes_on)
    return transfer, closes_on


# The registers are asked again on each day of four months.
@pytest.mark.long
@pytest.mark.timeout(240)
async def test_the_person_is_warned_of_the_gap_at_thirty_ten_and_three_days_whatever_the_case_waits_for(
    office: Office,
) -> None:
    transfer, closes_on = await _with_a_gap(office)
    submitted_on = office.today(transfer)
    await office.skip_to(transfer, start_of(closes_on + 5 * DAY))
    expected = [
        (days, closes_on, ("person",), max(closes_on - days * DAY, submitted_on))
        for days in (30, 10, 3)
        if closes_on - 10 * DAY >= submitted_on or days != 30
    ]
    assert await _warnings(office, transfer) == expected


async def test_a_warning_that_was_given_is_not_given_again_when_the_registers_say_another_thing(
    office: Office,
) -> None:
    transfer, closes_on = await _with_a_gap(office)
    await office.skip_to(transfer, start_of(closes_on - 29 * DAY))
    assert [days for days, *_ in await _warnings(office, transfer)] == [30]
    # Another reason beside the first one: the case waits on, and its findings change.
    await office.note_at_origin(transfer, "unsettled_claims")
    await office.handle(transfer).signal(TransferWorkflow.recheck)
    await office.until(transfer, lambda state: len(state.findings) == 2)
    await office.skip_to(transfer, start_of(closes_on - 28 * DAY))
    assert [days for days, *_ in await _warnings(office, transfer)] == [30]


async def test_the_gap_is_closed_when_the_destination_covers_the_person(office: Office) -> None:
    transfer, closes_on = await _with_a_gap(office)
    await office.register(
        office.residents[transfer.transfer_no],
        origin={"stopped_on": _stopped_so_that_the_gap_closes_next_month()[0].isoformat()},
    )
    await office.handle(transfer).signal(TransferWorkflow.recheck)
    state = await office.until(transfer, lambda state: state.certificate is not None)
    assert (state.gap, state.to_region) == (None, SHANGHAI_POOL)
    await office.skip_to(transfer, start_of(closes_on + DAY))
    assert await _warnings(office, transfer) == []
