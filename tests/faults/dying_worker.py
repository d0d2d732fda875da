"""A worker that dies where it is told to: the real activities, every statement and every call to the bank counted.

python -m tests.faults.dying_worker: one errand a line as JSON; each is run in a process of its own, forked from this one,
whose end is told in a line: the signal that killed it, or 0. What it did is in the errand's report, a line for each news.
"""

import asyncio
import functools
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import asyncpg
import psutil
from pydantic import BaseModel
from temporalio.testing import ActivityEnvironment

from activities.bank.http import HttpBank
from activities.database import open_pool
from activities.keyring import Keyring
from activities.worker import activities
from tests.faults.beside import Beside

Moment = Literal["before", "in flight", "after"]
Victim = Literal["worker", "postgres"]
AGAIN_AFTER_SECONDS = 0.05
ATTEMPTS = 200


class Point(BaseModel, frozen=True):
    """Where to strike: at the `ordinal`-th act of the activity, counted from 1, before it, after it, or while it runs."""

    ordinal: int
    moment: Moment
    victim: Victim


class Errand(BaseModel, frozen=True):
    """One activity, called as Temporal calls it, and tried again until it answers. `given` is its argument as JSON.

    What is called beside the workflows, as the reading of the bank's outbox, is an errand too.
    """

    activity: str
    given: str
    database_url: str
    keyring: str
    bank_url: str
    postmaster: int
    report: Path
    point: Point | None = None


class Faults:
    """Counts what an activity does to the outside, and strikes once."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._point = errand.point
        self.acts: list[str] = []

    async def around(self, act: str, do: Callable[[], Awaitable[Any]]) -> Any:
        self.acts.append(act)
        due = self._point if self._point and self._point.ordinal == len(self.acts) else None
        if due is None:
            return await do()
        self._point = None
        if due.moment == "before":
            self._strike(due)
        doing = asyncio.ensure_future(do())
        if due.moment == "in flight":
            # One turn writes it to the socket; the answer would take a later one.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._strike(due)
        answer = await doing
        if due.moment == "after":
            self._strike(due)
        return answer

    def _strike(self, point: Point) -> None:
        self.tell(hit=self.acts[-1], ordinal=len(self.acts))
        if point.victim == "worker":
            os.kill(os.getpid(), signal.SIGKILL)
        postmaster = psutil.Process(self._errand.postmaster)
        for process in (postmaster, *postmaster.children(recursive=True)):
            process.kill()

    def tell(self, **news: Any) -> None:
        with self._errand.report.open("a", encoding="utf-8") as report:
            report.write(json.dumps(news, ensure_ascii=False) + "\n")


class CountingConnection(asyncpg.Connection):
    """A connection whose statements, BEGIN and COMMIT among them, are acts. One class for the one errand of a process."""

    faults: ClassVar[Faults]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if args:
            return await super().execute(query, *args, timeout=timeout)
        simple = super().execute
        answer: str = await self.faults.around(_named(query), lambda: simple(query, timeout=timeout))
        return answer

    async def _execute(self, query: str, *args: Any, **options: Any) -> Any:
        prepared = self._inherited("_execute")
        return await self.faults.around(_named(query), lambda: prepared(query, *args, **options))

    async def _executemany(self, query: str, *args: Any, **options: Any) -> Any:
        prepared = self._inherited("_executemany")
        return await self.faults.around(_named(query), lambda: prepared(query, *args, **options))

    async def copy_records_to_table(self, table_name: str, **options: Any) -> str:
        copy = self._inherited("copy_records_to_table")
        copied: str = await self.faults.around(f"COPY {table_name}", lambda: copy(table_name, **options))
        return copied

    def _inherited(self, name: str) -> Callable[..., Awaitable[Any]]:
        """A method that the driver's published types leave out."""
        inherited: Callable[..., Awaitable[Any]] = getattr(super(), name)
        return inherited


class CountingBank:
    """The bank's port, whatever its calls are named: each is an act."""

    def __init__(self, bank: Any, faults: Faults) -> None:
        self._bank = bank
        self._faults = faults

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any) -> Any:
            return await self._faults.around(f"bank: {name}", lambda: getattr(self._bank, name)(*args))

        return call


class CountingTemporal:
    """Temporal's side of a reopening is one call, which the sweeper makes again for a case whose workflow does not run.

    That of a word is one too, which is made again until the case has noted it.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def start_workflow(self, *_: Any, **__: Any) -> None:
        await self._faults.around("temporal: start_workflow", lambda: asyncio.sleep(0))

    async def signal(self, *_: Any) -> None:
        await self._faults.around("temporal: signal", lambda: asyncio.sleep(0))


def _named(query: str) -> str:
    """A statement as the list of points shows it: its first words."""
    return " ".join(query.split())[:100]


async def run(errand: Errand) -> None:
    """Call the activity until it answers, as Temporal does."""
    faults = CountingConnection.faults = Faults(errand)
    asyncpg.create_pool = functools.partial(asyncpg.create_pool, connection_class=CountingConnection)
    asyncpg.connect = functools.partial(asyncpg.connect, connection_class=CountingConnection)  # type: ignore[assignment]  # a partial is no function
    pool = await open_pool(errand.database_url)
    bank: Any = CountingBank(HttpBank(errand.bank_url), faults)
    keyring, temporal = Keyring.from_text(errand.keyring), CountingTemporal(faults)
    beside = Beside(errand.database_url, pool, keyring, bank, temporal, errand.report.parent)
    bound = {name_of(each): each for each in (*activities(pool, keyring, bank), *beside.errands)}
    carry_out = bound[errand.activity]
    given = carry_out.__annotations__["given"].model_validate_json(errand.given)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = await ActivityEnvironment().run(carry_out, given)
        except Exception as error:  # noqa: BLE001 - Temporal tries again whatever it was
            faults.tell(attempt=attempt, failed=f"{type(error).__name__}: {error}")
            await asyncio.sleep(AGAIN_AFTER_SECONDS)
        else:
            said = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
            faults.tell(attempt=attempt, acts=faults.acts, answer=said)
            return


def name_of(carry_out: Callable[..., Any]) -> str:
    """As Temporal knows an activity, or as what runs beside it is called."""
    definition = getattr(carry_out, "__temporal_activity_definition", None)
    return str(definition.name if definition else carry_out.__name__)


def main() -> None:
    """Imports cost a second, a fork of what has imported them a hundredth of it."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(run(Errand.model_validate_json(line)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
