"""A worker that dies in the middle of a long story is replaced by another; a long case goes on in a new run with all it had."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from activities.dispatch import PendingCommand
from stack import temporal
from stack.processes import free_port
from stack.temporal import TemporalServer
from tests.cases import BALANCE_FEN, BEIJING, PERSON, SHANGHAI_POOL
from tests.conftest import Database
from tests.office import BY_POST, Office, open_office
from tests.workflows.endings import NOT_COVERED, form_asked_for_by_post
from workflows import commands as c
from workflows.messages import CommandOutcome
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import CorrectionReason, FundsStatus, MailItem, TransferStatus, TransferStepKind

K = TransferStepKind


@dataclass
class Shifts:
    """An office whose worker is replaced: what the last one had in memory is gone."""

    office: Office
    folder: Path
    at_work: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def begin(self) -> None:
        await self.at_work.enter_async_context(self.office.worker(self.folder))

    async def end(self) -> None:
        await self.at_work.aclose()

    async def change(self) -> None:
        await self.end()
        await self.begin()


@asynccontextmanager
async def _shifts(database: Database, server: TemporalServer, folder: Path) -> AsyncIterator[Shifts]:
    async with open_office(database, server.address, folder, working=False) as office:
        shifts = Shifts(office, folder)
        await shifts.begin()
        yield shifts
        await shifts.end()


@pytest.mark.long
async def test_a_correction_with_a_reverse_remittance_goes_on_with_another_worker_at_each_step(
    database: Database, tmp_path: Path
) -> None:
    server = await temporal.start(tmp_path / "temporal", free_port(), free_port())
    async with _shifts(database, server, tmp_path / "bank") as shifts:
        office = shifts.office
        transfer = await office.submit()
        for step in (
            office.deliver_form,
            office.remit,
            office.confirm_receipt,
            office.request_correction,
            lambda transfer: office.deliver_form(transfer, balance_fen=BALANCE_FEN - 100_000, note="多划"),
            office.approve_reverse,
            office.confirm_receipt,
            office.confirm_continuation,
        ):
            assert (await step(transfer)).kind == "DONE"
            await shifts.change()
        assert await office.ending(transfer) is TransferStatus.COMPLETED
        types = await office.types(transfer)
        assert (types.count("funds_remitted"), types.count("funds_credited")) == (2, 2)
        moved = BALANCE_FEN - 100_000
        assert await office.accounts(transfer) == {BEIJING: (100_000, 0), SHANGHAI_POOL: (10_000 + moved, 0)}
    await server.stop()


@pytest.mark.long
async def test_clocks_that_ran_out_while_nobody_worked_say_each_thing_once(database: Database, tmp_path: Path) -> None:
    server = await temporal.start(tmp_path / "temporal", free_port(), free_port())
    async with _shifts(database, server, tmp_path / "bank") as shifts:
        office = shifts.office
        transfer = await office.submit()
        await shifts.end()
        now = office.now(transfer)
        await temporal.skip_time(office.client, office.handle(transfer).id, timedelta(days=60))
        await shifts.begin()
        await office.until(transfer, lambda state: state.step(K.DELIVER_INFORMATION_FORM).escalated == 2)
        office.ahead[transfer.transfer_no] = timedelta(days=60)
        assert office.now(transfer) > now
        await office.deliver_form(transfer)
        types = await office.types(transfer)
        said = ("deadline_due_soon", "deadline_missed", "escalated")
        of_form = types[: types.index("form_delivered")]
        assert [each for each in of_form if each in said] == [*said, "escalated"]
    await server.stop()


async def _ask_in_vain(office: Office, transfer: PendingCommand, times: int) -> None:
    """Steps that are refused fill the history and change nothing."""
    for _ in range(times):
        assert (await office.take(transfer, c.WithdrawTransfer(reason="不转了"), PERSON)).kind == "NOT_ALLOWED"


async def _in_a_new_run(office: Office, transfer: PendingCommand) -> None:
    """The case goes on in a new run, whose state is all that PostgreSQL's events add up to."""
    first = (await office.handle(transfer).describe()).run_id
    await _ask_in_vain(office, transfer, 8)
    assert (await office.handle(transfer).describe()).run_id != first
    await office.workflow_agrees(transfer, since=(await office.cases.state(transfer.transfer_id)).revision)


@pytest.fixture
async def short_histories(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """An office on a Temporal that asks for a new run after forty events."""
    monkeypatch.setitem(temporal.DYNAMIC_CONFIG, "limit.historyCount.suggestContinueAsNew", "40")
    server = await temporal.start(tmp_path / "temporal", free_port(), free_port())
    async with open_office(database, server.address, tmp_path / "bank") as office:
        yield office
    await server.stop()


async def test_mail_a_correction_and_its_pause_go_with_the_case_into_a_new_run(short_histories: Office) -> None:
    office = short_histories
    transfer = await form_asked_for_by_post(office, (BEIJING, BY_POST))
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.record_mail(transfer, MailItem.INFORMATION_FORM, arrived_on=office.today(transfer))
    await office.request_correction(transfer)
    await _in_a_new_run(office, transfer)
    state = await office.handle(transfer).query(TransferWorkflow.state)
    assert state is not None
    paused = state.step(K.CONFIRM_CONTINUATION).deadline
    assert paused is not None
    assert (paused.paused_since, state.unconnected) == (office.today(transfer), (BY_POST,))
    assert [each.item for each in state.mail] == [MailItem.CONTACT_LETTER]
    assert [(each.round, each.answered_by) for each in state.corrections] == [(1, None)]
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    assert await office.ending(transfer) is TransferStatus.COMPLETED
    await office.types(transfer)


@pytest.mark.long
async def test_linked_and_reverse_remittances_go_with_the_case_into_a_new_run(short_histories: Office) -> None:
    office = short_histories
    transfer = await office.submit()
    await office.deliver_form(transfer, balance_fen=BALANCE_FEN - 100_000, note="部分待核")
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.request_correction(transfer, CorrectionReason.AMOUNT_DISPUTED)
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.terminate(transfer)
    await office.approve_reverse(transfer)
    # The money on its way home is looked for by the new run as well.
    await _in_a_new_run(office, transfer)
    state = await office.handle(transfer).query(TransferWorkflow.state)
    assert state is not None
    assert [(order.kind, order.amount_fen) for order in state.remittances] == [
        ("TRANSFER", BALANCE_FEN - 100_000),
        ("TRANSFER", 100_000),
        ("REVERSE", BALANCE_FEN),
    ]
    assert state.terminating
    await office.confirm_receipt(transfer)
    assert await office.ending(transfer) is TransferStatus.TERMINATED
    assert (await office.types(transfer)).count("funds_remitted") == 3
    assert await office.books(transfer) == {}


async def test_a_case_that_waits_goes_on_waiting_in_a_new_run(short_histories: Office) -> None:
    office = short_histories
    transfer = await office.submit(wait=True, destination=NOT_COVERED)
    first = (await office.handle(transfer).describe()).run_id
    refused = c.ReissueCertificate(reason="遗失")
    for _ in range(8):
        outcome = await office.take(transfer, refused, PERSON)
        assert outcome == CommandOutcome(kind="NOT_ALLOWED", why="NOT_YET")
    assert (await office.handle(transfer).describe()).run_id != first
    await office.register(office.residents[transfer.transfer_no])
    await office.handle(transfer).signal(TransferWorkflow.recheck)
    state = await office.until(transfer, lambda state: state.certificate is not None)
    assert (state.waiting, state.funds_status) == (False, FundsStatus.PENDING)
