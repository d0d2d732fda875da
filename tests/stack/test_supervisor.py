"""The supervisor with parts of a few lines: order, restarts, and what it says of them."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from stack.errors import StackError
from stack.supervisor import Part, Running, Supervisor


@dataclass
class Light:
    """A part inside this process that runs until it is told to stop or `go_out` is called."""

    name: str
    journal: list[str]
    pid: int = 1
    out: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def go_out(self, code: int) -> None:
        self.out.set_result(code)

    async def wait(self) -> int:
        return await asyncio.shield(self.out)

    async def stop(self) -> None:
        self.journal.append(f"stop {self.name}")


async def test_parts_stop_in_the_reverse_of_their_start() -> None:
    journal: list[str] = []

    def part(name: str) -> Part:
        async def start() -> Running:
            journal.append(f"start {name}")
            return Light(name, journal)

        return Part(name, start)

    supervisor = Supervisor(journal.append)
    await supervisor.start(part("postgres"), part("temporal"))
    await supervisor.start(part("worker"), part("gateway"))
    await supervisor.stop()
    names = ["postgres", "temporal", "worker", "gateway"]
    assert journal == [f"start {name}" for name in names] + [f"stop {name}" for name in reversed(names)]


async def test_a_part_that_does_not_start_again_is_tried_with_growing_pauses() -> None:
    journal: list[str] = []
    lights: list[Light] = []
    starts: list[float] = []
    clock = asyncio.get_running_loop().time

    async def start() -> Running:
        starts.append(clock())
        if len(starts) in {2, 3}:
            raise StackError("no room")
        lights.append(Light("worker", journal, pid=len(starts)))
        return lights[-1]

    restarted = asyncio.Event()
    supervisor = Supervisor(journal.append, restarted.set)
    await supervisor.start(Part("worker", start))
    lights[0].go_out(3)
    await asyncio.wait_for(restarted.wait(), 10)
    await supervisor.stop()
    assert journal == [
        "worker ended with exit code 3; it is started again",
        "worker does not start: no room; next attempt in 0.5 s",
        "worker does not start: no room; next attempt in 1 s",
        "worker runs again (pid 4)",
        "stop worker",
    ]
    pauses = [later - earlier for earlier, later in pairwise(starts[1:])]
    assert pauses == [pytest.approx(0.5, abs=0.3), pytest.approx(1.0, abs=0.4)]


async def test_when_one_part_does_not_start_the_others_are_stopped() -> None:
    journal: list[str] = []

    async def good() -> Running:
        return Light("postgres", journal)

    async def bad() -> Running:
        raise StackError("no room")

    supervisor = Supervisor(journal.append)
    with pytest.raises(StackError, match="no room"):
        await supervisor.start(Part("temporal", bad), Part("postgres", good))
    await supervisor.stop()
    assert journal == ["stop postgres"]
