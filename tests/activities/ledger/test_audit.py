"""The auditor finds each kind of corruption that the database would have refused, and names the posting that broke it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from activities.ledger.auditor import Auditor, open_auditor
from activities.ledger.invariants import Invariant
from tests.activities.desk import Desk, open_desk
from tests.conftest import Database


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with open_desk(database) as desk:
        yield desk


@pytest.fixture
async def corrupt(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection on which no trigger and no foreign key holds."""
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute("set session_replication_role = replica")
    yield connection
    await connection.close()


@pytest.fixture
async def auditor(database: Database) -> AsyncIterator[Auditor]:
    async with open_auditor(database.owner_url, told=True) as auditor:
        yield auditor


async def _broken(auditor: Auditor) -> set[tuple[Invariant, int | None]]:
    return {(each.invariant, each.posting_id) for each in (await auditor.verify()).broken}


@pytest.mark.parametrize(
    "way", ["accepted", "form_delivered", "remittance_ordered", "remitted", "continued", "completed"]
)
async def test_nothing_is_broken_at_any_step_of_a_case(desk: Desk, auditor: Auditor, way: str) -> None:
    await getattr(desk, way)()
    snapshot = await auditor.verify()
    assert snapshot.broken == ()
    assert snapshot.cases == 1
