"""The whole system on one machine: what `yibao up` runs, in which order, and with which configuration."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx
import psutil
from starlette.types import ASGIApp

from activities.keyring import Keyring
from activities.migrate import migrate
from stack import postgres, temporal
from stack.atomic_files import kept_secret
from stack.data_directory import DataDirectory, StackInfo
from stack.errors import StackError
from stack.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from stack.outside import outside_app, outside_server
from stack.postgres import PostgresServer
from stack.processes import Child, PidFile, last_line, mark_of, require_port, spawn
from stack.supervisor import Part, Supervisor
from stack.temporal import TemporalServer

READY_WITHIN_SECONDS = 60.0
ROLES = ("yibao_worker", "yibao_gateway")


@dataclass(frozen=True)
class Ports:
    """Ports of 127.0.0.1, by part."""

    gateway: int = 8000
    temporal: int = 7233
    temporal_ui: int = 8233
    postgres: int = 5433


@dataclass(frozen=True)
class Programs:
    """The parts that are our own: two commands, as they run in production too, and what stands outside."""

    worker: Sequence[str] = (sys.executable, "-P", "-m", "stack.cli", "worker")
    gateway: Sequence[str] = (sys.executable, "-P", "-m", "stack.cli", "gateway")
    outside: Callable[[Path], ASGIApp] = outside_app


@contextlib.asynccontextmanager
async def local_stack(
    data_dir: Path, ports: Ports, say: Callable[[str], None], programs: Programs | None = None
) -> AsyncIterator[StackInfo]:
    """Run the whole system on `data_dir` while the block lasts; `say` is told, line by line, what happens to it.

    Goes on where an earlier run stopped, however that ended. Raises `StackError` when it cannot start.
    """
    directory = DataDirectory(data_dir.absolute())
    with directory.held():
        pids = PidFile(directory.pid_file)
        directory.stack_file.unlink(missing_ok=True)
        for name in await pids.reclaim():
            say(f"{name} was left by an earlier run and is stopped")
        _require_ports(ports)
        stack = _LocalStack(directory, ports, pids, say, programs or Programs())
        async with outside_server(stack.programs.outside(directory.path)) as outside_url:
            try:
                yield await stack.start(outside_url)
            finally:
                directory.stack_file.unlink(missing_ok=True)
                await stack.supervisor.stop()


def _require_ports(ports: Ports) -> None:
    wanted = [
        (ports.gateway, "the gateway", "--port"),
        (ports.temporal, "Temporal", "--temporal-port"),
        (ports.temporal_ui, "the Temporal UI", "--temporal-ui-port"),
        (ports.postgres, "PostgreSQL", "--postgres-port"),
    ]
    first_with: dict[int, str] = {}
    for port, part, option in wanted:
        if port in first_with:
            raise StackError(f"Port {port} is given to both {first_with[port]} and {part}: change it with {option}")
        first_with[port] = part
        require_port(port, part, option)


class _LocalStack:
    def __init__(
        self,
        directory: DataDirectory,
        ports: Ports,
        pids: PidFile,
        say: Callable[[str], None],
        programs: Programs,
    ) -> None:
        self.directory = directory
        self.ports = ports
        self.pids = pids
        self.programs = programs
        self.supervisor = Supervisor(say, on_restart=self._rewrite_stack_file)
        self.info: StackInfo | None = None

    async def start(self, outside_url: str) -> StackInfo:
        """Start all of it, in order, and write `stack.json` when the gateway says that it is ready."""
        issuer = DevelopmentIssuer.of(self.directory.path)
        jwks = issuer.write_jwks()
        kept_secret(self.directory.keyring, Keyring.generate_text)
        await self.supervisor.start(Part("postgres", self._start_postgres), Part("temporal", self._start_temporal))
        secrets = {role: kept_secret(self.directory.path / f"{role}.password") for role in ROLES}
        owner_url = postgres.url(self.directory.path, self.ports.postgres)
        try:
            await migrate(owner_url, role_passwords=secrets)
        except asyncpg.PostgresError as error:
            raise StackError(f"The database of {self.directory.path} cannot be migrated: {error}") from error

        def environment(role: str) -> dict[str, str]:
            database_url = f"postgresql://{role}:{secrets[role]}@127.0.0.1:{self.ports.postgres}/{postgres.DATABASE}"
            return _environment(self.directory, database_url, f"127.0.0.1:{self.ports.temporal}")

        worker = {**environment("yibao_worker"), "YIBAO_BANK_URL": outside_url, "YIBAO_NOTICE_URL": outside_url}
        gateway = environment("yibao_gateway") | {
            "YIBAO_PORT": str(self.ports.gateway),
            "YIBAO_OIDC_ISSUER": ISSUER,
            "YIBAO_OIDC_AUDIENCE": AUDIENCE,
            "YIBAO_OIDC_JWKS": str(jwks),
            "YIBAO_TEMPORAL_UI_ORIGIN": f"http://127.0.0.1:{self.ports.temporal_ui}",
        }
        await self.supervisor.start(
            Part("worker", lambda: self._spawn("worker", self.programs.worker, worker)),
            Part("gateway", lambda: self._start_gateway(gateway)),
        )
        gateway_url = f"http://127.0.0.1:{self.ports.gateway}"
        ui_url = f"http://127.0.0.1:{self.ports.temporal_ui}"
        info = StackInfo(gateway_url, f"127.0.0.1:{self.ports.temporal}", ui_url, owner_url, outside_url, {}, {})
        self.info = self._with_pids(info)
        self.directory.write_stack(self.info)
        return self.info

    async def _start_postgres(self) -> PostgresServer:
        log = self.directory.log("postgres")
        return await postgres.start(self.directory.path, self.ports.postgres, log=log, pids=self.pids)

    async def _start_temporal(self) -> TemporalServer:
        codec_url = f"http://127.0.0.1:{self.ports.gateway}/codec"
        return await temporal.start(
            self.directory.path,
            self.ports.temporal,
            self.ports.temporal_ui,
            codec_url=codec_url,
            log=self.directory.log("temporal"),
            pids=self.pids,
        )

    async def _spawn(self, name: str, command: Sequence[str], environment: dict[str, str]) -> Child:
        return await spawn(name, command, self.directory.log(name), environment=environment, pids=self.pids)

    async def _start_gateway(self, environment: dict[str, str]) -> Child:
        child = await self._spawn("gateway", self.programs.gateway, environment)
        log = self.directory.log("gateway")
        try:
            ready = await _answers(f"http://127.0.0.1:{self.ports.gateway}/readyz", child)
        except BaseException:
            await child.stop()
            raise
        if not ready:
            await child.stop()
            where = f"{log} and {self.directory.log('worker')}"
            raise StackError(f"The gateway is not ready: {last_line(log)} (see {where})")
        return child

    def _with_pids(self, info: StackInfo) -> StackInfo:
        marks = {"supervisor": mark_of(os.getpid()), **self.pids.entries()}
        return replace(
            info,
            pids={name: mark["pid"] for name, mark in marks.items()},
            started_at={name: mark["started_at"] for name, mark in marks.items()},
        )

    def _rewrite_stack_file(self) -> None:
        if self.info is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.info = self._with_pids(self.info)
                self.directory.write_stack(self.info)


def _environment(directory: DataDirectory, database_url: str, temporal_address: str) -> dict[str, str]:
    """What both our parts are told. Settings of the terminal for another stack do not reach them, nor its proxy."""
    foreign = ("YIBAO_", "TEMPORAL_", "NO_PROXY", "no_proxy")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | {
        "YIBAO_DATABASE_URL": database_url,
        "YIBAO_KEYRING": str(directory.keyring),
        "YIBAO_ENV": "development",
        "TEMPORAL_ADDRESS": temporal_address,
        "TEMPORAL_NAMESPACE": temporal.NAMESPACE,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
    }


async def _answers(url: str, child: Child) -> bool:
    """Whether `url` answers 200 before `child` ends and within bounded time."""
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        while child.process.returncode is None and time.monotonic() < deadline:
            try:
                if (await client.get(url)).status_code == httpx.codes.OK:
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    return False
