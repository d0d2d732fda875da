"""Where a command of `yibao` finds the truth: YIBAO_DATABASE_URL and YIBAO_KEYRING, or else the local stack's."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import asyncpg

from activities.keyring import ENVIRONMENT_VARIABLE, Keyring, KeyringError
from stack.data_directory import DataDirectory
from stack.errors import StackError

Answer = TypeVar("Answer")


def database_and_keyring(data_dir: Path) -> tuple[str, Keyring]:
    """The owner's URL of the database, and the keyring. Raises `StackError` when no stack runs on `data_dir`."""
    try:
        if url := os.environ.get("YIBAO_DATABASE_URL"):
            return url, Keyring.from_environment(os.environ)
        directory = DataDirectory(data_dir)
        url = directory.read_stack().postgres
        return url, Keyring.from_environment({ENVIRONMENT_VARIABLE: str(directory.keyring)})
    except KeyringError as error:
        raise StackError(str(error)) from None


def on_database(data_dir: Path, act: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
    """Run `act` in one transaction on the database and return its answer. Raises `StackError` when it is not there."""
    url, _ = database_and_keyring(data_dir)

    async def run() -> Answer:
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction():
                return await act(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"the database does not answer: {error}") from None
