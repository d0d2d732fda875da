"""Money that belongs to no case is sent home: recorded as a command, carried out at once, and tried again until it is."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.messages import CommandOutcome, UnmatchedFundsOrder
    from workflows.steps import SEND_FUNDS_HOME


@workflow.defn
class UnmatchedFundsWorkflow:
    @workflow.run
    async def run(self, order: UnmatchedFundsOrder) -> CommandOutcome:
        step = SEND_FUNDS_HOME
        answer: CommandOutcome = await workflow.execute_activity(
            step.name, order, result_type=step.answer, summary=step.summary, **step.options
        )
        return answer
