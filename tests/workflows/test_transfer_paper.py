"""The paper route (94号): what comes by post is entered by the connected side, and its arrival starts the clocks."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from activities.calendar_data import published_calendar
from activities.dispatch import PendingCommand
from tests.cases import BALANCE_FEN, BEIJING, SHANGHAI_POOL
from tests.office import BY_POST, Office
from tests.workflows import endings
from workflows.messages import CommandOutcome
from workflows.vocabulary import FundsStatus, MailItem, Role, TransferRoute, TransferStatus, TransferStepKind

K = TransferStepKind
CALENDAR = published_calendar()
DAY = timedelta(days=1)
ASKED_FOR = [
    "submitted",
    "step_opened",
    "application_accepted",
    "accepted",
    "step_opened",
    "certificate_issued",
    "contact_letter_issued",
    "step_opened",
    "mail_recorded",
    "mail_recorded",
    "clock_started",
]
DELIVERED = ["form_delivered", "step_opened", "step_opened", "clock_started"]
ORDERED = ["remittance_ordered", "funds_ordered", "step_opened"]
CREDITED = ["funds_remitted", "receipt_confirmed", "funds_received", "funds_credited"]
COMPLETED = ["continuation_confirmed", "completed"]


async def _entered_by(office: Office, transfer: PendingCommand) -> set[str | None]:
    """The regions of those who took the case's steps."""
    events = await office.cases.events(transfer.transfer_id)
    return {event.actor.region for event in events if event.actor.has(Role.CLERK, Role.FINANCE)}


async def test_completed_by_post_from_an_unconnected_origin_whose_steps_the_destination_enters(office: Office) -> None:
    transfer = await endings.completed_by_post_from_an_unconnected_origin(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    arrived = ["clock_started", "mail_recorded"]
    assert await office.types(transfer) == ASKED_FOR + DELIVERED + ORDERED + CREDITED + arrived + COMPLETED
    assert await _entered_by(office, transfer) == {SHANGHAI_POOL}
    state = await office.cases.state(transfer.transfer_id)
    assert (state.route, state.unconnected, state.funds_status) == (
        TransferRoute.PAPER,
        (BY_POST,),
        FundsStatus.CREDITED,
    )
    # The origin's own bank sent the money: ours was never asked.
    assert [order.by_post for order in state.remittances] == [True]
    assert await office.accounts(transfer) == {BY_POST: (0, 0), SHANGHAI_POOL: (10_000 + BALANCE_FEN, 0)}


async def test_completed_by_post_to_an_unconnected_destination_whose_steps_the_origin_enters(office: Office) -> None:
    transfer = await endings.completed_by_post_to_an_unconnected_destination(office)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    # Nobody of the destination reads the form here: it has arrived when its arrival is entered, and not before.
    arrived = ["mail_recorded", "clock_started"]
    assert await office.types(transfer) == ASKED_FOR + DELIVERED + ORDERED + CREDITED + arrived + COMPLETED
    assert await _entered_by(office, transfer) == {BEIJING}
    state = await office.cases.state(transfer.transfer_id)
    assert [order.by_post for order in state.remittances] == [False]
    assert await office.accounts(transfer) == {BEIJING: (0, 0), BY_POST: (10_000 + BALANCE_FEN, 0)}


async def test_declined_by_the_destinations_clerk_on_the_paper_route(office: Office) -> None:
    transfer = await endings.declined_on_the_paper_route(office)
    assert await office.ending(transfer) is TransferStatus.DECLINED
    assert await office.types(transfer) == ["submitted", "step_opened", "declined"]


async def test_the_letters_arrival_starts_the_origins_clock_and_an_arrival_put_right_starts_it_anew(
    office: Office,
) -> None:
    transfer = await office.submit(between=(BY_POST, SHANGHAI_POOL))
    await office.accept(transfer)
    await office.issue_letter(transfer)
    letter_on = office.today(transfer)
    state = await office.cases.state(transfer.transfer_id)
    assert state.step(K.DELIVER_INFORMATION_FORM).deadline is None

    # While the letter is on its way nobody's clock runs, however long that takes.
    await office.skip_to(transfer, office.now(transfer) + 60 * DAY)
    for arrived_on in (letter_on + 50 * DAY, letter_on + 55 * DAY):
        await office.record_mail(transfer, MailItem.CONTACT_LETTER, sent_on=letter_on, arrived_on=arrived_on)
        deadline = (await office.cases.state(transfer.transfer_id)).step(K.DELIVER_INFORMATION_FORM).deadline
        assert deadline is not None
        assert (deadline.starts_on, deadline.working_days, deadline.basis) == (arrived_on, 15, "94号 art. 6")
        assert deadline.due_on == CALENDAR.add_working_days(arrived_on, 15)
    assert deadline is not None
    assert "deadline_due_soon" not in await office.types(transfer)
    await office.skip_to(transfer, deadline.due_at + timedelta(hours=1))
    await office.until(transfer, lambda state: state.step(K.DELIVER_INFORMATION_FORM).missed_noted)
    assert (await office.types(transfer))[-6:] == [
        "mail_recorded",
        "clock_started",
        "mail_recorded",
        "clock_started",
        "deadline_due_soon",
        "deadline_missed",
    ]


async def _money_first(office: Office, transfer: PendingCommand) -> None:
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.skip_to(transfer, office.now(transfer) + 3 * DAY)
    today = office.today(transfer)
    await office.record_mail(transfer, MailItem.INFORMATION_FORM, sent_on=today - DAY, arrived_on=today)


async def _form_first(office: Office, transfer: PendingCommand) -> None:
    today = office.today(transfer)
    await office.record_mail(transfer, MailItem.INFORMATION_FORM, sent_on=today, arrived_on=today)
    await office.skip_to(transfer, office.now(transfer) + 3 * DAY)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)


@pytest.mark.parametrize("way", [_money_first, _form_first])
async def test_the_destinations_clock_starts_with_the_later_of_form_and_money(
    office: Office, way: Callable[[Office, PendingCommand], Awaitable[None]]
) -> None:
    transfer = await endings.form_asked_for_by_post(office, (BEIJING, BY_POST))
    await office.deliver_form(transfer)
    delivered_on = office.today(transfer)
    assert (await office.cases.state(transfer.transfer_id)).step(K.CONFIRM_CONTINUATION).deadline is None
    await way(office, transfer)
    deadline = (await office.cases.state(transfer.transfer_id)).step(K.CONFIRM_CONTINUATION).deadline
    assert deadline is not None
    assert deadline.starts_on == delivered_on + 3 * DAY
    assert deadline.due_on == CALENDAR.add_working_days(delivered_on + 3 * DAY, 15)


async def test_mail_that_cannot_be_is_refused_and_changes_nothing(office: Office) -> None:
    transfer = await office.submit(between=(BY_POST, SHANGHAI_POOL))
    await office.accept(transfer)
    too_early = await office.record_mail(transfer, MailItem.CONTACT_LETTER, arrived_on=office.today(transfer))
    assert too_early == CommandOutcome(kind="NOT_ALLOWED", why="NOT_YET")
    await office.issue_letter(transfer)
    tomorrow = office.today(transfer) + DAY
    future = await office.record_mail(transfer, MailItem.CONTACT_LETTER, arrived_on=tomorrow)
    assert [(each.field, each.code) for each in future.violations] == [("arrivedOn", "IN_THE_FUTURE")]
    assert "mail_recorded" not in await office.types(transfer)
