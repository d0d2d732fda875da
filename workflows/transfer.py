"""One transfer of basic medical insurance, from application to 已办结.

The workflow waits; PostgreSQL knows. Each step is an update from an agency, carried out by one activity whose
transaction decides, takes effect and answers with the events; the workflow folds them in and re-arms the clocks. The
two tracks, the record and the money, run at once under one lock.
"""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    # Names, not modules: `from workflows import steps` would load a second copy of it inside the sandbox, with other classes.
    from workflows.clocks import next_alarm
    from workflows.deadlines import ONE_DAY, shanghai_date, start_of
    from workflows.fold import apply
    from workflows.messages import (
        BankNote,
        BankOrder,
        BankSaid,
        BankWord,
        ClockOrder,
        CommandOutcome,
        StepOrder,
        StepRequest,
        StepResult,
        TransferCase,
    )
    from workflows.operator_view import cycle_summary, details, event_line, timer_summary
    from workflows.search_attributes import changed, shown
    from workflows.state import TransferState
    from workflows.steps import (
        ACTIONS,
        ISSUE_CERTIFICATE,
        NOTE_BANK_TOOK_ORDER,
        NOTE_BANK_WORD,
        NOTE_DEADLINES,
        OPEN_TRANSFER,
        RECHECK_REGISTERS,
        SEND_TO_BANK,
        ActivityStep,
    )
    from workflows.vocabulary import RemittanceStatus, TransferStatus, TransferStepKind


@workflow.defn
class TransferWorkflow:
    @workflow.init
    def __init__(self, case: TransferCase) -> None:
        self._case = case
        self._state = case.state
        self._shown: tuple[Any, ...] = ()
        self._recent: list[str] = []
        self._one_at_a_time = asyncio.Lock()
        self._at_the_bank: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, case: TransferCase) -> TransferStatus:
        if self._state is None:
            async with self._one_at_a_time:
                await self._do(OPEN_TRANSFER, self._order(case.command_id))
        else:
            self._show()
        state = await self._settle()
        while not state.closed and not workflow.info().is_continue_as_new_suggested():
            state = await self._wait(state)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self._present().closed:
            workflow.continue_as_new(case.model_copy(update={"state": self._state}))
        if self._at_the_bank is not None:
            self._at_the_bank.cancel()
        return self._present().status

    @workflow.update
    async def submitted(self) -> CommandOutcome:
        """Answers once the application is carried out and, when it is accepted at once, the certificate is issued."""
        await workflow.wait_condition(
            lambda: self._state is not None and not self._state.is_open(TransferStepKind.ISSUE_CERTIFICATE)
        )
        return CommandOutcome(kind="DONE", seq=1)

    @workflow.update
    async def step(self, request: StepRequest) -> CommandOutcome:
        """One step, taken by an agency, the person or the employer; what may not be is answered, not raised."""
        async with self._one_at_a_time:
            outcome = await self._do(ACTIONS[request.action], self._order(request.command_id))
            await self._settle_locked()
        return outcome

    @step.validator
    def _is_open(self, request: StepRequest) -> None:
        if self._state is not None and self._state.closed:
            raise ApplicationError(f"the case is closed: {request.action} comes too late", type="CaseClosed")

    @workflow.signal
    async def recount(self) -> None:
        """A new edition of the working-day table may have moved a date: note it and re-arm before a clock fires wrongly."""
        await workflow.wait_condition(lambda: self._state is not None)
        async with self._one_at_a_time:
            if not self._present().closed:
                await self._do(NOTE_DEADLINES, self._clock())

    @workflow.signal
    async def recheck(self) -> None:
        """A register has changed: a case that waits for it asks again."""
        await workflow.wait_condition(lambda: self._state is not None)
        async with self._one_at_a_time:
            await self._ask_registers_again()

    @workflow.signal
    async def bank_says(self, said: BankSaid) -> None:
        """What the bank says of an order after it has taken it: its money came back, or has arrived."""
        await workflow.wait_condition(lambda: self._state is not None)
        async with self._one_at_a_time:
            await self._note(said)

    @workflow.query
    def state(self) -> TransferState | None:
        """For support: the state as this workflow has it. The truth is in PostgreSQL."""
        return self._state

    # -------------------------------------------------------------- waiting

    async def _wait(self, state: TransferState) -> TransferState:
        """Wait until something happens to the case or its next date is reached; a missed date is noted, nothing ends."""
        alarm = next_alarm(state)
        ask_again_at = start_of(shanghai_date(workflow.now()) + ONE_DAY) if state.waiting else None
        times = [time for time in (alarm and alarm.at, ask_again_at) if time is not None]
        try:
            await workflow.wait_condition(
                lambda: (
                    self._present().closed
                    or next_alarm(self._present()) != alarm
                    or self._present().waiting != state.waiting
                    or workflow.info().is_continue_as_new_suggested()
                ),
                timeout=max(min(times) - workflow.now(), timedelta(0)) if times else None,
                timeout_summary=timer_summary(alarm, ask_again_at) if times else None,
            )
        except TimeoutError:
            async with self._one_at_a_time:
                if alarm and alarm.at <= workflow.now():
                    await self._do(NOTE_DEADLINES, self._clock())
                if ask_again_at and ask_again_at <= workflow.now():
                    await self._ask_registers_again()
        return self._present()

    async def _ask_registers_again(self) -> None:
        if self._present().waiting:
            await self._do(RECHECK_REGISTERS, self._clock())
            await self._settle_locked()

    # -------------------------------------------------------------- acting

    async def _settle(self) -> TransferState:
        async with self._one_at_a_time:
            return await self._settle_locked()

    async def _settle_locked(self) -> TransferState:
        """What follows by itself: the certificate at acceptance, the order's way to the bank."""
        if self._present().is_open(TransferStepKind.ISSUE_CERTIFICATE):
            await self._do(ISSUE_CERTIFICATE, self._clock())
        state = self._present()
        order = state.on_its_way
        # An unconnected side has sent its own bank; ours is asked for the others.
        if order and order.status is RemittanceStatus.ORDERED and not order.by_post and self._at_the_bank is None:
            self._at_the_bank = asyncio.create_task(self._through_the_bank(order.reference))
        return state

    async def _through_the_bank(self, reference: str) -> None:
        await self._until_sent(reference)
        said: BankSaid = await self._execute(
            SEND_TO_BANK, BankOrder(transfer_id=self._case.transfer_id, reference=reference)
        )
        async with self._one_at_a_time:
            self._at_the_bank = None
            if said.said == "RETURNED":
                await self._note(said.model_copy(update={"reference": reference}))
            elif not self._present().closed:
                word = BankWord(
                    transfer_id=self._case.transfer_id,
                    after_seq=self._present().revision,
                    reference=reference,
                    now=workflow.now(),
                )
                await self._do(NOTE_BANK_TOOK_ORDER, word)
                # An advice may have proved this order before, and another have been given since: it goes the same way now.
                await self._settle_locked()

    async def _until_sent(self, reference: str) -> None:
        """An order of a region with a batch cycle waits for its day."""
        order = self._present().on_its_way
        if order is None or order.reference != reference or order.send_on is None:
            return
        wait = start_of(order.send_on) - workflow.now()
        if wait > timedelta(0):
            await workflow.sleep(wait, summary=cycle_summary(order))

    async def _note(self, said: BankSaid) -> None:
        if not self._present().closed:
            given = {"transfer_id": self._case.transfer_id, "after_seq": self._after_seq}
            await self._do(NOTE_BANK_WORD, BankNote(**given, said=said, now=workflow.now()))
            await self._settle_locked()

    async def _do(self, step: ActivityStep[Any, StepResult], order: Any) -> CommandOutcome:
        """One activity, its events folded in, and what operators see brought up to date."""
        result: StepResult = await self._execute(step, order)
        for event in result.events:
            self._state = apply(self._state, event)
            self._recent = [*self._recent[-4:], event_line(event)]
        self._show()
        return result.outcome

    async def _execute(self, step: ActivityStep[Any, Any], given: Any) -> Any:
        local = step.bookkeeping and self._case.local_bookkeeping
        execute = workflow.execute_local_activity if local else workflow.execute_activity
        return await execute(step.name, given, result_type=step.answer, summary=step.summary, **step.options)

    def _order(self, command_id: str) -> StepOrder:
        return StepOrder(transfer_id=self._case.transfer_id, after_seq=self._after_seq, command_id=command_id)

    def _clock(self) -> ClockOrder:
        return ClockOrder(transfer_id=self._case.transfer_id, after_seq=self._after_seq, now=workflow.now())

    @property
    def _after_seq(self) -> int:
        return self._state.revision if self._state else 0

    def _present(self) -> TransferState:
        if self._state is None:
            raise RuntimeError("the case is not open yet")
        return self._state

    # -------------------------------------------------------------- what operators see

    def _show(self) -> None:
        state = self._present()
        now_shown = shown(state)
        if now_shown != self._shown:
            workflow.upsert_search_attributes(changed(self._shown, now_shown))
            self._shown = now_shown
        workflow.set_current_details(details(state, self._recent))
