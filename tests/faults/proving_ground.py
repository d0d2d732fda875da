"""Where the faults happen: a PostgreSQL that may be killed, the banks, and workers that die; every run on a copy of its own."""

import asyncio
import contextlib
import json
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from starlette.types import ASGIApp, Receive, Scope, Send

from activities.keyring import Keyring
from stack import postgres
from stack.bank import bank_app
from stack.outside import outside_server
from stack.postgres import PostgresServer
from stack.processes import free_port
from tests.conftest import ROLE_PASSWORDS, Database, migrated_template_of
from tests.faults.acts import Act, open_money_desk
from tests.faults.books import Openings
from tests.faults.checker import Report, check
from tests.faults.dying_worker import Errand, Point
from tests.faults.outcome import Outcome, outcome

# A commit that was answered is on disk: the kernel outlives kill -9, so it need not be forced there.
DURABLE_SETTINGS = {"fsync": "off", "synchronous_commit": "on", "max_connections": "50"}
BANK_FILE = "bank.sqlite3"


@dataclass(frozen=True)
class Scene:
    """A case right before an act: a database to copy, what the bank has so far, and the activity's argument."""

    act: Act
    template: str
    bank_dir: Path
    given: str
    openings: Openings


@dataclass(frozen=True)
class Run:
    """What one errand came to. `end`: the signal that killed the worker, negative; 0 when it answered."""

    end: int
    news: list[dict[str, Any]]

    def told(self, name: str) -> Any:
        return next((each[name] for each in self.news if name in each), None)


class _Banks:
    """One server for many banks: the first part of the address says which, each with a memory of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._apps: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        _, name, rest = scope["path"].split("/", 2)
        app = self._apps.get(name) or self._apps.setdefault(name, bank_app(self._root / name))
        await app({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)


@dataclass
class ProvingGround:
    folder: Path
    server: PostgresServer
    template: str
    bank_url: str
    keyring: str = field(default_factory=Keyring.generate_text)
    workers: asyncio.subprocess.Process | None = None

    # ---------------------------------------------------------------- scenes

    async def scene(self, act: Act) -> Scene:
        """Carry a new case up to the act."""
        name = f"scene_{uuid.uuid4().hex}"
        await self._copy(self.template, name)
        url = f"{self.bank_url}/{name}"
        keyring = Keyring.from_text(self.keyring)
        async with open_money_desk(self._database(name), keyring, url, self.bank_dir(name), act) as desk:
            await act.before(desk)
            given = await act.given(desk)
        return Scene(act, name, self.bank_dir(name), given.model_dump_json(), desk.openings)

    @contextlib.asynccontextmanager
    async def copy_of(self, scene: Scene) -> AsyncIterator[str]:
        """The name of a copy of the scene, its bank included, while the block lasts."""
        name = f"run_{uuid.uuid4().hex}"
        await self._copy(scene.template, name)
        if scene.bank_dir.exists():
            shutil.copytree(scene.bank_dir, self.bank_dir(name))
        yield name
        await self._execute(f"drop database {name} with (force)")
        shutil.rmtree(self.bank_dir(name), ignore_errors=True)

    async def drop(self, scene: Scene) -> None:
        await self._execute(f"drop database {scene.template} with (force)")

    # ---------------------------------------------------------------- runs

    async def run(self, scene: Scene, copy: str, point: Point | None = None) -> Run:
        """Have the act carried out on the copy by a worker of its own; a PostgreSQL that it kills comes back."""
        report = self.folder / f"{uuid.uuid4().hex}.jsonl"
        errand = Errand(
            activity=scene.act.activity,
            given=scene.given,
            database_url=self._database(copy).worker_url,
            keyring=self.keyring,
            bank_url=f"{self.bank_url}/{copy}",
            postmaster=self.server.pid,
            report=report,
            point=point,
        )
        ended = asyncio.create_task(self._carry_out(errand))
        if point is not None and point.victim == "postgres":
            died = asyncio.create_task(self.server.wait())
            await asyncio.wait({ended, died}, return_when=asyncio.FIRST_COMPLETED)
            # Struck after its last statement, an act answers before the server is seen to be dead.
            if died.done() or Run(0, _news(report)).told("hit"):
                await asyncio.wait_for(died, 10)
                self.server = await _start(self.folder, self.server)
            died.cancel()
        end = await ended
        news = _news(report)
        report.unlink(missing_ok=True)
        return Run(end, news)

    async def _carry_out(self, errand: Errand) -> int:
        if self.workers is None:
            self.workers = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.dying_worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        assert self.workers.stdin is not None
        assert self.workers.stdout is not None
        self.workers.stdin.write(errand.model_dump_json().encode() + b"\n")
        line = await asyncio.wait_for(self.workers.stdout.readline(), 60)
        return int(line)

    # ---------------------------------------------------------------- what is left

    async def check(self, scene: Scene, copy: str) -> Report:
        async with self.owner(copy) as connection:
            return await check(connection, self.bank_dir(copy) / BANK_FILE, scene.openings)

    async def outcome(self, copy: str) -> Outcome:
        async with self.owner(copy) as connection:
            return await outcome(connection, self.bank_dir(copy) / BANK_FILE)

    # ---------------------------------------------------------------- its parts

    async def close(self) -> None:
        if self.workers is not None and self.workers.stdin is not None:
            self.workers.stdin.close()
            await self.workers.wait()
        await self.server.stop()

    def _database(self, name: str) -> Database:
        owner_url = f"{self.server.url.rpartition('/')[0]}/{name}"
        address = owner_url.rpartition("@")[2]
        return Database(
            owner_url, *(f"postgresql://{role}:{secret}@{address}" for role, secret in ROLE_PASSWORDS.items())
        )

    def bank_dir(self, name: str) -> Path:
        return self.folder / "banks" / name

    async def _copy(self, template: str, name: str) -> None:
        await self._execute(f"create database {name} template {template} strategy file_copy")

    async def _execute(self, statement: str) -> None:
        async with self.owner("postgres") as connection:
            await connection.execute(statement)

    @contextlib.asynccontextmanager
    async def owner(self, name: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.server.url, database=name)
        try:
            yield connection
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def open_proving_ground(folder: Path) -> AsyncIterator[ProvingGround]:
    server = await postgres.start(folder, free_port(), settings=DURABLE_SETTINGS)
    template = await migrated_template_of(server)
    async with outside_server(_Banks(folder / "banks")) as bank_url:
        ground = ProvingGround(folder, server, template, bank_url)
        try:
            yield ground
        finally:
            await ground.close()


def _news(report: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in report.read_text("utf-8").splitlines()] if report.exists() else []


async def _start(folder: Path, dead: PostgresServer) -> PostgresServer:
    """The server on the same directory and port."""
    port = int(dead.url.rpartition(":")[2].partition("/")[0])
    settings: Mapping[str, str] = DURABLE_SETTINGS
    return await postgres.start(folder, port, settings=settings)
