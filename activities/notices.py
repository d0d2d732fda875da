"""Notices on their way: each is sent until its receiver has it, and told apart there by its id.

It runs beside the worker for as long as that does, and may run in several workers at once. Who takes a notice in hand
schedules its next attempt in the same statement: a crash before, within or after the sending loses nothing, and what
is sent twice is kept once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import aiohttp
import asyncpg
from pydantic import BaseModel, ValidationError

from activities.outside_http import SUCCESS, open_session
from workflows.mandate_notices import MandateNotice
from workflows.notices import REMINDERS, Notice, must_wait
from workflows.state import TransferState

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 2.0
# Sent for the first time in one request; and of those that have failed before, which go alone: one that a receiver cannot
# swallow holds up no other.
AT_ONCE: Final = 50
ALONE_AT_ONCE: Final = 5
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
_DUE = "select transfer_id, seq, recipient from notices where delivered_at is null and next_attempt_at <= now()"
TAKE_SQL = f"""
with fresh as ({_DUE} and attempts = 0 order by next_attempt_at limit $1 for update skip locked),
     again as ({_DUE} and attempts > 0 order by next_attempt_at limit $2 for update skip locked)
update notices n
   set attempts = n.attempts + 1, next_attempt_at = now() + least($3::interval * power(2, least(n.attempts, 20)), $4::interval)
  from (select * from fresh union all select * from again) due join transfers t using (transfer_id)
 where (n.transfer_id, n.seq, n.recipient) = (due.transfer_id, due.seq, due.recipient)
returning n.transfer_id, t.no as transfer_no, n.seq, n.recipient, n.kind, n.step, n.due_on, n.attempts,
          case when n.kind = any($5::text[]) then t.state end as state
"""  # noqa: S608 - a constant
_THESE = """
  from unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) these (transfer_id, seq, recipient, said)
 where (n.transfer_id, n.seq, n.recipient) = (these.transfer_id, these.seq, these.recipient) and n.delivered_at is null
"""
DELIVERED_SQL = f"update notices n set delivered_at = clock_timestamp(), last_error = null {_THESE}"  # noqa: S608 - as above
FAILED_SQL = f"update notices n set last_error = these.said {_THESE}"  # noqa: S608 - as above
HELD_SQL = f"update notices n set attempts = n.attempts - 1, next_attempt_at = now() + $5 {_THESE}"  # noqa: S608 - as above


# About a transfer's event, or about a mandate.
AnyNotice = Notice | MandateNotice


N = TypeVar("N", Notice, MandateNotice)
N_contra = TypeVar("N_contra", bound=AnyNotice, contravariant=True)


class NoticePort(Protocol[N_contra]):
    async def put(self, notices: Sequence[N_contra]) -> Mapping[str, str]:
        """Hand notices over; a second time under the same id changes nothing.

        What the receiver says of those that it did not take, by id. Raises when it took none.
        """
        ...


class NotTakenError(Exception):
    """The receiver answered, and did not take the notices."""


class Answer(BaseModel, frozen=True):
    """The receiver's: the ids of the notices that it has now, and what was wrong with others."""

    taken: frozenset[str]
    refused: dict[str, str] = {}


class HttpNotices:
    """The port over HTTP: `PUT /notices` with a list. Whatever the answer does not name as taken was not.

    Made where a loop runs. What breaks off may be sent a second time at once, which changes nothing.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/notices"
        self._session = open_session(SECONDS)

    async def put(self, notices: Sequence[AnyNotice]) -> Mapping[str, str]:
        """Raises `OSError`, `aiohttp.ClientError` or `NotTakenError`.

        Of the address, which may hold a password, they name the host at most.
        """
        body = [each.model_dump(mode="json") for each in notices]
        try:
            async with self._session.put(self._url, json=body, allow_redirects=False) as answer:
                status, content = answer.status, await answer.read()
        except aiohttp.ClientResponseError as broken:
            # It would name all of the address but the password.
            raise NotTakenError(f"the receiver answered, and not in HTTP: {broken.message}") from None
        if status not in SUCCESS:
            raise NotTakenError(f"the receiver answered {status}")
        try:
            said = Answer.model_validate_json(content)
        except ValidationError:
            raise NotTakenError("the receiver does not say which notices it has taken") from None
        return {each.id: said.refused.get(each.id, "not taken") for each in notices if each.id not in said.taken}

    async def aclose(self) -> None:
        await self._session.close()


class Tally(NamedTuple):
    """What came of the notices taken in hand."""

    delivered: int = 0
    failed: int = 0
    held: int = 0


async def keep_delivering(deliver_due: Callable[[], Awaitable[Tally]], every_seconds: float) -> None:
    """Deliver until cancelled; at once again while there is more and the receiver takes some."""
    while True:
        tally = Tally()
        try:
            tally = await deliver_due()
        except Exception:
            log.exception("notices could not be looked at; it is tried again in %.0f s", every_seconds)
        if sum(tally) < ALONE_AT_ONCE or not tally.delivered:
            await asyncio.sleep(every_seconds)


async def put_in_time(port: NoticePort[N], notices: Sequence[N]) -> Mapping[str, str]:
    """Hand notices over in `SECONDS` at most. What was wrong with those that the receiver did not take, by id."""
    try:
        async with asyncio.timeout(SECONDS):
            return await port.put(notices)
    except Exception as error:  # noqa: BLE001 - whatever a receiver does, its notices are tried again and stop no other
        return dict.fromkeys((each.id for each in notices), f"{type(error).__name__}: {error}")


class Notifier:
    def __init__(self, pool: asyncpg.Pool, port: NoticePort[Notice], *, first_wait: timedelta = FIRST_WAIT) -> None:
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
        rows = await self._pool.fetch(TAKE_SQL, AT_ONCE, ALONE_AT_ONCE, self._first_wait, LONGEST_WAIT, list(REMINDERS))
        held: list[Notice] = []
        unreadable: dict[Notice, str] = {}
        companies: list[list[Notice]] = [[]]
        for row in rows:
            notice = Notice.model_validate({name: row[name] for name in Notice.model_fields})
            try:
                waits = row["state"] is not None and must_wait(notice, TransferState.model_validate_json(row["state"]))
            except ValidationError as error:
                unreadable[notice] = f"its case cannot be read: {error}"
                continue
            if waits:
                held.append(notice)
            elif row["attempts"] == 1:
                companies[0].append(notice)
            else:
                companies.append([notice])
        if held:
            await self._pool.execute(HELD_SQL, *_these(held), HELD_FOR)
        await self._note_failed(unreadable)
        sent = await asyncio.gather(*(self._send(each) for each in companies if each))
        failed = len(unreadable) + sum(each.failed for each in sent)
        return Tally(sum(each.delivered for each in sent), failed, len(held))

    async def _send(self, notices: list[Notice]) -> Tally:
        refused = await put_in_time(self._port, notices)
        taken = [each for each in notices if each.id not in refused]
        if taken:
            await self._pool.execute(DELIVERED_SQL, *_these(taken))
        await self._note_failed({each: refused[each.id] for each in notices if each.id in refused})
        return Tally(delivered=len(taken), failed=len(notices) - len(taken))

    async def _note_failed(self, failed: Mapping[Notice, str]) -> None:
        if not failed:
            return
        notices, said = list(failed), [why[:ERROR_CHARACTERS] for why in failed.values()]
        log.warning("%d notices are not delivered yet, the first %s: %s", len(notices), notices[0].id, said[0])
        await self._pool.execute(FAILED_SQL, *_these(notices, said))


def _these(notices: list[Notice], said: list[str] | None = None) -> tuple[list[Any], ...]:
    """The notices, column by column, for the statements that note what came of them."""
    return (
        [each.transfer_id for each in notices],
        [each.seq for each in notices],
        [each.recipient for each in notices],
        said or [None] * len(notices),
    )
