"""Child processes of the local stack: started, recorded, stopped, and reclaimed after a crash of their parent."""

import asyncio
import contextlib
import ctypes
import functools
import itertools
import json
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import psutil

from stack.atomic_files import write_atomically
from stack.errors import StackError

PR_SET_PDEATHSIG = 1
# psutil derives a start time from the boot time, which moves a little when the clock is set.
START_TIME_TOLERANCE_SECONDS = 2.0
# Longer than any part needs; after it a part is killed, and goes on from there as after any crash.
STOP_WITHIN_SECONDS = 15.0


# Below the ports that systems give to connections: one that is free now is not taken by a connection before it is used.
FREE_PORTS = range(20_000, 32_000)


@functools.cache
def _ports() -> Iterator[int]:
    return itertools.cycle(secrets.SystemRandom().sample(FREE_PORTS, len(FREE_PORTS)))


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now. Raises `StackError` when there is none.

    No port is given twice before all were given once: who was given one may not have taken it yet.
    """
    for port in itertools.islice(_ports(), len(FREE_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise StackError("No port of 127.0.0.1 is free")


def require_port(port: int, part: str, option: str) -> None:
    """Raise `StackError` when `port` is taken; `option` is the flag that moves `part` elsewhere."""
    with socket.socket() as probe:
        # As servers do: connections that linger after a stop do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StackError(
                f"Port {port} for {part} is not free ({error.strerror}): "
                f"stop what uses it, or choose another with {option}"
            ) from None


class ProcessMark(TypedDict):
    """A pid is used again by others: with its start, in seconds since 1970, it names one process."""

    pid: int
    started_at: float


def mark_of(pid: int) -> ProcessMark:
    """Raises `psutil.NoSuchProcess`."""
    return {"pid": pid, "started_at": psutil.Process(pid).create_time()}


class PidFile:
    """The processes of one stack by name, with start times, on disk from the moment each one exists."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, ProcessMark] = {}

    def record(self, name: str, pid: int) -> None:
        """Note that `name` runs as `pid` now."""
        try:
            self._entries[name] = mark_of(pid)
        except psutil.NoSuchProcess:
            return
        write_atomically(self.path, json.dumps(self._entries))

    def forget(self, name: str) -> None:
        """Note that `name` runs no longer."""
        if self._entries.pop(name, None) is not None:
            write_atomically(self.path, json.dumps(self._entries))

    def entries(self) -> "dict[str, ProcessMark]":
        """The processes by name, in the order of their start."""
        return dict(self._entries)

    async def reclaim(self) -> list[str]:
        """Stop what an earlier supervisor left behind, last started first, and return the names.

        A pid counts as ours only when its process began at the recorded time: pids are used again.
        """
        try:
            left = json.loads(self.path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            left = {}
        reclaimed = []
        for name, entry in reversed(left.items()):
            process = living({"pid": int(entry["pid"]), "started_at": float(entry["started_at"])})
            if process is not None:
                reclaimed.append(name)
                await end(process, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        self.path.unlink(missing_ok=True)
        return reclaimed


def living(mark: ProcessMark) -> psutil.Process | None:
    """The process of the mark, if it still runs; None too when its pid is another process by now."""
    try:
        process = psutil.Process(mark["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        same = abs(process.create_time() - mark["started_at"]) <= START_TIME_TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return None
    return process if same else None


async def end(process: psutil.Process, stop_signal: signal.Signals) -> None:
    """Ask a process that is not our child to stop, and kill it when it does not."""
    try:
        process.send_signal(stop_signal)
        deadline = time.monotonic() + STOP_WITHIN_SECONDS
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                process.kill()
            await asyncio.sleep(0.05)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise StackError(
            f"Process {process.pid} of an earlier run belongs to another user: stop it, then start again"
        ) from None


@dataclass
class Child:
    """A running child process. `pid` is its own, whatever launcher it was started through."""

    name: str
    process: asyncio.subprocess.Process
    stop_signal: signal.Signals
    pids: PidFile | None

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait(self) -> int:
        """Wait for the end of the process and return its exit code, negative for a signal."""
        code = await self.process.wait()
        if self.pids is not None:
            self.pids.forget(self.name)
        return code

    async def stop(self) -> None:
        """Stop the process with its own signal; kill it when it takes too long."""
        if self.process.returncode is None:
            self.process.send_signal(self.stop_signal)
            try:
                await asyncio.wait_for(self.process.wait(), STOP_WITHIN_SECONDS)
            except TimeoutError:
                self.process.kill()
        await self.wait()


async def spawn(
    name: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    pids: PidFile | None = None,
) -> Child:
    """Start `command` with its output appended to `log`, in a session of its own.

    A session of its own, because Ctrl-C in the terminal must reach the supervisor alone: it stops the children in
    order. Raises `StackError` when the program cannot be started.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if environment is None else dict(environment),
                start_new_session=True,
                umask=0o077,
                preexec_fn=_die_with_parent(stop_signal),
            )
        except OSError as error:
            raise StackError(f"Cannot start {name}: {command[0]}: {error.strerror}") from None
    if pids is not None:
        pids.record(name, process.pid)
    return Child(name, process, stop_signal, pids)


def _die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """On Linux a child is told to stop when its supervisor is gone; elsewhere only reclaiming helps."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, stop_signal)


def last_line(log: Path, offset: int = 0) -> str:
    """The last line that says something in `log` after `offset` bytes; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(offset, log.stat().st_size - 8192))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
