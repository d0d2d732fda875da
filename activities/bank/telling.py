"""The bank's words on their way to the cases: each is told until its case has decided on it, in the order in which money moves.

It runs beside the worker, and may run in several at once. A word that is told twice changes nothing there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final, Protocol

import asyncpg
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.bank.matching import Said
from activities.reference import regions_on
from workflows.deadlines import shanghai_date
from workflows.messages import BankSaid, CommandOutcome, workflow_id
from workflows.policy import Receipt
from workflows.vocabulary import BankReturnReason

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
FIRST_WAIT: Final = timedelta(seconds=10)
# A case decides within seconds of being told; while no worker runs, words do not pile up before it.
FIRST_HEARING, LONGEST_HEARING = timedelta(seconds=30), timedelta(hours=1)
LONGEST_WAIT: Final = timedelta(minutes=5)
SECONDS: Final = timedelta(seconds=5)
ERROR_CHARACTERS: Final = 200

# Who sent the order has brought the word already.
KNOWN_SQL = """
update bank_words w set told_at = clock_timestamp(), told_fen = w.amount_fen, heard_fen = w.amount_fen from remittances r
 where w.told_at is null and w.said = 'TAKEN' and r.reference = w.reference and r.status not in ('ORDERED', 'AWAITING_RELEASE')
"""
# A workflow that closes, or is lost, in the moment that a word reaches it has not heard it. `attempts` counts the tellings.
AGAIN_SQL = """
update bank_words set told_at = null, told_fen = heard_fen, next_attempt_at = now()
 where heard_fen < told_fen and told_at + least($1::interval * power(2, least(attempts, 20)), $2::interval) < clock_timestamp()
"""
# As notices are taken in hand: the next attempt is scheduled by the statement that makes this one.
TAKE_SQL = """
with due as (
    select w.reference, w.said from bank_words w
     where w.told_at is null and w.next_attempt_at <= now()
       and not exists (select from bank_words earlier where earlier.reference = w.reference and earlier.told_at is null
                          and array_position($4::text[], earlier.said) < array_position($4::text[], w.said))
     order by w.next_attempt_at limit $1 for update skip locked
)
update bank_words w
   set attempts = w.attempts + 1, next_attempt_at = now() + least($2::interval * power(2, least(w.attempts, 20)), $3::interval)
  from due join remittances r using (reference) join transfers t using (transfer_id)
 where (w.reference, w.said) = (due.reference, due.said)
returning w.reference, w.said, w.amount_fen, w.told_fen, w.reason, w.bank_reference, w.said_on, t.no, t.closed_at,
          case when r.kind = 'REVERSE' then t.from_region else t.to_region end as payee_region
"""
TOLD_SQL = """
update bank_words w set told_fen = told.fen, last_error = null, told_at = case when w.amount_fen = told.fen then clock_timestamp() end,
                        heard_fen = case when told.to_nobody then told.fen else w.heard_fen end
  from unnest($1::text[], $2::text[], $3::bigint[], $4::bool[]) as told (reference, said, fen, to_nobody)
 where (w.reference, w.said) = (told.reference, told.said)
"""
FAILED_SQL = "update bank_words set last_error = $3 where reference = $1 and said = $2 and told_at is null"


class Teller(Protocol):
    """Tells an open case."""

    async def tell(self, no: str, said: BankSaid) -> None:
        """Returns once the case of that number is sure to hear it. Raises whatever kept it from that."""
        ...


class NobodyListensError(Exception):
    """The case has no workflow now; the sweeper grows a lost one again, and the word is told then."""


class SignalTeller:
    """By the signal `bank_says` of the case's workflow."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tell(self, no: str, said: BankSaid) -> None:
        try:
            await self._client.get_workflow_handle(workflow_id(no)).signal("bank_says", said, rpc_timeout=SECONDS)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NobodyListensError(no) from None
            raise


class Telling(Enum):
    """A word that no case waits for is TO_NOBODY; one TO_ITS_CASE is told again until that has noted that it heard it."""

    TO_ITS_CASE = auto()
    TO_NOBODY = auto()


# For the word's case, which is closed: a late return opens its money's track again, unless it was spent.
Reopen = Callable[[BankSaid], Awaitable[CommandOutcome]]


class Words:
    def __init__(self, pool: asyncpg.Pool, teller: Teller, reopen: Reopen | None = None) -> None:
        self._pool = pool
        self._teller = teller
        self._reopen = reopen

    async def tell_due(self) -> int:
        """Tell at most `AT_ONCE` words whose time has come; how many were told. Raises `asyncpg.PostgresError` or `OSError`."""
        await self._pool.execute(KNOWN_SQL)
        await self._pool.execute(AGAIN_SQL, FIRST_HEARING, LONGEST_HEARING)
        rows = await self._pool.fetch(TAKE_SQL, AT_ONCE, FIRST_WAIT, LONGEST_WAIT, list(Said))
        if not rows:
            return 0
        by_advice = await self._confirming_by_advice({row["payee_region"] for row in rows})
        outcomes = await asyncio.gather(*(self._tell(row, by_advice) for row in rows))
        told = [(row, how) for row, how in zip(rows, outcomes, strict=True) if how is not None]
        await self._pool.execute(
            TOLD_SQL,
            [row["reference"] for row, _ in told],
            [row["said"] for row, _ in told],
            [row["amount_fen"] for row, _ in told],
            [how is Telling.TO_NOBODY for _, how in told],
        )
        return len(told)

    async def _tell(self, row: asyncpg.Record, by_advice: set[str]) -> Telling | None:
        said = Said(row["said"])
        if said is Said.CREDITED and row["payee_region"] not in by_advice:
            # Finance confirms it, and has the advice at hand.
            return Telling.TO_NOBODY
        if said is not Said.RETURNED and row["closed_at"] is not None:
            return Telling.TO_NOBODY
        word = BankSaid(
            reference=row["reference"],
            said=said.value,
            amount_fen=row["amount_fen"] - row["told_fen"],
            told_fen=row["told_fen"],
            in_all_fen=row["amount_fen"] if said is Said.RETURNED else None,
            reason=BankReturnReason(row["reason"]) if row["reason"] is not None else None,
            bank_reference=row["bank_reference"],
            on=row["said_on"],
        )
        try:
            if row["closed_at"] is not None and self._reopen is not None:
                await self._reopen(word)
            else:
                await self._teller.tell(row["no"], word)
        except Exception as error:  # noqa: BLE001 - whatever keeps one case from hearing, the others hear
            told = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
            log.warning("%s of %s is not told yet: %s", said, row["reference"], told)
            await self._pool.execute(FAILED_SQL, row["reference"], said, told)
            return None
        return Telling.TO_ITS_CASE

    async def _confirming_by_advice(self, codes: set[str]) -> set[str]:
        async with self._pool.acquire() as connection:
            regions = await regions_on(connection, shanghai_date(datetime.now(UTC)), sorted(codes))
        return {code for code, each in regions.items() if each.policy.receipt is Receipt.BY_ADVICE}
