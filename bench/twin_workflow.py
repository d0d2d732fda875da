"""The bare Temporal twin of a transfer: as many updates, timers and activities, and nothing behind them."""

import asyncio
from datetime import timedelta

from temporalio import workflow

LIMIT = timedelta(seconds=30)


@workflow.defn
class TwinWorkflow:
    def __init__(self) -> None:
        self._deadline = 0
        self._closed = False
        self._at_the_bank: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self) -> None:
        await self._do("open_transfer")
        await self._do("issue_certificate")
        self._deadline = 1
        while not self._closed:
            await self._wait(self._deadline)
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update
    async def submitted(self) -> None:
        await workflow.wait_condition(lambda: self._deadline > 0)

    @workflow.update
    async def step(self, name: str) -> None:
        if name == "confirm_receipt" and self._at_the_bank is not None:
            await self._at_the_bank
        await self._do(name)
        if name == "remit_personal_account":
            self._at_the_bank = asyncio.create_task(self._through_the_bank())
        elif name == "confirm_receipt":
            self._closed = True
        else:
            self._deadline += 1

    async def _wait(self, deadline: int) -> None:
        await workflow.wait_condition(lambda: self._closed or self._deadline != deadline, timeout=timedelta(days=15))

    async def _through_the_bank(self) -> None:
        await self._do("send_to_bank")
        # Bookkeeping, as `workflows.steps` has it.
        await workflow.execute_local_activity("note_bank_took_order", start_to_close_timeout=LIMIT)

    async def _do(self, name: str) -> None:
        await workflow.execute_activity(name, start_to_close_timeout=LIMIT)
