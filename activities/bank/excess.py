"""What came beyond an order and was accepted with it: nobody's yet, and on the list with the order that it came with.

The bank may have advised the whole of it, or finance has entered it by hand: the excess stands on the list by itself.
"""

from typing import Final

from activities.bank.entries import BankEntry, EntryKind
from activities.bank.kept import KEEP_ENTRIES_SQL, columns, read_entry, row_of
from activities.bank.matching import Verdict, Why
from activities.bank.orders import payer_of
from activities.database import Connection
from activities.keyring import Keyring
from activities.reference import RegionEntry
from workflows.remittance import Remittance

ADVICE_SQL: Final = "select * from bank_entries where entry_reference = $1 and region = $2 and kind = 'CREDIT' order by entry_id limit 1"


async def list_excess(
    connection: Connection,
    keyring: Keyring,
    order: Remittance,
    amount_fen: int,
    *,
    payer: RegionEntry,
    payee: RegionEntry,
) -> str:
    """Put it on the list of `payee`, who has it; the id under which it is booked.

    It came from the account that the bank named, or else from the one that the order was paid from. Raises ValueError
    for an order without an advice.
    """
    if order.bank_reference is None or order.received_on is None:
        raise ValueError("no advice, no excess")
    row = await connection.fetchrow(ADVICE_SQL, order.bank_reference, payee.code)
    advice = read_entry(keyring, row) if row is not None else None
    from_account = payer_of(payer)
    excess = BankEntry(
        kind=EntryKind.CREDIT,
        entry_reference=f"{order.bank_reference}/excess",
        account=payer_of(payee).payer_account,
        amount_fen=amount_fen,
        end_to_end_id=order.reference,
        booked_on=order.received_on,
        value_on=order.received_on,
        other_name=(advice and advice.other_name) or from_account.payer_name,
        other_account=(advice and advice.other_account) or from_account.payer_account,
        other_bank=(advice and advice.other_bank) or from_account.payer_bank or None,
    )
    kept = row_of(keyring, excess, payee.code, order.reference, Verdict("UNMATCHED", Why.EXCESS))
    await connection.execute(KEEP_ENTRIES_SQL, *columns([kept]))
    return str(excess.entry_id)
