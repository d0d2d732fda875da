"""Commands reach their workflow, once, whatever part was away; and a lost Temporal is grown again from PostgreSQL."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.calendar_data import published_editions
from activities.dispatch import CaseClosedError, PendingCommand, dispatch, regrow
from activities.ledger.auditor import open_auditor
from activities.ledger.invariants import Invariant
from activities.reference import add_edition, calendar_in_force, set_policy
from activities.register_load import today_in_shanghai
from activities.steps import Steps
from activities.sweeper import Sweeper
from stack import temporal
from stack.processes import free_port
from stack.temporal import TemporalServer
from tests.activities.register_extracts import WANG
from tests.cases import BEIJING, DESTINATION, O_CLERK, ORIGIN, PERSON
from tests.conftest import Database
from tests.office import PATIENCE, Office, open_office
from workflows import commands as c
from workflows.deadlines import SHANGHAI, Deadline, recount
from workflows.events import DeadlineRevised
from workflows.fold import fold
from workflows.messages import CommandOutcome
from workflows.policy import RegionPolicy
from workflows.vocabulary import TransferStatus, TransferStepKind
from workflows.workdays import CalendarYear, DayOff, WorkingCalendar


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TemporalServer]:
    """A Temporal of the test's own, which it may stop and start."""
    server = await temporal.start(tmp_path / "temporal", free_port(), free_port())
    yield server
    await server.stop()


@pytest.fixture
async def office(database: Database, server: TemporalServer, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(database, server.address, tmp_path / "bank") as office:
        yield office


def _sweeper(office: Office) -> Sweeper:
    return Sweeper(office.cases.worker_pool, office.client, Steps(office.cases.worker_pool, office.cases.keyring))


async def _carried_to_its_end(office: Office, transfer_id: UUID) -> None:
    events = await office.cases.events(transfer_id)
    assert await office.cases.state(transfer_id) == fold(events)
    types: list[str] = [event.fact.type for event in events]
    assert types[-1] == "completed.2"
    once = {"submitted.1", "certificate_issued.1", "form_delivered.1", "remittance_ordered.1", "funds_credited.1"}
    assert {name: types.count(name) for name in once} == dict.fromkeys(once, 1)


async def test_a_command_waits_while_temporal_is_away_and_the_sweeper_carries_it_out_once(
    database: Database, tmp_path: Path
) -> None:
    folder, port, ui_port = tmp_path / "temporal", free_port(), free_port()
    server = await temporal.start(folder, port, ui_port)
    async with open_office(database, server.address, tmp_path / "bank", working=False) as office:
        transfer = await office.apply()
        await server.stop()
        began = time.monotonic()
        with pytest.raises((RPCError, TimeoutError)):
            await dispatch(office.client, transfer, timeout=timedelta(seconds=1))
        assert time.monotonic() - began < 5
        assert await office.cases.owner.fetchval("select outcome from commands") is None

        server = await temporal.start(folder, port, ui_port)
        try:
            async with office.worker(tmp_path / "bank"):
                assert await _sweeper(office).resend_commands(older_than_seconds=0) == 1
                assert await _sweeper(office).resend_commands(older_than_seconds=0) == 0
                assert await office.carry_out(transfer) == CommandOutcome(kind="DONE", seq=1)
                types = [event.fact.type for event in await office.cases.events(transfer.transfer_id)]
                assert types == ["submitted.1", "accepted.1", "step_opened.1", "certificate_issued.1"]
        finally:
            await server.stop()


async def test_what_was_asked_a_moment_ago_is_left_to_the_gateway(office: Office) -> None:
    await office.apply()
    assert await _sweeper(office).resend_commands() == 0


async def test_a_terminated_workflow_is_grown_again_by_the_next_step(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.handle(transfer).terminate("lost")
    assert (await office.remit(transfer)).kind == "DONE"
    # Operators see the case as before.
    described = await office.handle(transfer).describe()
    shown = {str(pair.key.name): pair.value for pair in described.typed_search_attributes}
    assert (shown["TransferStatus"], shown["TransferOutRegion"]) == ("TRANSFERRING_IN", BEIJING)
    await office.confirm_continuation(transfer)
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    await _carried_to_its_end(office, transfer.transfer_id)


async def test_a_lost_temporal_is_regrown_with_every_open_transfer_and_they_complete(
    database: Database, tmp_path: Path
) -> None:
    port, ui_port = free_port(), free_port()
    server = await temporal.start(tmp_path / "before", port, ui_port)
    async with open_office(database, server.address, tmp_path / "bank", working=False) as office:
        async with office.worker(tmp_path / "bank"):
            fresh, delivered, ordered, ended = [await office.submit() for _ in range(4)]
            await office.take(ended, c.WithdrawTransfer(reason="不转了"), PERSON)
            for transfer in (delivered, ordered):
                await office.deliver_form(transfer)
            await office.remit(ordered)
        await server.stop()

        server = await temporal.start(tmp_path / "after", port, ui_port)
        try:
            office.client = await Client.connect(server.address, data_converter=office.client.data_converter)
            sweeper = _sweeper(office)
            async with office.worker(tmp_path / "bank"):
                assert await sweeper.regrow_lost() == 0, "cases of this minute may not be listed yet"
                assert await sweeper.regrow_lost(older_than_seconds=0) == 3
                async with asyncio.timeout(10):
                    while await sweeper.regrow_lost(older_than_seconds=0):
                        await asyncio.sleep(0.1)
                with pytest.raises(RPCError, match="not found"):
                    await office.handle(ended).describe()
                details = await office.handle(fresh).query("__temporal_workflow_metadata")
                assert "待办" in str(details)
                await office.deliver_form(fresh)
                for transfer in (fresh, delivered):
                    await office.remit(transfer)
                for transfer in (fresh, delivered, ordered):
                    await office.confirm_continuation(transfer)
                    await office.confirm_receipt(transfer)
                    assert await office.ending(transfer) is TransferStatus.COMPLETED
                    await _carried_to_its_end(office, transfer.transfer_id)
        finally:
            await server.stop()


async def test_a_lost_case_is_found_beside_a_stray_workflow_and_a_row_that_cannot_be_read(office: Office) -> None:
    unreadable, lost, kept = [await office.submit() for _ in range(3)]
    stray = (await office.cases.state(kept.transfer_id)).model_copy(update={"no": "stray"})
    await regrow(office.client, stray, timeout=PATIENCE)
    for transfer in (unreadable, lost):
        await office.handle(transfer).terminate("lost")
    readable = await office.cases.state(unreadable.transfer_id)
    await _write_state(office, unreadable, "{}")
    async with open_auditor(office.cases.database.owner_url, told=False) as auditor:
        assert [(each.invariant, each.transfer_no) for each in (await auditor.verify()).broken] == [
            (Invariant.CASE_READABLE, unreadable.transfer_no)
        ]
    sweeper = _sweeper(office)
    async with asyncio.timeout(10):
        while not await sweeper.regrow_lost(older_than_seconds=0):
            await asyncio.sleep(0.1)
    await _write_state(office, unreadable, readable.model_dump_json())
    assert [(await office.handle(each).describe()).status for each in (unreadable, lost, kept)] == [
        WorkflowExecutionStatus.TERMINATED,
        WorkflowExecutionStatus.RUNNING,
        WorkflowExecutionStatus.RUNNING,
    ]


async def _write_state(office: Office, transfer: PendingCommand, document: str) -> None:
    await office.cases.owner.execute(
        "update transfers set state = $2 where transfer_id = $1", transfer.transfer_id, document
    )


async def test_a_pass_that_fails_keeps_no_other_from_its_turn(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer = await office.apply()
    await office.cases.owner.execute("update commands set received_at = received_at - interval '1 minute'")
    sweeper = _sweeper(office)

    async def regrow_lost() -> int:
        raise OSError("away")

    monkeypatch.setattr(sweeper, "regrow_lost", regrow_lost)
    sweeping = asyncio.create_task(sweeper.run())
    async with asyncio.timeout(20):
        while await office.cases.owner.fetchval("select count(*) from commands where outcome is null"):
            await asyncio.sleep(0.05)
    sweeping.cancel()
    assert (await office.cases.state(transfer.transfer_id)).status is TransferStatus.TRANSFERRING_OUT


async def test_a_step_for_a_closed_case_is_refused_and_the_sweeper_frees_its_key(office: Office) -> None:
    transfer = await office.submit()
    await office.take(transfer, c.WithdrawTransfer(reason="不转了"), PERSON)
    await office.ending(transfer)
    late = await office.cases.ask(transfer, c.DeliverInformationForm(), O_CLERK)
    with pytest.raises(CaseClosedError):
        await office.carry_out(late)
    before = await office.cases.state(transfer.transfer_id)
    assert await _sweeper(office).resend_commands(older_than_seconds=0) == 1
    row = (
        await office.cases.owner.fetch("select outcome, released from commands where command_id = $1", late.command_id)
    )[0]
    assert (json.loads(row["outcome"]), row["released"]) == ({"kind": "NOT_ALLOWED", "why": "CLOSED"}, True)
    assert await office.cases.state(transfer.transfer_id) == before


async def test_a_case_that_closed_behind_the_callers_back_refuses_and_stays_closed(office: Office) -> None:
    transfer = await office.submit()
    late = await office.cases.ask(transfer, c.DeliverInformationForm(), O_CLERK)
    await office.take(transfer, c.WithdrawTransfer(reason="不转了"), PERSON)
    await office.ending(transfer)
    assert late.state is not None
    assert not late.state.closed
    assert await office.carry_out(late) == CommandOutcome(kind="NOT_ALLOWED", why="CLOSED")
    assert await office.ending(transfer) is TransferStatus.WITHDRAWN


async def test_a_command_sent_twice_is_answered_the_same(office: Office) -> None:
    transfer = await office.submit()
    form = await office.cases.ask(transfer, c.DeliverInformationForm(), O_CLERK)
    answers = [await office.carry_out(form) for _ in range(2)]
    assert answers == [CommandOutcome(kind="DONE", seq=5)] * 2
    assert await office.carry_out(transfer) == CommandOutcome(kind="DONE", seq=1)
    await office.remit(transfer)
    await office.confirm_continuation(transfer)
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    # The application sent again after the end opens nothing.
    events = await office.cases.events(transfer.transfer_id)
    assert await office.carry_out(transfer) == CommandOutcome(kind="DONE", seq=1)
    assert await office.cases.events(transfer.transfer_id) == events
    assert await office.ending(transfer) is TransferStatus.COMPLETED


async def test_the_sweeper_passes_by_itself_and_issues_certificates_too(office: Office) -> None:
    transfer = await office.apply()
    keys = [key.hex() for key in office.cases.keyring.person_keys(WANG)]
    await office.cases.standard_person()
    await office.cases.gateway_pool.execute(
        """insert into commands (command_id, key_hash, input_hash, kind, actor, input, received_at)
           values ('certificate', 'certificate', '', 'REQUEST_CERTIFICATE', $1, $2, now())""",
        PERSON.model_dump_json(), json.dumps({"person_keys": keys, "region": BEIJING, "scheme": "EMPLOYEE"}),
    )  # fmt: skip
    await office.cases.owner.execute("update commands set received_at = received_at - interval '1 minute'")
    sweeping = asyncio.create_task(_sweeper(office).run())
    async with asyncio.timeout(20):
        while await office.cases.owner.fetchval("select count(*) from commands where outcome is null"):
            await asyncio.sleep(0.05)
    sweeping.cancel()
    await office.until(transfer, lambda state: state.certificate is not None)
    assert await office.cases.owner.fetchval("select count(*) from documents where kind = 'ENROLMENT_CERTIFICATE'") == 2


async def test_an_edition_that_moves_a_date_earlier_wakes_the_open_case_and_no_other_pass_does(office: Office) -> None:
    transfer = await office.submit()
    sweeper = _sweeper(office)
    assert await sweeper.recount_deadlines() == 0
    owner, kind = office.cases.owner, TransferStepKind.DELIVER_INFORMATION_FORM
    before = (await office.cases.state(transfer.transfer_id)).step(kind).deadline
    assert before is not None
    edition = _working_on_a_weekend(await calendar_in_force(owner, today_in_shanghai()), before)
    assert await add_edition(owner, edition)

    assert await sweeper.recount_deadlines() == 1
    state = await office.until(transfer, lambda state: state.step(kind).deadline != before)
    after = state.step(kind).deadline
    assert after is not None
    assert (after.calendar_edition, after.due_on < before.due_on) == (edition.edition, True)
    due_on = "select due_on from work_items where transfer_id = $1"
    assert await owner.fetchval(due_on, transfer.transfer_id) == after.due_on
    last = (await office.cases.events(transfer.transfer_id))[-1].fact
    assert isinstance(last, DeadlineRevised)
    assert (last.before, last.after) == (before, after)
    assert await sweeper.recount_deadlines() == 0


async def test_a_lost_case_is_grown_again_to_recount_and_one_that_could_not_be_told_is_told_later(
    office: Office,
) -> None:
    lost, unreadable = [await office.submit() for _ in range(2)]
    owner, kind = office.cases.owner, TransferStepKind.DELIVER_INFORMATION_FORM
    readable = await office.cases.state(unreadable.transfer_id)
    before = readable.step(kind).deadline
    assert before is not None
    await office.handle(lost).terminate("lost")
    await _write_state(office, unreadable, "{}")
    sweeper = _sweeper(office)
    assert await add_edition(owner, _working_on_a_weekend(await calendar_in_force(owner, today_in_shanghai()), before))

    assert await sweeper.recount_deadlines() == 1
    await office.until(lost, lambda state: state.step(kind).deadline != before)
    await _write_state(office, unreadable, readable.model_dump_json())
    assert await sweeper.recount_deadlines() == 1
    await office.until(unreadable, lambda state: state.step(kind).deadline != before)
    assert await sweeper.recount_deadlines() == 0


async def test_spring_festival_2020_was_prolonged_while_a_case_was_open(office: Office) -> None:
    owner, kind = office.cases.owner, TransferStepKind.DELIVER_INFORMATION_FORM
    await owner.execute("delete from calendar_editions where year > 2020 or edition = '2020.2'")
    await owner.execute("update pooling_regions set effective_from = '2015-01-01'")
    await office.cases.registers(
        ORIGIN | {"stopped_on": "2019-12-31", "contribution_months": "201501-201912"},
        DESTINATION | {"enrolled_on": "2020-01-01", "contribution_months": "202001-202001"},
    )
    transfer = await office.cases.apply(at=datetime(2020, 1, 17, 10, 0, tzinfo=SHANGHAI))
    await office.carry_out(transfer)
    before = (await office.until(transfer, lambda state: state.step(kind).missed_noted)).step(kind).deadline
    assert before is not None
    assert (before.due_on, before.editions) == (date(2020, 2, 5), ("2020.1",))

    sweeper = _sweeper(office)
    assert await sweeper.recount_deadlines() == 0
    assert await add_edition(owner, next(each for each in published_editions() if each.edition == "2020.2"))
    assert await sweeper.recount_deadlines() == 1
    state = await office.until(transfer, lambda state: state.step(kind).deadline != before)
    revised = next(
        each.fact for each in await office.cases.events(transfer.transfer_id) if isinstance(each.fact, DeadlineRevised)
    )
    assert (revised.before, revised.after) == (before, state.step(kind).deadline)
    assert (revised.after.due_on, revised.after.editions) == (date(2020, 2, 7), ("2020.2",))
    assert state == fold(await office.cases.events(transfer.transfer_id))


async def test_the_worklist_has_the_new_date_before_the_case_is_woken_and_a_region_s_own_days_count(
    office: Office,
) -> None:
    transfer = await office.submit()
    owner, kind = office.cases.owner, TransferStepKind.DELIVER_INFORMATION_FORM
    sweeper = _sweeper(office)
    assert await sweeper.recount_deadlines() == 0
    deadline = (await office.cases.state(transfer.transfer_id)).step(kind).deadline
    assert deadline is not None
    own = RegionPolicy(regional_holidays=(DayOff(date=deadline.due_on, name="本地"),))
    await set_policy(owner, BEIJING, own, today_in_shanghai())
    calendar = (await calendar_in_force(owner, today_in_shanghai())).of_region(BEIJING)
    assert await sweeper.recount_deadlines() == 1
    due_on = await owner.fetchval("select due_on from work_items where transfer_id = $1", transfer.transfer_id)
    assert due_on == recount(deadline, calendar).due_on > deadline.due_on
    # A case is woken once for what is new, however long it takes to note it.
    assert await sweeper.recount_deadlines() == 0


async def test_a_step_that_was_under_way_when_the_calendar_changed_is_found_by_the_second_pass(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.sweeper.LATE_SECONDS", 0.5)
    early, late = [await office.submit() for _ in range(2)]
    owner, kind = office.cases.owner, TransferStepKind.DELIVER_INFORMATION_FORM
    before = (await office.cases.state(late.transfer_id)).step(kind).deadline
    assert before is not None
    # As if its step had not committed yet.
    await owner.execute("update transfers set closed_at = now() where transfer_id = $1", late.transfer_id)
    sweeper = _sweeper(office)
    assert await add_edition(owner, _working_on_a_weekend(await calendar_in_force(owner, today_in_shanghai()), before))
    assert await sweeper.recount_deadlines() == 1
    await owner.execute("update transfers set closed_at = null where transfer_id = $1", late.transfer_id)
    assert await sweeper.recount_deadlines() == 0
    await asyncio.sleep(0.5)
    assert await sweeper.recount_deadlines() == 1
    for transfer in (early, late):
        await office.until(transfer, lambda state: state.step(kind).deadline != before)
    await asyncio.sleep(0.5)
    assert await sweeper.recount_deadlines() == 0


async def test_by_itself_the_sweeper_has_a_new_date_noted_within_moments(office: Office) -> None:
    transfer = await office.submit()
    owner, kind = office.cases.owner, TransferStepKind.DELIVER_INFORMATION_FORM
    before = (await office.cases.state(transfer.transfer_id)).step(kind).deadline
    assert before is not None
    sweeping = asyncio.create_task(_sweeper(office).run())
    try:
        await asyncio.sleep(2)
        assert await add_edition(
            owner, _working_on_a_weekend(await calendar_in_force(owner, today_in_shanghai()), before)
        )
        async with asyncio.timeout(10):
            await office.until(transfer, lambda state: state.step(kind).deadline != before)
    finally:
        sweeping.cancel()


def _working_on_a_weekend(calendar: WorkingCalendar, deadline: Deadline) -> CalendarYear:
    """The next edition of the year in which the deadline is due: people work on the weekend before it."""
    year = next((each for each in calendar.years if each.year == deadline.due_on.year), None)
    weekend = deadline.due_on - timedelta(days=deadline.due_on.weekday() + 1)
    assert deadline.starts_on < weekend, "ten working days hold a weekend"
    if year is None:
        holiday = DayOff(date=deadline.due_on.replace(month=1, day=1), name="元旦")
        first = {"edition": f"{weekend.year}.1", "notice": None, "published_on": deadline.starts_on}
        return CalendarYear(
            year=weekend.year, source="synthetic, for this test", days_off=(holiday,), make_up_days=(weekend,), **first
        )
    days_off = tuple(off for off in year.days_off if off.date != weekend)
    changed = {"edition": f"{year.year}.{year.edition_number + 1}", "days_off": days_off}
    return year.model_copy(update=changed | {"make_up_days": tuple(sorted((*year.make_up_days, weekend)))})
