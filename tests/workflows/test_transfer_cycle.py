"""The batch cycle under skipped time: an order waits for its region's day, and goes to the bank then and not before."""

from temporalio.api.enums.v1 import EventType

from activities.calendar_data import published_calendar
from activities.dispatch import PendingCommand
from tests.cases import BALANCE_FEN, SHANGHAI_POOL, staff
from tests.office import DAILY, MONTHLY, Office
from workflows import commands as c
from workflows import events as e
from workflows.cycle import send_on
from workflows.deadlines import shanghai_date, start_of
from workflows.state import TransferState
from workflows.vocabulary import FundsStatus, RemittanceKind, RemittanceStatus, Role, TransferStatus
from workflows.vocabulary import TransferStepKind as K

CALENDAR = published_calendar()


async def _ordered(office: Office, region: str) -> tuple[PendingCommand, TransferState]:
    transfer = await office.submit(between=(region, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.remit(transfer)
    return transfer, await office.cases.state(transfer.transfer_id)


async def _sent_to_bank(office: Office, transfer: PendingCommand) -> int:
    """How often the workflow has asked an activity to carry an order to the bank."""
    history = await office.history(transfer)
    scheduled = [event.activity_task_scheduled_event_attributes for event in history.events]
    return sum(each.activity_type.name == "send_to_bank" for each in scheduled)


async def test_an_order_of_a_monthly_region_waits_for_its_day_and_the_case_goes_on_meanwhile(office: Office) -> None:
    transfer, state = await _ordered(office, MONTHLY)
    order = state.on_its_way
    assert order is not None
    assert order.send_on == send_on("monthly:10", shanghai_date(order.ordered_at), CALENDAR.of_region(MONTHLY))
    assert order.send_on is not None
    await office.confirm_continuation(transfer)
    assert await _sent_to_bank(office, transfer) == 0
    early = c.ConfirmReceipt(amount_fen=BALANCE_FEN, bank_reference="B-early", received_on=office.today(transfer))
    refused = await office.take(transfer, early, staff(Role.FINANCE, SHANGHAI_POOL))
    assert [(each.field, each.code) for each in refused.violations] == [("receivedOn", "BEFORE_THE_BATCH")]
    # A moment before its day nothing has moved.
    await office.skip_to(transfer, start_of(order.send_on) - (start_of(order.send_on) - office.now(transfer)) / 1000)
    assert (await office.cases.state(transfer.transfer_id)).funds_status is FundsStatus.ORDERED
    await office.skip_to(transfer, start_of(order.send_on))
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.REMITTED)
    assert await _sent_to_bank(office, transfer) == 1
    remitted = next(
        each for each in await office.cases.events(transfer.transfer_id) if isinstance(each.fact, e.FundsRemitted)
    )
    assert shanghai_date(remitted.occurred_at) == order.send_on
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    assert await office.books(transfer) == {
        ("PERSONAL_ACCOUNTS", MONTHLY): -BALANCE_FEN,
        ("PERSONAL_ACCOUNTS", SHANGHAI_POOL): BALANCE_FEN,
    }


async def test_a_daily_region_sends_on_the_next_working_day_and_its_timer_says_so(office: Office) -> None:
    transfer, state = await _ordered(office, DAILY)
    order = state.on_its_way
    assert order is not None
    assert order.send_on == CALENDAR.next_working_day(shanghai_date(order.ordered_at))
    history = await office.history(transfer)
    timers = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED]
    summaries = [
        (await office.client.data_converter.decode([each.user_metadata.summary]))[0]
        for each in timers
        if each.user_metadata.HasField("summary")
    ]
    assert f"按划转周期等待 {order.send_on} 送达银行（{order.reference}）" in summaries
    # R's finance looks for it from that day on, not from the order's.
    deadline = state.step(K.CONFIRM_RECEIPT).deadline
    assert deadline is not None
    assert deadline.starts_on == order.send_on
    await office.skip_to(transfer, start_of(order.send_on))
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.REMITTED)


async def test_a_case_ended_while_its_order_waits_is_sent_and_comes_home_as_any_order(office: Office) -> None:
    transfer, state = await _ordered(office, DAILY)
    order = state.on_its_way
    assert order is not None
    assert order.send_on is not None
    await office.terminate(transfer)
    state = await office.cases.state(transfer.transfer_id)
    assert (state.terminating, state.funds_status) == (True, FundsStatus.ORDERED)
    await office.skip_to(transfer, start_of(order.send_on))
    await office.confirm_receipt(transfer)
    await office.approve_reverse(transfer)
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.TERMINATED
    assert [(each.kind, each.status) for each in (await office.cases.state(transfer.transfer_id)).remittances] == [
        (RemittanceKind.TRANSFER, RemittanceStatus.CREDITED),
        (RemittanceKind.REVERSE, RemittanceStatus.CREDITED),
    ]


async def test_a_case_that_temporal_lost_while_its_order_waits_waits_on(office: Office) -> None:
    transfer, state = await _ordered(office, DAILY)
    order = state.on_its_way
    assert order is not None
    assert order.send_on is not None
    await office.handle(transfer).terminate("lost")
    await office.confirm_continuation(transfer)
    assert await _sent_to_bank(office, transfer) == 0
    await office.skip_to(transfer, start_of(order.send_on))
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.REMITTED)
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED


async def test_an_immediate_region_starts_no_timer_for_its_order(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.until(transfer, lambda state: state.funds_status is FundsStatus.REMITTED)
    order = (await office.cases.state(transfer.transfer_id)).on_its_way
    assert order is not None
    assert order.send_on is None
