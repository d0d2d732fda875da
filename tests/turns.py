"""Which tests run in one process and which of them first, when several processes share them out."""

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped] # it has no types
from xdist.workermanage import WorkerController  # type: ignore[import-untyped] # it has no types

# What stands on the same costly thing, made once in a process: the system whose parts are killed, the one that is left
# running, the proving ground, the state space. A file is of the first that names it. They begin in this order before the
# rest, so that none of it is left for the end, when the other processes have nothing to do.
TOGETHER = {
    "breakable": ("tests/e2e/test_kills.py", "tests/e2e/test_outages.py"),
    "system": ("tests/e2e/",),
    "faults": ("tests/faults/",),
    "state space": ("tests/workflows/test_state_space.py", "tests/workflows/test_transitions.py"),
}


class Turns(LoadFileScheduling):  # type: ignore[misc] # for the same reason
    """A file at a time, those with the most tests first, but for what runs `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return next(
            (name for name, files in TOGETHER.items() if nodeid.startswith(files)), super()._split_scope(nodeid)
        )

    def _assign_work_unit(self, node: WorkerController) -> None:
        first = next((name for name in TOGETHER if name in self.workqueue), None)
        if first is not None:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)
