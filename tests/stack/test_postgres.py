"""The embedded PostgreSQL: its first start, its end, and what it makes of what it finds."""

import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from stack import postgres
from stack.errors import StackError
from stack.processes import free_port


async def _value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def _run(url: str, sql: str) -> None:
    await _value(url, sql)


async def test_a_committed_row_survives_a_stop_and_a_start(tmp_path: Path) -> None:
    server = await postgres.start(tmp_path, free_port())
    await _run(server.url, "create table kept as select '已办结' as status")
    await server.stop()
    assert not psutil.pid_exists(server.pid)

    server = await postgres.start(tmp_path, free_port())
    assert await _value(server.url, "select status from kept") == "已办结"
    await server.stop()


async def test_a_committed_row_survives_kill_9_and_its_stale_lock_file(tmp_path: Path) -> None:
    server = await postgres.start(tmp_path, free_port())
    await _run(server.url, "create table kept as select 1 as one")
    os.kill(server.pid, signal.SIGKILL)
    assert await server.wait() == -signal.SIGKILL
    assert (tmp_path / "postgres" / "postmaster.pid").exists()

    server = await postgres.start(tmp_path, free_port())
    assert await _value(server.url, "select one from kept") == 1
    await server.stop()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user that is no PostgreSQL."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


async def test_a_lock_file_with_the_pid_of_someone_else_does_not_hinder_the_start(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    server = await postgres.start(tmp_path, free_port())
    await server.stop()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{tmp_path}/postgres\n0\n5432\n\n127.0.0.1\n0\nready\n")

    server = await postgres.start(tmp_path, free_port())
    assert await _value(server.url, "select 1") == 1
    assert stranger.poll() is None
    await server.stop()


async def test_a_server_left_running_on_the_directory_gives_way(tmp_path: Path) -> None:
    left = await postgres.start(tmp_path, free_port())
    server = await postgres.start(tmp_path, free_port())
    assert await left.wait() == 0
    assert await _value(server.url, "select 1") == 1
    await server.stop()


async def test_only_the_password_opens_it_and_only_its_owner_reads_the_password(tmp_path: Path) -> None:
    server = await postgres.start(tmp_path, free_port())
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url, password="guessed")
    assert stat.S_IMODE((tmp_path / "postgres.password").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "postgres").stat().st_mode) == 0o700
    await server.stop()


async def test_text_is_utf_8_and_sorted_by_code_point(tmp_path: Path) -> None:
    server = await postgres.start(tmp_path, free_port())
    assert await _value(server.url, "show server_encoding") == "UTF8"
    assert await _value(server.url, "select datlocale from pg_database where datname = 'yibao'") == "C.UTF-8"
    assert await _value(server.url, "select upper('é') || length('𠮷')::text") == "É1"
    await server.stop()


async def test_parent_directories_keep_their_permissions(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    before = [parent.stat()[:6] for parent in (private, tmp_path)]
    server = await postgres.start(private, free_port())
    await server.stop()
    after = [parent.stat()[:6] for parent in (private, tmp_path)]
    assert [(s[0], s[4], s[5]) for s in after] == [(s[0], s[4], s[5]) for s in before]


async def test_a_cluster_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    server = await postgres.start(tmp_path, free_port())
    await server.stop()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(StackError, match=r"was made by PostgreSQL 15, this is PostgreSQL 18: choose another directory"):
        await postgres.start(tmp_path, free_port())
    assert (tmp_path / "postgres" / "PG_VERSION").read_text() == "15\n"


async def test_a_first_start_that_was_interrupted_is_begun_again(tmp_path: Path) -> None:
    making = tmp_path / "postgres.making"
    making.mkdir()
    (making / "PG_VERSION").write_text("18\n")
    server = await postgres.start(tmp_path, free_port())
    assert await _value(server.url, "select 1") == 1
    assert not making.exists()
    await server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")
async def test_without_user_namespaces_root_runs_it_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_namespaces_work", lambda: False)
    # Not tmp_path: root's temporary directories are closed to everyone else.
    with tempfile.TemporaryDirectory() as name:
        data_dir = Path(name)
        data_dir.chmod(0o755)
        server = await postgres.start(data_dir, free_port())
        assert psutil.Process(server.pid).uids().effective == postgres.NOBODY
        assert await _value(server.url, "select 1") == 1
        await server.stop()
        assert data_dir.stat().st_uid == 0
