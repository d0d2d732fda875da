"""An enrolment certificate by itself, without a transfer: an instant service of the transfer-out agency (94号 art. 4)."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.messages import CertificateOrder, CommandOutcome
    from workflows.steps import ISSUE_CERTIFICATE_ALONE


@workflow.defn
class CertificateWorkflow:
    @workflow.run
    async def run(self, order: CertificateOrder) -> CommandOutcome:
        step = ISSUE_CERTIFICATE_ALONE
        answer: CommandOutcome = await workflow.execute_activity(
            step.name, order, result_type=step.answer, summary=step.summary, **step.options
        )
        return answer
