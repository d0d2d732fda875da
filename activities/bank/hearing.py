"""That a case has heard a word of the bank: noted by the transaction in which it decides what follows, if anything does."""

from typing import Final

from activities.bank.unmatched import lay_apart
from activities.database import Connection
from workflows.messages import BankNote

HEARD_SQL: Final = """
update bank_words set heard_fen = greatest(heard_fen, $3) where reference = $1 and said = $2 and heard_fen < $3
"""


async def hear(connection: Connection, note: BankNote, *, spent: bool) -> None:
    """The word needs no further telling. `spent`: the money that came back is the supervisor's matter now."""
    said = note.said
    # Entries before words, as the inbox takes them in.
    if spent:
        await lay_apart(connection, said, note.now)
    await connection.execute(HEARD_SQL, said.reference, said.said, said.told_fen + said.amount_fen)
