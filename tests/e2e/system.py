"""`yibao up` as a process of its own, and the command line beside it: the whole system as its users have it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from activities.keyring import ENVIRONMENT_VARIABLE, Keyring
from stack.issuer import DevelopmentIssuer
from stack.processes import free_port
from tests.e2e.caller import Caller
from workflows.vocabulary import Role

YIBAO = (sys.executable, "-P", "-m", "stack.cli")
PARTS = ("worker", "gateway", "temporal", "postgres")
READY_WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Said:
    """What a command of the line ended with."""

    code: int
    out: str
    err: str


class System:
    """One stack on one data directory; a test may kill its parts or all of it, and start it again."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.http = httpx.AsyncClient(trust_env=False, timeout=30.0)
        self._ports = [str(free_port()) for _ in range(4)]
        self._process: asyncio.subprocess.Process | None = None

    # ---------------------------------------------------------------- its life

    async def up(self) -> None:
        """Start `yibao up` and wait until it is ready."""
        options = ("--port", "--temporal-port", "--temporal-ui-port", "--postgres-port")
        pairs = [text for pair in zip(options, self._ports, strict=True) for text in pair]
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        with self.data_dir.with_suffix(".log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *YIBAO, "up", "--data-dir", self.data_dir, *pairs, stdout=log, stderr=log
            )
        async with asyncio.timeout(READY_WITHIN_SECONDS):
            while not self._is_ready():
                if self._process.returncode is not None:
                    pytest.fail(self.data_dir.with_suffix(".log").read_text())
                await asyncio.sleep(0.05)

    def _is_ready(self) -> bool:
        """Whether stack.json is there and of this run: after `kill -9` the one before is left for a while."""
        assert self._process is not None
        with contextlib.suppress(FileNotFoundError):
            return bool(self.stack()["pids"]["supervisor"] == self._process.pid)
        return False

    async def down(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), READY_WITHIN_SECONDS)

    async def stop(self) -> None:
        await self.down()
        await self.http.aclose()

    def stack(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data_dir / "stack.json").read_text("utf-8"))
        return found

    def pid(self, part: str) -> int:
        return int(self.stack()["pids"][part])

    def kill(self, part: str) -> int:
        """kill -9; the pid that was killed."""
        pid = self.pid(part)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    async def restarted(self, part: str, killed: int) -> None:
        """Wait until the supervisor runs `part` under another pid."""
        async with asyncio.timeout(READY_WITHIN_SECONDS):
            while (now := self.stack()["pids"].get(part, killed)) == killed or not psutil.pid_exists(now):
                await asyncio.sleep(0.05)

    async def kill_all(self) -> None:
        """kill -9 of the supervisor and of every part."""
        assert self._process is not None
        pids = self.stack()["pids"]
        for pid in [pids.pop("supervisor"), *pids.values()]:
            # One that noticed the end of its supervisor may be gone already.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(self._process.wait(), READY_WITHIN_SECONDS)

    @contextlib.contextmanager
    def frozen(self, part: str) -> Iterator[None]:
        """`part` hangs (SIGSTOP) while the block lasts: it neither answers nor closes."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @asynccontextmanager
    async def without(self, part: str) -> AsyncIterator[None]:
        """`part` is dead while the block lasts; after it the supervisor, held still meanwhile, starts it again."""
        with self.frozen("supervisor"):
            killed = self.kill(part)
            async with asyncio.timeout(READY_WITHIN_SECONDS):
                while psutil.pid_exists(killed) and psutil.Process(killed).status() != psutil.STATUS_ZOMBIE:
                    await asyncio.sleep(0.02)
            yield
        await self.restarted(part, killed)

    @property
    def keyring(self) -> Keyring:
        return Keyring.from_environment({ENVIRONMENT_VARIABLE: str(self.data_dir / "keyring.json")})

    # ---------------------------------------------------------------- who asks

    def caller(
        self,
        role: Role,
        region: str | None = None,
        *,
        resident_id: str | None = None,
        subject: str | None = None,
        language: str = "en",
    ) -> Caller:
        issuer = DevelopmentIssuer.of(self.data_dir, make=False)
        token = issuer.token(role, region=region, resident_id=resident_id, subject=subject)
        return self.bearer(token, language=language)

    def bearer(self, token: str | None, *, language: str = "en") -> Caller:
        return Caller(self.http, self.stack()["gateway"], token, language)

    async def cli(self, *arguments: str | Path) -> Said:
        """Run one `yibao` command against this stack."""
        process = await asyncio.create_subprocess_exec(
            *YIBAO,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "YIBAO_DATA_DIR": str(self.data_dir)},
        )
        out, err = await asyncio.wait_for(process.communicate(), READY_WITHIN_SECONDS)
        return Said(process.returncode or 0, out.decode(), err.decode())

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        """The owner's connection."""
        connection = await asyncpg.connect(self.stack()["postgres"])
        try:
            yield connection
        finally:
            await connection.close()


async def until(holds: Any, within_seconds: float = 30.0) -> Any:
    """Ask the coroutine function `holds` until it gives something true; that is returned."""
    deadline = time.monotonic() + within_seconds
    while not (found := await holds()):
        assert time.monotonic() < deadline, f"not within {within_seconds} s"
        await asyncio.sleep(0.05)
    return found
