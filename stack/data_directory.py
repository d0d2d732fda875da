"""The data directory of a local stack: its layout, its version, its lock, and `stack.json`, which says where all is."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from stack.atomic_files import write_atomically
from stack.errors import StackError

# Raised when a directory of the version before cannot be carried on with.
LAYOUT_VERSION = "1"


@dataclass(frozen=True)
class StackInfo:
    """Where a running stack is: URLs, `temporal` as host:port, and pids with their starts (seconds since 1970)."""

    gateway: str
    temporal: str
    temporal_ui: str
    postgres: str
    bank: str
    pids: dict[str, int]
    started_at: dict[str, float]

    @property
    def notices(self) -> str:
        """Where the notices that were delivered can be read: the bank's server takes them too."""
        return f"{self.bank}/notices"


@dataclass(frozen=True)
class DataDirectory:
    """The files of one stack by name. `path` need not exist yet."""

    path: Path

    @property
    def stack_file(self) -> Path:
        return self.path / "stack.json"

    @property
    def pid_file(self) -> Path:
        return self.path / "pids.json"

    @property
    def keyring(self) -> Path:
        return self.path / "keyring.json"

    def log(self, part: str) -> Path:
        return self.path / "logs" / f"{part}.log"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the directory if need be, and keep every other supervisor out of it. Raises `StackError`."""
        try:
            # Its files are their owner's alone; it can be passed through by the user PostgreSQL may run as.
            self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackError(
                f"Cannot write to {self.path} ({error.strerror}): choose another directory with --data-dir"
            ) from None
        with os.fdopen(descriptor, "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"The stack of {self.path} runs already (pid {lock.read().strip() or 'unknown'}): "
                    "stop it first, or choose another directory with --data-dir"
                ) from None
            lock.truncate()
            lock.write(str(os.getpid()))
            lock.flush()
            self._require_version()
            yield

    def _require_version(self) -> None:
        version_file = self.path / "version"
        if not version_file.exists():
            version_file.write_text(f"{LAYOUT_VERSION}\n", "ascii")
        found = version_file.read_text("utf-8").strip()
        if found != LAYOUT_VERSION:
            raise StackError(
                f"{self.path} is of version {found}, this program needs version {LAYOUT_VERSION}: "
                "choose another directory with --data-dir, or move this one away"
            )

    def write_stack(self, info: StackInfo) -> None:
        """Put `stack.json` there whole; it names a password, so it is its owner's alone."""
        write_atomically(self.stack_file, json.dumps(asdict(info), indent=2) + "\n", 0o600)

    def read_stack(self) -> StackInfo:
        """Where the running stack is. Raises `StackError` when none runs here."""
        try:
            return StackInfo(**json.loads(self.stack_file.read_text("utf-8")))
        except FileNotFoundError:
            raise StackError(f"No stack runs on {self.path}: start it with `yibao up --data-dir {self.path}`") from None
        except PermissionError:
            raise StackError(f"{self.stack_file} belongs to another user: use the one who runs `yibao up`") from None
