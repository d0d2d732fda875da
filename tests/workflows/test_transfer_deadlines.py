"""Every clock of a transfer under skipped time: due soon once, missed once, in order, and nothing ends by waiting."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from activities.calendar_data import published_calendar
from activities.dispatch import PendingCommand
from activities.reference import add_edition, calendar_in_force
from activities.register_load import today_in_shanghai
from tests.cases import BALANCE_FEN, BEIJING, O_CLERK, O_FINANCE, R_CLERK, R_FINANCE, SHANGHAI_POOL, staff
from tests.office import BY_POST, PAYING_OUT, Office
from tests.workflows.endings import form_asked_for_by_post
from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.deadlines import SHANGHAI, Deadline, deadline_state, shanghai_date
from workflows.state import Step
from workflows.vocabulary import DeadlineState, FundsStatus, MailItem, Role, TransferStatus, TransferStepKind
from workflows.workdays import CalendarYear, DayOff, WorkingCalendar

K = TransferStepKind
CALENDAR = published_calendar()
PAYING_FINANCE = staff(Role.FINANCE, PAYING_OUT)
SOON = timedelta(hours=1)
# A timer fires a moment after its instant; on a busy machine a longer one.
MOMENT = timedelta(seconds=30)
Way = Callable[[Office], Awaitable[PendingCommand]]


async def _clock_events(office: Office, transfer: PendingCommand, kind: K) -> list[tuple[str, datetime]]:
    events = await office.cases.events(transfer.transfer_id)
    clocks = (e.DeadlineDueSoon, e.DeadlineMissed, e.DeadlineRevised)
    return [
        (each.fact.type, each.occurred_at) for each in events if isinstance(each.fact, clocks) and each.step is kind
    ]


async def _rungs(office: Office, transfer: PendingCommand, kind: K) -> list[tuple[int, str, datetime]]:
    """The rungs of the escalation that were told: which, whom, and when."""
    events = await office.cases.events(transfer.transfer_id)
    escalated = [each for each in events if isinstance(each.fact, e.Escalated) and each.step is kind]
    return [(each.fact.rung, told, each.occurred_at) for each in escalated for told in each.fact.told]  # type: ignore[union-attr]


async def _step(office: Office, transfer: PendingCommand, kind: K) -> tuple[Step, Deadline]:
    step = (await office.cases.state(transfer.transfer_id)).step(kind)
    assert step.deadline is not None
    return step, step.deadline


async def _to_be_accepted(office: Office) -> PendingCommand:
    return await office.submit(manual=True)


async def _to_be_stopped(office: Office) -> PendingCommand:
    return await office.submit(request_stop=True, status="ACTIVE", stopped_on="")


async def _accepted(office: Office) -> PendingCommand:
    return await office.submit()


async def _form_delivered(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    return transfer


async def _continued(office: Office) -> PendingCommand:
    transfer = await _form_delivered(office)
    await office.confirm_continuation(transfer)
    return transfer


async def _remitted(office: Office) -> PendingCommand:
    transfer = await _continued(office)
    await office.remit(transfer)
    return transfer


async def _to_be_accepted_by_post(office: Office) -> PendingCommand:
    return await office.submit(between=(BEIJING, BY_POST))


async def _letter_to_be_written(office: Office) -> PendingCommand:
    transfer = await _to_be_accepted_by_post(office)
    await office.accept(transfer)
    return transfer


async def _letter_arrived(office: Office) -> PendingCommand:
    return await form_asked_for_by_post(office, (BEIJING, BY_POST))


async def _form_written(office: Office) -> PendingCommand:
    transfer = await _letter_arrived(office)
    await office.deliver_form(transfer)
    return transfer


async def _form_and_money_arrived(office: Office) -> PendingCommand:
    transfer = await _form_written(office)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.record_mail(transfer, MailItem.INFORMATION_FORM, arrived_on=office.today(transfer))
    return transfer


async def _disputed(office: Office) -> PendingCommand:
    transfer = await office.submit(personal_account_fen="0")
    await office.deliver_form(transfer)
    await office.request_correction(transfer)
    return transfer


async def _disputed_after_the_continuation(office: Office) -> PendingCommand:
    """And answered: R is to continue the record anew."""
    transfer = await _continued(office)
    await office.request_correction(transfer)
    await office.deliver_form(transfer)
    return transfer


async def _difference_to_be_sent(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.deliver_form(transfer, balance_fen=BALANCE_FEN - 1, note="一分待核")
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.request_correction(transfer)
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    return transfer


async def _money_coming_home(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.terminate(transfer)
    await office.approve_reverse(transfer)
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.REMITTED)
    return transfer


async def _account_provided(office: Office) -> PendingCommand:
    transfer = await office.submit(between=(PAYING_OUT, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.provide_account(transfer)
    return transfer


def _receipt(received_on: date) -> c.ConfirmReceipt:
    return c.ConfirmReceipt(amount_fen=BALANCE_FEN, bank_reference=uuid.uuid4().hex, received_on=received_on)


# Five seconds of real clocks each: those of a kind that another row has are for `make test-long`.
LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("way", "kind", "ask", "actor"),
    [
        pytest.param(_to_be_accepted, K.ACCEPT_APPLICATION, lambda _: c.AcceptTransfer(), R_CLERK, marks=LONG),
        pytest.param(
            _to_be_stopped, K.STOP_COVERAGE, lambda today: c.StopCoverage(stopped_on=today), O_CLERK, marks=LONG
        ),
        (_accepted, K.DELIVER_INFORMATION_FORM, lambda _: c.DeliverInformationForm(), O_CLERK),
        pytest.param(_continued, K.REMIT_PERSONAL_ACCOUNT, lambda _: c.RemitPersonalAccount(), O_FINANCE, marks=LONG),
        (_form_delivered, K.CONFIRM_CONTINUATION, lambda _: c.ConfirmContinuation(), R_CLERK),
        (_remitted, K.CONFIRM_RECEIPT, _receipt, R_FINANCE),
        # On the paper route the connected side enters the steps of both.
        pytest.param(_to_be_accepted_by_post, K.ACCEPT_APPLICATION, lambda _: c.AcceptTransfer(), O_CLERK, marks=LONG),
        pytest.param(
            _letter_to_be_written, K.ISSUE_CONTACT_LETTER, lambda _: c.IssueContactLetter(), O_CLERK, marks=LONG
        ),
        pytest.param(
            _letter_arrived, K.DELIVER_INFORMATION_FORM, lambda _: c.DeliverInformationForm(), O_CLERK, marks=LONG
        ),
        pytest.param(
            _form_written, K.REMIT_PERSONAL_ACCOUNT, lambda _: c.RemitPersonalAccount(), O_FINANCE, marks=LONG
        ),
        (_form_and_money_arrived, K.CONFIRM_CONTINUATION, lambda _: c.ConfirmContinuation(), O_CLERK),
        pytest.param(_disputed, K.DELIVER_INFORMATION_FORM, lambda _: c.DeliverInformationForm(), O_CLERK, marks=LONG),
        pytest.param(
            _disputed_after_the_continuation,
            K.CONFIRM_CONTINUATION,
            lambda _: c.ConfirmContinuation(),
            R_CLERK,
            marks=LONG,
        ),
        pytest.param(
            _difference_to_be_sent, K.REMIT_PERSONAL_ACCOUNT, lambda _: c.RemitPersonalAccount(), O_FINANCE, marks=LONG
        ),
        pytest.param(_money_coming_home, K.CONFIRM_RECEIPT, _receipt, O_FINANCE, marks=LONG),
        pytest.param(
            _account_provided, K.REMIT_PERSONAL_ACCOUNT, lambda _: c.RemitPersonalAccount(), PAYING_FINANCE, marks=LONG
        ),
    ],
)
async def test_a_step_is_due_soon_then_overdue_once_each_and_can_still_be_done_late(
    office: Office, way: Way, kind: K, ask: Callable[[date], c.Ask], actor: Actor
) -> None:
    transfer = await way(office)
    step, deadline = await _step(office, transfer, kind)

    await office.skip_to(transfer, deadline.due_soon_at + SOON)
    await office.until(transfer, lambda state: state.step(kind).due_soon_noted)
    soon = await _clock_events(office, transfer, kind)
    assert [(name, at - deadline.due_soon_at < MOMENT) for name, at in soon] == [("deadline_due_soon.1", True)]

    await office.skip_to(transfer, deadline.due_at + SOON)
    await office.until(transfer, lambda state: state.step(kind).missed_noted)
    both = await _clock_events(office, transfer, kind)
    assert [name for name, _ in both] == ["deadline_due_soon.1", "deadline_missed.1"]
    assert timedelta(0) <= both[1][1] - deadline.due_at < MOMENT

    # Two more rungs, and then waiting goes on, long past every date; the step is done late and nothing more is heard.
    await office.skip_to(transfer, deadline.due_at + timedelta(days=40))
    late = deadline.due_at + timedelta(days=40)
    rungs = await _rungs(office, transfer, kind)
    assert [(rung, told, shanghai_date(at)) for rung, told, at in rungs] == [
        (1, f"supervisor:{step.region}", CALENDAR.add_working_days(deadline.due_on, 1) + timedelta(days=1)),
        (2, f"province:{step.region}", CALENDAR.add_working_days(deadline.due_on, 5) + timedelta(days=1)),
    ]
    outcome = await office.take(transfer, ask(late.astimezone(SHANGHAI).date()), actor, at=late)
    assert outcome.kind == "DONE"
    step, deadline = await _step(office, transfer, kind)
    assert deadline_state(deadline, done_at=step.done_at, now=late) is DeadlineState.MET_LATE
    assert await _clock_events(office, transfer, kind) == both
    assert await _rungs(office, transfer, kind) == rungs
    if kind is K.CONFIRM_RECEIPT:
        ended = TransferStatus.TERMINATED if actor is O_FINANCE else TransferStatus.COMPLETED
        assert await office.ending(transfer) is ended


async def test_who_is_told_is_in_the_events(office: Office) -> None:
    transfer = await office.submit()
    _, deadline = await _step(office, transfer, K.DELIVER_INFORMATION_FORM)
    await office.skip_to(transfer, deadline.due_at + SOON)
    await office.until(transfer, lambda state: state.step(K.DELIVER_INFORMATION_FORM).missed_noted)
    told = [
        (each.fact.type, each.fact.due_on, each.fact.told)
        for each in await office.cases.events(transfer.transfer_id)
        if isinstance(each.fact, e.DeadlineDueSoon | e.DeadlineMissed)
    ]
    assert told == [
        ("deadline_due_soon.1", deadline.due_on, ("agency:110000",)),
        ("deadline_missed.1", deadline.due_on, ("agency:110000", "supervisor:110000")),
    ]


async def test_the_timer_is_armed_anew_after_each_step_and_gone_with_the_last(office: Office) -> None:
    transfer = await office.submit()

    async def armed() -> datetime | None:
        """When the one running timer fires."""
        running: dict[str, datetime] = {}
        for event in (await office.history(transfer)).events:
            if event.HasField("timer_started_event_attributes"):
                started = event.timer_started_event_attributes
                ahead = started.start_to_fire_timeout.ToTimedelta()
                running[started.timer_id] = event.event_time.ToDatetime(UTC) + ahead
            if event.HasField("timer_canceled_event_attributes"):
                del running[event.timer_canceled_event_attributes.timer_id]
        assert len(running) <= 1
        return next(iter(running.values()), None)

    async def expect(kind: K) -> None:
        _, deadline = await _step(office, transfer, kind)
        instant = await armed()
        assert instant is not None
        assert abs(instant - deadline.due_soon_at) < MOMENT

    await expect(K.DELIVER_INFORMATION_FORM)
    await office.deliver_form(transfer)
    await expect(K.CONFIRM_CONTINUATION)
    await office.confirm_continuation(transfer)
    await expect(K.REMIT_PERSONAL_ACCOUNT)
    await office.remit(transfer)
    await expect(K.CONFIRM_RECEIPT)
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert await armed() is None


async def test_a_new_calendar_edition_moves_an_open_deadline_which_fires_once_at_its_new_date(office: Office) -> None:
    transfer = await office.submit()
    kind = K.DELIVER_INFORMATION_FORM
    _, before = await _step(office, transfer, kind)
    owner = office.cases.owner
    edition = _with_day_off(await calendar_in_force(owner, today_in_shanghai()), before.due_on)
    assert await add_edition(owner, edition)
    try:
        await office.skip_to(transfer, before.due_soon_at + SOON)
        await office.until(transfer, lambda state: state.step(kind).deadline != before)
        _, after = await _step(office, transfer, kind)
        assert (after.calendar_edition, after.due_on > before.due_on) == (edition.edition, True)
        due = await owner.fetchval("select due_on from work_items where transfer_id = $1", transfer.transfer_id)
        assert due == after.due_on

        await office.skip_to(transfer, after.due_soon_at + SOON)
        await office.until(transfer, lambda state: state.step(kind).due_soon_noted)
        assert not (await _step(office, transfer, kind))[0].missed_noted
        await office.skip_to(transfer, after.due_at + SOON)
        await office.until(transfer, lambda state: state.step(kind).missed_noted)
        assert [name for name, _ in await _clock_events(office, transfer, kind)] == [
            "deadline_revised.1",
            "deadline_due_soon.1",
            "deadline_missed.1",
        ]
    finally:
        await owner.execute("delete from calendar_editions where edition = $1", edition.edition)


def _with_day_off(calendar: WorkingCalendar, day: date) -> CalendarYear:
    """The next edition of the day's year, in which people do not work on that day."""
    published = {year.year: year for year in calendar.years}.get(day.year)
    holiday = DayOff(date=day, name="测试假日")
    if published is None:
        return CalendarYear(
            year=day.year,
            edition=f"{day.year}.1",
            notice=None,
            published_on=day,
            source="synthetic, for this test",
            days_off=(holiday,),
            make_up_days=(),
        )
    days_off = tuple(sorted((*published.days_off, holiday), key=lambda off: off.date))
    edition = f"{day.year}.{published.edition_number + 1}"
    make_up_days = tuple(each for each in published.make_up_days if each != day)
    return published.model_copy(update={"days_off": days_off, "edition": edition, "make_up_days": make_up_days})
