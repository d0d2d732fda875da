"""Notices on their way: each is sent until its receiver has it, and told apart there by its id.

It runs beside the worker for as long as that does, and may run in several workers at once. Who takes a notice in hand
schedules its next attempt in the same statement: a crash before, within or after the sending loses nothing, and what
is sent twice is kept once.
"""

import asyncio
import logging
from contextlib import aclosing
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

import asyncpg
import httpx

from activities.http_connections import KeptConnections
from workflows.notices import REMINDERS, Notice, must_wait
from workflows.state import TransferState

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 2.0
AT_ONCE: Final = 5
# One attempt, the whole of it.
SECONDS: Final = 5.0
# The wait after the first attempt; it doubles with each. Longer than an attempt, or two workers would make it at once.
FIRST_WAIT: Final = timedelta(seconds=10)
LONGEST_WAIT: Final = timedelta(minutes=5)
# When a reminder of a clock that stands still is looked at again.
HELD_FOR: Final = timedelta(minutes=15)
ERROR_CHARACTERS: Final = 200

# `now()` is the statement's start and can be compared within the index; a row that another worker has just taken in
# hand is seen again with its later next attempt, and left.
TAKE_SQL = """
with due as (
    select transfer_id, seq, recipient from notices
     where delivered_at is null and next_attempt_at <= now()
     order by next_attempt_at limit $1 for update skip locked
)
update notices n
   set attempts = n.attempts + 1, next_attempt_at = now() + least($2::interval * power(2, least(n.attempts, 20)), $3::interval)
  from due join transfers t using (transfer_id)
 where (n.transfer_id, n.seq, n.recipient) = (due.transfer_id, due.seq, due.recipient)
returning n.transfer_id, t.no as transfer_no, n.seq, n.recipient, n.kind, n.step, n.due_on,
          case when n.kind = any($4::text[]) then t.state end as state
"""
_ONE = "where transfer_id = $1 and seq = $2 and recipient = $3 and delivered_at is null"
DELIVERED_SQL = f"update notices set delivered_at = clock_timestamp(), last_error = null {_ONE}"  # noqa: S608 - a constant
FAILED_SQL = f"update notices set last_error = $4 {_ONE}"  # noqa: S608 - as above
HELD_SQL = f"update notices set attempts = attempts - 1, next_attempt_at = now() + $4 {_ONE}"  # noqa: S608 - as above


class NoticePort(Protocol):
    async def put(self, notice: Notice) -> None:
        """Hand a notice over; a second time under the same id changes nothing. Raises when it was not taken."""
        ...


class NotTakenError(Exception):
    """The receiver answered, and did not take the notice."""


class HttpNotices:
    """The port over HTTP: `PUT /notices/ID`, taken with any 2xx."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=SECONDS, transport=KeptConnections())

    async def put(self, notice: Notice) -> None:
        """Raises `OSError` or `NotTakenError`; of the address, which may hold a password, they name the host at most."""
        answer = await self._client.put(f"/notices/{notice.id}", json=notice.model_dump(mode="json"))
        if not answer.is_success:
            raise NotTakenError(f"the receiver answered {answer.status_code}")

    async def aclose(self) -> None:
        await self._client.aclose()


class Tally(NamedTuple):
    """What came of the notices taken in hand."""

    delivered: int = 0
    failed: int = 0
    held: int = 0


class Notifier:
    def __init__(self, pool: asyncpg.Pool, port: NoticePort, *, first_wait: timedelta = FIRST_WAIT) -> None:
        self._pool = pool
        self._port = port
        self._first_wait = first_wait

    async def run(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        """Deliver until cancelled; at once again while there is more and the receiver takes some."""
        while True:
            tally = Tally()
            try:
                tally = await self.deliver_due()
            except Exception:
                log.exception("notices could not be looked at; it is tried again in %.0f s", every_seconds)
            if sum(tally) < AT_ONCE or not tally.delivered:
                await asyncio.sleep(every_seconds)

    async def deliver_due(self) -> Tally:
        """Send at most `AT_ONCE` notices whose time has come. Raises `asyncpg.PostgresError` or `OSError`."""
        rows = await self._pool.fetch(TAKE_SQL, AT_ONCE, self._first_wait, LONGEST_WAIT, list(REMINDERS))
        outcomes = await asyncio.gather(*(self._deliver(row) for row in rows))
        return Tally(outcomes.count("delivered"), outcomes.count("failed"), outcomes.count("held"))

    async def _deliver(self, row: asyncpg.Record) -> str:
        notice = Notice.model_validate({name: row[name] for name in Notice.model_fields})
        key = (notice.transfer_id, notice.seq, notice.recipient)
        try:
            if row["state"] is not None and must_wait(notice, TransferState.model_validate_json(row["state"])):
                await self._pool.execute(HELD_SQL, *key, HELD_FOR)
                return "held"
            async with asyncio.timeout(SECONDS):
                await self._port.put(notice)
            await self._pool.execute(DELIVERED_SQL, *key)
        except Exception as error:  # noqa: BLE001 - whatever a receiver does, its notice is tried again and stops no other
            said = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
            log.warning("notice %s is not delivered yet: %s", notice.id, said)
            await self._pool.execute(FAILED_SQL, *key, said)
            return "failed"
        return "delivered"


async def deliver_notices(pool: asyncpg.Pool, url: str | None) -> None:
    """Deliver to the receiver at `url` until cancelled. Without one, say so once: the notices stay recorded."""
    if url is None:
        log.warning("YIBAO_NOTICE_URL is not set: notices are recorded, and wait until it is")
        return
    async with aclosing(HttpNotices(url)) as port:
        await Notifier(pool, port).run()
