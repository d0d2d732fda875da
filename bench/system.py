"""The system that is measured: `yibao up` in a process of its own, as a user runs it, on a directory and ports of its own."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.population import Person, write_extract
from stack.data_directory import DataDirectory, StackInfo
from stack.errors import StackError
from stack.issuer import DevelopmentIssuer
from stack.processes import free_port, last_line, spawn
from workflows.vocabulary import Role

READY_WITHIN_SECONDS = 60.0
YIBAO = (sys.executable, "-P", "-m", "stack.cli")
# As everywhere else, modules are compiled once: without it the sandbox compiles its workflow for every case.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass
class System:
    """A running stack. `persons` are in its registers and have no transfer yet; each is taken once."""

    data_dir: Path
    info: StackInfo
    ready_after_seconds: float
    persons: list[Person]

    def __post_init__(self) -> None:
        self._issuer = DevelopmentIssuer.of(self.data_dir, make=False)

    @property
    def parts(self) -> dict[str, int]:
        """Pids of what carries a transfer; the supervisor is there for the sandbox bank inside it."""
        return {name: self.info.pids[name] for name in ("worker", "gateway", "temporal", "postgres", "supervisor")}

    def token(
        self, role: Role, *, region: str | None = None, resident_id: str | None = None, subject: str | None = None
    ) -> str:
        return self._issuer.token(role, region=region, resident_id=resident_id, subject=subject)

    def take_persons(self, count: int) -> list[Person]:
        """Raises ValueError when fewer are left."""
        if len(self.persons) < count:
            raise ValueError(f"{len(self.persons)} persons are left of the extract, {count} are wanted")
        taken, self.persons = self.persons[:count], self.persons[count:]
        return taken

    async def load_registers(self, count: int) -> float:
        """Load an extract of `count` persons, two rows each, and return the seconds that the command took."""
        from activities.register_load import today_in_shanghai

        path = self.data_dir / "extract.csv"
        self.persons = write_extract(path, count, today_in_shanghai())
        return await self.command("register", "load", str(path))

    async def command(self, *words: str) -> float:
        """Run `yibao WORDS` to its end and return the seconds it took. Raises `StackError` when it fails."""
        log, began = self.data_dir / "logs" / "commands.log", time.monotonic()
        child = await spawn("yibao", [*YIBAO, *words, "--data-dir", str(self.data_dir)], log, environment=ENVIRONMENT)
        if await child.wait() != 0:
            raise StackError(f"yibao {words[0]} failed: {last_line(log)}")
        return time.monotonic() - began


@contextlib.asynccontextmanager
async def running_system(data_dir: Path, persons: Sequence[Person] = ()) -> AsyncIterator[System]:
    """`yibao up` on `data_dir` while the block lasts. Raises `StackError` when it does not come up."""
    ports = [("--port", free_port()), ("--temporal-port", free_port()), ("--temporal-ui-port", free_port())]
    ports.append(("--postgres-port", free_port()))
    flags = [str(word) for option in ports for word in option]
    directory, log, began = DataDirectory(data_dir), data_dir / "up.log", time.monotonic()
    child = await spawn("up", [*YIBAO, "up", "--data-dir", str(data_dir), *flags], log, environment=ENVIRONMENT)
    try:
        while not directory.stack_file.exists():
            if child.process.returncode is not None or time.monotonic() - began > READY_WITHIN_SECONDS:
                raise StackError(f"yibao up is not ready: {last_line(log)} (see {log})")
            await asyncio.sleep(0.02)
        yield System(data_dir, directory.read_stack(), time.monotonic() - began, list(persons))
    finally:
        await child.stop()
