"""The person's own bank account: sealed in the gateway, before anything of it is written down."""

from typing import Final
from uuid import UUID

from activities.keyring import DataKey
from activities.payout import masked, sealed
from activities.people import open_name
from gateway import reads
from gateway.access_model import MUTATIONS
from gateway.commands import StepAnswer, take_step
from gateway.context import RequestContext
from gateway.precheck import violation
from gateway.telling import Telling, telling_of
from gateway.types.inputs import PayoutAccountInput
from gateway.types.reference import node_key
from gateway.validation import failed
from workflows.commands import ProvidePayoutAccount
from workflows.identity import comparable_name

_NOTHING: Final = ""


async def provide_payout_account(context: RequestContext, given: PayoutAccountInput) -> StepAnswer:
    """Take the account in. The command holds it sealed under the person's data key, and the digits that people may see.

    The account must be in the person's own name: under another the bank would return the money.
    """
    telling, revision = await telling_of(context), given.expected_revision
    # Who acts by a mandate sees the case, but does not say where the money goes: for them nothing is sealed, and refused.
    person = await _person(telling, given.transfer_id)
    data_key = context.keyring.unwrap(person.wrapped_key) if person is not None else None
    if person is not None and data_key is not None:
        names = (open_name(data_key, person.name_sealed), given.account_name)
        if len({comparable_name(name) for name in names}) > 1:
            return failed(telling, [violation(telling, "accountName", "NOT_THE_PERSONS_NAME")])
    ask = ProvidePayoutAccount(
        expected_revision=revision if isinstance(revision, int) else None,
        sealed=_sealed(data_key, given) if data_key is not None else _NOTHING,
        masked_account=masked(given.account_number),
    )
    return await take_step(context, "providePayoutAccount", given, ask)


async def _person(telling: Telling, node: str) -> reads.OwnPerson | None:
    """The person of the transfer, when it is the caller's own."""
    named = node_key(node)
    try:
        transfer_id = UUID(named[1]) if named is not None else None
    except ValueError:
        transfer_id = None
    own = telling.scope.only(MUTATIONS["providePayoutAccount"].relations)
    return await reads.own_person(telling.context.pool, own, transfer_id) if transfer_id is not None else None


def _sealed(data_key: DataKey, given: PayoutAccountInput) -> str:
    """The account, sealed, in hex."""
    account = {
        "bank_name": given.bank_name,
        "account_name": given.account_name,
        "account_number": given.account_number,
    }
    return sealed(data_key, **account).hex()
