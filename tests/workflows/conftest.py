"""One office for all tests of the transfer's workflow: each takes a person of its own."""

from collections.abc import AsyncIterator

import pytest

from stack import temporal
from stack.postgres import PostgresServer
from stack.processes import free_port
from stack.temporal import TemporalServer
from tests.conftest import fresh_database
from tests.office import Office, open_office


@pytest.fixture(scope="session")
async def office_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    """A Temporal of the office's own: its worker has the system's task queue to itself."""
    server = await temporal.start(tmp_path_factory.mktemp("office-temporal"), free_port(), free_port())
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def office(
    postgres_server: PostgresServer,
    migrated_template: str,
    office_server: TemporalServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Office]:
    async with (
        fresh_database(postgres_server, migrated_template) as database,
        open_office(database, office_server.address, tmp_path_factory.mktemp("bank")) as office,
    ):
        yield office
