"""Unmatched money goes back to the account that it came from: asked by a command, paid by the bank, out of SUSPENSE when taken."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.bank import Answer, Bank, BankStatus, NotAnsweredError, Payee, Payment, PaymentOrder
from activities.bank.kept import read_entry
from activities.bank.orders import payment_order
from activities.bank.suspense import take_out
from activities.bank.unmatched import ENTERED_FOR, RESOLVE_SQL
from activities.bank.wire import RefusedMessageError
from activities.database import transaction
from activities.keyring import Keyring
from activities.reference import regions_on
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.messages import CommandOutcome, UnmatchedFundsOrder

log = logging.getLogger(__name__)

COMMAND: Final = "SEND_UNMATCHED_FUNDS_HOME"
AT_ONCE: Final = 20
DONE: Final = CommandOutcome(kind="DONE")

# Those that were asked after longest ago come first. The state is looked at again: whoever held the row may have decided otherwise.
LEAVING_SQL = """
update bank_entries set asked_at = clock_timestamp()
 where entry_id in (select entry_id from bank_entries where state = 'GOING_HOME'
                     order by asked_at nulls first, resolved_at, entry_id limit $1)
   and state = 'GOING_HOME'
returning *
"""
BACK_SQL = """
update bank_entries set state = 'UNMATCHED', resolution = $2, tries = tries + 1 where entry_id = $1 and state = 'GOING_HOME'
"""
# A receipt that is entered with this money's reference holds the same row: it is seen after it.
HOLD_SQL = "select from bank_entries where entry_id = $1 for update"
GO_SQL = f"""
update bank_entries e set state = 'GOING_HOME', resolved_at = $2, resolved_by = $3, resolution = $4
 where entry_id = $1 and state = 'UNMATCHED' and not {ENTERED_FOR}
"""  # noqa: S608 - constants


# Of a bank that is there; one that is away keeps everything as it is.
NO_ANSWER: Final = (TimeoutError, NotAnsweredError)


class NoAnswerError(Exception):
    """The bank is there, and does not say what has become of a payment: it may have been taken all the same."""


class SendHome(BaseModel, frozen=True):
    """What the command asks. `reason` comes sealed from the gateway, in the form of `free_text.seal_without_person`."""

    entry_id: UUID
    reason: str


async def carry_out(pool: asyncpg.Pool, order: UnmatchedFundsOrder) -> CommandOutcome:
    """Decide, once, that the money goes home; what has left the list meanwhile stays as it is. Raises as statements do."""
    async with transaction(pool) as connection:
        row = await connection.fetchrow("select * from commands where command_id = $1 for update", order.command_id)
        if row is None:
            raise LookupError(f"there is no command {order.command_id}")
        if row["outcome"] is not None:
            return CommandOutcome.model_validate_json(row["outcome"])
        asked, actor = SendHome.model_validate_json(row["input"]), Actor.model_validate_json(row["actor"])
        await connection.execute(HOLD_SQL, asked.entry_id)
        await connection.execute(GO_SQL, asked.entry_id, row["received_at"], actor.subject, asked.reason)
        await connection.execute(
            "update commands set outcome = $2, carried_out_at = clock_timestamp() where command_id = $1",
            order.command_id, DONE.model_dump_json(),
        )  # fmt: skip
    return DONE


def reference_home(entry_id: UUID, tries: int = 1) -> str:
    """Our reference of the payment that takes the money home, another for each try; the bank's own references of it have room for a little more."""
    return f"TH-{entry_id.hex[:26]}{tries:02d}"


async def send_due_home(pool: asyncpg.Pool, keyring: Keyring, bank: Bank) -> int:
    """Hand in what is to go home and ask after it; how much has gone. Raises what PostgreSQL raises, and the bank when it is away."""
    gone = 0
    for row in await pool.fetch(LEAVING_SQL, AT_ONCE):
        try:
            gone += await _send(pool, keyring, bank, row)
        except (LookupError, ValueError) as error:
            # Money that cannot be paid back keeps no other from it; a person has to look at it again.
            log.warning("entry %s does not go home: %s", row["entry_id"], error)
            await pool.execute(BACK_SQL, row["entry_id"], f"{row['resolution']} ({error})")
        except NoAnswerError as error:
            # Nor does this. It is asked after again: back on the list it could be paid a second time.
            log.warning("entry %s has no answer of the bank: %s", row["entry_id"], error)
    return gone


async def _send(pool: asyncpg.Pool, keyring: Keyring, bank: Bank, row: asyncpg.Record) -> bool:
    reference = reference_home(row["entry_id"], row["tries"])
    answer = await _status(bank, reference)
    if answer.status is BankStatus.UNKNOWN:
        await _hand_in(bank, await _payment(pool, keyring, row, reference))
    elif answer.status is BankStatus.REFUSED:
        said = f"{row['resolution']} ({answer.reason})"
        log.warning("the bank does not take %s home: %s", reference, answer.reason)
        await pool.execute(BACK_SQL, row["entry_id"], said)
    elif answer.status is BankStatus.TAKEN:
        now = datetime.now(UTC)
        async with transaction(pool) as connection:
            await take_out(connection, row["entry_id"], now)
            decided = (row["resolved_at"], row["resolved_by"], row["resolution"])
            await connection.execute(RESOLVE_SQL, row["entry_id"], "SENT_HOME", *decided)
        return True
    return False


async def _status(bank: Bank, reference: str) -> Answer:
    try:
        return await bank.status(reference)
    except (*NO_ANSWER, RefusedMessageError) as error:
        raise NoAnswerError(repr(error)) from error


async def _hand_in(bank: Bank, payment: PaymentOrder) -> None:
    """Raises `RefusedMessageError` for what no message can carry: that has not been sent."""
    try:
        await bank.hand_in(payment)
    except NO_ANSWER as error:
        raise NoAnswerError(repr(error)) from error


async def _payment(pool: asyncpg.Pool, keyring: Keyring, row: asyncpg.Record, reference: str) -> PaymentOrder:
    entry = read_entry(keyring, row)
    if entry.other_account is None:
        raise LookupError(f"nobody knows the account that {entry.entry_reference} came from")
    payee = Payee(
        payee_name=entry.other_name or "",
        payee_bank=entry.other_bank or "",
        payee_bank_code=None,
        payee_account=entry.other_account,
    )
    payments: Sequence[Payment] = [Payment(end_to_end_id=reference, amount_fen=entry.amount_fen)]
    today = shanghai_date(datetime.now(UTC))
    async with pool.acquire() as connection:
        regions = await regions_on(connection, today, [row["region"]])
    return payment_order(reference, regions[row["region"]], payee, tuple(payments), today)
