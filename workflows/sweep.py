"""One pass of the sweeper: commands that a crash left recorded but not carried out are sent again."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.messages import SweepOrder
    from workflows.steps import RESEND_COMMANDS


@workflow.defn
class SweepWorkflow:
    @workflow.run
    async def run(self, order: SweepOrder) -> int:
        step = RESEND_COMMANDS
        answer: int = await workflow.execute_activity(
            step.name, order, result_type=step.answer, summary=step.summary, **step.options
        )
        return answer
