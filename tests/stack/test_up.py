"""`yibao up` as a process of its own: real signals, real PostgreSQL and Temporal, stand-ins for worker and gateway."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from stack.processes import free_port

STAND_IN = Path(__file__).with_name("stand_in.py")
PARTS = {"postgres", "temporal", "worker", "gateway"}


class Up:
    """One `up` on one data directory; started, killed and started again by a test."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.ports = [free_port() for _ in range(4)]
        self.process: asyncio.subprocess.Process | None = None
        self.seconds_to_ready = 0.0

    async def start(self, *launcher: str, ports: list[int] | None = None) -> asyncio.subprocess.Process:
        self.process = await asyncio.create_subprocess_exec(
            *launcher,
            sys.executable,
            STAND_IN,
            "up",
            self.data_dir,
            *map(str, ports or self.ports),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=STAND_IN.parents[2],
            env={
                **os.environ,
                "PYTHONPATH": str(STAND_IN.parents[2]),
                "PYTHONUNBUFFERED": "1",
                "no_proxy": "elsewhere",
            },
        )
        return self.process

    async def ready(self, *launcher: str) -> dict[str, Any]:
        """Start it and give its stack.json."""
        process = await self.start(*launcher)
        async with asyncio.timeout(40):
            while not self._is_ready(process.pid):
                if process.returncode is not None:
                    pytest.fail(await self.output())
                await asyncio.sleep(0.05)
        return self.stack()

    def _is_ready(self, pid: int) -> bool:
        """Whether stack.json is there and of this run: after `kill -9` the one before is left for a while."""
        return (self.data_dir / "stack.json").exists() and self.stack()["pids"]["supervisor"] == pid

    async def output(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.read(), 40)).decode()

    async def ended(self) -> tuple[int, str]:
        """Its exit code and all it printed."""
        assert self.process is not None
        said = await self.output()
        return await self.process.wait(), said

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.ended()

    async def said(self, line: str) -> str:
        """What it prints up to `line` and with it."""
        assert self.process is not None
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readuntil(f"{line}\n".encode()), 40)).decode()

    def stack(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data_dir / "stack.json").read_text())
        return found

    async def restarted(self, name: str, pid: int) -> int:
        """Wait until `name` has another pid in stack.json."""
        async with asyncio.timeout(40):
            while (now := self.stack()["pids"].get(name, pid)) == pid:
                await asyncio.sleep(0.05)
        assert psutil.pid_exists(now)
        return int(now)


@pytest.fixture(scope="module")
async def shared_up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """One that runs for all tests that leave it running."""
    running = Up(tmp_path_factory.mktemp("stack") / "data")
    began = time.monotonic()
    await running.ready()
    running.seconds_to_ready = time.monotonic() - began
    yield running
    await running.stop()


@pytest.fixture
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    running = Up(tmp_path / "data")
    yield running
    await running.stop()


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def others_can_read(directory: Path) -> set[str]:
    """The files in `directory`, and in those below it that others may enter, that users other than the owner can read."""
    found = set()
    for each in directory.iterdir():
        mode = each.stat().st_mode
        if stat.S_ISDIR(mode):
            found |= others_can_read(each) if mode & stat.S_IXOTH else set()
        elif mode & stat.S_IROTH:
            found.add(each.name)
    return found


async def test_it_is_ready_within_15_s_and_stack_json_says_where_everything_is(shared_up: Up) -> None:
    assert shared_up.seconds_to_ready < 15
    stack = shared_up.stack()
    port, temporal_port, ui_port, postgres_port = shared_up.ports
    assert stack["gateway"] == f"http://127.0.0.1:{port}"
    assert stack["temporal"] == f"127.0.0.1:{temporal_port}"
    assert stack["temporal_ui"] == f"http://127.0.0.1:{ui_port}"
    assert set(stack["pids"]) == set(stack["started_at"]) == PARTS | {"supervisor"}
    assert alive(list(stack["pids"].values())) == list(stack["pids"].values())
    for name, pid in stack["pids"].items():
        assert psutil.Process(pid).create_time() == pytest.approx(stack["started_at"][name], abs=0.1)
    assert stat.S_IMODE((shared_up.data_dir / "stack.json").stat().st_mode) == 0o600

    assert others_can_read(shared_up.data_dir) == {"version", "jwks.json", "pids.json"}

    connection = await asyncpg.connect(stack["postgres"])
    assert await connection.fetchval("select count(*) > 0 from schema_migrations")
    await connection.close()
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(stack["temporal_ui"])).status_code == 200
        assert (await client.get(stack["bank"])).status_code == 404
        told = (await client.get(stack["gateway"])).json()
    assert told["TEMPORAL_ADDRESS"] == stack["temporal"]
    assert told["YIBAO_OIDC_ISSUER"] == "https://issuer.yibao.local"
    assert "yibao_gateway:" in told["YIBAO_DATABASE_URL"]
    assert told["YIBAO_DATABASE_URL"].endswith(f"@127.0.0.1:{postgres_port}/yibao")
    assert "keys" in json.loads(Path(told["YIBAO_KEYRING"]).read_text())
    gateway_role = await asyncpg.connect(told["YIBAO_DATABASE_URL"])
    assert await gateway_role.fetchval("select current_user") == "yibao_gateway"
    await gateway_role.close()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_stops_all_of_it(up: Up, stop: signal.Signals) -> None:
    stack = await up.ready()
    os.kill(stack["pids"]["supervisor"], stop)
    code, said = await up.ended()
    assert code == 0
    assert said.rstrip().endswith("Stopped. `yibao up` goes on from here.")
    assert "started again" not in said
    assert alive(list(stack["pids"].values())) == []
    assert not (up.data_dir / "stack.json").exists()
    for port in up.ports:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass


async def test_a_signal_while_it_starts_leaves_nothing_behind(up: Up) -> None:
    process = await up.start()
    async with asyncio.timeout(20):
        while not (up.data_dir / "pids.json").exists():
            await asyncio.sleep(0.02)
    pids = [mark["pid"] for mark in json.loads((up.data_dir / "pids.json").read_text()).values()]
    process.terminate()
    code, said = await up.ended()
    assert (code, "ready" in said) == (0, False)
    assert alive(pids) == []


@pytest.mark.parametrize("part", sorted(PARTS))
async def test_a_part_killed_with_9_runs_again_and_the_others_stay(shared_up: Up, part: str) -> None:
    pids = shared_up.stack()["pids"]
    os.kill(pids[part], signal.SIGKILL)
    await shared_up.restarted(part, pids[part])
    now = shared_up.stack()["pids"]
    assert {name: pid for name, pid in now.items() if name != part} == {
        name: pid for name, pid in pids.items() if name != part
    }
    said = await shared_up.said(f"{part} runs again (pid {now[part]})")
    assert f"{part} was killed by SIGKILL; it is started again\n" in said


async def test_after_kill_9_of_the_supervisor_the_next_up_takes_the_directory_over(up: Up) -> None:
    first = await up.ready()
    connection = await asyncpg.connect(first["postgres"])
    await connection.execute("create table kept as select 1 as one")
    await connection.close()
    os.kill(first["pids"]["supervisor"], signal.SIGKILL)
    await up.ended()
    second = await up.ready()
    assert alive(list(first["pids"].values())) == []
    assert set(second["pids"].values()) & set(first["pids"].values()) == set()
    connection = await asyncpg.connect(second["postgres"])
    assert await connection.fetchval("select one from kept") == 1
    await connection.close()


async def test_after_kill_9_of_everything_the_next_up_takes_the_directory_over(up: Up) -> None:
    first = await up.ready()
    for pid in [first["pids"].pop("supervisor"), *first["pids"].values()]:
        # One that noticed the end of its supervisor may be gone already.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await up.ended()
    second = await up.ready()
    assert set(second["pids"]) == PARTS | {"supervisor"}


async def test_a_second_up_on_the_directory_says_so_in_one_line(shared_up: Up) -> None:
    stack = shared_up.stack()
    second = Up(shared_up.data_dir)
    await second.start()
    assert await second.ended() == (
        1,
        (
            f"yibao: The stack of {shared_up.data_dir} runs already (pid {stack['pids']['supervisor']}): "
            "stop it first, or choose another directory with --data-dir\n"
        ),
    )
    assert shared_up.stack() == stack


@pytest.mark.parametrize(
    ("which", "part", "option"),
    [
        (0, "the gateway", "--port"),
        (1, "Temporal", "--temporal-port"),
        (2, "the Temporal UI", "--temporal-ui-port"),
        (3, "PostgreSQL", "--postgres-port"),
    ],
)
async def test_a_port_in_use_is_named_with_the_option_that_changes_it(
    up: Up, which: int, part: str, option: str
) -> None:
    with socket.create_server(("127.0.0.1", up.ports[which])):
        await up.start()
        assert await up.ended() == (
            1,
            (
                f"yibao: Port {up.ports[which]} for {part} is not free (Address already in use): "
                f"stop what uses it, or choose another with {option}\n"
            ),
        )
    assert not (up.data_dir / "postgres").exists()


async def test_one_port_for_two_parts_is_refused(up: Up) -> None:
    port, temporal_port, ui_port, _ = up.ports
    await up.start(ports=[port, temporal_port, ui_port, port])
    assert await up.ended() == (
        1,
        f"yibao: Port {port} is given to both the gateway and PostgreSQL: change it with --postgres-port\n",
    )


async def test_a_directory_of_another_version_is_refused_and_left_alone(up: Up) -> None:
    up.data_dir.mkdir()
    (up.data_dir / "version").write_text("0\n")
    await up.start()
    assert await up.ended() == (
        1,
        (
            f"yibao: {up.data_dir} is of version 0, this program needs version 1: "
            "choose another directory with --data-dir, or move this one away\n"
        ),
    )
    assert sorted(path.name for path in up.data_dir.iterdir()) == ["lock", "version"]


async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    up = Up(tmp_path / "file" / "data")
    await up.start()
    assert await up.ended() == (
        1,
        f"yibao: Cannot write to {up.data_dir} (Not a directory): choose another directory with --data-dir\n",
    )


async def test_no_proxy_of_the_terminal_stands_between_the_parts(shared_up: Up) -> None:
    for name in ("worker", "gateway"):
        told = psutil.Process(shared_up.stack()["pids"][name]).environ()
        assert {key: told[key] for key in told if key.lower() == "no_proxy"} == {"NO_PROXY": "127.0.0.1,localhost"}


async def test_idle_the_supervisor_postgresql_and_temporal_take_less_than_400_mb(shared_up: Up) -> None:
    pids = shared_up.stack()["pids"]
    postgres = psutil.Process(pids["postgres"])
    processes = [psutil.Process(pids["supervisor"]), psutil.Process(pids["temporal"]), postgres, *postgres.children()]
    assert sum(process.memory_full_info().pss for process in processes) < 400_000_000
