"""What a transfer costs Temporal, and how a long one goes on in a new run."""

from collections import Counter
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionDescription

from activities.dispatch import PendingCommand
from stack import temporal
from stack.processes import free_port
from tests.cases import O_CLERK, O_FINANCE
from tests.conftest import Database
from tests.office import Office, open_office
from workflows import commands as c
from workflows.fold import fold
from workflows.messages import CommandOutcome
from workflows.vocabulary import TransferStatus

MAX_EVENTS, MAX_BYTES = 100, 60_000


async def test_the_history_of_a_complete_transfer_is_small_and_each_event_is_accounted_for(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.confirm_continuation(transfer)
    await office.ending(transfer)
    events = (await office.history(transfer)).events
    kinds = Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in events)
    size = sum(event.ByteSize() for event in events)
    # What a run of a test with -s shows: an event for everything that happens, three for each look of the worker.
    for kind, count in sorted(kinds.items()):
        print(f"{count:4} {kind}")  # noqa: T201 - figures for the reader
    print(f"{len(events):4} events, {size} bytes")  # noqa: T201
    assert len(events) <= MAX_EVENTS
    assert size <= MAX_BYTES
    # One update for each of the five commands, one activity for each step and for what follows by itself, and a marker
    # for the bank's word, which is noted beside the workflow.
    assert kinds["WORKFLOW_EXECUTION_UPDATE_ACCEPTED"] == kinds["WORKFLOW_EXECUTION_UPDATE_COMPLETED"] == 5
    assert kinds["ACTIVITY_TASK_SCHEDULED"] == kinds["ACTIVITY_TASK_COMPLETED"] == 7
    assert kinds["MARKER_RECORDED"] == 1
    assert kinds["TIMER_STARTED"] <= 4
    assert kinds["UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"] <= 5
    assert kinds["WORKFLOW_TASK_FAILED"] == kinds["WORKFLOW_TASK_TIMED_OUT"] == 0
    looks = kinds["WORKFLOW_TASK_SCHEDULED"] + kinds["WORKFLOW_TASK_STARTED"] + kinds["WORKFLOW_TASK_COMPLETED"]
    others = kinds["WORKFLOW_EXECUTION_STARTED"] + kinds["WORKFLOW_EXECUTION_COMPLETED"] + kinds["TIMER_CANCELED"]
    counted = 2 * 5 + 3 * 7 + 1 + kinds["TIMER_STARTED"] + kinds["UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"] + looks + others
    assert counted + kinds["TIMER_FIRED"] == len(events)


async def _described(office: Office, transfer: PendingCommand) -> WorkflowExecutionDescription:
    return await office.handle(transfer).describe()


async def test_a_long_case_goes_on_in_a_new_run_with_everything_it_had(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that are refused change no clock, and still the history of the case stays bounded."""
    monkeypatch.setitem(temporal.DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew", "40")
    server = await temporal.start(tmp_path / "temporal", free_port(), free_port())
    async with open_office(database, server.address, tmp_path / "bank") as office:
        transfer = await office.submit()
        await office.deliver_form(transfer)
        await office.remit(transfer)
        before = await _described(office, transfer)
        for _ in range(8):
            refused = await office.take(transfer, c.DeliverInformationForm(), O_CLERK)
            assert refused == CommandOutcome(kind="NOT_ALLOWED", why="ALREADY_DONE")
            assert (await office.remit(transfer)).why == "ALREADY_DONE"
        after = await _described(office, transfer)
        assert after.run_id != before.run_id
        assert after.history_length < 100
        assert await office.handle(transfer).query("state") == (
            await office.cases.state(transfer.transfer_id)
        ).model_dump(mode="json")
        assert "转入办理中" in str(await office.handle(transfer).query("__temporal_workflow_metadata"))
        await office.confirm_continuation(transfer)
        await office.confirm_receipt(transfer)
        assert await office.ending(transfer) is TransferStatus.COMPLETED
        events = await office.cases.events(transfer.transfer_id)
        assert fold(events) == await office.cases.state(transfer.transfer_id)
        assert [event.fact.type for event in events].count("funds_remitted.1") == 1
    await server.stop()


async def test_an_order_on_its_way_to_the_bank_is_carried_over_into_the_new_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(temporal.DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew", "40")
    monkeypatch.setattr("stack.bank.SECONDS_TO_TAKE", 3.0)
    server = await temporal.start(tmp_path / "temporal", free_port(), free_port())
    async with open_office(database, server.address, tmp_path / "bank") as office:
        transfer = await office.submit()
        await office.deliver_form(transfer)
        await office.remit(transfer)
        first = (await _described(office, transfer)).run_id
        for _ in range(4):
            await office.take(transfer, c.RemitPersonalAccount(), O_FINANCE)
        assert (await _described(office, transfer)).run_id != first
        await office.confirm_continuation(transfer)
        await office.confirm_receipt(transfer)
        assert await office.ending(transfer) is TransferStatus.COMPLETED
        types = [event.fact.type for event in await office.cases.events(transfer.transfer_id)]
        assert types.count("funds_remitted.1") == 1
    await server.stop()
