"""The bank's word of an order, noted in its case: taken, returned, credited. Repeatable: what is known changes nothing.

An open case hears it from its workflow. One that is completed is opened again for a late return, and its workflow started.
"""

from datetime import UTC, datetime, timedelta

import asyncpg
from temporalio.client import Client

from activities import records, registers
from activities.database import Connection, transaction
from activities.dispatch import regrow
from activities.keyring import Keyring
from activities.records import Locked
from activities.reference import regions_on
from activities.scene import Scene
from activities.steps import receipt_facts, record_step, step_result
from workflows.actors import BANK
from workflows.bank_word import bank_credits, bank_reopens, bank_says, spent
from workflows.deadlines import shanghai_date
from workflows.fold import Facts
from workflows.messages import BankNote, BankSaid, CommandOutcome, StepResult
from workflows.policy import Receipt
from workflows.state import TransferState

PATIENCE = timedelta(seconds=10)
NOTED = CommandOutcome(kind="DONE")
# Nothing was changed, for the account at R no longer holds what came back: a supervisor must look.
SPENT = CommandOutcome(kind="NOT_ALLOWED", why="RETURN_AFTER_SPENT")


async def note_bank_word(pool: asyncpg.Pool, keyring: Keyring, note: BankNote) -> StepResult:
    """Note in an open case what the bank has said. Raises as the other steps do, to be tried again."""
    async with transaction(pool) as connection:
        locked = await records.lock(connection, note.transfer_id, shanghai_date(note.now))
        held_fen = (await registers.reverse_facts(connection, locked.state)).balance_fen
        facts = () if locked.state.closed else await _facts(connection, locked, note, held_fen)
        if not facts:
            outcome = SPENT if spent(locked.state, note.said, held_fen) else NOTED
            known = await records.events_after(connection, note.transfer_id, note.after_seq)
            return step_result(outcome, known)
        return await record_step(_scene(connection, keyring, locked, note.now), locked, facts, note)


async def reopen(
    pool: asyncpg.Pool, keyring: Keyring, client: Client, no: str, said: BankSaid, now: datetime | None = None
) -> CommandOutcome:
    """Open the completed case numbered `no` again for money that came back, and start its workflow.

    Nothing is changed in a case that is open, that ended otherwise or that knows the word; nor where the person has spent
    the money: the outcome then says RETURN_AFTER_SPENT. Raises LookupError when there is no such case, and
    `temporalio.service.RPCError` when Temporal is away: the sweeper starts the workflow then.
    """
    now = now or datetime.now(UTC)
    async with transaction(pool) as connection:
        transfer_id = await connection.fetchval("select transfer_id from transfers where no = $1", no)
        if transfer_id is None:
            raise LookupError(f"there is no transfer {no}")
        locked = await records.lock(connection, transfer_id, shanghai_date(now))
        held_fen = (await registers.reverse_facts(connection, locked.state)).balance_fen
        facts = bank_reopens(locked.state, said, held_fen, now, locked.calendar)
        if facts:
            note = BankNote(transfer_id=transfer_id, after_seq=locked.state.revision, said=said, now=now)
            # First: it must not stand in the way of a transfer that the person has begun since.
            await connection.execute("update transfers set reopened_at = $2 where transfer_id = $1", transfer_id, now)
            await record_step(_scene(connection, keyring, locked, now), locked, facts, note)
    if not facts:
        return SPENT if locked.state.closed and spent(locked.state, said, held_fen) else NOTED
    state = await pool.fetchval("select state from transfers where transfer_id = $1", transfer_id)
    await regrow(client, TransferState.model_validate_json(state), timeout=PATIENCE)
    return NOTED


async def _facts(connection: Connection, locked: Locked, note: BankNote, held_fen: int) -> Facts:
    state, said = locked.state, note.said
    if said.said != "CREDITED":
        return bank_says(state, said, held_fen, note.now, locked.calendar)
    order = state.on_its_way
    payee = state.from_region if order is not None and order.comes_home else state.to_region
    regions = await regions_on(connection, shanghai_date(note.now), [payee])
    if payee not in regions or regions[payee].policy.receipt is not Receipt.BY_ADVICE:
        # R's finance confirms it; the border with the bank keeps the advice for them.
        return ()
    facts = await receipt_facts(connection, state, said.bank_reference)
    return bank_credits(state, said, facts, note.now, locked.calendar)


def _scene(connection: Connection, keyring: Keyring, locked: Locked, at: datetime) -> Scene:
    return Scene(connection, keyring, locked.state, BANK, at, locked.calendar)
