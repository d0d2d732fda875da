"""A part is away: what was recorded is carried out when it is back, what was not recorded was never taken."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.books import changed, digest, register, require_paid_once, require_whole, transferred
from tests.e2e.caller import SUBMIT
from tests.e2e.case import APPLICATION, Case, Desks, done, persist
from tests.e2e.people import Registers
from tests.e2e.system import System, until

# What a caller is kept waiting at most, and a little more for the machine.
BOUNDED_SECONDS = 25.0


@pytest.fixture(scope="module")
def extracts(breakable: System, tmp_path_factory: pytest.TempPathFactory) -> Registers:
    return Registers(breakable, tmp_path_factory.mktemp("extracts"))


async def _in_time(answer: Awaitable[Any]) -> Any:
    began = time.monotonic()
    given = await answer
    assert time.monotonic() - began < BOUNDED_SECONDS
    return given


async def _answering(system: System) -> None:
    """Wait until the gateway says that it is ready again."""

    async def ready() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return (await system.http.get(f"{system.stack()['gateway']}/readyz")).status_code == 200
        return False

    await until(ready)


@asynccontextmanager
async def _hung(system: System, part: str) -> AsyncIterator[None]:
    with system.frozen(part):
        yield


def _away(system: System, how: str) -> AbstractAsyncContextManager[None]:
    part, _, manner = how.partition(" ")
    return _hung(system, part) if manner == "hangs" else system.without(part)


@pytest.mark.parametrize(
    "how",
    [
        "temporal hangs",
        "worker is dead",
        pytest.param("temporal is dead", marks=pytest.mark.long),
        pytest.param("worker hangs", marks=pytest.mark.long),
    ],
)
async def test_a_step_is_recorded_while_temporal_or_the_worker_is_away_and_carried_out_when_it_is_back(
    breakable: System, extracts: Registers, how: str
) -> None:
    system, desks = breakable, Desks(breakable)
    waiting = Case(system, await extracts.person(), desks)
    await done(waiting.submit())
    fresh = Case(system, await extracts.person(), desks)
    async with _away(system, how):
        step, submission = await asyncio.gather(_in_time(waiting.deliver()), _in_time(fresh.submit()))
        for answer in (step, submission):
            assert (answer["__typename"], answer["code"]) == ("StepPending", "STEP_PENDING")
            assert answer["retryAfterSeconds"] > 0
        # Reading does not need them.
        assert (await waiting.read())["status"] == "TRANSFERRING_OUT"
        key = waiting.keys["deliverInformationForm"]
        other = await desks.o_clerk.step("deliverInformationForm", waiting.id, idempotencyKey=key, note="other")
        assert other["__typename"] == "IdempotencyConflict"
        said = await system.cli("why", waiting.no)
        assert "DELIVER_INFORMATION_FORM" in said.out, "what is recorded and not carried out is on the screen"
    delivered = await persist(waiting.deliver)
    assert (delivered["replayed"], delivered["event"]["step"]) == (True, "DELIVER_INFORMATION_FORM")
    await persist(fresh.submit)
    for case in (waiting, fresh):
        await _finish(case)


async def _finish(case: Case) -> None:
    """Carry the case to its end, and hold it and its books to what one transfer makes."""
    for step in (case.deliver, case.remit, case.continue_):
        await persist(step)
    await case.reaches(fundsStatus="REMITTED")
    assert (await persist(case.receive))["transfer"]["status"] == "COMPLETED"
    assert await register(case.system, case.person) == transferred()
    async with case.system.database() as connection:
        await require_whole(connection, case, steps=5)
        await require_paid_once(connection, case)


@pytest.mark.long
async def test_what_was_recorded_while_temporal_was_away_is_carried_out_without_being_asked_again(
    breakable: System, extracts: Registers
) -> None:
    case = Case(breakable, await extracts.person(), Desks(breakable))
    await done(case.submit())
    async with breakable.without("temporal"):
        assert (await case.deliver())["__typename"] == "StepPending"

    async def delivered() -> bool:
        return bool((await case.read())["status"] == "TRANSFERRING_IN")

    await until(delivered, within_seconds=100)


@pytest.mark.long
async def test_a_temporal_that_has_lost_everything_is_regrown_from_postgresql(
    breakable: System, extracts: Registers
) -> None:
    cases = [Case(breakable, person, Desks(breakable)) for person in await extracts.persons(4)]
    for case, steps in zip(cases, ((), ("deliver",), ("deliver", "remit"), ("deliver", "continue_")), strict=True):
        await done(case.submit())
        for step in steps:
            await done(getattr(case, step)())
    await breakable.down()
    for file in breakable.data_dir.glob("temporal.db*"):
        file.unlink()
    await breakable.up()
    for case in cases:
        await _finish(case)


@contextlib.contextmanager
def _postgres_hung(system: System) -> Iterator[None]:
    """The server and every process of it stand still."""
    server = psutil.Process(system.pid("postgres"))
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(processes):
            os.kill(process.pid, signal.SIGCONT)


@asynccontextmanager
async def _no_postgres(system: System, how: str) -> AsyncIterator[None]:
    if how == "hangs":
        with _postgres_hung(system):
            yield
    else:
        async with system.without("postgres"):
            yield


@pytest.mark.parametrize("how", ["is dead", pytest.param("hangs", marks=pytest.mark.long)])
async def test_while_postgresql_is_away_nothing_is_taken_and_afterwards_all_goes_on_by_itself(
    breakable: System, extracts: Registers, how: str
) -> None:
    system, desks = breakable, Desks(breakable)
    open_case = Case(system, await extracts.person(), desks)
    await done(open_case.submit())
    fresh = Case(system, await extracts.person(), desks)
    async with system.database() as connection:
        before = await digest(connection)
    async with _no_postgres(system, how):
        given = APPLICATION | {"idempotencyKey": fresh._key("submit")}
        asked = (
            fresh.applicant.fault(SUBMIT, input=given),
            open_case.applicant.fault("query ($no: TransferNo!) { transfer(no: $no) { no } }", no=open_case.no),
            desks.o_clerk.fault("{ viewer { worklist { counts { open } } } }"),
        )
        faults = await asyncio.gather(*(_in_time(fault) for fault in asked))
        assert faults == ["UNAVAILABLE"] * 3
        assert (await system.http.get(f"{system.stack()['gateway']}/healthz")).status_code == 200
        assert (await _in_time(system.http.get(f"{system.stack()['gateway']}/readyz"))).status_code == 503
    await _answering(system)
    async with system.database() as connection:
        assert changed(before, await digest(connection)) == set()
    # The same key is as new: nothing was bound to it.
    assert (await persist(fresh.submit))["replayed"] is False
    for case in (open_case, fresh):
        await _finish(case)


async def test_the_command_line_says_in_one_line_that_nothing_runs(tmp_path: Path) -> None:
    away = System(tmp_path / "nothing")
    for arguments in (
        ("why", "ZY-319900-20261122-000001"),
        ("register", "show", "--resident-id", "11010519491231002X"),
    ):
        said = await away.cli(*arguments)
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("yibao: No stack runs on ")
        assert said.err.count("\n") == 1
    await away.http.aclose()
