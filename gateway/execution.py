"""Runs an operation and makes its answer: data, and errors that show a caller what it may know."""

import json
import logging
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import asyncpg
import orjson
import strawberry
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    create_source_event_stream,
    execute_root_selection_set,
)
from graphql.execution import execute_subscription_event
from strawberry.execution import optimized_is_awaitable

from gateway.context import RequestContext, Services
from gateway.executor import ShortWayExecutor
from gateway.faults import Fault, Language, Refused, Unavailable
from gateway.operations import InvalidDocumentError, Operation, Operations
from gateway.reachability import is_out_of_reach
from gateway.request_errors import without_values

TOO_MANY: Final = 429

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Answer:
    """A GraphQL response. `status` is the HTTP status for `application/graphql-response+json`.

    Without `has_data` nothing was executed and the response has no `data` entry. `codes` are its errors' codes.
    `retry_after_seconds`: the caller's budget is used up, which is said by HTTP too whatever the media type.
    """

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    status: int = 200
    has_data: bool = True
    codes: tuple[str, ...] = ()
    retry_after_seconds: int | None = None
    _encoded: bytes | None = None

    def encoded(self) -> bytes:
        """`body` as JSON, made once for all to whom the answer goes."""
        if self._encoded is None:
            self._encoded = orjson.dumps(self.body())
        return self._encoded

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"errors": self.errors} if self.errors else {}
        if self.has_data:
            body["data"] = self.data
        return body


class _Same:
    """A key that equals only itself for the same object, which it keeps alive: no other object can come to have its id."""

    __slots__ = ("_kept",)

    def __init__(self, kept: object) -> None:
        self._kept = kept

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._kept is other._kept

    def __hash__(self) -> int:
        return id(self._kept)


class Engine:
    """The schema's operations, executed by graphql-core on documents that `Operations` has let through."""

    def __init__(self, schema: strawberry.Schema, operations: Operations, services: Services) -> None:
        self._schema = schema
        self._services = services
        self.operations = operations

    async def run(self, operation: Operation, variables: dict[str, Any], context: RequestContext) -> Answer:
        """Execute a query or a mutation. Never raises but when it is cancelled."""
        result = await self._result(operation, variables, context)
        return _request_errors(result) if isinstance(result, list) else _answer(result, context)

    async def _result(
        self, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> ExecutionResult | list[GraphQLError]:
        if operation.plain_query is not None:
            return await operation.plain_query.run(
                context, variables, lambda: self._executor(operation, variables, context)
            )
        executor = self._executor(operation, variables, context)
        if isinstance(executor, list):
            return executor
        result = execute_root_selection_set(executor)
        return result if isinstance(result, ExecutionResult) else await result

    async def stream(
        self, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> AsyncGenerator[Answer, None]:
        """Execute a subscription: one answer for each event, with loaders of its own. Ends when its source ends."""
        executor = self._executor(operation, variables, context)
        if isinstance(executor, list):
            yield _request_errors(executor)
            return
        opening = create_source_event_stream(executor)
        source = await opening if isinstance(opening, Awaitable) else opening
        if isinstance(source, ExecutionResult):
            yield _answer(source, context, executed=False)
            return

        selection = _Same(operation), json.dumps(variables, sort_keys=True)
        events = cast("AsyncGenerator[Any, None]", source)
        try:
            async for event in events:
                shared, context.shared = context.shared, None
                answering = partial(self._answer_to_event, executor, event, context)
                yield await (answering() if shared is None else shared.get(selection, answering))
        except Exception as error:  # noqa: BLE001 - whatever a source raises between two events is the answer's end
            yield _answer(ExecutionResult(None, [_located(error)]), context, executed=False)
        finally:
            await events.aclose()

    async def _answer_to_event(self, executor: Executor[Any], event: object, context: RequestContext) -> Answer:
        context.loaders = self._services.new_loaders(context.pool)
        result: Any = execute_subscription_event(executor.build_per_event_executor(event))
        return _answer(await result if isinstance(result, Awaitable) else result, context)

    def _executor(
        self, operation: Operation, variables: dict[str, Any], context: RequestContext
    ) -> Executor[Any] | list[GraphQLError]:
        executor: Executor[Any] | list[GraphQLError] = ShortWayExecutor.build(
            self._schema._schema,  # noqa: SLF001 - Strawberry's own execution would parse and validate again
            operation.document,
            None,
            context,
            variables,
            operation.name,
            is_awaitable=cast("Any", optimized_is_awaitable),
            hide_suggestions=self.operations.hide_suggestions,
            short_ways=operation.short_ways,
        )
        return executor


def refusal(error: Fault | InvalidDocumentError, language: Language) -> Answer:
    """The answer to a request that was not executed."""
    if isinstance(error, InvalidDocumentError):
        return _request_errors(error.errors)
    formatted = {"message": error.message(language), "extensions": dict(error.extensions())}
    return Answer(
        None,
        [formatted],
        error.http_status,
        has_data=False,
        codes=(error.code,),
        retry_after_seconds=_wait_of(error),
    )


def _request_errors(errors: list[GraphQLError]) -> Answer:
    """Of a document or of variables that do not fit the schema; graphql-core's words name the place.

    They quote values too, which may be somebody's identity number: those are never echoed.
    """
    formatted = [_formatted(error, without_values(error.message), {"code": Refused.code}) for error in errors]
    return Answer(None, formatted, Refused.http_status, has_data=False, codes=(Refused.code,) * len(formatted))


def _answer(result: ExecutionResult, context: RequestContext, *, executed: bool = True) -> Answer:
    if not result.errors:
        return Answer(result.data)
    formatted, codes, statuses = [], [], [200]
    wait: int | None = None
    for error in result.errors:
        fault = _fault_of(error)
        if fault is not None:
            message, extensions = fault.message(context.language), dict(fault.extensions())
            statuses.append(fault.http_status)
            wait = wait or _wait_of(fault)
        elif _is_meant_for_callers(error):
            message, extensions = error.message, dict(error.extensions or {})
        else:
            message, extensions = _internal(error, context)
            statuses.append(500)
        formatted.append(_formatted(error, message, extensions))
        codes.append(str(extensions.get("code")))
    status = max(statuses) if not executed or (result.data is None and max(statuses) >= 500) else 200
    wait = wait if result.data is None else None
    return Answer(result.data, formatted, status, has_data=executed, codes=tuple(codes), retry_after_seconds=wait)


def _wait_of(fault: Fault) -> int | None:
    """How long the caller waits whose budget is used up; None for every other fault."""
    return fault.retry_after_seconds if isinstance(fault, Unavailable) and fault.http_status == TOO_MANY else None


def _fault_of(error: GraphQLError) -> Fault | None:
    cause = _root_cause(error)
    if isinstance(cause, Fault):
        return cause
    if is_out_of_reach(cause):
        logger.warning("out of reach: %s", type(cause).__name__)
        return Unavailable()
    return None


def _root_cause(error: GraphQLError) -> BaseException:
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_meant_for_callers(error: GraphQLError) -> bool:
    """A resolver's own GraphQLError says its code; without one, the words are a library's and may quote values."""
    return isinstance(_root_cause(error), GraphQLError) and "code" in (error.extensions or {})


def _internal(error: GraphQLError, context: RequestContext) -> tuple[str, dict[str, Any]]:
    identifier, cause = context.correlation_id, _root_cause(error)
    _strip_rows(cause)
    logger.error("INTERNAL %s at %s", identifier, error.path, exc_info=cause)
    zh, en = f"系统内部错误，编号 {identifier}", f"Internal error, reference {identifier}"
    message = en if context.language == "en" else zh
    return message, {"code": "INTERNAL", "correlationId": identifier}


def _strip_rows(error: BaseException) -> None:
    """PostgreSQL's DETAIL quotes the refused row, people's words included: nothing for a log, wherever in the chain it is."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        if isinstance(each, asyncpg.PostgresError):
            each.detail = None
        each = each.__cause__ or each.__context__


def _formatted(error: GraphQLError, message: str, extensions: dict[str, Any]) -> dict[str, Any]:
    formatted: dict[str, Any] = {"message": message}
    if error.locations:
        formatted["locations"] = [location.formatted for location in error.locations]
    if error.path:
        formatted["path"] = error.path
    formatted["extensions"] = extensions
    return formatted


def _located(error: Exception) -> GraphQLError:
    return GraphQLError(str(error), original_error=error)
