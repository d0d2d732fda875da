"""What a person at the terminal waits for: the start, the load of an extract, `yibao why`; and the memory of it all at rest."""

from bench import figures
from bench.carry import desks
from bench.figures import Figure
from bench.machine import memory_mb
from bench.system import System


def start(system: System) -> list[Figure]:
    """Of a system that was set up before and has carried nothing yet."""
    memory = memory_mb(system.parts)
    return [
        figures.of("yibao up, second start", "s", [system.ready_after_seconds], goal="≤ 15"),
        figures.of("memory of all parts, idle", "MB", [sum(memory.values())], goal="< 900", parts=memory),
    ]


async def register_load(system: System, persons: int) -> Figure:
    """Rows a second of `yibao register load`, its own start included."""
    rows = 2 * persons
    return figures.of("register load", "rows/s", [rows / await system.load_registers(persons)], rows=rows)


async def why(system: System, *, repetitions: int) -> Figure:
    """Seconds of `yibao why NO`, from the return key to the prompt."""
    with desks(system, 1) as (desk,):
        [person] = system.take_persons(1)
        transfer = await desk.submit(person)
        await desk.deliver(transfer)
    seconds = [await system.command("why", transfer.no) for _ in range(repetitions)]
    return figures.of("yibao why NO", "s", seconds, goal="< 1")
