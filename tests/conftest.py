"""What tests stand on: one real PostgreSQL and one real Temporal for the session, a fresh database for each test."""

import contextlib
import gc
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.migrate import migrate
from stack import postgres, processes, temporal
from stack.postgres import PostgresServer
from stack.processes import free_port
from stack.temporal import TemporalServer
from tests.turns import Turns

ROLE_PASSWORDS = {"yibao_worker": "worker", "yibao_gateway": "gateway"}
TEMPLATE = "migrated"
# Where the data directories are: a database is five hundred files, and on a disk's file system making and removing them
# for every test was a third of the suite's processor time.
MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a directory of its own in it
# Three times what all tests together were seen to leave there.
MEMORY_BYTES = 4 * 2**30
# Nothing here must survive a power cut.
FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    # The roles' passwords, else hashed 4,096 times at every one of thousands of logins for whoever guesses; these are no secret.
    "scram_iterations": "1",
}
# Objects that live for one test, a few for the session: looked at as often as in a script, they were a fifth of the
# time in which the state space is explored.
YOUNG_OBJECTS_KEPT = (50_000, 50, 100)


@dataclass(frozen=True)
class Database:
    """One migrated database; each URL logs in as another role."""

    owner_url: str
    worker_url: str
    gateway_url: str


@pytest.fixture(scope="session")
async def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    """One PostgreSQL for the session. Tests that kill a server start their own with `stack.postgres.start`."""
    server = await postgres.start(tmp_path_factory.mktemp("postgres"), free_port(), settings=FAST_SETTINGS)
    yield server
    await server.stop()


async def migrated_template_of(server: PostgresServer) -> str:
    """Make a migrated database on `server`, to copy databases from, and return its name."""
    async with _connected(server.url) as owner:
        await owner.execute(f"create database {TEMPLATE}")
    await migrate(_database_url(server, TEMPLATE), role_passwords=ROLE_PASSWORDS)
    return TEMPLATE


@pytest.fixture(scope="session")
async def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database, of which each test's database is a copy."""
    return await migrated_template_of(postgres_server)


@contextlib.asynccontextmanager
async def fresh_database(server: PostgresServer, template: str) -> AsyncIterator[Database]:
    """A copy of the migrated template while the block lasts."""
    name = f"test_{uuid.uuid4().hex}"
    owner_url = _database_url(server, name)
    address = owner_url.rpartition("@")[2]
    # One login for both: it costs a third of what the copy does.
    async with _connected(server.url) as owner:
        await owner.execute(f"create database {name} template {template} strategy file_copy")
        yield Database(
            owner_url, *(f"postgresql://{role}:{secret}@{address}" for role, secret in ROLE_PASSWORDS.items())
        )
        await owner.execute(f"drop database {name} with (force)")


@pytest.fixture
async def database(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[Database]:
    """A fresh migrated database for one test."""
    async with fresh_database(postgres_server, migrated_template) as database:
        yield database


@pytest.fixture
def database_url(database: Database) -> str:
    """The owner's URL of a fresh migrated database."""
    return database.owner_url


@pytest.fixture(scope="session")
async def temporal_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    """One Temporal development server for the session, search attributes registered, time skipping switched on.

    Tests share it: each takes workflow ids and a task queue of its own.
    """
    server = await temporal.start(tmp_path_factory.mktemp("temporal"), free_port(), free_port())
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def temporal_client(temporal_server: TemporalServer) -> Client:
    """A client of the session's Temporal with the pydantic converter and no codec."""
    return await Client.connect(temporal_server.address, data_converter=pydantic_data_converter)


@pytest.fixture
async def time_skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping server for one test: its clock is global and leaps, so it is not shared."""
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(Path(sys.executable).with_name("temporal-test-server")),
        data_converter=pydantic_data_converter,
    )
    yield environment
    await environment.shutdown()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave before the interpreter's own exit, in which a process that used a Temporal client can crash."""
    session = config.stash.get(SESSION, None)
    if session is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(session.exitstatus))


SESSION = pytest.StashKey[pytest.Session]()


def pytest_configure() -> None:
    """Give the session what it stands on: ports, memory, and no work that nobody needs."""
    # Files that are tested at the same time take ports of their own: one that is free may be another's a moment later.
    worker, of = (
        int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]),
        int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
    )
    processes.FREE_PORTS = processes.FREE_PORTS[worker::of]
    gc.set_threshold(*YOUNG_OBJECTS_KEPT)
    # No server here has TLS: it would be asked for it, with a context made anew, at every login.
    os.environ.setdefault("PGSSLMODE", "disable")
    if _has_room_in_memory():
        # Read by `tmp_path_factory` when the first directory is asked for; one that was chosen by hand stands.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _has_room_in_memory() -> bool:
    """A container gives its /dev/shm 64 MB, and not every system has one: then all is on the disk as ever."""
    free = shutil.disk_usage(MEMORY).free if MEMORY.is_dir() else 0
    return min(free, psutil.virtual_memory().available // 2) >= MEMORY_BYTES


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Turns | None:
    """What `--dist loadfile` hands out, in `Turns`. Without xdist's own `log` each handing out would be printed."""
    return Turns(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[SESSION] = session


def _database_url(server: PostgresServer, name: str) -> str:
    return f"{server.url.rpartition('/')[0]}/{name}"


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
