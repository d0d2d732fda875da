"""The agencies at work on cases: the real worker on a real Temporal and a real PostgreSQL, the bank behind its port."""

import asyncio
import contextlib
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Worker

from activities import payout
from activities.contribution_load import load_contributions
from activities.dispatch import PendingCommand, dispatch
from activities.keyring import Keyring
from activities.ledger.auditor import open_auditor
from activities.people import person_by_id
from activities.reference import set_policy
from activities.residuals import ResidualSweep
from activities.temporal import data_converter
from activities.worker import at_work
from stack.temporal import skip_time
from tests.activities.contribution_feeds import contribution, feed
from tests.activities.register_extracts import resident_ids
from tests.cases import BEIJING, DESTINATION, ORIGIN, PERSON, SHANGHAI_POOL, Cases, open_cases, sandbox_bank, staff
from tests.conftest import Database
from workflows import commands as c
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.fold import fold
from workflows.messages import CommandOutcome, workflow_id
from workflows.policy import Disposition, DispositionRule, RegionPolicy
from workflows.state import TransferState
from workflows.transfer import TransferWorkflow
from workflows.vocabulary import CorrectionReason, MailItem, RemittanceStatus, Role, TransferStatus, TransferStepKind

PATIENCE = timedelta(seconds=20)
# Regions with a policy of their own; all others have the law's defaults.
BY_POST, BY_POST_TOO, WITH_CHECKER, PAYING_OUT, RETAINING = "421099", "330100", "120000", "440100", "339900"
RELEASING = "210100"
MONTHLY, DAILY = "370100", "510100"
POLICIES = {
    BY_POST: RegionPolicy(connected=False),
    BY_POST_TOO: RegionPolicy(connected=False),
    WITH_CHECKER: RegionPolicy(form_needs_checker=True),
    PAYING_OUT: RegionPolicy(disposition=(DispositionRule(disposition=Disposition.PAY_OUT),)),
    RELEASING: RegionPolicy(release_threshold_fen=1),
    RETAINING: RegionPolicy(disposition=(DispositionRule(disposition=Disposition.RETAIN),)),
    MONTHLY: RegionPolicy(remittance_cycle="monthly:10"),
    DAILY: RegionPolicy(remittance_cycle="daily"),
}
FROM_BEIJING = (BEIJING, SHANGHAI_POOL)
SUPERVISOR = staff(Role.SUPERVISOR, BEIJING)
ACCOUNT_NUMBER = "6222020200112233445"
Rows = Mapping[str, str]
NO_CHANGES: Rows = {}


@dataclass
class Office:
    cases: Cases
    client: Client
    persons: Iterator[str] = field(default_factory=resident_ids)
    # How far ahead of ours the time of a case is, by its number.
    ahead: dict[str, timedelta] = field(default_factory=dict)
    residents: dict[str, str] = field(default_factory=dict)

    # ---------------------------------------------------------------- applications

    async def apply(
        self,
        *,
        between: tuple[str, str] = FROM_BEIJING,
        request_stop: bool = False,
        wait: bool = False,
        destination: Rows = NO_CHANGES,
        **origin: str,
    ) -> PendingCommand:
        """A person of their own, with `origin` and `destination` changed in the registers, and their application in the log."""
        resident_id = next(self.persons)
        await self.register(resident_id, between, origin=origin, destination=destination)
        transfer = await self.cases.apply(
            resident_id=resident_id, between=between, request_stop=request_stop, wait_for_register=wait
        )
        self.residents[transfer.transfer_no] = resident_id
        return transfer

    async def register(
        self,
        resident_id: str,
        between: tuple[str, str] = FROM_BEIJING,
        *,
        origin: Rows = NO_CHANGES,
        destination: Rows = NO_CHANGES,
    ) -> None:
        """Load what both registers say of the person."""
        whose, (from_region, to_region) = {"resident_id": resident_id}, between
        await self.cases.registers(
            ORIGIN | {"region": from_region} | whose | dict(origin),
            DESTINATION | {"region": to_region} | whose | dict(destination),
        )

    async def submit(
        self,
        *,
        between: tuple[str, str] = FROM_BEIJING,
        request_stop: bool = False,
        manual: bool = False,
        wait: bool = False,
        destination: Rows = NO_CHANGES,
        **origin: str,
    ) -> PendingCommand:
        """The application of a new person, carried out; `manual`: it goes to R's clerk, for the person is a soldier."""
        transfer = await self.apply(
            between=between, request_stop=request_stop, wait=wait, destination=destination, **origin
        )
        if manual:
            await self.note_at_origin(transfer, "special_personnel")
        outcome = await self.carry_out(transfer)
        await self.workflow_agrees(transfer, since=outcome.seq or 0)
        return transfer

    async def note_at_origin(self, transfer: PendingCommand, flag: str) -> None:
        """Set a flag of the applicant's row in O's register, behind the application's back."""
        await self.cases.owner.execute(
            f"""update enrolments e set {flag} = true, changed_at = clock_timestamp() from persons p, commands c
                 where p.person_id = e.person_id and p.person_key = c.person_key and c.command_id = $1
                   and e.region = c.input::json -> 'application' ->> 'from_region'""",  # noqa: S608 - our own columns' names
            transfer.command_id,
        )  # fmt: skip

    # ---------------------------------------------------------------- steps

    async def carry_out(self, command: PendingCommand) -> CommandOutcome:
        return await dispatch(self.client, command, timeout=PATIENCE)

    async def take(
        self, transfer: PendingCommand, ask: c.Ask, actor: Actor, *, at: datetime | None = None
    ) -> CommandOutcome:
        """One step, put into the log and carried out; the workflow has made of it what the events say."""
        command = await self.cases.ask(transfer, ask, actor, at=at or self.now(transfer))
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

    async def entering(self, transfer: PendingCommand, role: Role, *, transfer_in: bool) -> Actor:
        """Who takes a step of that side: its own people, or for an unconnected region those of the other side."""
        state = await self.cases.state(transfer.transfer_id)
        own, other = (state.to_region, state.from_region)[:: 1 if transfer_in else -1]
        return staff(role, other if own in state.unconnected else own)

    async def accept(self, transfer: PendingCommand) -> CommandOutcome:
        return await self.take(
            transfer, c.AcceptTransfer(), await self.entering(transfer, Role.CLERK, transfer_in=True)
        )

    async def issue_letter(self, transfer: PendingCommand) -> CommandOutcome:
        who = await self.entering(transfer, Role.CLERK, transfer_in=True)
        return await self.take(transfer, c.IssueContactLetter(), who)

    async def record_mail(
        self, transfer: PendingCommand, item: MailItem, *, sent_on: date | None = None, arrived_on: date | None = None
    ) -> CommandOutcome:
        who = await self.entering(transfer, Role.CLERK, transfer_in=True)
        mail = c.RecordMail(
            item=item, carrier="中国邮政", tracking_no="1234567890123", sent_on=sent_on, arrived_on=arrived_on
        )
        return await self.take(transfer, mail, who)

    async def deliver_form(
        self, transfer: PendingCommand, *, balance_fen: int | None = None, note: str | None = None
    ) -> CommandOutcome:
        who = await self.entering(transfer, Role.CLERK, transfer_in=False)
        return await self.take(transfer, c.DeliverInformationForm(balance_fen=balance_fen, note=note), who)

    async def request_correction(
        self, transfer: PendingCommand, reason: CorrectionReason = CorrectionReason.YEARS_DISPUTED
    ) -> CommandOutcome:
        who = await self.entering(transfer, Role.CLERK, transfer_in=True)
        return await self.take(transfer, c.RequestCorrection(reason=reason, note="请核对"), who)

    async def remit(self, transfer: PendingCommand) -> CommandOutcome:
        who = await self.entering(transfer, Role.FINANCE, transfer_in=False)
        return await self.take(transfer, c.RemitPersonalAccount(), who)

    async def late_contribution(self, transfer: PendingCommand, amount_fen: int = 1_250) -> None:
        """A month is paid for the person at O after all, and swept along."""
        state = await self.cases.state(transfer.transfer_id)
        resident_id = self.residents[transfer.transfer_no]
        line = contribution(
            contribution_id=f"{transfer.transfer_no}/{state.late_fen}",
            resident_id=resident_id,
            region=state.from_region,
            amount_fen=str(amount_fen),
        )
        with tempfile.TemporaryDirectory() as folder:
            await load_contributions(self.cases.database.owner_url, self.cases.keyring, feed(Path(folder), line))
        sweep = ResidualSweep(self.cases.worker_pool, self.client, self.cases.keyring)
        await sweep.sweep(self.now(transfer))
        await self.until(transfer, lambda state: state.late_fen > 0)

    async def provide_account(self, transfer: PendingCommand) -> CommandOutcome:
        ask = await payout_ask(self.cases, await self.cases.state(transfer.transfer_id))
        return await self.take(transfer, ask, PERSON)

    async def approve_reverse(self, transfer: PendingCommand) -> CommandOutcome:
        """The supervisor lets the proposed money go home."""
        state = await self.cases.state(transfer.transfer_id)
        assert state.on_its_way is not None
        ask = c.ApproveReverseRemittance(remittance_reference=state.on_its_way.reference)
        return await self.take(transfer, ask, SUPERVISOR)

    async def terminate(self, transfer: PendingCommand) -> CommandOutcome:
        return await self.take(transfer, c.TerminateTransfer(reason="重复办理"), SUPERVISOR)

    async def confirm_continuation(self, transfer: PendingCommand) -> CommandOutcome:
        who = await self.entering(transfer, Role.CLERK, transfer_in=True)
        return await self.take(transfer, c.ConfirmContinuation(), who)

    async def confirm_receipt(
        self,
        transfer: PendingCommand,
        amount_fen: int | None = None,
        *,
        note: str | None = None,
        bank_has_taken_it: bool = True,
    ) -> CommandOutcome:
        """The bank's advice of today, by those whom the money goes to: the order's own amount unless another is given.

        Once our bank has taken the order, unless the advice is quicker; of another side's bank nobody hears but by it.
        """

        def has_left(state: TransferState) -> bool:
            order = state.on_its_way
            on_advice = order is not None and (order.by_post or not bank_has_taken_it)
            return on_advice or (order is not None and order.status is not RemittanceStatus.ORDERED)

        state = await self.until(transfer, has_left)
        assert state.on_its_way is not None
        comes_home = state.step(TransferStepKind.CONFIRM_RECEIPT).region == state.from_region
        receipt = c.ConfirmReceipt(
            amount_fen=state.on_its_way.expected_fen if amount_fen is None else amount_fen,
            bank_reference=uuid.uuid4().hex,
            received_on=self.today(transfer),
            note=note,
        )
        who = await self.entering(transfer, Role.FINANCE, transfer_in=not comes_home)
        return await self.take(transfer, receipt, who)

    @contextlib.contextmanager
    def slow_bank(self) -> Iterator[None]:
        """While the block lasts the bank has everything handed in to it, and takes nothing."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stack.bank.SECONDS_TO_TAKE", 3600.0)
            yield

    # ---------------------------------------------------------------- time

    def now(self, transfer: PendingCommand) -> datetime:
        """The time of the case."""
        return datetime.now(UTC) + self.ahead.get(transfer.transfer_no, timedelta(0))

    def today(self, transfer: PendingCommand) -> date:
        return shanghai_date(self.now(transfer))

    async def skip_to(self, transfer: PendingCommand, instant: datetime) -> None:
        """Let the case's time pass to `instant`, its timers firing on the way; an instant that is past changes nothing."""
        ahead = instant - self.now(transfer)
        if ahead <= timedelta(0):
            return
        await skip_time(self.client, self.handle(transfer).id, ahead)
        self.ahead[transfer.transfer_no] = self.ahead.get(transfer.transfer_no, timedelta(0)) + ahead
        # A step that came while the time still passes would be followed by a leap over the timers that it sets.
        async with asyncio.timeout(3 * PATIENCE.total_seconds()):
            while not await self._has_passed(transfer):
                await asyncio.sleep(0.05)

    async def _has_passed(self, transfer: PendingCommand) -> bool:
        """Whether all of the time that was last skipped has passed, or the case has ended in it."""
        described = await self.handle(transfer).describe()
        skipping = described.raw_description.workflow_extended_info.time_skipping_info
        return described.close_time is not None or not skipping.effective_config.enabled

    async def until(self, transfer: PendingCommand, holds: Callable[[TransferState], bool]) -> TransferState:
        """Wait until the state in PostgreSQL is so."""
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not holds(state := await self.cases.state(transfer.transfer_id)):
                await asyncio.sleep(0.05)
        return state

    # ---------------------------------------------------------------- what PostgreSQL has

    async def types(self, transfer: PendingCommand) -> list[str]:
        """The types of the case's events, which add up to its state."""
        state = await self.cases.state(transfer.transfer_id)
        # A clock may have said something since.
        events = (await self.cases.events(transfer.transfer_id))[: state.revision]
        assert state == fold(events)
        return [event.fact.type.partition(".")[0] for event in events]

    async def books(self, transfer: PendingCommand) -> dict[tuple[str, str], int]:
        """Fen by account and region, accounts at zero left out."""
        rows = await self.cases.owner.fetch(
            """select account, region, sum(amount_fen)::bigint as fen from ledger_entries where transfer_id = $1
                group by 1, 2 having sum(amount_fen) <> 0""",
            transfer.transfer_id,
        )
        return {(row["account"], row["region"]): row["fen"] for row in rows}

    async def accounts(self, transfer: PendingCommand) -> dict[str, tuple[int, int]]:
        """What the registers hold for the person by region, in fen: usable, and frozen."""
        rows = await self.cases.owner.fetch(
            """select region, personal_account_fen, frozen_fen from enrolments join transfers using (person_id)
                where transfer_id = $1""",
            transfer.transfer_id,
        )
        return {row["region"]: (row["personal_account_fen"], row["frozen_fen"]) for row in rows}

    async def valid_documents(self, transfer: PendingCommand) -> list[tuple[str, int]]:
        """Kind and version of every document that nothing has voided."""
        rows = await self.cases.owner.fetch(
            """select kind, version from documents where transfer_id = $1 and voided_at is null
                order by kind, version, number""",
            transfer.transfer_id,
        )
        return [(row["kind"], row["version"]) for row in rows]

    # ---------------------------------------------------------------- what Temporal has

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

    @contextlib.asynccontextmanager
    async def worker(self, folder: Path) -> AsyncIterator[Worker]:
        """A worker of the system, its bank's memory in `folder`; a bug in a workflow fails it instead of hanging."""
        pool, keyring = self.cases.worker_pool, self.cases.keyring
        async with (
            sandbox_bank(folder) as bank,
            at_work(self.client, pool, keyring, bank, workflow_failure_exception_types=[Exception]) as worker,
        ):
            yield worker


async def payout_ask(cases: Cases, state: TransferState) -> c.ProvidePayoutAccount:
    """The person's own account, sealed as the gateway seals it."""
    person = await person_by_id(cases.owner, cases.keyring, state.person_id)
    assert person is not None
    sealed = payout.sealed(person.data_key, bank_name="示例银行", account_name="王思琪", account_number=ACCOUNT_NUMBER)
    return c.ProvidePayoutAccount(sealed=sealed.hex(), masked_account=payout.masked(ACCOUNT_NUMBER))


@contextlib.asynccontextmanager
async def open_office(
    database: Database, address: str, folder: Path, *, keyring: Keyring | None = None, working: bool = True
) -> AsyncIterator[Office]:
    """An office on `database` and the Temporal at `address`, its worker running unless `working` is false."""
    async with open_cases(database, keyring) as cases:
        for region, policy in POLICIES.items():
            await set_policy(cases.owner, region, policy, date(2025, 1, 1))
        client = await Client.connect(address, identity="office", data_converter=data_converter(cases.keyring))
        office = Office(cases, client)
        async with contextlib.AsyncExitStack() as stack:
            if working:
                await stack.enter_async_context(office.worker(folder))
            yield office
        async with open_auditor(database.owner_url, told=False) as auditor:
            # Whatever a test did to its cases, the ledger agrees with them.
            assert (await auditor.verify()).broken == ()
