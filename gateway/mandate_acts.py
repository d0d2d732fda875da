"""What every mutation about a mandate shares: which mandate it names, why it is refused, and how it is carried out."""

from uuid import UUID

from activities.database import Connection
from gateway import mandate_reads
from gateway.command_log import Recorded
from gateway.commands import carry_out_alone
from gateway.errors import ValidationFailed
from gateway.mandate_reads import MandateRow
from gateway.mandate_view import seen, shown
from gateway.telling import Telling
from gateway.types.enums import UserErrorCode
from gateway.types.mandates import Mandate, MandateNotAllowed, MandateNotFound
from gateway.types.reference import node_key
from workflows.mandate import MandateWorkflow
from workflows.messages import MandateOrder


class RefusedError(Exception):
    """It cannot be done now. Nothing has changed, and the key stays free."""

    def __init__(self, answer: ValidationFailed | MandateNotAllowed) -> None:
        super().__init__(answer.code)
        self.answer = answer


class NotSeenError(Exception):
    """There is no such mandate that the caller may see."""


async def named_mandate(telling: Telling, connection: Connection, node: str) -> MandateRow:
    """The mandate of that node id. Raises `NotSeenError`."""
    named = node_key(node)
    try:
        mandate_id = UUID(named[1]) if named is not None and named[0] == "Mandate" else None
    except ValueError:
        mandate_id = None
    row = await seen(telling, connection, mandate_id) if mandate_id is not None else None
    if row is None:
        raise NotSeenError
    return row


async def carried_out(telling: Telling, recorded: Recorded, mutation: str) -> Mandate:
    """The mandate after the command of that `mutation`. Raises `RefusedError`, `TemporalError` or what is out of reach."""
    order = MandateOrder(command_id=recorded.command_id)
    run, name = MandateWorkflow.run, f"mandate-{recorded.command_id}"
    outcome = await carry_out_alone(telling.context, recorded, run, order, name=name, summary="登记或撤销代办授权")
    if outcome.kind != "DONE":
        raise not_allowed(telling, outcome.why or "ENDED")
    mandate_id = UUID(recorded.input["mandate_id"])
    return shown(telling, await mandate_reads.mandate_by_id(telling.context.pool, mandate_id), mutation)


def not_allowed(telling: Telling, why: str) -> RefusedError:
    """`why` is a key of words."""
    message = telling.say(f"mandate.{why}")
    return RefusedError(MandateNotAllowed(code=UserErrorCode.MANDATE_NOT_ALLOWED, message=message))


def not_found(telling: Telling) -> MandateNotFound:
    return MandateNotFound(code=UserErrorCode.NOT_FOUND, message=telling.say("mandate.NOT_FOUND"))
