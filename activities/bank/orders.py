"""Orders as the border needs them: what the bank is told, and what its lines are held against."""

from collections.abc import Sequence
from datetime import date

from activities.bank import Payee, Payer, Payment, PaymentOrder
from activities.bank.matching import Ordered
from activities.bank.parts import parts_of
from activities.database import Connection
from activities.reference import RegionEntry
from workflows.vocabulary import RemittanceKind

# The names that an agency's account goes by: the account's own, and the agency's.
ORDERED_SQL = """
select r.reference, r.kind, r.amount_fen, t.from_region, t.to_region,
       (select array_agg(p.end_to_end_id order by p.end_to_end_id) from bank_payments p where p.reference = r.reference) as ids,
       (select array_agg(p.amount_fen order by p.end_to_end_id) from bank_payments p where p.reference = r.reference) as parts
  from remittances r join transfers t using (transfer_id) where r.reference = any($1::text[])
"""
NAMES_SQL = """
select code, array_agg(distinct agency_name) || array_remove(array_agg(distinct receiving_account_name), null) as names
  from pooling_regions where code = any($1::text[]) group by code
"""
PARTS_SQL = "select end_to_end_id, amount_fen from bank_payments where reference = $1 order by length(end_to_end_id), end_to_end_id"
KEEP_PARTS_SQL = """
insert into bank_payments (end_to_end_id, reference, amount_fen)
select id, $1, fen from unnest($2::text[], $3::bigint[]) as part (id, fen) on conflict do nothing
"""


async def orders_of(connection: Connection, references: Sequence[str]) -> dict[str, Ordered]:
    """Those of the references that are orders of ours."""
    rows = await connection.fetch(ORDERED_SQL, list(references)) if references else []
    regions = {row[side] for row in rows for side in ("from_region", "to_region")}
    named = await connection.fetch(NAMES_SQL, sorted(regions)) if rows else []
    names = {row["code"]: frozenset(row["names"]) for row in named}
    found = {}
    for row in rows:
        kind, payer, payee = RemittanceKind(row["kind"]), row["from_region"], row["to_region"]
        if kind is RemittanceKind.REVERSE:
            payer, payee = payee, payer
        parts = zip(row["ids"] or [row["reference"]], row["parts"] or [row["amount_fen"]], strict=True)
        found[row["reference"]] = Ordered(
            reference=row["reference"],
            amount_fen=row["amount_fen"],
            payer_region=payer,
            payee_region=None if kind is RemittanceKind.PAYOUT else payee,
            payee_names=names.get(payee, frozenset()),
            payments=tuple(Payment(end_to_end_id=each, amount_fen=fen) for each, fen in parts),
        )
    return found


async def payments_of(
    connection: Connection, reference: str, amount_fen: int, limit_fen: int | None
) -> tuple[Payment, ...]:
    """The payments that the order is handed in as: those of an earlier attempt, or by the bank's limit as it is now."""
    kept = await connection.fetch(PARTS_SQL, reference)
    if kept:
        return tuple(Payment(**row) for row in kept)
    parts = parts_of(reference, amount_fen, limit_fen)
    if len(parts) > 1:
        ids, amounts = [each.end_to_end_id for each in parts], [each.amount_fen for each in parts]
        await connection.execute(KEEP_PARTS_SQL, reference, ids, amounts)
    return parts


def payer_of(region: RegionEntry) -> Payer:
    """The agency that pays, from the account that it is paid on; the bank knows one without by the agency's code."""
    return Payer(
        payer_agency=region.agency_code,
        payer_name=region.receiving_account_name or region.agency_name,
        payer_bank=region.receiving_bank or "",
        payer_account=region.receiving_account or region.agency_code,
    )


def payee_of(region: RegionEntry) -> Payee:
    """The agency that is paid. Raises `LookupError` when the directory lacks its account."""
    if region.receiving_account is None:
        raise LookupError(
            f"region {region.code} has no receiving account in the directory: `yibao region set` adds one"
        )
    return Payee(
        payee_name=region.receiving_account_name or region.agency_name,
        payee_bank=region.receiving_bank or "",
        payee_bank_code=region.receiving_bank_code,
        payee_account=region.receiving_account,
    )


def payment_order(
    reference: str, payer: RegionEntry, payee: Payee, payments: tuple[Payment, ...], execute_on: date
) -> PaymentOrder:
    """What the bank is told."""
    return PaymentOrder(
        reference=reference,
        amount_fen=sum(each.amount_fen for each in payments),
        execute_on=execute_on,
        payments=payments,
        **payer_of(payer).model_dump(),
        **payee.model_dump(),
    )
