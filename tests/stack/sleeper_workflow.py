"""A workflow that only waits: two timers, so that a test can let one pass and not the other."""

from datetime import timedelta

from temporalio import workflow


@workflow.defn
class Sleeper:
    def __init__(self) -> None:
        self._rung: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.sleep(timedelta(days=15))
        self._rung.append("fifteen days")
        await workflow.sleep(timedelta(days=30))
        self._rung.append("thirty more")
        return self._rung

    @workflow.query
    def rung(self) -> list[str]:
        return self._rung
