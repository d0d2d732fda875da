"""A remittance on its way through the bank: looked up before it is sent, and asked after until the bank has said yes or no."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import payout
from activities.bank import Bank, BankStatus, Payee, PaymentOrder
from activities.bank.orders import payee_of, payment_order, payments_of
from activities.bank.reasons import law_reason
from activities.keyring import Keyring
from activities.reference import REGIONS_TEXT_SQL, regions_of
from workflows.deadlines import shanghai_date
from workflows.messages import BankOrder, BankSaid
from workflows.vocabulary import BankReturnReason, RemittanceKind

# A bank that answers soon is waited for; a slow one is asked again by Temporal's own retries.
QUICK_LOOKS = 3
QUICK_LOOK_SECONDS = 0.4
SLOWEST_LOOK = timedelta(minutes=5)

# The order $1, and both regions as they are on the day $2.
ORDER_SQL = f"""
select r.amount_fen, r.kind, t.from_region, t.to_region, a.account_sealed, p.wrapped_key,
       ({REGIONS_TEXT_SQL.format(day="$2::date", which="r.code in (t.from_region, t.to_region)")}) as regions
  from remittances r join transfers t using (transfer_id) join persons p using (person_id)
  left join payout_accounts a using (transfer_id) where r.reference = $1
"""  # noqa: S608 - our own statement


async def send_to_bank(pool: asyncpg.Pool, keyring: Keyring, bank: Bank, order: BankOrder) -> BankSaid:
    """Hand the order in unless the bank has it, and return its word once it has taken the order or refused it.

    Raises `ApplicationError` NotYet while it has not, to be asked again.
    """
    answer = await bank.status(order.reference)
    if answer.status is BankStatus.UNKNOWN:
        await bank.hand_in(await _payment_order(pool, keyring, order))
    for _ in range(QUICK_LOOKS):
        if answer.status in (BankStatus.TAKEN, BankStatus.REFUSED):
            break
        # No bank takes an order in the moment that it is handed in.
        await asyncio.sleep(QUICK_LOOK_SECONDS)
        answer = await bank.status(order.reference)
    if answer.status is BankStatus.TAKEN:
        return BankSaid(reference=order.reference, said="TAKEN")
    if answer.status is BankStatus.REFUSED:
        amount_fen = await pool.fetchval("select amount_fen from remittances where reference = $1", order.reference)
        reason = BankReturnReason(law_reason(answer.reason))
        return BankSaid(reference=order.reference, said="RETURNED", amount_fen=amount_fen, reason=reason)
    pause = min(timedelta(seconds=2.0 ** min(activity.info().attempt, 10)), SLOWEST_LOOK)
    raise ApplicationError("银行尚未回执", order.reference, type="NotYet", next_retry_delay=pause)


async def _payment_order(pool: asyncpg.Pool, keyring: Keyring, order: BankOrder) -> PaymentOrder:
    today = shanghai_date(datetime.now(UTC))
    async with pool.acquire() as connection:
        row = await connection.fetchrow(ORDER_SQL, order.reference, today)
        if row is None:
            raise LookupError(f"there is no remittance {order.reference}")
        # As of now: an account that was changed after the order is the one that the money goes to.
        regions = regions_of(row["regions"])
        kind, origin, destination = RemittanceKind(row["kind"]), regions[row["from_region"]], regions[row["to_region"]]
        # What comes home is sent by R.
        payer, agency = (destination, origin) if kind is RemittanceKind.REVERSE else (origin, destination)
        payee = _person(keyring, row) if kind is RemittanceKind.PAYOUT else payee_of(agency)
        limit_fen = payer.policy.bank_limit_fen
        payments = await payments_of(connection, order.reference, row["amount_fen"], limit_fen)
    return payment_order(order.reference, payer, payee, payments, today)


def _person(keyring: Keyring, row: asyncpg.Record) -> Payee:
    return payout.opened(keyring.unwrap(row["wrapped_key"]), row["account_sealed"])
