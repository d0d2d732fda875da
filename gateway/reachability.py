"""Which errors say that PostgreSQL or Temporal is out of reach, and not that something is wrong with us."""

from typing import Final

import asyncpg

from gateway.temporal_link import TemporalUnavailableError

OUT_OF_REACH: Final = (
    OSError,  # TimeoutError is one
    TemporalUnavailableError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    # A pooled connection that the server has just ended, before the end of the socket was seen.
    asyncpg.InternalClientError,
)


def is_out_of_reach(error: BaseException) -> bool:
    """An `InterfaceError` is also the driver's word for a wrong call: only one of a closed connection counts."""
    return isinstance(error, OUT_OF_REACH) or (isinstance(error, asyncpg.InterfaceError) and "clos" in str(error))
