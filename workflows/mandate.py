"""A mandate given, approved, confirmed or taken back: recorded as a command, carried out at once, and tried again until it is."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.messages import CommandOutcome, MandateOrder
    from workflows.steps import CARRY_OUT_MANDATE


@workflow.defn
class MandateWorkflow:
    @workflow.run
    async def run(self, order: MandateOrder) -> CommandOutcome:
        step = CARRY_OUT_MANDATE
        answer: CommandOutcome = await workflow.execute_activity(
            step.name, order, result_type=step.answer, summary=step.summary, **step.options
        )
        return answer
