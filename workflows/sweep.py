"""One pass of the sweeper: commands that a crash left recorded but not carried out are sent again."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import steps
    from workflows.messages import SweepOrder


@workflow.defn
class SweepWorkflow:
    @workflow.run
    async def run(self, order: SweepOrder) -> int:
        step = steps.RESEND_COMMANDS
        answer: int = await workflow.execute_activity(
            step.name, order, result_type=step.answer, summary=step.summary, **step.options
        )
        return answer
