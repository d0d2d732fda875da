"""An order over the limit of the payer's bank: parts within it, joined again by their references, `REF/1`, `REF/2` …"""

from activities.bank import Payment


def parts_of(reference: str, amount_fen: int, limit_fen: int | None) -> tuple[Payment, ...]:
    """The payments of an order, each within the limit, none of them empty, summing to the amount to the fen."""
    if limit_fen is None or amount_fen <= limit_fen:
        return (Payment(end_to_end_id=reference, amount_fen=amount_fen),)
    whole, rest = divmod(amount_fen, limit_fen)
    amounts = [limit_fen] * whole + ([rest] if rest else [])
    return tuple(
        Payment(end_to_end_id=f"{reference}/{number}", amount_fen=part) for number, part in enumerate(amounts, 1)
    )
