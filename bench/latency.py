"""How long a step takes for the agency that takes it: alone, and with the machine half busy; beside update and activity."""

from collections.abc import Sequence
from statistics import quantiles

from bench import figures
from bench.carry import desks
from bench.figures import Figure
from bench.system import System
from bench.throughput import Rates, at_rate
from bench.twin import STEPS, Twins


async def latency(
    system: System, twins: Twins, rates: Rates, *, transfers: int, half_load_transfers: int
) -> list[Figure]:
    """p50 and p99 of every step of `transfers`, one at a time, then of others begun at half the rate of `rates`."""
    alone = await steps_alone(system, transfers)
    bare_alone = await _twin_steps_alone(twins, transfers)
    half = await _transfers_at(system, rates.transfers_per_second / 2, half_load_transfers)
    twins.latencies.clear()
    await at_rate(rates.twins_per_second / 2, half_load_transfers, lambda _: twins.carry())
    return [
        *_percentiles("step, idle", alone, bare_alone),
        *_percentiles("step, half load", half, twins.latencies),
    ]


async def steps_alone(system: System, transfers: int) -> list[float]:
    """Seconds of every step of that many transfers, one step at a time."""
    with desks(system, 1) as (desk,):
        cases = [await desk.submit(person) for person in system.take_persons(transfers)]
        for step in (desk.deliver, desk.remit, desk.confirm_continuation):
            for case in cases:
                await step(case)
        for case in cases:
            await desk.funds_arrive(case)
            await desk.confirm_receipt(case)
        return desk.latencies


async def _twin_steps_alone(twins: Twins, count: int) -> list[float]:
    twins.latencies.clear()
    cases = [await twins.submit() for _ in range(count)]
    for name in STEPS:
        for case in cases:
            await twins.step(case, name)
    return list(twins.latencies)


async def _transfers_at(system: System, per_second: float, count: int) -> list[float]:
    persons = system.take_persons(count)
    with desks(system, count) as at_work:
        await at_rate(per_second, count, lambda number: at_work[number].carry(persons[number]))
        return [seconds for desk in at_work for seconds in desk.latencies]


def percentile(seconds: Sequence[float], percent: int) -> float:
    """In milliseconds."""
    return 1000 * quantiles(seconds, n=100, method="inclusive")[percent - 1]


def _percentiles(name: str, ours: Sequence[float], bare: Sequence[float]) -> list[Figure]:
    made = []
    for percent in (50, 99):
        values, baselines = [percentile(ours, percent)], [percentile(bare, percent)]
        made.append(figures.of(f"{name}, p{percent}", "ms", values, baselines, steps=len(ours)))
    return made
