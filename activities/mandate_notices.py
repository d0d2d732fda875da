"""Notices about mandates on their way: delivered through the same port as those about transfers, and as often tried.

They go in requests of their own: a receiver that does not know them yet holds up no notice about a transfer.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta

import asyncpg

from activities.notices import (
    ALONE_AT_ONCE,
    AT_ONCE,
    ERROR_CHARACTERS,
    EVERY_SECONDS,
    FIRST_WAIT,
    LONGEST_WAIT,
    HttpNotices,
    NoticePort,
    Notifier,
    Tally,
    keep_delivering,
    put_in_time,
)
from workflows.mandate_notices import MandateNotice

log = logging.getLogger(__name__)

_DUE = "select mandate_id, kind, recipient from mandate_notices where delivered_at is null and next_attempt_at <= now()"
TAKE_SQL = f"""
with fresh as ({_DUE} and attempts = 0 order by next_attempt_at limit $1 for update skip locked),
     again as ({_DUE} and attempts > 0 order by next_attempt_at limit $2 for update skip locked)
update mandate_notices n
   set attempts = n.attempts + 1, next_attempt_at = now() + least($3::interval * power(2, least(n.attempts, 20)), $4::interval)
  from (select * from fresh union all select * from again) due
 where (n.mandate_id, n.kind, n.recipient) = (due.mandate_id, due.kind, due.recipient)
returning n.mandate_id, n.kind, n.recipient, 'agency:' || n.region as agency, n.starts_at, n.attempts
"""  # noqa: S608 - a constant
DONE_SQL = """
update mandate_notices n
   set delivered_at = case when these.said is null then clock_timestamp() end, last_error = these.said
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) these (mandate_id, kind, recipient, said)
 where (n.mandate_id, n.kind, n.recipient) = (these.mandate_id, these.kind, these.recipient) and n.delivered_at is null
"""


class MandateNotifier:
    def __init__(
        self, pool: asyncpg.Pool, port: NoticePort[MandateNotice], *, first_wait: timedelta = FIRST_WAIT
    ) -> None:
        self._pool = pool
        self._port = port
        self._first_wait = first_wait

    async def run(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        """Deliver until cancelled; at once again while there is more and the receiver takes some."""
        await keep_delivering(self.deliver_due, every_seconds)

    async def deliver_due(self) -> Tally:
        """Send the notices whose time has come: `AT_ONCE` new ones at most, and `ALONE_AT_ONCE` that have failed before.

        Raises `asyncpg.PostgresError` or `OSError`.
        """
        rows = await self._pool.fetch(TAKE_SQL, AT_ONCE, ALONE_AT_ONCE, self._first_wait, LONGEST_WAIT)
        fresh = [_notice(row) for row in rows if row["attempts"] == 1]
        again = [[_notice(row)] for row in rows if row["attempts"] > 1]
        sent = await asyncio.gather(*(self._send(each) for each in [fresh, *again] if each))
        return Tally(sum(each.delivered for each in sent), sum(each.failed for each in sent))

    async def _send(self, notices: Sequence[MandateNotice]) -> Tally:
        refused = await put_in_time(self._port, notices)
        await self._note(notices, refused)
        failed = sum(each.id in refused for each in notices)
        return Tally(delivered=len(notices) - failed, failed=failed)

    async def _note(self, notices: Sequence[MandateNotice], refused: Mapping[str, str]) -> None:
        """Write what came of each notice: delivered, or what the receiver said."""
        if refused:
            log.warning("%d notices about mandates are not delivered yet", len(refused))
        await self._pool.execute(
            DONE_SQL,
            [each.mandate_id for each in notices],
            [each.kind for each in notices],
            [each.recipient for each in notices],
            [refused[each.id][:ERROR_CHARACTERS] if each.id in refused else None for each in notices],
        )


async def deliver_notices(pool: asyncpg.Pool, url: str | None) -> None:
    """Deliver all notices to the receiver at `url` until cancelled. Without one, log it once: the notices stay recorded."""
    if url is None:
        log.warning("YIBAO_NOTICE_URL is not set: notices are recorded, and wait until it is")
        return
    async with aclosing(HttpNotices(url)) as port, asyncio.TaskGroup() as group:
        group.create_task(Notifier(pool, port).run())
        group.create_task(MandateNotifier(pool, port).run())


def _notice(row: asyncpg.Record) -> MandateNotice:
    return MandateNotice.model_validate({name: row[name] for name in MandateNotice.model_fields})
