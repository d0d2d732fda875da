"""The sweep of late contributions, beside the worker: what follows a completed case is booked, ordered and sent along.

One transaction for each case: the contributions that wait for it, its events, its order. What was swept along is swept along
once, however many workers sweep and wherever one of them dies.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from temporalio.client import Client

from activities import records
from activities.contribution_standing import FOLLOWED_SQL, STANDING_SQL
from activities.database import Connection, transaction
from activities.dispatch import regrow
from activities.keyring import Keyring
from activities.remit_policy import remit_facts
from activities.scene import Scene
from activities.step_record import record_step
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.deadlines import shanghai_date
from workflows.messages import Order
from workflows.policy import Disposition
from workflows.residuals import ContributionState, sweep_along
from workflows.state import TransferState

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
AT_MOST = 200
# Of one case in one order; what is over waits for its completion.
IN_ONE_ORDER = 100
PATIENCE = timedelta(seconds=10)

# A case that has come to nothing, or to its end: what waited for it stands anew.
RESTAND_SQL = f"""
update late_contributions w set state = stands.state, transfer_id = stands.transfer_id
  from (select c.contribution_id, {STANDING_SQL} as state, followed.transfer_id
          from late_contributions c join transfers t using (transfer_id) {FOLLOWED_SQL}
         where c.state = 'WAITS_FOR_COMPLETION' and t.closed_at is not null limit $1) stands
 where w.contribution_id = stands.contribution_id and w.state = 'WAITS_FOR_COMPLETION'
"""  # noqa: S608 - our own statement
CASES_SQL = """
select distinct c.transfer_id from late_contributions c join transfers t using (transfer_id)
 where c.state = 'AWAITS_SWEEP' and t.status = 'COMPLETED' and c.transfer_id > $1 order by 1 limit $2
"""
# Locked: the case is, and nobody else takes them up.
WAITING_SQL = """
select contribution_id, month, amount_fen from late_contributions
 where transfer_id = $1 and state = 'AWAITS_SWEEP' order by received_at, contribution_id limit $2 for update
"""
TAKEN_SQL = """
update late_contributions l set state = $2, seq = taken.seq
  from unnest($3::text[], $4::int[]) as taken (contribution_id, seq)
 where l.contribution_id = taken.contribution_id and l.transfer_id = $1
"""
FIRST = UUID(int=0)


class ResidualSweep:
    def __init__(self, pool: asyncpg.Pool, client: Client, keyring: Keyring) -> None:
        self._pool = pool
        self._client = client
        self._keyring = keyring
        self._swept_until = FIRST

    async def run(self) -> None:
        """Sweep until cancelled. A pass that fails, for PostgreSQL is away, comes again."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("the sweep of late contributions failed; it comes again in %.0f s", EVERY_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

    async def sweep(self, now: datetime | None = None) -> int:
        """Take along what waits for at most `AT_MOST` cases, and return of how many it was; the next pass goes on from there.

        A case that fails is logged, and keeps no other from its turn.
        """
        await self._pool.execute(RESTAND_SQL, AT_MOST)
        cases = [row["transfer_id"] for row in await self._pool.fetch(CASES_SQL, self._swept_until, AT_MOST)]
        self._swept_until = cases[-1] if len(cases) == AT_MOST else FIRST
        swept = 0
        for transfer_id in cases:
            try:
                swept += await self._sweep_case(transfer_id, now or datetime.now(UTC))
            except Exception:
                log.exception("the late contributions of case %s could not be swept along yet", transfer_id)
        return swept

    async def _sweep_case(self, transfer_id: UUID, now: datetime) -> bool:
        async with transaction(self._pool) as connection:
            state = await _take_along(connection, self._keyring, transfer_id, now)
        if state is not None and not state.closed:
            try:
                await regrow(self._client, state, timeout=PATIENCE)
            except Exception:
                log.exception("case %s is open again; the sweeper of lost cases starts its workflow", state.no)
        return state is not None


async def _take_along(
    connection: Connection, keyring: Keyring, transfer_id: UUID, now: datetime
) -> TransferState | None:
    """What waits for the case is in its events and its order; the case then, or None when there was nothing to take."""
    locked = await records.lock(connection, transfer_id, shanghai_date(now))
    before = locked.state
    rows = await connection.fetch(WAITING_SQL, transfer_id, IN_ONE_ORDER)
    contributions = [e.LateContribution(**dict(row)) for row in rows]
    scene = Scene(connection, keyring, before, PLATFORM, now, locked.calendar)
    facts = sweep_along(before, contributions, await remit_facts(scene), now, locked.calendar)
    if not facts:
        return None
    # First: it must not stand in the way of a transfer that the person has begun since.
    await connection.execute("update transfers set reopened_at = $2 where transfer_id = $1", transfer_id, now)
    taken = await record_step(scene, locked, facts, Order(transfer_id=transfer_id, after_seq=before.revision))
    seqs = {each.fact.contribution_id: each.seq for each in taken.events if isinstance(each.fact, e.LateContribution)}
    retained = before.form is not None and before.form.disposition is Disposition.RETAIN
    becomes = ContributionState.RETAINED if retained else ContributionState.SWEPT_ALONG
    await connection.execute(TAKEN_SQL, transfer_id, becomes, list(seqs), list(seqs.values()))
    return scene.state
