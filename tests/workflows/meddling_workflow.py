"""The transfer's workflow with a deliberate mistake: one activity that no history has."""

from datetime import timedelta

from temporalio import workflow

from workflows.transfer import TransferWorkflow

with workflow.unsafe.imports_passed_through():
    from workflows.messages import TransferCase
    from workflows.vocabulary import TransferStatus


@workflow.defn(name="TransferWorkflow")
class MeddlingWorkflow(TransferWorkflow):
    @workflow.init
    def __init__(self, case: TransferCase) -> None:
        super().__init__(case)

    @workflow.run
    async def run(self, case: TransferCase) -> TransferStatus:
        await workflow.execute_activity("one_more", start_to_close_timeout=timedelta(seconds=1))
        return await super().run(case)
