"""Amounts of the bank's messages: yuan with two decimals there, whole fen here, and no other currency."""

from decimal import Decimal
from typing import Any, Final

from activities.bank.wire import RefusedMessageError

CURRENCY: Final = "CNY"
# Ten times all that is in transit in the country at once; what is more is a slip of the pen.
MOST_FEN: Final = 10**12


def fen_of(amount: Any) -> int:
    """Whole fen of an amount of a message, above zero. Raises `RefusedMessageError`."""
    if amount.ccy != CURRENCY:
        raise RefusedMessageError(f"an amount in {amount.ccy}: only {CURRENCY} is taken, send it back to who pays")
    fen = amount.value * 100
    if fen != fen.to_integral_value():
        raise RefusedMessageError(f"{amount.value} {CURRENCY} is no whole fen: send the amount with two decimals")
    if not 0 < fen <= MOST_FEN:
        raise RefusedMessageError(f"{amount.value} {CURRENCY} is not from 0.01 to {yuan(MOST_FEN)}: see what was meant")
    return int(fen)


def yuan(fen: int) -> Decimal:
    """An amount as messages have it, with its two decimals."""
    return Decimal(fen).scaleb(-2)
