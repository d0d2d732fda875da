"""A remittance on its way through the bank: looked up before it is sent, and asked after until the bank has taken it."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import payout
from activities.bank import Bank, BankStatus, Payee, PaymentOrder
from activities.keyring import Keyring
from activities.reference import RegionEntry, regions_on
from workflows.deadlines import shanghai_date
from workflows.messages import BankOrder
from workflows.vocabulary import RemittanceKind

# A bank that answers soon is waited for; a slow one is asked again by Temporal's own retries.
QUICK_LOOKS = 3
QUICK_LOOK_SECONDS = 0.4
SLOWEST_LOOK = timedelta(minutes=5)


async def send_to_bank(pool: asyncpg.Pool, keyring: Keyring, bank: Bank, order: BankOrder) -> str:
    """Hand the order in unless the bank has it, and return its status once the bank has taken it.

    Raises `ApplicationError` NotYet while it has not, to be asked again.
    """
    status = await bank.status(order.reference)
    if status is BankStatus.UNKNOWN:
        await bank.hand_in(await _payment_order(pool, keyring, order))
    for _ in range(QUICK_LOOKS):
        if status is BankStatus.TAKEN:
            break
        # No bank takes an order in the moment that it is handed in.
        await asyncio.sleep(QUICK_LOOK_SECONDS)
        status = await bank.status(order.reference)
    if status is BankStatus.TAKEN:
        return status
    pause = min(timedelta(seconds=2.0 ** min(activity.info().attempt, 10)), SLOWEST_LOOK)
    raise ApplicationError("银行尚未回执", order.reference, type="NotYet", next_retry_delay=pause)


async def _payment_order(pool: asyncpg.Pool, keyring: Keyring, order: BankOrder) -> PaymentOrder:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            """select r.amount_fen, r.kind, t.from_region, t.to_region, a.account_sealed, p.wrapped_key
                 from remittances r join transfers t using (transfer_id) join persons p using (person_id)
                 left join payout_accounts a using (transfer_id) where r.reference = $1""",
            order.reference,
        )
        if row is None:
            raise LookupError(f"there is no remittance {order.reference}")
        # As of now: an account that was added or changed after the order is the one that the money goes to.
        today = shanghai_date(datetime.now(UTC))
        regions = await regions_on(connection, today, [row["from_region"], row["to_region"]])
    kind, origin, destination = RemittanceKind(row["kind"]), regions[row["from_region"]], regions[row["to_region"]]
    # What comes home is sent by R.
    payer, agency = (destination, origin) if kind is RemittanceKind.REVERSE else (origin, destination)
    payee = _person(keyring, row) if kind is RemittanceKind.PAYOUT else _agency(agency)
    return PaymentOrder(
        reference=order.reference, amount_fen=row["amount_fen"], payer_agency=payer.agency_code, **payee.model_dump()
    )


def _agency(region: RegionEntry) -> Payee:
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


def _person(keyring: Keyring, row: asyncpg.Record) -> Payee:
    return payout.opened(keyring.unwrap(row["wrapped_key"]), row["account_sealed"])
