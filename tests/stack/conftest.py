"""The command line `yibao` on a real database of its own."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from click.testing import CliRunner, Result

from activities.keyring import Keyring
from stack.cli import yibao
from stack.errors import StackError
from tests.conftest import Database

Yibao = Callable[..., Result]


@pytest.fixture
def run(database: Database) -> Yibao:
    """The command line on a fresh database; its own errors come back as exceptions."""
    environment = {"YIBAO_DATABASE_URL": database.owner_url, "YIBAO_KEYRING": Keyring.generate_text()}

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(yibao, arguments, env=environment)

    return invoke


def said(result: Result) -> str:
    """The one line that a refused command prints."""
    assert isinstance(result.exception, StackError)
    return str(result.exception)


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    async def fetch() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(database.owner_url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(fetch())
