"""The person's own bank account: sealed in the gateway, before anything of it is written down."""

from typing import Final
from uuid import UUID

from activities.payout import masked, sealed
from gateway import reads
from gateway.commands import StepAnswer, take_step
from gateway.context import RequestContext
from gateway.telling import telling_of
from gateway.types.inputs import PayoutAccountInput
from gateway.types.reference import node_key
from workflows.commands import ProvidePayoutAccount

_NOWHERE: Final = ""


async def provide_payout_account(context: RequestContext, given: PayoutAccountInput) -> StepAnswer:
    """Take the account in. The command holds it sealed under the person's data key, and the digits that people may see."""
    revision = given.expected_revision
    ask = ProvidePayoutAccount(
        expected_revision=revision if isinstance(revision, int) else None,
        sealed=await _sealed(context, given),
        masked_account=masked(given.account_number),
    )
    return await take_step(context, "providePayoutAccount", given, ask)


async def _sealed(context: RequestContext, given: PayoutAccountInput) -> str:
    """The account in hex; nothing for a transfer that is not the caller's own, and then the step is refused.

    Who acts by a mandate sees the case, but does not say where the money goes.
    """
    named = node_key(given.transfer_id)
    try:
        transfer_id = UUID(named[1]) if named is not None else None
    except ValueError:
        transfer_id = None
    telling = await telling_of(context)
    own = telling.scope._replace(at=None)
    wrapped = await reads.wrapped_key(context.pool, own, transfer_id) if transfer_id is not None else None
    if wrapped is None:
        return _NOWHERE
    account = {
        "bank_name": given.bank_name,
        "account_name": given.account_name,
        "account_number": given.account_number,
    }
    return sealed(context.keyring.unwrap(wrapped), **account).hex()
