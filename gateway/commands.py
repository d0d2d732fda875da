"""From a mutation to what came of it: recorded first, then carried out by the case's workflow.

What was recorded is never lost: whoever is out of reach afterwards, the answer is StepPending, and the same key asks again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import asyncpg
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import TemporalError

from activities.dispatch import CaseClosedError, PendingCommand, dispatch
from gateway import reads
from gateway.acting_person import OF_TWO_PEOPLE, acting
from gateway.caller_view import CallerView
from gateway.case import Case
from gateway.case_events import tell_event
from gateway.command_log import Entry, Key, KeyTakenError, Recorded, append, find_bound, key_of
from gateway.context import RequestContext
from gateway.errors import (
    IdempotencyConflict,
    StaleRevision,
    StepNotAllowed,
    StepPayload,
    StepPending,
    TransferNotFound,
    ValidationFailed,
)
from gateway.free_text import open_texts, seal_texts
from gateway.reachability import OUT_OF_REACH
from gateway.telling import Telling, telling_of
from gateway.types.enums import UserErrorCode
from gateway.types.inputs import PayoutAccountInput, TransferInput
from gateway.types.reference import node_key
from gateway.validation import failed, failed_in_the_step, violations_of_step
from workflows.actors import Actor
from workflows.commands import AnyAsk
from workflows.messages import TASK_QUEUE, CommandOutcome
from workflows.rules import OF_A_SECOND_PERSON, NotAllowed, Stale, objection, person_required
from workflows.state import TransferState
from workflows.vocabulary import TransferAction

PATIENCE: Final = timedelta(seconds=5)
ASK_AGAIN_AFTER_SECONDS: Final = 5
# Two calls at once bind a key in turn; the second finds what the first has bound.
ATTEMPTS: Final = 3

# What a workflow of its own carries out.
Order = TypeVar("Order")

logger = logging.getLogger(__name__)

StepAnswer = (
    StepPayload
    | ValidationFailed
    | TransferNotFound
    | StepNotAllowed
    | StaleRevision
    | IdempotencyConflict
    | StepPending
)


async def take_step(context: RequestContext, mutation: str, given: TransferInput, ask: AnyAsk) -> StepAnswer:
    """Have `ask` carried out on the transfer that `given` names. `mutation` is its name in the contract."""
    telling = await telling_of(context)
    answer = await _answer(telling, mutation, given, ask)
    if isinstance(answer, StepPayload | StepNotAllowed | StaleRevision):
        acting_person = context.viewer.acting_person or given.acting_person or None
        telling.note_case(answer.transfer.stored, mutation, acting_person)
    return answer


async def _answer(telling: Telling, mutation: str, given: TransferInput, ask: AnyAsk) -> StepAnswer:
    context = telling.context
    violations = violations_of_step(telling, given)
    if violations:
        return failed(telling, violations)
    view = await _named_transfer(telling, given.transfer_id)
    if view is None:
        return _not_found(telling)
    state = view.actual
    if view.as_of is not None and ask.expected_revision == view.state.revision:
        # A former employer has seen all that there is for it: what came later is no news that it could have known.
        ask = ask.model_copy(update={"expected_revision": None})
    account = given.account_number if isinstance(given, PayoutAccountInput) else None
    ask, texts, data_key = await seal_texts(context, state, ask)
    key = key_of(telling, mutation, given.idempotency_key, given, number=account, data_key=data_key)
    actor, unfit = await acting(telling, given.acting_person or None, of_two_people=ask.action in OF_TWO_PEOPLE)
    actor = view.acting(actor)
    entry = Entry(
        kind=ask.action,
        actor=actor,
        input=ask.model_dump(mode="json"),
        received_at=telling.now,
        transfer_id=state.transfer_id,
        transfer_no=state.no,
        texts=texts,
    )
    try:
        recorded = await _bind(context.pool, key, entry, unfit or _objection(telling, view, ask, actor))
    except KeyTakenError:
        return conflict(telling)
    if not isinstance(recorded, Recorded):
        return recorded
    try:
        outcome = await _step_outcome(telling, state, ask.action, recorded)
        return await _told(telling, state.transfer_id, outcome, replayed=recorded.replayed)
    except (TemporalError, *OUT_OF_REACH) as error:
        return pending(telling, error)


async def _bind(
    pool: asyncpg.Pool, key: Key, entry: Entry, refused: ValidationFailed | StepNotAllowed | StaleRevision | None
) -> Recorded | ValidationFailed | StepNotAllowed | StaleRevision:
    """What the key is bound to: an earlier call's command, or this one's, unless it is `refused`."""
    for _ in range(ATTEMPTS):
        # Most keys are new: only one that is bound, or a step that may not be, asks what is there.
        recorded = await append(pool, key, entry) if refused is None else None
        if recorded is not None:
            return recorded
        bound = await find_bound(pool, key)
        if bound is not None:
            return bound
        if refused is not None:
            return refused
    raise TimeoutError("the key was bound and released at every attempt")


async def _named_transfer(telling: Telling, node: str) -> CallerView | None:
    named = node_key(node)
    if named is None or named[0] != "Transfer":
        return None
    try:
        transfer_id = UUID(named[1])
    except ValueError:
        return None
    return await reads.transfer_by_id(telling.context.pool, telling.scope, transfer_id)


def _objection(
    telling: Telling, view: CallerView, ask: AnyAsk, actor: Actor
) -> StepNotAllowed | StaleRevision | ValidationFailed | None:
    """What is against the step already, so that nothing is written for it."""
    match objection(view.actual, ask.action, actor, ask.expected_revision):
        case NotAllowed(why=why):
            return _not_allowed(telling, view, why)
        case Stale():
            return _stale(telling, view)
        case _:
            unnamed = person_required(actor) if ask.action in OF_A_SECOND_PERSON else None
            return failed_in_the_step(telling, unnamed.violations) if unnamed is not None else None


async def _step_outcome(
    telling: Telling, state: TransferState, action: TransferAction, recorded: Recorded
) -> CommandOutcome:
    if recorded.outcome is not None:
        return CommandOutcome.model_validate(recorded.outcome)
    command = PendingCommand(recorded.command_id, state.transfer_id, state.no, action, state)
    try:
        return await carry_out(telling.context, command)
    except CaseClosedError:
        # The case ended before the command reached it; the sweeper releases the key.
        return CommandOutcome(kind="NOT_ALLOWED", why="CLOSED")


async def carry_out(context: RequestContext, command: PendingCommand) -> CommandOutcome:
    """Have a recorded command carried out when it is its turn, in bounded time."""
    client = await context.temporal.client()

    async def in_turn() -> CommandOutcome:
        async with context.temporal.turn(command.transfer_id):
            return await dispatch(client, command, timeout=PATIENCE)

    return await in_time(in_turn())


async def carry_out_alone(
    context: RequestContext,
    recorded: Recorded,
    run: Callable[[Any, Order], Awaitable[CommandOutcome]],
    order: Order,
    *,
    name: str,
    summary: str,
) -> CommandOutcome:
    """What came of a command that is no step of a case: recorded already, or carried out by a workflow of its own."""
    if recorded.outcome is not None:
        return CommandOutcome.model_validate(recorded.outcome)
    client = await context.temporal.client()
    return await in_time(
        client.execute_workflow(
            run,
            order,
            id=name,
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=summary,
        )
    )


async def in_time(work: Awaitable[CommandOutcome]) -> CommandOutcome:
    """Raises `TimeoutError` after the time that a caller is kept waiting at most."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        return await work


async def _told(telling: Telling, transfer_id: UUID, outcome: CommandOutcome, *, replayed: bool) -> StepAnswer:
    """An outcome as the contract says it, with the transfer as it is now."""
    pool = telling.context.pool
    if outcome.kind == "DONE":
        found = await reads.transfer_with_event(pool, telling.scope, transfer_id, outcome.seq or 1)
        if found is None:
            # The mandate ended while the step was carried out.
            return _not_found(telling)
        case = Case(found[0], telling)
        event = found[1]
        if not found[0].limited:
            (event,) = await open_texts(telling.context, transfer_id, [event])
        return StepPayload(transfer=case, event=tell_event(event, case, telling), replayed=replayed)
    view = await reads.transfer_by_id(pool, telling.scope, transfer_id)
    if view is None:
        return _not_found(telling)
    match outcome.kind:
        case "NOT_ALLOWED":
            return _not_allowed(telling, view, outcome.why or "NOT_YET")
        case "STALE":
            return _stale(telling, view)
        case "INVALID":
            return failed_in_the_step(telling, outcome.violations)


def _not_found(telling: Telling) -> TransferNotFound:
    return TransferNotFound(code=UserErrorCode.NOT_FOUND, message=telling.say("error.NOT_FOUND"))


def _not_allowed(telling: Telling, view: CallerView, why: str) -> StepNotAllowed:
    case = Case(view, telling)
    return StepNotAllowed(
        code=UserErrorCode.STEP_NOT_ALLOWED,
        message=telling.say(f"not_allowed.{why}"),
        transfer=case,
        allowed_actions=case.allowed_actions,
    )


def _stale(telling: Telling, view: CallerView) -> StaleRevision:
    return StaleRevision(
        code=UserErrorCode.STALE_REVISION,
        message=telling.say("error.STALE_REVISION"),
        transfer=Case(view, telling),
    )


def conflict(telling: Telling) -> IdempotencyConflict:
    return IdempotencyConflict(
        code=UserErrorCode.IDEMPOTENCY_CONFLICT, message=telling.say("error.IDEMPOTENCY_CONFLICT")
    )


def pending(telling: Telling, error: BaseException) -> StepPending:
    """Recorded, but not known to be carried out: the truth, whatever `error` was."""
    logger.warning("recorded and pending: %s: %s", type(error).__name__, error)
    seconds = ASK_AGAIN_AFTER_SECONDS
    return StepPending(
        code=UserErrorCode.STEP_PENDING,
        message=telling.say("error.STEP_PENDING", seconds=seconds),
        retry_after_seconds=seconds,
    )
