"""One whole system for the session: `yibao up`, asked through its API and its command line."""

from collections.abc import AsyncIterator

import pytest

from tests.e2e.case import Desks
from tests.e2e.people import Registers
from tests.e2e.standing_cases import Scene, standing_cases
from tests.e2e.system import System


@pytest.fixture(scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The stack that runs for all tests that leave it running."""
    running = System(tmp_path_factory.mktemp("e2e") / "data")
    try:
        await running.up()
        yield running
    finally:
        await running.stop()


@pytest.fixture(scope="session")
def registers(system: System, tmp_path_factory: pytest.TempPathFactory) -> Registers:
    return Registers(system, tmp_path_factory.mktemp("extracts"))


@pytest.fixture(scope="session")
def desks(system: System) -> Desks:
    return Desks(system)


@pytest.fixture(scope="session")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Another stack, whose parts are killed and hung."""
    running = System(tmp_path_factory.mktemp("e2e-breakable") / "data")
    try:
        await running.up()
        yield running
    finally:
        await running.stop()


@pytest.fixture(scope="session")
async def scene(system: System, registers: Registers, desks: Desks) -> Scene:
    return await standing_cases(system, registers, desks)
