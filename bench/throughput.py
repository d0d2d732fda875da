"""Complete transfers a second on the whole machine, and what each costs the processor; beside the bare twin."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bench import figures
from bench.carry import desks
from bench.figures import Figure
from bench.machine import Measured, measured
from bench.system import System
from bench.twin import Twins

T = TypeVar("T")
# The twin has a worker as the SDK makes it. Ours is tuned, and runs workflows without the sandbox (docs/decisions/0016).
TWIN = "a stock worker, sandboxed"
PARTS = ("worker", "gateway", "temporal", "postgres", "supervisor", "load")


@dataclass(frozen=True)
class Rates:
    """The figures, and complete transfers and twins a second, for what runs at half of it."""

    figures: list[Figure]
    transfers_per_second: float
    twins_per_second: float


async def throughput(system: System, twins: Twins, *, turns: int, transfers: int, in_flight: int) -> Rates:
    """Carry `transfers`, `in_flight` at a time, and as many twins, `turns` times in turn."""
    ours: list[Measured[float]] = []
    bare: list[Measured[float]] = []
    for _ in range(turns):
        ours.append(await measured(system.parts, lambda: carry_many(system, transfers, in_flight)))
        bare.append(await measured(_parts_of_twins(system, twins), lambda: carry_twins(twins, transfers, in_flight)))
    rates, twin_rates = [each.result for each in ours], [each.result for each in bare]
    made = [
        figures.of(
            "complete transfers", "1/s", rates, twin_rates, goal="ratio ≥ 0.6",
            baseline_is=TWIN, in_flight=in_flight, transfers=transfers, turns=turns,
            **_disturbance([*ours, *bare]),
        ),
        _cpu("worker CPU per transfer", ours, bare, transfers, ("worker",), goal="ratio ≤ 1.5"),
        _cpu("CPU per transfer, all parts", ours, bare, transfers, PARTS),
        _cpu("Temporal CPU per transfer", ours, bare, transfers, ("temporal",)),
        _cpu("gateway CPU per transfer", ours, [], transfers, ("gateway",)),
        _cpu("PostgreSQL CPU per transfer", ours, [], transfers, ("postgres",)),
    ]  # fmt: skip
    return Rates(made, made[0].value, made[0].baseline or made[0].value)


async def carry_many(system: System, transfers: int, in_flight: int) -> float:
    """Carry new transfers to their end and return how many a second that were."""
    persons = iter(system.take_persons(transfers))
    with desks(system, in_flight) as at_work:
        began = time.perf_counter()
        await asyncio.gather(*(one_by_one(desk.carry, persons) for desk in at_work))
        return transfers / (time.perf_counter() - began)


async def carry_twins(twins: Twins, count: int, in_flight: int) -> float:
    """Carry new twins to their end and return how many a second that were."""
    left = iter(range(count))
    began = time.perf_counter()
    await asyncio.gather(*(one_by_one(lambda _: twins.carry(), left) for _ in range(in_flight)))
    return count / (time.perf_counter() - began)


async def at_rate(per_second: float, count: int, act: Callable[[int], Awaitable[object]]) -> None:
    """Begin `act(0)`, `act(1)` … evenly, `per_second` of them, whether or not the ones before have ended."""
    async with asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            group.create_task(_waited_for(act(number)))


async def _waited_for(work: Awaitable[object]) -> None:
    await work


async def one_by_one(act: Callable[[T], Awaitable[object]], source: Iterator[T]) -> None:
    """Several takers share one source."""
    for each in source:
        await act(each)


def _parts_of_twins(system: System, twins: Twins) -> dict[str, int]:
    return {**system.parts, "worker": twins.worker_pid}


def _cpu(
    name: str,
    ours: list[Measured[float]],
    bare: list[Measured[float]],
    transfers: int,
    parts: tuple[str, ...],
    goal: str | None = None,
) -> Figure:
    values = [each.cpu_ms_per(transfers, *parts) for each in ours]
    baselines = [each.cpu_ms_per(transfers, *parts) for each in bare]
    named = {"baseline_is": TWIN} if baselines else {}
    return figures.of(name, "ms", values, baselines, goal=goal, **named)


def _disturbance(runs: list[Measured[float]]) -> dict[str, float]:
    return {
        "steal_percent_max": max(each.steal_percent for each in runs),
        "others_percent_max": max(each.others_percent for each in runs),
    }
