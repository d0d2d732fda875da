"""A form that is disputed: O's clock and R's pause, versions and linked remittances; nothing is ever edited."""

from datetime import date, datetime, timedelta

from activities.calendar_data import published_calendar
from activities.dispatch import PendingCommand
from tests.cases import BALANCE_FEN, BEIJING, SHANGHAI_POOL
from tests.office import Office
from tests.workflows import endings
from workflows import events as e
from workflows.deadlines import Deadline, Pause, PauseReason, shanghai_date
from workflows.messages import CommandOutcome
from workflows.vocabulary import RemittanceKind, RemittanceStatus, TransferStatus, TransferStepKind

K = TransferStepKind
CALENDAR = published_calendar()
SOON = timedelta(hours=1)
Said = tuple[str, int, tuple[str, ...]]


async def _said(office: Office, transfer: PendingCommand, kind: K) -> list[Said]:
    """What the clock of a step has said: the type, the round, and who was told."""
    clocks = (e.DeadlineDueSoon, e.DeadlineMissed, e.Escalated)
    facts = [event.fact for event in await office.cases.events(transfer.transfer_id)]
    return [(fact.type, fact.round, fact.told) for fact in facts if isinstance(fact, clocks) and fact.step is kind]


def _ladder(region: str, round_: int) -> list[Said]:
    return [
        ("deadline_due_soon.1", round_, (f"agency:{region}",)),
        ("deadline_missed.1", round_, (f"agency:{region}", f"supervisor:{region}")),
        ("escalated.1", round_, (f"supervisor:{region}",)),
        ("escalated.1", round_, (f"province:{region}",)),
    ]


async def _deadline(office: Office, transfer: PendingCommand, kind: K) -> Deadline:
    deadline = (await office.cases.state(transfer.transfer_id)).step(kind).deadline
    assert deadline is not None
    return deadline


def _after(day: date, working_days: int) -> date:
    return CALENDAR.add_working_days(day, working_days)


async def test_the_destinations_clock_is_silent_while_it_stands_still_and_goes_on_where_it_stood(
    office: Office,
) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    delivered_on = office.today(transfer)
    # Two of the five working days are used up when R asks.
    asked_on = _after(delivered_on, 2)
    await office.skip_to(transfer, datetime.combine(asked_on, datetime.min.time()).astimezone() + timedelta(hours=4))
    assert office.today(transfer) == asked_on
    await office.request_correction(transfer)
    assert (await office.cases.state(transfer.transfer_id)).status is TransferStatus.CORRECTION_REQUESTED
    standing = await _deadline(office, transfer, K.CONFIRM_CONTINUATION)
    assert standing.paused_since == asked_on
    asked = await _deadline(office, transfer, K.DELIVER_INFORMATION_FORM)
    assert (asked.starts_on, asked.working_days, asked.due_on) == (asked_on, 5, _after(asked_on, 5))
    assert asked.basis == "platform, after 94号"

    # O's clock runs up its whole ladder; of R's nothing is heard.
    await office.skip_to(transfer, office.now(transfer) + timedelta(days=60))
    await office.until(transfer, lambda state: state.step(K.DELIVER_INFORMATION_FORM).escalated == 2)
    assert await _said(office, transfer, K.DELIVER_INFORMATION_FORM) == _ladder(BEIJING, 2)
    assert await _said(office, transfer, K.CONFIRM_CONTINUATION) == []

    await office.deliver_form(transfer)
    answered_on = office.today(transfer)
    running = await _deadline(office, transfer, K.CONFIRM_CONTINUATION)
    assert running.pauses == (Pause(from_on=asked_on, to_on=answered_on, reason=PauseReason.CORRECTION),)
    assert running.due_on == _after(answered_on, 3)
    assert (running.starts_on, running.working_days) == (delivered_on, 5)
    state = await office.cases.state(transfer.transfer_id)
    assert state.status is TransferStatus.TRANSFERRING_IN
    assert state.form is not None
    assert (state.form.version, [(each.round, each.answered_by) for each in state.corrections]) == (2, [(1, 2)])

    await office.skip_to(transfer, office.now(transfer) + timedelta(days=40))
    await office.until(transfer, lambda state: state.step(K.CONFIRM_CONTINUATION).escalated == 2)
    assert await _said(office, transfer, K.CONFIRM_CONTINUATION) == _ladder(SHANGHAI_POOL, 1)
    missed = next(
        event.occurred_at
        for event in await office.cases.events(transfer.transfer_id)
        if isinstance(event.fact, e.DeadlineMissed) and event.step is K.CONFIRM_CONTINUATION
    )
    assert shanghai_date(missed) == running.due_on + timedelta(days=1)


async def test_a_correction_that_is_answered_the_same_day_costs_nobody_a_day(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    before = await _deadline(office, transfer, K.CONFIRM_CONTINUATION)
    await office.request_correction(transfer)
    await office.deliver_form(transfer)
    after = await _deadline(office, transfer, K.CONFIRM_CONTINUATION)
    assert (after.due_on, len(after.pauses)) == (before.due_on, 1)


async def test_nothing_is_continued_and_nothing_corrected_again_while_a_correction_is_open(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.request_correction(transfer)
    before = await office.types(transfer)
    assert await office.confirm_continuation(transfer) == CommandOutcome(kind="NOT_ALLOWED", why="NOT_YET")
    assert await office.request_correction(transfer) == CommandOutcome(kind="NOT_ALLOWED", why="NOT_YET")
    assert await office.types(transfer) == before


async def test_completed_after_a_correction_with_the_second_version_of_the_form(office: Office) -> None:
    transfer = await endings.completed_after_a_correction(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    documents = await office.valid_documents(transfer)
    assert [(kind, version) for kind, version in documents if kind in ("INFORMATION_FORM", "CORRECTION_REQUEST")] == [
        ("CORRECTION_REQUEST", 1),
        ("INFORMATION_FORM", 2),
    ]
    assert await office.accounts(transfer) == {BEIJING: (0, 0), SHANGHAI_POOL: (10_000 + BALANCE_FEN, 0)}


async def test_completed_with_a_linked_remittance_of_what_had_been_missing(office: Office) -> None:
    transfer = await endings.completed_with_a_second_remittance(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    first, second = (await office.cases.state(transfer.transfer_id)).remittances
    assert (first.amount_fen, first.corrects, second.amount_fen, second.corrects) == (
        BALANCE_FEN - 100_000,
        None,
        100_000,
        first.reference,
    )
    assert {first.kind, second.kind} == {RemittanceKind.TRANSFER}
    assert await office.accounts(transfer) == {BEIJING: (0, 0), SHANGHAI_POOL: (10_000 + BALANCE_FEN, 0)}
    assert await office.books(transfer) == {
        ("PERSONAL_ACCOUNTS", BEIJING): -BALANCE_FEN,
        ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN,
    }


async def test_completed_after_what_was_too_much_came_home_with_a_supervisors_leave(office: Office) -> None:
    transfer = await endings.completed_after_a_part_came_home(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    first, second = (await office.cases.state(transfer.transfer_id)).remittances
    assert (second.kind, second.amount_fen, second.corrects, second.status) == (
        RemittanceKind.REVERSE,
        100_000,
        first.reference,
        RemittanceStatus.CREDITED,
    )
    moved = BALANCE_FEN - 100_000
    assert await office.accounts(transfer) == {BEIJING: (100_000, 0), SHANGHAI_POOL: (10_000 + moved, 0)}
    assert await office.books(transfer) == {
        ("PERSONAL_ACCOUNTS", BEIJING): -moved,
        ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): moved,
    }


async def test_completed_with_a_second_statement_that_supersedes_the_first(office: Office) -> None:
    transfer = await endings.completed_with_a_correction_after_the_continuation(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    types = await office.types(transfer)
    assert types.count("continuation_confirmed") == 2
    assert ("CONTINUATION_STATEMENT", 2) in await office.valid_documents(transfer)
    assert ("CONTINUATION_STATEMENT", 1) not in await office.valid_documents(transfer)
    state = await office.cases.state(transfer.transfer_id)
    # The months were added once: 116 of Beijing's and one of Shanghai's own.
    assert state.continuation is not None
    assert state.continuation.total_months == 117


async def test_a_second_order_follows_the_first_to_the_bank_even_when_the_banks_first_word_comes_late(
    office: Office,
) -> None:
    """R's advice has proved the first order before the bank says so; meanwhile a linked one was ordered."""
    transfer = await office.submit()
    await office.deliver_form(transfer, balance_fen=BALANCE_FEN - 100_000, note="部分余额待核")
    with office.slow_bank():
        await office.remit(transfer)
        await office.confirm_receipt(transfer, bank_has_taken_it=False)
        await office.request_correction(transfer)
        await office.deliver_form(transfer)
        await office.remit(transfer)
        state = await office.cases.state(transfer.transfer_id)
        assert [order.status for order in state.remittances] == [RemittanceStatus.CREDITED, RemittanceStatus.ORDERED]
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
