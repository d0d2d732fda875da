"""Money that an order moves in a register: the row changes, and the movement is kept beside it in the same statement.

Reconciliation reads the movements by their order; a movement without a row to change is none.
"""

from datetime import date
from typing import Final

from activities.database import Connection
from activities.registers import Enrolled, gone
from workflows.state import TransferState

PAY_OUT_FROZEN_SQL: Final = """
with moved as (
    update enrolments set frozen_fen = frozen_fen - $4::bigint, moved_on = $5, moved_by = $6
     where person_id = $1 and region = $2 and scheme = $3 returning 1)
insert into register_movements (transfer_id, reference, region, scheme, direction, amount_fen, moved_on)
select $7, $8, $2, $3, case when $4::bigint > 0 then 'OUT' else 'IN' end, abs($4::bigint), $5 from moved
"""
CREDIT_SQL: Final = """
with moved as (
    update enrolments set personal_account_fen = personal_account_fen + $4::bigint, moved_on = $5, moved_by = $6
     where person_id = $1 and region = $2 and scheme = $3 returning 1)
insert into register_movements (transfer_id, reference, region, scheme, direction, amount_fen, moved_on)
select $7, $8, $2, $3, case when $4::bigint > 0 then 'IN' else 'OUT' end, abs($4::bigint), $5 from moved
"""


async def pay_out_frozen(
    connection: Connection, state: TransferState, side: Enrolled, amount_fen: int, today: date, *, reference: str
) -> None:
    """The side's register: the frozen amount has left with the bank; a negative amount has come back, and is frozen again."""
    await connection.execute(
        PAY_OUT_FROZEN_SQL, state.person_id, *side, amount_fen, today, state.no, state.transfer_id, reference
    )


async def credit(
    connection: Connection, state: TransferState, side: Enrolled, amount_fen: int, today: date, *, reference: str
) -> None:
    """The side's register: the person's account is credited; a negative amount is taken back.

    Raises LookupError when it has no such enrolment.
    """
    done = await connection.execute(
        CREDIT_SQL, state.person_id, *side, amount_fen, today, state.no, state.transfer_id, reference
    )
    if done != "INSERT 0 1":
        raise gone(side.region)


async def set_aside_again(
    connection: Connection, state: TransferState, side: Enrolled, amount_fen: int, today: date, *, reference: str
) -> None:
    """The side's register: what had left is with the agency again, and frozen as before."""
    await pay_out_frozen(connection, state, side, -amount_fen, today, reference=reference)


async def take_off(
    connection: Connection, state: TransferState, side: Enrolled, amount_fen: int, today: date, *, reference: str
) -> None:
    """The side's register: a credit whose money the bank has taken back. Raises as `credit` does."""
    await credit(connection, state, side, -amount_fen, today, reference=reference)
