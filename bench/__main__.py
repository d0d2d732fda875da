"""`make bench`: measure everything on a system of its own, print the table, keep it in `bench/latest.json`."""

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import commands, figures
from bench.absence import absence
from bench.figures import Figure
from bench.history import history
from bench.hostile import hostile
from bench.latency import latency
from bench.ledger import audit
from bench.machine import description
from bench.open_transfers import open_transfers
from bench.queries import queries
from bench.read_audit import read_audit
from bench.reconciling import reconciling
from bench.system import running_system
from bench.throughput import carry_many, carry_twins, throughput
from bench.twin import running_twins

LATEST = Path(__file__).with_name("latest.json")


@dataclass(frozen=True)
class Sizes:
    """How much is measured. As they are, the whole takes about thirteen minutes on two cores."""

    persons: int = 100_000
    warm_up: int = 40
    repetitions: int = 3
    turns_with_twins: int = 7
    transfers: int = 90
    in_flight: int = 30
    histories: int = 3
    query_seconds: float = 4.0
    query_connections: int = 16
    query_cases: int = 20
    attack_seconds: float = 15.0
    honest_callers: int = 20
    audit_repetitions: int = 15
    audit_seconds: float = 1.5
    audit_callers: int = 100
    absence_pairs: int = 2_000
    latency_transfers: int = 25
    half_load_transfers: int = 60
    few_open: int = 100
    some_open: int = 500
    many_open: int = 2_000
    whys: int = 3
    reconciled_thousands: tuple[int, ...] = (100, 300, 1_000)


async def run(data_dir: Path, sizes: Sizes) -> list[Figure]:
    """All figures, the description of the run first, on a stack of their own in `data_dir`."""
    began = time.monotonic()
    async with running_system(data_dir):
        _say("set up; starting again")
    async with running_system(data_dir) as system:
        made = commands.start(system)
        _say(f"register load, {2 * sizes.persons:,} rows")
        made.append(await commands.register_load(system, sizes.persons))
        async with running_twins(system) as twins:
            await carry_many(system, sizes.warm_up, sizes.in_flight)
            await carry_twins(twins, sizes.warm_up, sizes.in_flight)
            _say("complete transfers, in turn with twins")
            rates = await throughput(
                system, twins, turns=sizes.turns_with_twins, transfers=sizes.transfers, in_flight=sizes.in_flight
            )
            made += rates.figures
            _say("histories")
            made += await history(system, twins, repetitions=sizes.histories)
            _say("latency of a step")
            made += await latency(
                system, twins, rates, transfers=sizes.latency_transfers, half_load_transfers=sizes.half_load_transfers
            )
        _say("progress queries, in turn with answers made by hand")
        made += await queries(
            system,
            repetitions=sizes.repetitions,
            seconds=sizes.query_seconds,
            connections=sizes.query_connections,
            cases=sizes.query_cases,
        )
        _say("honest callers beside a hostile one")
        made += await hostile(
            system, repetitions=sizes.repetitions, seconds=sizes.attack_seconds, honest_callers=sizes.honest_callers
        )
        _say("progress queries with the read audit, in turn with queries without it")
        made += await read_audit(
            system,
            repetitions=sizes.audit_repetitions,
            seconds=sizes.audit_seconds,
            connections=sizes.query_connections,
            cases=sizes.query_cases,
            callers=sizes.audit_callers,
        )
        _say("what is unseen beside what is not there")
        made += await absence(system, pairs=sizes.absence_pairs)
        _say("the ledger's auditor beside transfers")
        made += await audit(system, repetitions=sizes.repetitions, transfers=sizes.transfers, in_flight=sizes.in_flight)
        made.append(await commands.why(system, repetitions=sizes.whys))
        _say(f"{sizes.many_open:,} open transfers")
        made += await open_transfers(
            system, few=sizes.few_open, some=sizes.some_open, many=sizes.many_open, steps_of=sizes.latency_transfers
        )
    _say("reconciliation")
    made += reconciling(thousands=sizes.reconciled_thousands, repetitions=sizes.repetitions)
    return [figures.of("this run", "s", [time.monotonic() - began], **description()), *made]


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="yibao-bench-") as folder:
        made = asyncio.run(run(Path(folder) / "stack", Sizes()))
    figures.show(made)
    figures.write(made, LATEST)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # A process that used a Temporal client can crash in the interpreter's own exit.
    os._exit(0)
