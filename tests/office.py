"""Both agencies at work on cases: the real worker on a real Temporal and a real PostgreSQL, the bank behind its port."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Worker

from activities.dispatch import PendingCommand, dispatch
from activities.keyring import Keyring
from activities.temporal import data_converter
from activities.worker import make_worker
from tests.activities.register_extracts import resident_ids
from tests.cases import (
    BALANCE_FEN,
    DESTINATION,
    O_CLERK,
    O_FINANCE,
    ORIGIN,
    R_CLERK,
    R_FINANCE,
    Cases,
    open_cases,
    sandbox_bank,
)
from tests.conftest import Database
from workflows import commands as c
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.fold import fold
from workflows.messages import CommandOutcome, workflow_id
from workflows.state import TransferState
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import FundsStatus, TransferStatus

PATIENCE = timedelta(seconds=20)


@dataclass
class Office:
    cases: Cases
    client: Client
    persons: Iterator[str] = field(default_factory=resident_ids)

    async def apply(self, *, request_stop: bool = False, **origin: str) -> PendingCommand:
        """A person of their own, with `origin` changed in Beijing's register, and their application in the log."""
        resident_id = next(self.persons)
        await self.cases.registers(
            ORIGIN | {"resident_id": resident_id} | origin, DESTINATION | {"resident_id": resident_id}
        )
        return await self.cases.apply(resident_id=resident_id, request_stop=request_stop)

    async def submit(self, *, request_stop: bool = False, manual: bool = False, **origin: str) -> PendingCommand:
        """The application of a new person, carried out; `manual`: it goes to R's clerk, for the person is a soldier."""
        transfer = await self.apply(request_stop=request_stop, **origin)
        if manual:
            await self.note_at_origin(transfer, "special_personnel")
        outcome = await self.carry_out(transfer)
        await self.workflow_agrees(transfer, since=outcome.seq or 0)
        return transfer

    async def note_at_origin(self, transfer: PendingCommand, flag: str) -> None:
        """Set a flag of the applicant's row in Beijing's register, behind the application's back."""
        await self.cases.owner.execute(
            f"""update enrolments e set {flag} = true from persons p, commands c
                 where p.person_id = e.person_id and p.person_key = c.person_key and c.command_id = $1
                   and e.region = $2""",  # noqa: S608 - our own columns' names
            transfer.command_id, ORIGIN["region"],
        )  # fmt: skip

    async def carry_out(self, command: PendingCommand) -> CommandOutcome:
        return await dispatch(self.client, command, timeout=PATIENCE)

    async def take(
        self, transfer: PendingCommand, ask: c.Ask, actor: Actor, *, at: datetime | None = None
    ) -> CommandOutcome:
        """One step, put into the log and carried out; the workflow has made of it what the events say."""
        command = await self.cases.ask(transfer, ask, actor, at=at)
        outcome = await self.carry_out(command)
        await self.workflow_agrees(transfer, since=outcome.seq or 0)
        return outcome

    async def workflow_agrees(self, transfer: PendingCommand, *, since: int) -> None:
        """The workflow's own state has event `since`, and is what PostgreSQL's events up to its revision add up to."""
        state = await self.handle(transfer).query(TransferWorkflow.state)
        assert state is not None
        assert state.revision >= since
        # The bank's word may have come since the question.
        events = (await self.cases.events(transfer.transfer_id))[: state.revision]
        assert state == fold(event.without_words() for event in events)

    async def deliver_form(self, transfer: PendingCommand) -> CommandOutcome:
        return await self.take(transfer, c.DeliverInformationForm(), O_CLERK)

    async def remit(self, transfer: PendingCommand) -> CommandOutcome:
        return await self.take(transfer, c.RemitPersonalAccount(), O_FINANCE)

    async def confirm_continuation(self, transfer: PendingCommand) -> CommandOutcome:
        return await self.take(transfer, c.ConfirmContinuation(), R_CLERK)

    async def confirm_receipt(self, transfer: PendingCommand, amount_fen: int = BALANCE_FEN) -> CommandOutcome:
        """The bank's advice of today, once the bank has taken the order."""
        await self.until(transfer, lambda state: state.funds_status is FundsStatus.REMITTED)
        receipt = c.ConfirmReceipt(amount_fen=amount_fen, bank_reference=uuid.uuid4().hex, received_on=self.today)
        return await self.take(transfer, receipt, R_FINANCE)

    async def correct_receipt(self, transfer: PendingCommand) -> CommandOutcome:
        """After an advice that did not match, the one that does, with a reason."""
        receipt = c.ConfirmReceipt(
            amount_fen=BALANCE_FEN, bank_reference=uuid.uuid4().hex, received_on=self.today, note="银行更正"
        )
        return await self.take(transfer, receipt, R_FINANCE)

    @property
    def today(self) -> date:
        return shanghai_date(datetime.now().astimezone())

    async def until(self, transfer: PendingCommand, holds: Callable[[TransferState], bool]) -> TransferState:
        """Wait until the state in PostgreSQL is so."""
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not holds(state := await self.cases.state(transfer.transfer_id)):
                await asyncio.sleep(0.05)
        return state

    def handle(self, transfer: PendingCommand) -> WorkflowHandle[Any, TransferStatus]:
        return self.client.get_workflow_handle(workflow_id(transfer.transfer_no), result_type=TransferStatus)

    async def ending(self, transfer: PendingCommand) -> TransferStatus:
        """What the workflow returns, once it has ended; the state in PostgreSQL says the same."""
        status = await asyncio.wait_for(self.handle(transfer).result(), PATIENCE.total_seconds())
        state = await self.cases.state(transfer.transfer_id)
        assert state.status is status
        return status

    async def history(self, transfer: PendingCommand) -> WorkflowHistory:
        return await self.handle(transfer).fetch_history()

    def worker(self, folder: Path) -> Worker:
        """A worker of the system, its bank's memory in `folder`; a bug in a workflow fails it instead of hanging."""
        return make_worker(
            self.client,
            self.cases.worker_pool,
            self.cases.keyring,
            sandbox_bank(folder),
            workflow_failure_exception_types=[Exception],
        )


@contextlib.asynccontextmanager
async def open_office(
    database: Database, address: str, folder: Path, *, keyring: Keyring | None = None, working: bool = True
) -> AsyncIterator[Office]:
    """An office on `database` and the Temporal at `address`, its worker running unless `working` is false."""
    async with open_cases(database, keyring) as cases:
        client = await Client.connect(address, identity="office", data_converter=data_converter(cases.keyring))
        office = Office(cases, client)
        async with contextlib.AsyncExitStack() as stack:
            if working:
                await stack.enter_async_context(office.worker(folder))
            yield office


Way = Callable[[Office, PendingCommand], Awaitable[object]]
