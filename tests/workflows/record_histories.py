"""Record the histories that the replay test holds the workflow to: `python -m tests.workflows.record_histories`.

Each ending is carried out by the real worker on a PostgreSQL and a Temporal of its own; nothing else may be running.
An ending that has a history keeps it: it is one of the releases that the workflow must go on replaying.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from activities.keyring import Keyring
from stack import postgres, temporal
from stack.processes import free_port
from tests.conftest import FAST_SETTINGS, fresh_database, migrated_template_of
from tests.office import open_office
from tests.workflows.endings import ENDINGS

HISTORIES = Path(__file__).parent.parent / "histories"
COMMAND = "python -m tests.workflows.record_histories"


def keyring() -> Keyring:
    """The key for tests only that the committed histories are sealed under."""
    return Keyring.from_text((HISTORIES / "keyring.json").read_text("utf-8"))


async def record(folder: Path) -> None:
    for part in ("postgres", "temporal"):
        (folder / part).mkdir()
    database_server = await postgres.start(folder / "postgres", free_port(), settings=FAST_SETTINGS)
    temporal_server = await temporal.start(folder / "temporal", free_port(), free_port())
    template = await migrated_template_of(database_server)
    async with (
        fresh_database(database_server, template) as database,
        open_office(database, temporal_server.address, folder / "bank", keyring=keyring()) as office,
    ):
        for ending in ENDINGS:
            file = HISTORIES / f"{ending.__name__}.json"
            if file.exists():
                continue
            transfer = await ending(office)
            status = await office.ending(transfer)
            history = await office.history(transfer)
            file.write_text(history.to_json(), "utf-8")
            print(f"{ending.__name__}: {status}, {len(history.events)} events")  # noqa: T201 - the command's answer
    await temporal_server.stop()
    await database_server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(record(Path(scratch)))
    # A process that used a Temporal client can crash in the interpreter's own exit.
    sys.stdout.flush()
    os._exit(0)
