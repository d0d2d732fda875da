"""The worker as a process: what it says of its configuration, and how it stops."""

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.bridge import worker as bridge
from temporalio.client import Client

from activities import worker
from activities.keyring import Keyring
from activities.settings import VARIABLES
from gateway.settings import Settings
from stack import temporal
from stack.bank import bank_app
from stack.outside import outside_server
from stack.processes import free_port
from tests.cases import open_cases, sandbox_bank
from tests.conftest import Database

NOWHERE = {
    "YIBAO_DATABASE_URL": "postgresql://worker@127.0.0.1:1/yibao",
    "TEMPORAL_ADDRESS": "127.0.0.1:1",
    "YIBAO_BANK_URL": "http://127.0.0.1:1",
    "YIBAO_KEYRING": Keyring.generate_text(),
}


async def _worker(environment: dict[str, str]) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("YIBAO_", "TEMPORAL_"))}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "stack.cli", "worker",
        env=inherited | environment, stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip


async def _refused(environment: dict[str, str]) -> list[str]:
    """What the worker says before it exits 1, with nothing there to connect to."""
    process = await _worker(environment)
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    return said.decode().splitlines()


async def test_all_that_is_missing_or_unknown_is_named_before_anything_is_connected() -> None:
    assert await _refused({"YIBAO_BANK_ULR": "http://bank", "YIBAO_COLOUR": "red", "YIBAO_KEYRING": " "}) == [
        "YIBAO_BANK_ULR is unknown: did you mean YIBAO_BANK_URL?",
        "YIBAO_COLOUR is unknown: there is no such setting",
        "YIBAO_DATABASE_URL is missing: PostgreSQL, as its role",
        "TEMPORAL_ADDRESS is missing: host:port of Temporal",
        "YIBAO_KEYRING is missing: the keyring's file, or its JSON",
        "YIBAO_BANK_URL is missing: the bank's interface",
    ]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"YIBAO_DATABASE_URL": "mysql://x"}, "YIBAO_DATABASE_URL is wrong: must be a postgresql:// URL"),
        ({"YIBAO_BANK_URL": "bank"}, "YIBAO_BANK_URL is wrong: must be an https:// address"),
        ({"YIBAO_NOTICE_URL": "sms://1"}, "YIBAO_NOTICE_URL is wrong: must be an https:// address"),
        (
            {"YIBAO_KEYRING": json.dumps({"current": "1", "keys": {"1": "c2hvcnQ="}})},
            "YIBAO_KEYRING is wrong: key 1 has 5 bytes instead of 32",
        ),
    ],
)
async def test_a_wrong_setting_is_one_line(wrong: dict[str, str], line: str) -> None:
    assert await _refused(NOWHERE | wrong) == [line]


def test_the_gateways_settings_are_known_to_every_part() -> None:
    aliases = {str(field.alias) for field in Settings.model_fields.values()}
    assert {alias for alias in aliases if alias.startswith("YIBAO_")} <= VARIABLES


async def test_a_worker_that_is_stopped_leaves_without_a_word_of_failure(database: Database, tmp_path: Path) -> None:
    # A Temporal of its own: on the queue of the shared one lie the cases of tests whose databases are gone.
    server = await temporal.start(tmp_path, free_port(), free_port())
    parts = {"YIBAO_DATABASE_URL": database.worker_url, "TEMPORAL_ADDRESS": server.address}
    try:
        async with outside_server(bank_app(tmp_path)) as bank_url, asyncio.timeout(30):
            process = await _worker(NOWHERE | parts | {"YIBAO_BANK_URL": bank_url})
            assert process.stderr is not None
            await process.stderr.readuntil(b"working on task queue")
            process.send_signal(signal.SIGTERM)
            said = (await process.stderr.read()).decode()
            assert await process.wait() == 0
    finally:
        await server.stop()
    assert not [line for line in said.splitlines() if "ERROR" in line or "Traceback" in line], said


async def test_a_core_that_never_ends_is_left_and_said_so(
    database: Database,
    temporal_client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun = asyncio.Event()

    async def for_ever(_core: bridge.Worker) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bridge.Worker, "finalize_shutdown", for_ever)
    monkeypatch.setattr(worker, "LEAVES_AFTER", timedelta(seconds=0.5))
    async with open_cases(database) as cases, sandbox_bank(tmp_path) as bank, asyncio.timeout(30):
        async with worker.at_work(temporal_client, cases.worker_pool, cases.keyring, bank, task_queue="never ends"):
            pass
        assert begun.is_set()
    assert [each.message for each in caplog.records] == [
        "Temporal's core has not ended, and nothing waits for it any more"
    ]
