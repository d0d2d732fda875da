"""graphql-core's executor, and a query's way around it, both with the short ways of their document.

`PlainQuery` is how nearly every query of an app goes: one root field, whose resolver is called here, and a plain object of what it
found. `ShortWayExecutor` is graphql-core's for everything else, and for the parts of an answer that turn out not to be plain.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, Self, cast

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql.execution import get_argument_values, get_variable_values
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.short_ways import Complete, ShortWays, fill, filled, is_nullable


class ShortWayExecutor(StrawberryGraphQLCoreExecutionContext):
    """Built with the `short_ways` of its document."""

    def __init__(self, *args: Any, short_ways: ShortWays, **more: Any) -> None:
        super().__init__(*args, **more)
        self._short_ways = short_ways

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_details_list: Any, path: Any, position_context: Any
    ) -> Any:
        field = self._short_ways.field(parent_type, field_details_list)
        if field is not None:
            with suppress(Exception):
                return fill(field, source)
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def collect_and_execute_subfields(
        self, return_type: GraphQLObjectType, field_details_list: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        complete = self._short_ways.object(return_type, field_details_list)
        if complete is not None:
            with suppress(Exception):
                return complete(result)
        return super().collect_and_execute_subfields(return_type, field_details_list, path, result, position_context)


class PlainQuery(NamedTuple):
    """A query of one root field with a resolver, in a document without directives.

    `info` is what the resolver is told, the request's own context and variables apart. `complete` makes the field's value in the
    answer of what the resolver found; None when not all of that is plain.
    """

    info: GraphQLResolveInfo[object]
    field: GraphQLField
    resolve: Callable[..., Any]
    details: FieldDetailsList
    nullable: bool
    complete: Complete | None

    @classmethod
    def of(cls, schema: GraphQLSchema, operation: OperationDefinitionNode, short_ways: ShortWays) -> Self | None:
        """The operation as such a query, if it is one."""
        root = schema.query_type
        if root is None or operation.operation is not OperationType.QUERY or short_ways.directives:
            return None
        (name, details), *others = short_ways.root(root, operation).items()
        field = root.fields.get(details[0].node.name.value)
        if others or field is None or field.resolve is None:
            return None
        nothing: Any = None
        info: GraphQLResolveInfo[object] = GraphQLResolveInfo(
            field_name=details[0].node.name.value,
            field_nodes=[each.node for each in details],
            return_type=field.type,
            parent_type=root,
            path=Path(None, name, root.name),
            schema=schema,
            fragments={each: fragment.definition for each, fragment in short_ways.fragments.items()},
            root_value=None,
            operation=operation,
            variable_values=nothing,
            context=nothing,
            is_awaitable=cast("Any", optimized_is_awaitable),
            abort_signal=None,
            async_helpers=nothing,
        )
        complete = short_ways.value(field.type, details)
        return cls(info, field, field.resolve, details, is_nullable(field.type), complete)

    async def run(
        self, context: object, variables: dict[str, Any], new_executor: Callable[[], Any]
    ) -> ExecutionResult | list[GraphQLError]:
        """What graphql-core would answer. The errors are of variables that do not fit; then nothing was executed.

        `new_executor` builds graphql-core's executor for this request, or says those errors. It is called when there is
        anything that is not plainly well.
        """
        coerced = get_variable_values(self.info.schema, self.info.operation.variable_definitions or (), variables)
        if isinstance(coerced, list):
            errors: list[GraphQLError] = new_executor()
            return errors
        # Strawberry's resolvers are given the variables as a dict.
        variable_values: Any = coerced.coerced
        info = self.info._replace(context=context, variable_values=variable_values)
        found: Any
        try:
            arguments = get_argument_values(self.field, self.details[0].node, coerced)
            found = self.resolve(None, info, **arguments)
            if optimized_is_awaitable(found):
                found = await found
        except Exception as error:  # noqa: BLE001 - to graphql-core, what is raised and what is returned is the same
            found = error
        if self.complete is not None and not isinstance(found, Exception):
            with suppress(Exception):
                return ExecutionResult({str(info.path.key): filled(found, self.nullable, self.complete)}, None)
        return await self._completed(new_executor(), info, found)

    async def _completed(self, executor: Any, info: GraphQLResolveInfo[object], found: object) -> ExecutionResult:
        async def resolved() -> object:
            return found

        result: ExecutionResult
        try:
            value = await executor.complete_awaitable_value(
                info.return_type, self.details, info, info.path, resolved(), None
            )
            result = executor.build_response({str(info.path.key): value})
        except GraphQLError as error:
            executor.collected_errors.add(error, None)
            result = executor.build_response(None)
        return result
