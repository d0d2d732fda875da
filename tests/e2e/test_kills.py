"""kill -9 at every step of one transfer: it goes on with the same keys, is completed, and nothing is done twice."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from tests.e2e.books import register, require_paid_once, require_whole, stopped_today, transferred
from tests.e2e.caller import UnavailableError
from tests.e2e.case import Case, Desks, persist
from tests.e2e.people import Registers, active
from tests.e2e.system import PARTS, System

STEPS = ("submit", "stop", "deliver", "remit", "continue_", "receive")
MOMENTS = ("before it is sent", "once it is recorded", "once it is committed", "right after the answer")
# Each part once, each moment, at different steps.
SAMPLE = {
    "stop": ("worker", "once it is committed"),
    "deliver": ("gateway", "before it is sent"),
    "remit": ("temporal", "right after the answer"),
    "continue_": ("postgres", "once it is recorded"),
}


@pytest.fixture(scope="module")
def extracts(breakable: System, tmp_path_factory: pytest.TempPathFactory) -> Registers:
    return Registers(breakable, tmp_path_factory.mktemp("extracts"))


async def test_a_transfer_survives_the_death_of_each_part(breakable: System, extracts: Registers) -> None:
    await _carry_through(breakable, extracts, SAMPLE)


@pytest.mark.long
@pytest.mark.parametrize(("part", "moment"), list(itertools.product(PARTS, MOMENTS)))
async def test_a_transfer_survives_the_death_of_a_part_at_every_step(
    breakable: System, extracts: Registers, part: str, moment: str
) -> None:
    await _carry_through(breakable, extracts, dict.fromkeys(STEPS, (part, moment)))


async def test_a_transfer_survives_the_death_of_the_whole_and_goes_on_on_the_same_directory(
    breakable: System, extracts: Registers
) -> None:
    case = await _new_case(breakable, extracts)
    for step in ("submit", "stop", "deliver"):
        await persist(getattr(case, step))
    recorded = asyncio.Event()
    asking = asyncio.create_task(_keep_asking(case.remit, recorded))
    async with breakable.database() as connection, asyncio.timeout(30):
        await _recorded(connection, case, "remit")
    recorded.set()
    await breakable.kill_all()
    await asking
    await breakable.up()
    for step in STEPS[3:]:
        await _take(case, step)
    await _require_exact(case)


async def _carry_through(system: System, extracts: Registers, kills: dict[str, tuple[str, str]]) -> None:
    """One transfer with these kills, by step: which part, at which moment."""
    case = await _new_case(system, extracts)
    for step in STEPS:
        part, moment = kills.get(step, ("", ""))
        if step == "receive":
            await case.reaches(fundsStatus="REMITTED")
        if moment == "before it is sent":
            killed = system.kill(part)
        elif moment.startswith("once"):
            killed = await _kill_in_flight(case, step, part, moment)
        answer = await persist(getattr(case, step))
        if moment == "right after the answer":
            killed = system.kill(part)
            again = await persist(getattr(case, step))
            assert again["replayed"] is True
            assert again.get("event") == answer.get("event")
        if part:
            await system.restarted(part, killed)
    await _require_exact(case)


async def _take(case: Case, step: str) -> None:
    if step == "receive":
        await case.reaches(fundsStatus="REMITTED")
    await persist(getattr(case, step))


async def _new_case(system: System, extracts: Registers) -> Case:
    return Case(system, await extracts.person(origin=active()), Desks(system), request_stop=True)


async def _keep_asking(step: Callable[[], Awaitable[dict[str, Any]]], happened: asyncio.Event) -> None:
    """Send the step, with its one key, until that has happened; a part that died before may still be coming back."""
    while not happened.is_set():
        with contextlib.suppress(httpx.HTTPError, TimeoutError, UnavailableError):
            await asyncio.wait_for(step(), 30)
        await asyncio.sleep(0.05)


async def _kill_in_flight(case: Case, step: str, part: str, moment: str) -> int:
    """Send the step and kill -9 `part` at that moment of its way; the pid that was killed."""
    system, happened, killed = case.system, asyncio.Event(), 0
    async with system.database() as connection, asyncio.timeout(60):

        def kill(*_: object) -> None:
            nonlocal killed
            killed = killed or system.kill(part)
            happened.set()

        if moment == "once it is committed":
            # Told in the instant of the commit: the worker has yet to say so to Temporal.
            await connection.add_listener("transfer_events", kill)
        asking = asyncio.create_task(_keep_asking(getattr(case, step), happened))
        if moment == "once it is recorded":
            await _recorded(connection, case, step)
            kill()
        await asking
    return killed


async def _recorded(connection: asyncpg.Connection, case: Case, step: str) -> None:
    """Wait until the gateway has recorded the step."""
    sql = "select exists (select from commands where kind = $1 and (transfer_no = $2 or ($2 = '' and outcome is null)))"
    while not await connection.fetchval(sql, KINDS[step], case.no):
        await asyncio.sleep(0.002)


KINDS = {
    "submit": "SUBMIT_TRANSFER",
    "stop": "STOP_COVERAGE",
    "deliver": "DELIVER_INFORMATION_FORM",
    "remit": "REMIT_PERSONAL_ACCOUNT",
    "continue_": "CONFIRM_CONTINUATION",
    "receive": "CONFIRM_RECEIPT",
}


async def _require_exact(case: Case) -> None:
    """The case is completed, its books are whole, its money moved once, both registers are exact."""
    read = await case.read()
    assert (read["status"], read["fundsStatus"]) == ("COMPLETED", "CREDITED")
    events = [edge["node"] for edge in read["events"]["edges"]]
    assert [each["seq"] for each in events] == list(range(1, read["revision"] + 1))
    done = [(each["kind"], each["step"]) for each in events if each["kind"] != "STEP_OPENED"]
    assert len(done) == len(set(done)), done
    assert await register(case.system, case.person) == transferred(**stopped_today())
    async with case.system.database() as connection:
        await require_whole(connection, case, steps=6)
        await require_paid_once(connection, case)
