"""A late return: the money of a completed case comes back, and the case is opened again for it, visibly."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg
from temporalio.client import Client

from activities import records, registers
from activities.bank.hearing import hear
from activities.bank_words import NOTED, SPENT, bank_scene
from activities.database import transaction
from activities.dispatch import regrow
from activities.keyring import Keyring
from activities.step_record import record_step
from workflows.bank_word import bank_reopens, spent
from workflows.deadlines import shanghai_date
from workflows.messages import BankNote, BankSaid, CommandOutcome
from workflows.state import TransferState

PATIENCE = timedelta(seconds=10)


class Reopened(NamedTuple):
    """What came of the word, and the case that is open again, None where nothing was changed."""

    outcome: CommandOutcome
    state: TransferState | None = None


async def reopen(pool: asyncpg.Pool, keyring: Keyring, client: Client, said: BankSaid) -> CommandOutcome:
    """Open the completed case of `said` again for its money, and start its workflow.

    Raises as `open_again` does, and `temporalio.service.RPCError` when Temporal is away: the sweeper starts the workflow then.
    """
    reopened = await open_again(pool, keyring, said, datetime.now(UTC))
    if reopened.state is not None:
        await regrow(client, reopened.state, timeout=PATIENCE)
    return reopened.outcome


async def open_again(pool: asyncpg.Pool, keyring: Keyring, said: BankSaid, now: datetime) -> Reopened:
    """One transaction on the closed case: it is open, and its money is back at O.

    Nothing is changed in a case that is open, that ended otherwise or that knows the word; nor where R no longer has the
    money: the outcome then says RETURN_AFTER_SPENT, and it is on the list of unmatched funds.
    Raises LookupError when no order has the reference.
    """
    async with transaction(pool) as connection:
        transfer_id = await connection.fetchval(
            "select transfer_id from remittances where reference = $1", said.reference
        )
        if transfer_id is None:
            raise LookupError(f"there is no remittance {said.reference}")
        locked = await records.lock(connection, transfer_id, shanghai_date(now))
        if not locked.state.closed:
            return Reopened(NOTED)
        held_fen = (await registers.reverse_facts(connection, locked.state)).balance_fen
        facts = bank_reopens(locked.state, said, held_fen, now, locked.calendar)
        note = BankNote(transfer_id=transfer_id, after_seq=locked.state.revision, said=said, now=now)
        late = not facts and spent(locked.state, said, held_fen)
        await hear(connection, note, spent=late)
        if not facts:
            return Reopened(SPENT if late else NOTED)
        # First: it must not stand in the way of a transfer that the person has begun since.
        await connection.execute("update transfers set reopened_at = $2 where transfer_id = $1", transfer_id, now)
        scene = bank_scene(connection, keyring, locked, now)
        await record_step(scene, locked, facts, note)
        return Reopened(NOTED, scene.state)
