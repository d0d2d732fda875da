"""The bank's word of an order, noted in its open case: taken, returned, credited. What is known changes nothing.

A completed case, which has no workflow any more, is `reopening`'s.
"""

from datetime import datetime

import asyncpg

from activities import records, registers
from activities.bank.hearing import hear
from activities.database import Connection, transaction
from activities.keyring import Keyring
from activities.records import Locked
from activities.reference import regions_on
from activities.scene import Scene
from activities.step_facts import receipt_facts
from activities.step_record import record_step, step_result
from workflows.actors import BANK
from workflows.bank_word import bank_credits, bank_says, spent
from workflows.deadlines import shanghai_date
from workflows.fold import Facts
from workflows.messages import BankNote, CommandOutcome, StepResult
from workflows.policy import Receipt

NOTED = CommandOutcome(kind="DONE")
# Nothing was changed, for the account at R no longer holds what came back: a supervisor must look.
SPENT = CommandOutcome(kind="NOT_ALLOWED", why="RETURN_AFTER_SPENT")


async def note_bank_word(pool: asyncpg.Pool, keyring: Keyring, note: BankNote) -> StepResult:
    """Note in an open case what the bank has said. Raises as the other steps do, to be tried again."""
    async with transaction(pool) as connection:
        locked = await records.lock(connection, note.transfer_id, shanghai_date(note.now))
        held_fen = (await registers.reverse_facts(connection, locked.state)).balance_fen
        facts = () if locked.state.closed else await _facts(connection, locked, note, held_fen)
        late = not facts and spent(locked.state, note.said, held_fen)
        if not locked.state.closed:
            # A case that has closed meanwhile has not heard it: it is told again, and may be opened for it.
            await hear(connection, note, spent=late)
        if not facts:
            outcome = SPENT if late else NOTED
            known = await records.events_after(connection, note.transfer_id, note.after_seq)
            return step_result(outcome, known)
        return await record_step(bank_scene(connection, keyring, locked, note.now), locked, facts, note)


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


def bank_scene(connection: Connection, keyring: Keyring, locked: Locked, at: datetime) -> Scene:
    """The case as the bank's word finds it."""
    return Scene(connection, keyring, locked.state, BANK, at, locked.calendar)
