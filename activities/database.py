"""The connection to the truth: one pool per process, dates and JSON as Python knows them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

# A pooled connection and a plain one answer alike.
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

# A step holds a connection for one short transaction; more than this only queues inside PostgreSQL.
POOL_SIZE = 10
# Less than an activity may take, so that no statement outlives the attempt that made it.
STATEMENT_SECONDS = 8


async def open_pool(url: str, *, size: int = POOL_SIZE) -> asyncpg.Pool:
    """A pool on `url`. Raises `OSError` or `asyncpg.PostgresError` when the database is not there."""
    return await asyncpg.create_pool(
        url, min_size=1, max_size=size, command_timeout=STATEMENT_SECONDS, reset=_leave_as_it_is
    )


@asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """One transaction on a connection of the pool.

    What PostgreSQL refuses comes without its DETAIL: that quotes the refused row, people's words included, which is
    nothing for logs and Temporal's histories.
    """
    try:
        async with pool.acquire() as connection, connection.transaction():
            yield connection
    except asyncpg.PostgresError as refused:
        refused.detail = None
        raise


async def _leave_as_it_is(_connection: object) -> None:
    """Nothing of ours outlives a transaction (no SET, no LISTEN, no advisory lock): no round trip to reset it."""
