"""`@auth`: which roles a field requires. Printed in the schema and in the field's description, enforced before it runs."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.extensions.field_extension import AsyncExtensionResolver, SyncExtensionResolver
from strawberry.schema_directive import Location

from gateway.context import RequestContext
from gateway.faults import Forbidden, Unauthenticated
from workflows.vocabulary import Role


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], name="auth")
class Auth:
    requires: list[Role]


class RequireRoles(FieldExtension):
    """Refuses a caller without a token (UNAUTHENTICATED), then one without any of `roles` (FORBIDDEN)."""

    def __init__(self, roles: tuple[Role, ...]) -> None:
        self._roles = roles

    def resolve(self, next_: SyncExtensionResolver, source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        check_roles(info.context, self._roles)
        return next_(source, info, **kwargs)

    async def resolve_async(
        self, next_: AsyncExtensionResolver, source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        check_roles(info.context, self._roles)
        return await next_(source, info, **kwargs)


def check_roles(context: RequestContext, roles: tuple[Role, ...]) -> None:
    """Raises `Unauthenticated` or `Forbidden`."""
    check_signed_in(context)
    if not context.viewer.has(*roles):
        raise Forbidden


def check_signed_in(context: RequestContext) -> None:
    """Raises `Unauthenticated` for a caller without a token."""
    if context.viewer.anonymous:
        raise Unauthenticated


F = TypeVar("F", bound=Callable[..., Any])


def field(description: str = "", *, requires: Sequence[Role] = ()) -> Callable[[F], F]:
    """A field with a resolver, for those who have one of the roles that it `requires`; for all when it names none."""
    if not requires:
        plain: Callable[[F], F] = strawberry.field(description=description)
        return plain
    said = f"Roles: {', '.join(requires)}."
    guarded: Callable[[F], F] = strawberry.field(
        description=f"{description}\n\n{said}" if description else said,
        directives=[Auth(requires=list(requires))],
        extensions=[RequireRoles(tuple(requires))],
    )
    return guarded


def subscription(description: str) -> Callable[[F], F]:
    """A subscription for all who are signed in; what they may see is the source's own first question."""
    made: Callable[[F], F] = strawberry.subscription(description=description)
    return made
