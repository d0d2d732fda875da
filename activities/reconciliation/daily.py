"""The run of every night: beside each worker, and done once a day however many of them there are."""

import asyncio
import logging
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import asyncpg

from activities.database import transaction
from activities.reconciliation.keeping import RUN_LOCK, Run, first_day, reconcile
from workflows.deadlines import SHANGHAI

log = logging.getLogger(__name__)

# After midnight the day is over for the banks too; the statements of its evening have some time to come in.
NOT_BEFORE: Final = time(0, 30)
EVERY_SECONDS: Final = 60.0
DONE_SQL: Final = "select exists (select from reconciliation_runs where why = 'DAILY' and until = $1)"


def day_to_reconcile(now: datetime) -> date:
    """The last day that is over, at `now`, and whose run may begin."""
    here = now.astimezone(SHANGHAI)
    return here.date() - timedelta(days=1 if here.time() >= NOT_BEFORE else 2)


async def reconcile_daily(pool: asyncpg.Pool, until: date) -> Run | None:
    """The run until that day; None when it is done, or another worker is at it. Raises `asyncpg.PostgresError`."""
    if await pool.fetchval(DONE_SQL, until):
        return None
    async with pool.acquire() as reader, transaction(pool) as keeper:
        if not await keeper.fetchval("select pg_try_advisory_xact_lock($1)", RUN_LOCK):
            return None
        # Who had the lock before may have done it.
        if await keeper.fetchval(DONE_SQL, until):
            return None
        since = await first_day(keeper, until)
        return await reconcile(reader, keeper, since=since, until=until, why="DAILY", started_by="platform")


async def keep_reconciling(pool: asyncpg.Pool) -> None:
    """Reconcile every day until cancelled. A run that fails is made again, and keeps nothing of what it found."""
    while True:
        try:
            run = await reconcile_daily(pool, day_to_reconcile(datetime.now(UTC)))
            if run is not None:
                log.info("reconciled until %s: %d differences, %d of them new, %d gone", run.until, run.found, run.new, run.gone)  # fmt: skip
        except Exception:
            log.exception("the reconciliation failed; it comes again in %.0f s", EVERY_SECONDS)
        await asyncio.sleep(EVERY_SECONDS)
