"""What is left of an earlier run: ours by pid and start time, or somebody else's."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack.processes import PidFile, free_port, mark_of

STUBBORN = (
    "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that no supervisor started."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[bytes]]:
    """A process that SIGTERM does not end."""
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"deaf\n"
        yield process
        process.kill()


async def test_a_process_that_still_runs_is_stopped_and_named(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "pids.json").write_text(json.dumps({"worker": mark_of(stranger.pid)}))
    assert await PidFile(tmp_path / "pids.json").reclaim() == ["worker"]
    assert stranger.wait(5) == -signal.SIGTERM
    assert not (tmp_path / "pids.json").exists()


async def test_a_pid_that_another_process_has_by_now_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    mark = mark_of(stranger.pid)
    mark["started_at"] -= 60
    (tmp_path / "pids.json").write_text(json.dumps({"worker": mark}))
    assert await PidFile(tmp_path / "pids.json").reclaim() == []
    assert stranger.poll() is None


async def test_a_process_that_does_not_stop_is_killed(
    tmp_path: Path, deaf: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.processes.STOP_WITHIN_SECONDS", 0.2)
    (tmp_path / "pids.json").write_text(json.dumps({"worker": mark_of(deaf.pid)}))
    began = time.monotonic()
    assert await PidFile(tmp_path / "pids.json").reclaim() == ["worker"]
    assert time.monotonic() - began < 5
    assert deaf.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("text", ["", "{", '{"worker": {"pid": 999999999, "started_at": 1.0}}'])
async def test_nothing_to_reclaim_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "pids.json").write_text(text)
    assert await PidFile(tmp_path / "pids.json").reclaim() == []


async def test_each_process_is_on_disk_as_soon_as_it_is_recorded(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    pids = PidFile(tmp_path / "pids.json")
    pids.record("worker", stranger.pid)
    started_at = psutil.Process(stranger.pid).create_time()
    assert json.loads(pids.path.read_text()) == {"worker": {"pid": stranger.pid, "started_at": started_at}}
    pids.forget("worker")
    assert json.loads(pids.path.read_text()) == {}


def test_no_port_is_given_to_two_before_all_were_given_once() -> None:
    given = [free_port() for _ in range(300)]
    assert len(set(given)) == len(given)
